import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const LINK = import.meta.resolve('#dist/netlink/nftables-link.js');
const LISTENER = import.meta.resolve('#dist/netlink/listener.js');

/** Makes `import 'koffi'` fail in a process and in its threads. */
const hook = `export const resolve = (name, context, next) => {
  if (name === 'koffi') throw new Error('no koffi here');
  return next(name, context);
};`;
const preload = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`;

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-netlink-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function without(code: string): Promise<string> {
  const program = join(folder, 'program.mjs');
  writeFileSync(program, code);
  const { stdout } = await run(process.execPath, ['--import', dataUrl(preload), program], { timeout: 10_000 });
  return stdout.trim();
}

describe('without koffi', () => {
  it('opening the link fails with a code, and nothing keeps the process', async () => {
    const code = `import { NftablesLink } from ${JSON.stringify(LINK)};
      NftablesLink.open({ table: 'sallyport' }).catch((error) => console.log(error.toLine()));`;
    expect(await without(code)).toMatch(/^SP_NETLINK_UNAVAILABLE: .*no koffi here/);
  });

  it('starting the listener fails with a code, and nothing keeps the process', async () => {
    const code = `import { NetlinkListener } from ${JSON.stringify(LISTENER)};
      const listener = new NetlinkListener({ group: 1, table: 'sallyport', ownPortIds: [] }, {});
      listener.start().catch((error) => console.log(error.toLine()));`;
    expect(await without(code)).toMatch(/^SP_NETLINK_UNAVAILABLE: .*no koffi here/);
  });
});
