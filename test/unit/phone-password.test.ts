/** A password that is mended is found without a restart, through the drivers as they are. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AmiDriver } from '#dist/phone/ami-driver.js';
import { AriDriver } from '#dist/phone/ari-driver.js';
import { PbxLink } from '#dist/phone/pbx-link.js';
import type { PbxDriver } from '#dist/phone/session.js';
import { tempDir } from '../support/control-rig.ts';
import { pass } from '../support/phone/fake-agi.ts';
import { ScriptedAmi } from '../support/phone/scripted-ami.ts';

let directory: ReturnType<typeof tempDir>;
let file: string;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  directory = tempDir();
  file = join(directory.path, 'pbx.secret');
  // What the connections themselves wait with is real.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

const ignore = () => undefined;
const DEAF = {
  ...{ onCall: ignore, onDigit: ignore, onPlayed: ignore },
  ...{ onHangUp: ignore, onRingFailed: ignore, onHealth: ignore, onAuthorize: ignore },
};
const keep = (password: string) => writeFileSync(file, `${password}\n`, { mode: 0o600 });

/** A link that has been told a wrong password, and has been refused. */
async function refused(driver: PbxDriver): Promise<PbxLink> {
  keep('wrong-77');
  const link = new PbxLink(driver);
  closing.push(() => link.stop());
  await link.start(DEAF);
  await until(() => link.health().state === 'refused');
  expect(link.health().detail).toContain('with its password');
  return link;
}

/** Lets what is real happen; no time passes for the link. */
async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) expect.fail('not in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('over AMI, at the next slow try: within half a minute, and no sooner', async () => {
  const ami = new ScriptedAmi();
  ami.password = 'right-88';
  const port = await ami.open();
  closing.push(() => ami.close());
  const link = await refused(
    new AmiDriver({ host: '127.0.0.1', port, username: 'sallyport', secretFile: file, userEvents: false }),
  );
  keep('right-88');
  await pass(29_000);
  expect([ami.logins, link.health().state]).toEqual([1, 'refused']);
  await pass(1000);
  await until(() => link.health().state === 'connected');
  expect(ami.logins).toBe(2);
});

test('over ARI, too', async () => {
  const came: string[] = [];
  const server = createServer((request, response) => {
    const login = (request.headers.authorization ?? '').replace('Basic ', '');
    came.push(Buffer.from(login, 'base64').toString());
    response.writeHead(401).end();
  });
  const url = `http://127.0.0.1:${await open(server)}`;
  await refused(new AriDriver({ url, app: 'sallyport', username: 'sallyport', passwordFile: file }));
  keep('right-88');
  await pass(29_000);
  expect(came).toEqual(['sallyport:wrong-77']);
  await pass(1000);
  await until(() => came.length === 2);
  expect(came[1]).toBe('sallyport:right-88');
});

async function open(server: Server): Promise<number> {
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
