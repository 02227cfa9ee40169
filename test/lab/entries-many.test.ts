import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MOST_ENTRIES } from '#dist/core/entry.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { fillEntries } from '../support/lab/state.js';

/*
 * A whitelist as long as it may be, and what comes on top of it: by the configuration, by the control API, by import. Neither
 * ends the gateway, opens anything, or shuts anybody out. The laptop has 10.88.0.0/16, the list is of 10.90.0.0/15.
 */
const ALICE = 'tcp/21234,udp/28111,tcp/24711';

describe('a whitelist of as many entries as there may be', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  /** Neighbours all, so that they are few ranges for the kernel. */
  const entry = (n: number) => `10.${90 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
  const beyond = (n: number) => `172.16.${n >> 8}.${n & 255}`;
  const allow = (target: string) => daemon.api('POST', '/v1/allow', { target, services: ['ssh'] });
  const sees = (source: string) => lab.laptop.tcp(lab.gateway.ipv4, 22, { source, timeout: 250 });
  const everybodySees = () => Promise.all([sees(lab.laptop.ipv4), sees(entry(1)), sees(entry(MOST_ENTRIES - 1))]);
  const asEver = ['silent', 'open', 'open'];

  beforeAll(async () => {
    lab = await Lab.create();
    for (const n of [90, 91]) await lab.manyAddresses(lab.laptop, n);
    await lab.gateway.tell('listenTcp', { port: 22 });
    daemon = lab.daemon();
    await mkdir(daemon.stateDirectory, { recursive: true });
    const targets = Array.from({ length: MOST_ENTRIES }, (_, n) => entry(n));
    await fillEntries(daemon.stateDirectory, targets, ['ssh']);
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'] });
  }, 120_000);

  afterAll(() => lab?.destroy());

  it('lets all of them in, and nobody else', async () => {
    expect(await everybodySees()).toEqual(asEver);
  });

  it('says of one more what to do, however many ask at once, and a knock opens meanwhile', async () => {
    const asked = Array.from({ length: 100 }, (_, n) => allow(beyond(n)));
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    const [grant] = await eventually(
      () => daemon.grants(),
      (grants) => grants.length > 0,
      10_000,
    );
    for (const { status, body } of await Promise.all(asked)) {
      expect([status, body]).toMatchObject([409, { error: { code: 'SP_ENTRIES_FULL' } }]);
    }
    expect(await sees(lab.laptop.ipv4)).toBe('open');
    await daemon.api('POST', '/v1/revoke', { what: grant?.id });
    const { code, stderr } = await daemon.cli('allow', beyond(1), '--services', 'ssh');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^SP_ENTRIES_FULL: there are 100000 entries already\. /)]);
    expect(await everybodySees()).toEqual(asEver);
  });

  it('refuses an import for which there is no room, all of it, and takes one that fits', async () => {
    const { body } = await daemon.api('POST', '/v1/revoke', { what: entry(7) });
    expect(body).toMatchObject({ removed: [{ target: entry(7) }] });
    const file = join(daemon.directory, 'rules.v4');
    const rules = Array.from({ length: 50 }, (_, n) => `-A INPUT -s ${beyond(n)}/32 -p tcp --dport 22 -j ACCEPT\n`);
    await writeFile(file, `*filter\n:INPUT DROP [0:0]\n${rules.join('')}COMMIT\n`);
    const imported = async () => {
      const { code, stdout } = await daemon.cli('import', file, '--yes', '--json');
      const { made, failed } = JSON.parse(stdout) as { made: object[]; failed: { code: string }[] };
      return { code, made: made.length, failed: failed.length, why: [...new Set(failed.map((one) => one.code))] };
    };
    expect(await imported()).toEqual({ code: 1, made: 0, failed: 50, why: ['SP_ENTRIES_FULL'] });
    await writeFile(file, `*filter\n:INPUT DROP [0:0]\n${rules[0]}COMMIT\n`);
    expect(await imported()).toEqual({ code: 0, made: 1, failed: 0, why: [] });
    expect(await sees(entry(7))).toBe('silent');
  });

  it('is there after a restart, and a configuration that is too large neither starts nor applies nor opens', async () => {
    const lines = Array.from({ length: 100_000 }, (_, n) => `    - {address: ${entry(n)}, services: all}\n`);
    await daemon.writeConfig(`trusted:\n  addresses:\n${lines.join('')}`);
    const { code, stderr } = await daemon.cli('firewall', 'apply');
    expect([code, stderr]).toEqual([1, expect.stringContaining('the file is larger than 1 MB')]);
    expect(await everybodySees()).toEqual(asEver);
    await daemon.kill('SIGKILL');
    const refused = await daemon.refusesToStart();
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('the file is larger than 1 MB');
    expect(await everybodySees()).toEqual(asEver);
    await daemon.writeConfig();
    await daemon.launch();
    expect(await everybodySees()).toEqual(asEver);
  });
});
