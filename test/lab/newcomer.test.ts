/** The commands as somebody tries them who knows nothing but their --help: slips, and what is said of them. */
import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAB_MAIN, type LabDaemon } from '../support/lab/daemon.js';
import { Lab } from '../support/lab/lab.js';
import { expectRefusal } from '../support/lab/refusal.js';

let lab: Lab;
let daemon: LabDaemon;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.phone.tell('dnsListen', { address: lab.phone.ipv4 });
  const say = (name: string, says: object) => lab.phone.tell('dnsSet', { name, says });
  await say('loopback.example.org', { A: ['127.0.0.1'], AAAA: ['::1'] });
  await say('ourselves.example.org', { A: [lab.gateway.ipv4] });
  daemon = lab.daemon({ config: `names: {servers: [${lab.phone.ipv4}]}` });
  await daemon.start();
  await daemon.confirm();
});
afterAll(() => lab?.destroy());

const LONG = 'a'.repeat(300);

describe('a slip', () => {
  it.each([
    ['a verb with a typo', 'alow 203.0.113.7', /SP_USAGE: .*Did you mean allow\?/],
    ['a group with a typo', 'firewall aply', /SP_USAGE: .*Did you mean apply\?/],
    ['an option with a typo', 'allow 203.0.113.7 --servces ssh', /SP_USAGE: .*Did you mean --services\?/],
    ['no target', 'allow', /SP_USAGE: missing required argument 'target'/],
    ['two targets', 'allow 203.0.113.7 203.0.113.8', /SP_USAGE: too many arguments/],
    ['half an address', 'allow 1.2.3', /SP_ADDRESS_INVALID: "1\.2\.3" .*like 203\.0\.113\.7/],
    ['IPv4 in IPv6', 'allow ::ffff:1.2.3.4', /SP_ADDRESS_MAPPED: .*plain IPv4 address 1\.2\.3\.4\./],
    ['a prefix too long', 'allow 10.0.0.1/33', /SP_PREFIX_INVALID: .*from 0 to 32/],
    ['host bits', 'allow 10.0.0.1/24', /SP_PREFIX_INVALID: .*did you mean 10\.0\.0\.0\/24\? Write/],
    ['a URL', 'allow http://example.org', /SP_HOST_NAME_INVALID: "http:\/\/example\.org"/],
    ['a name with a port', 'allow example.org:22', /SP_HOST_NAME_INVALID: "example\.org:22"/],
    ['a range', 'allow 1.2.3.4-1.2.3.9', /SP_ADDRESS_INVALID: "1\.2\.3\.4-1\.2\.3\.9"/],
    [
      'a letter that looks like another',
      'allow ex\u0430mple.org',
      /SP_HOST_NAME_INVALID: .*\(U\+0430\) .*type it anew/,
    ],
    ['300 characters', `allow ${LONG}`, /SP_USAGE: target: it is longer than 253 characters\. Run it with --help/],
    ['a long note', `allow 203.0.113.7 --note ${LONG}`, /SP_USAGE: note: it is longer than 200 characters/],
    ['localhost', 'allow localhost', /SP_HOST_NAME_INVALID: .*full name/],
    ['an unknown service', 'allow 203.0.113.7 --services shh', /SP_SERVICE_UNKNOWN: .*all, ssh, sip, web/],
    ['no duration', 'allow 203.0.113.7 --for soon', /SP_DURATION_INVALID: "soon" .*Try 90s/],
    ['whois of a name', 'whois example.org', /SP_ADDRESS_INVALID/],
    ['an unknown provider', 'provider enable voipms', /SP_PROVIDER_UNKNOWN: .*did you mean voip\.ms\?/],
    ['a time out of bounds', 'firewall apply --for 2h', /SP_USAGE: --for goes from 2s to 60m/],
  ])('is told in one line, with what to write, and exit status 2: %s', async (_, line, words) => {
    const { code, stdout, stderr } = await daemon.cli(...line.split(' '));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/^SP_\w+: [^\n]+[^.?!]\.\n$/);
  });

  it.each([
    ['everybody', 'allow 0.0.0.0/0', 'SP_TARGET_EVERYONE'],
    ['loopback', 'allow 127.0.0.1', 'SP_ADDRESS_REFUSED'],
    ['the gateway itself', 'allow 10.77.0.1', 'SP_ADDRESS_REFUSED'],
    ['longer than may be', 'allow 203.0.113.7 --for 99h', 'SP_TTL_TOO_LONG'],
    ['an unknown id', 'revoke E00000000', 'SP_NOT_FOUND'],
    ['nothing to roll back', 'firewall rollback', 'SP_NOTHING_PROVISIONAL'],
  ])('of another kind is refused, with exit status 1: %s', async (_, line, code) => {
    expectRefusal(await daemon.cli(...line.split(' ')), code);
  });

  it('leaves nothing behind', async () => {
    expect(await daemon.json('list')).toEqual({ entries: [], grants: [] });
  });
});

describe('a guard that is open', () => {
  it('says so, and how to close it', async () => {
    await daemon.cli('firewall', 'panic');
    expect((await daemon.cli('firewall', 'status')).stdout).toMatch(
      /^state +open\nmeans +everything is open; .* apply$/m,
    );
    await daemon.cli('firewall', 'apply');
    expect((await daemon.cli('firewall', 'rollback')).stdout).toMatch(/^state +reverted\nmeans +everything is open/);
    await daemon.cli('firewall', 'apply');
    expect((await daemon.cli('firewall', 'confirm')).stdout).toMatch(/^state +guarding\npolicy/);
  });
});

describe('a command that is given twice', () => {
  it.each([
    ['allow 198.51.100.7', 'entry.added'],
    ['provider enable voip.ms', 'provider.enabled'],
    ['provider disable voip.ms', 'provider.disabled'],
    ['firewall confirm', 'guard.confirmed'],
  ])('says the same again, and does it once: %s', async (line, event) => {
    const first = await daemon.cli(...line.split(' '));
    const events = (await daemon.eventsNamed(event)).length;
    const second = await daemon.cli(...line.split(' '));
    expect([second.code, second.stdout]).toEqual([0, first.stdout]);
    expect((await daemon.eventsNamed(event)).length).toBe(events);
  });

  it('finds nothing left to revoke', async () => {
    expect((await daemon.cli('revoke', '198.51.100.7')).code).toBe(0);
    expectRefusal(await daemon.cli('revoke', '198.51.100.7'), 'SP_NOT_FOUND');
  });
});

describe('a name that leads where nobody may be let in', () => {
  it.each([
    ['loopback.example.org', 'a loopback address'],
    ['ourselves.example.org', "the host's own address"],
  ])('lets nobody in, and says why: %s', async (name, why) => {
    const { code, stdout } = await daemon.cli('allow', name);
    expect(code).toBe(0);
    expect(stdout).toContain('it has no address now');
    expect(stdout).toContain(why);
    expect((await daemon.cli('revoke', name)).code).toBe(0);
  });
});

describe('output', () => {
  const shell = (command: string) =>
    spawnSync('bash', ['-c', command], {
      encoding: 'utf8',
      env: { ...process.env, SALLYPORT_CONFIG: daemon.configFile, SP: `${process.execPath} ${LAB_MAIN}` },
    });

  it('to a reader that goes away ends quietly', () => {
    const { stdout, stderr } = shell('set -o pipefail; $SP provider list | head -1; echo $?');
    expect(stdout).toMatch(/^PROVIDER .*\n0\n$/);
    expect(stderr).toBe('');
  });

  it('that cannot be written is told of in a line', () => {
    const { status, stderr } = shell('$SP provider list > /dev/full');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^SP_OUTPUT_UNWRITABLE: [^\n]*ENOSPC[^\n]*\n$/)]);
  });
});

describe('without the right', () => {
  it('a command of the daemon says who may', async () => {
    for (const folder of [lab.directory, daemon.directory]) await chmod(folder, 0o755);
    const argv = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, LAB_MAIN];
    const asNobody = (...args: string[]) =>
      lab.gateway.exec('setpriv', [...argv, ...args, '--config', daemon.configFile]);
    for (const line of ['status', 'list', 'allow 203.0.113.7', 'provider list', 'firewall apply'])
      expectRefusal(await asNobody(...line.split(' ')), 'SP_DAEMON_FORBIDDEN');
    for (const line of ['firewall panic', 'firewall restore'])
      expectRefusal(await asNobody(...line.split(' ')), 'SP_FIREWALL_DENIED');
  });
});

describe('without a daemon, or a configuration', () => {
  const COMMANDS = ['status', 'allow 203.0.113.7', 'provider list', 'firewall plan', 'firewall confirm'];

  it('a command says what to start, and with a faulty file which line to mend', async () => {
    const nowhere = lab.daemon({ name: 'nowhere' });
    await nowhere.writeConfig();
    for (const line of COMMANDS) expectRefusal(await nowhere.cli(...line.split(' ')), 'SP_DAEMON_UNREACHABLE');
    await nowhere.writeConfig('firewall: {policy: lokdown}');
    const faulty = await nowhere.cli('status');
    expectRefusal(faulty, 'SP_CONFIG_INVALID');
    expect(faulty.stderr).toMatch(/sallyport\.yaml:\d+ firewall\.policy: .*lockdown/);
    await writeFile(nowhere.configFile, 'version: 2\nservices: {ssh: [tcp/22]}\nservces: {}\n');
    const { code, stderr } = await nowhere.cli('check');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^\S+:1 version: .*\n\S+:3 servces: .*did you mean services\?\n/);
  });

  it('init that is refused has written nothing', async () => {
    const file = join(lab.directory, 'fresh.yaml');
    const state = ['--state-dir', join(lab.directory, 'fresh')];
    const init = (...args: string[]) =>
      lab.gateway.exec(process.execPath, [LAB_MAIN, 'init', '--config', file, ...state, ...args]);
    expectRefusal(await init('--yes', '--user', 'no name'), 'SP_NAME_INVALID', 2);
    expect((await init('--yes', '--user', 'ann')).code).toBe(0);
    expectRefusal(await init('--yes'), 'SP_CONFIG_EXISTS');
  });
});
