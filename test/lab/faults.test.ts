import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { MountHolder } from '../support/lab/holder.js';
import { arming, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { expectRefusal, refusal } from '../support/lab/refusal.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const NOBODY = 65_534;

let lab: Lab;
let count = 0;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterAll(() => lab?.destroy());

const laptopSees = () => lab.laptop.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
const strangerSees = () => lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 300 });

/** What a start that fails leaves behind on its two streams: one line for people, and log lines without a stack. */
async function expectNoStart(daemon: LabDaemon, error: string): Promise<void> {
  const { code, stdout, stderr } = await daemon.refusesToStart();
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(new RegExp(`^${error}: .+\n$`)) });
  expect(stdout).not.toMatch(/^ +at /m);
  expect(stdout).not.toContain('"stack"');
}

describe('where a guard is up and its daemon cannot start', () => {
  let daemon: LabDaemon;

  beforeAll(async () => {
    daemon = lab.daemon({ name: 'guarding' });
    await daemon.start();
    await daemon.confirm();
    await daemon.json('allow', lab.laptop.ipv4, '--for', '1h');
    await daemon.kill('SIGTERM');
  });
  afterEach(async () => {
    expect(await arming(lab.gateway)).toBe('for good');
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
  });
  afterAll(() => mustNft(lab.gateway, 'flush ruleset'));

  it.each([
    ['an unknown key', 'firewal: {policy: guard}', /firewal/],
    ['a port out of range', 'services: {ssh: [tcp/65536]}', /65536/],
    ['a pool over the ports of a service', 'services: {ssh: [tcp/22], odd: [udp/21500]}', /21500|pool/],
    ['a time over the maximum', 'grants: {ttl: 13h, max_ttl: 12h}', /13h|max_ttl/],
    ['a service that is not there', 'firewall: {guard: [ssh, ftp]}', /ftp/],
    ['a broken line', 'grants: {ttl: 1h', /./],
  ])('for %s: it names the line, and the guard stays', async (_, config, said) => {
    await daemon.writeConfig(config);
    const { code, stdout, stderr } = await daemon.refusesToStart();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^SP_CONFIG_INVALID: \S+sallyport\.yaml:\d+.*\n$/);
    expect(stderr).toMatch(said);
    expect(stdout).not.toContain('"stack"');
    const checked = await daemon.cli('check');
    expect({ code: checked.code, stderr: checked.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/sallyport\.yaml:\d+/),
    });
  });

  it("for a pool in the range of the host's own ports", async () => {
    const setRange = (range: string) =>
      lab.gateway.exec('sysctl', ['-q', '-w', `net.ipv4.ip_local_port_range=${range}`]);
    await daemon.writeConfig();
    await setRange('20000 60999');
    try {
      await expectNoStart(daemon, 'SP_POOL_OVERLAP');
    } finally {
      await setRange('32768 60999');
    }
  });

  it('for a damaged database', async () => {
    await daemon.writeConfig();
    const file = join(daemon.stateDirectory, 'sallyport.db');
    const good = await readFile(file);
    for (const damaged of [randomBytes(good.length), good.subarray(0, 3000), new Uint8Array(0), withHole(good)]) {
      await writeFile(file, damaged);
      await expectNoStart(daemon, 'SP_STORE_DAMAGED');
    }
    await writeFile(file, good);
  });

  it('for a state directory that is a file, or on a disk that is read-only', async () => {
    const file = join(lab.directory, 'a-file');
    await writeFile(file, '');
    const { code, stderr } = await lab.gateway.exec(process.execPath, [
      MAIN,
      'serve',
      '--config',
      daemon.configFile,
      '--state-dir',
      file,
    ]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^SP_STATE_UNWRITABLE: .+\n$/) });
    const state = daemon.stateDirectory;
    const holder = await MountHolder.start(
      lab.gateway,
      `mount --bind ${state} ${state}; mount -o remount,bind,ro ${state}`,
    );
    const reader = lab.daemon({ name: 'guarding', wrap: [...holder.wrap] });
    await expectNoStart(reader, 'SP_STATE_UNWRITABLE');
    holder.stop();
  });

  it('for want of nftables', async () => {
    const nft = await realpath((await lab.gateway.exec('sh', ['-c', 'command -v nft'])).stdout.trim());
    for (const script of [
      `mount --bind /dev/null ${nft}`,
      `mount -t tmpfs tmpfs ${nft.slice(0, nft.lastIndexOf('/'))}`,
    ]) {
      const holder = await MountHolder.start(lab.gateway, `PATH=/usr/bin:/bin; ${script}`);
      const without = lab.daemon({ name: 'guarding', wrap: [...holder.wrap] });
      await expectNoStart(without, 'SP_NFT_MISSING');
      expectRefusal(await without.cli('firewall', 'panic'), 'SP_NFT_MISSING');
      holder.stop();
    }
  });

  describe('without rights', () => {
    /** Nobody, who may read everything (wherever this checkout lies) and change nothing. */
    const asNobody = [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      '--inh-caps=+dac_read_search',
      '--ambient-caps=+dac_read_search',
    ];

    // The folder of the lab is root's alone; what lies in it may be seen here.
    beforeAll(() => chmod(lab.directory, 0o755));

    it('on the state directory', async () => {
      await expectNoStart(lab.daemon({ name: 'guarding', wrap: asNobody }), 'SP_STATE_UNWRITABLE');
    });

    it('on the packet filter', async () => {
      const own = lab.daemon({ name: 'nobody', wrap: asNobody });
      await own.writeConfig();
      await mkdir(own.stateDirectory);
      for (const path of [own.directory, own.stateDirectory]) await chown(path, NOBODY, NOBODY);
      await expectNoStart(own, 'SP_FIREWALL_DENIED');
      expectRefusal(await own.cli('firewall', 'panic'), 'SP_FIREWALL_DENIED');
      const trying = lab.daemon({ name: 'guarding', wrap: asNobody });
      expectRefusal(await trying.cli('firewall', 'restore'), 'SP_FIREWALL_DENIED');
    });
  });

  it('and it starts again when the cause is gone', async () => {
    await daemon.writeConfig();
    await daemon.launch();
    expect((await daemon.grants()).map(({ address }) => address)).toEqual([lab.laptop.ipv4]);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
    await daemon.kill('SIGTERM');
  });
});

describe('a running gateway', () => {
  let daemon: LabDaemon;

  beforeAll(async () => {
    daemon = lab.daemon({ name: 'running' });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'] });
  });
  afterEach(async () => {
    expect((await daemon.api<{ ready: boolean; parts: object }>('GET', '/v1/status')).body).toMatchObject({
      ready: true,
      parts: { firewall: { state: 'guarding' }, knock: { state: 'listening' }, store: { state: 'ok' } },
    });
    expect(await strangerSees()).toBe('silent');
  });

  it('refuses a second daemon on its state', async () => {
    await expectNoStart(lab.daemon({ name: 'running' }), 'SP_STATE_LOCKED');
  });

  it('refuses a second daemon beside it, whatever state that one has', async () => {
    await expectNoStart(await written(lab.daemon({ name: 'beside' })), 'SP_NFLOG_BUSY');
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(laptopSees, (verdict) => verdict === 'open');
    await daemon.json('revoke', 'alice');
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('refuses what is asked wrongly, each in one line with its code and exit status, and without any effect', async () => {
    const commands = [
      ['user add bob --ttl 13h', 'SP_TTL_TOO_LONG', 1],
      ['user add alice', 'SP_USER_EXISTS', 1],
      ['user add -bob', 'SP_USAGE', 2],
      ['user add b/b', 'SP_NAME_INVALID', 2],
      ['user add bob --services ftp', 'SP_SERVICE_UNKNOWN', 2],
      ['user add bob --knock tcp/22,tcp/24000', 'SP_SEQUENCE_INVALID', 2],
      ['user add bob --knock tcp/70000,tcp/24000', 'SP_SEQUENCE_INVALID', 2],
      ['user add bob --ttl 3x', 'SP_DURATION_INVALID', 2],
      ['user show bob', 'SP_USER_UNKNOWN', 1],
      ['allow 203.0.113.7 --for 13h', 'SP_TTL_TOO_LONG', 1],
      ['allow 203.0.113.7 --for 0s', 'SP_DURATION_INVALID', 2],
      ['allow 010.0.0.1', 'SP_ADDRESS_INVALID', 2],
      ['allow ::ffff:203.0.113.7', 'SP_ADDRESS_MAPPED', 2],
      ['allow 203.0.113.7/33', 'SP_PREFIX_INVALID', 2],
      ['allow office.example.org --for 1h', 'SP_TARGET_NAME', 1],
      ['allow alice', 'SP_HOST_NAME_INVALID', 2],
      ['allow 0.0.0.0', 'SP_ADDRESS_REFUSED', 1],
      ['allow 127.0.0.1 --for 1h', 'SP_ADDRESS_REFUSED', 1],
      ['allow 224.0.0.1 --for 1h', 'SP_ADDRESS_REFUSED', 1],
      ['allow 255.255.255.255 --for 1h', 'SP_ADDRESS_REFUSED', 1],
      ['allow 10.77.0.1 --for 1h', 'SP_ADDRESS_REFUSED', 1],
      ['allow fd77::1 --for 1h', 'SP_ADDRESS_REFUSED', 1],
      ['revoke 203.0.113.7', 'SP_NOT_FOUND', 1],
      ['firewall rollback', 'SP_NOTHING_PROVISIONAL', 1],
      ['status --nonsense', 'SP_USAGE', 2],
      ['nonsense', 'SP_USAGE', 2],
    ] as const;
    const wanted = commands.map(([command, error, status]) => ({ command, ...refusal(error, status) }));
    expect(await inTurns(wanted, ({ command }) => outcome(daemon, command))).toEqual(wanted);
    const { body } = await daemon.api<{ grants: object[]; entries: number; users: number }>('GET', '/v1/status');
    expect(body).toMatchObject({ grants: [], entries: 0, users: 1 });
  });

  it('survives random bytes on the control socket', async () => {
    const pieces = Array.from({ length: 60 }, (_, n) => randomBytes(1 + n * 37));
    const requests = ['GET /v1/status', 'POST /v1/allow HTTP/1.1\r\nContent-Length: -1\r\n\r\n', '\r\n\r\n\0\0'].map(
      Buffer.from,
    );
    await Promise.all([...pieces, ...requests].map((bytes) => say(daemon.socket, bytes)));
  });

  it('refuses a huge request, and huge headers', async () => {
    const request = { target: '203.0.113.7', note: 'x'.repeat(2_000_000) };
    // The daemon hangs up on what is too long; whether its answer or the broken pipe is seen first is chance.
    const refusal = await daemon.api('POST', '/v1/allow', request).then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect([413, 'EPIPE', 'ECONNRESET']).toContain(refusal);
    expect((await daemon.json<{ entries: unknown[] }>('list')).entries).toEqual([]);
    const head = Buffer.from(`GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`);
    expect(await say(daemon.socket, head)).toMatch(/^HTTP\/1\.1 431 [\s\S]*SP_REQUEST_INVALID/);
  });
});

describe('without a daemon', () => {
  it('every command that needs one says in one line that none answers', async () => {
    const daemon = await written(lab.daemon({ name: 'absent' }));
    const commands = [
      'status',
      'list',
      'whois 203.0.113.7',
      'log',
      'user list',
      'user add bob',
      'allow 203.0.113.7',
      'revoke 203.0.113.7',
      'firewall status',
      'firewall apply',
      'firewall confirm',
      'firewall rollback',
    ];
    const wanted = commands.map((command) => ({ command, ...refusal('SP_DAEMON_UNREACHABLE') }));
    expect(await inTurns(wanted, ({ command }) => outcome(daemon, command))).toEqual(wanted);
  });

  it('a socket that a killed daemon left behind is as good as none, and the next daemon takes it', async () => {
    await lab.endDaemons();
    const daemon = lab.daemon({ name: `left${++count}` });
    await daemon.start();
    await daemon.kill('SIGKILL');
    expectRefusal(await daemon.cli('status'), 'SP_DAEMON_UNREACHABLE');
    await daemon.launch();
    expect((await daemon.cli('status')).code).toBe(0);
  });

  it('who may not use the socket is told so', async () => {
    const daemon = lab.daemon({ name: `left${++count}`, config: 'knock: {nflog_group: 865}' });
    await lab.endDaemons();
    await daemon.start();
    const asNobody = [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      '--inh-caps=+dac_read_search',
      '--ambient-caps=+dac_read_search',
    ];
    const [file = '', ...args] = [...asNobody, process.execPath, MAIN, 'status', '--config', daemon.configFile];
    expectRefusal(await lab.gateway.exec(file, args), 'SP_DAEMON_FORBIDDEN');
    await daemon.kill('SIGKILL');
  });
});

async function outcome(daemon: LabDaemon, command: string) {
  const { code, stderr, stdout } = await daemon.cli(...command.split(' '));
  return { command, code, stderr, stdout };
}

/** Three at a time, so that a small machine is not kept waiting by each. */
async function inTurns<A, B>(items: readonly A[], task: (item: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (let start = 0; start < items.length; start += 3) {
    results.push(...(await Promise.all(items.slice(start, start + 3).map(task))));
  }
  return results;
}

async function written(daemon: LabDaemon): Promise<LabDaemon> {
  await daemon.writeConfig();
  return daemon;
}

/** A database with its second page overwritten: the header is still good. */
function withHole(good: Buffer): Buffer {
  return Buffer.from(good).fill(0xa5, 4096, 8192);
}

/** Says something on a Unix socket and hears what comes until it is hung up. */
async function say(socket: string, bytes: Uint8Array): Promise<string> {
  return await new Promise((resolve) => {
    let answer = '';
    const connection = connect({ path: socket });
    connection.setTimeout(15_000, () => connection.destroy());
    connection.on('data', (text) => {
      answer += text.toString();
    });
    connection.on('error', () => undefined).on('close', () => resolve(answer));
    connection.end(bytes);
  });
}
