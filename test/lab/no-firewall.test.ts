/** Without a packet filter, root, nft or netlink: everything but the closing. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon, UserJson } from '../support/lab/daemon.js';
import { hasTable } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { poorDaemon } from '../support/lab/poor.js';

const WITHOUT_KOFFI = fileURLToPath(new URL('../support/lab/without-koffi.mjs', import.meta.url));
const NO_FILTER = 'firewall: {driver: none}\nknock: {source: socket}';
const ALICE = 'udp/21234,udp/28111,udp/24711';

interface Status {
  readonly parts: Record<string, { state: string; detail?: string }>;
  readonly notices: string[];
}

describe('without a packet filter, as a plain user on a machine without nft and koffi,', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = await poorDaemon(lab, { config: NO_FILTER, env: { NODE_OPTIONS: `--import=${WITHOUT_KOFFI}` } });
    await daemon.launch();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], ttl: '1h' });
  });
  afterAll(() => lab?.destroy());

  it('everything says that nothing is closed', async () => {
    const { parts, notices } = await daemon.json<Status & Record<string, never>>('status');
    expect(parts.firewall).toEqual({
      state: 'none',
      policy: 'guard',
      detail: 'nothing is closed: firewall.driver is none',
    });
    expect(notices.join('\n')).toContain('closes nothing');
    const { stdout } = await daemon.cli('status');
    expect(stdout.split('\n')[0]).toContain('NOT GUARDING: nothing is closed: firewall.driver is none');
    expect((await daemon.cli('firewall', 'status')).stdout).toMatch(/state +none\n *detail +nothing is closed/);
    expect(await daemon.eventsNamed('firewall.opened')).toMatchObject([{ detail: expect.stringContaining('none') }]);
    expect(daemon.output).toContain('NOTHING IS CLOSED');
    expect(await hasTable(lab.gateway)).toBe(false);
  });

  it.each(['ipv4', 'ipv6'] as const)('a knock makes a grant, and ends in the journal, over %s', async (family) => {
    await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    const mine = async () => (await daemon.grants()).filter(({ address }) => address === lab.laptop[family]);
    const [grant] = await eventually(mine, (found) => found.length > 0);
    expect(grant).toMatchObject({ user: 'alice', services: ['ssh'], method: 'knock' });
    await daemon.json('revoke', lab.laptop[family]);
    expect(await mine()).toEqual([]);
    const told = (await daemon.events()).filter(({ address }) => address === lab.laptop[family]);
    expect(told.map(({ event }) => event)).toEqual(['grant.opened', 'grant.revoked']);
  });

  it('a grant ends when its time is over, and what has time left outlives a restart', async () => {
    await daemon.json('allow', lab.phone.ipv4, '--for', '1h');
    await daemon.json('allow', lab.stranger.ipv4, '--for', '1s');
    await eventually(
      () => daemon.eventsNamed('grant.expired'),
      (events) => events.some(({ address }) => address === lab.stranger.ipv4),
    );
    expect(await daemon.kill('SIGTERM')).toBe(0);
    await daemon.launch();
    expect((await daemon.grants()).map(({ address }) => address)).toEqual([lab.phone.ipv4]);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it.each(['apply', 'confirm', 'rollback'])('firewall %s says that there is none', async (command) => {
    const { status, body } = await daemon.api<{ error: { code: string } }>('POST', `/v1/firewall/${command}`);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(body)).toMatch(/SP_FIREWALL_NONE.*nothing is closed here/);
  });

  it('so does the panic command, without the daemon', async () => {
    const { code, stderr } = await daemon.cli('firewall', 'panic');
    expect(`${code} ${stderr}`).toMatch(/^1 SP_FIREWALL_NONE: nothing is closed here.*firewall\.driver/);
  });

  it('the boot step has nothing to put up', async () => {
    const { code, stdout, stderr } = await daemon.cli('firewall', 'restore');
    expect(`${code} ${stderr}`).toBe('0 ');
    expect(stdout).toContain('Nothing is closed');
  });

  it('a sequence of what nobody listens to is refused, and none is drawn', async () => {
    const refused = await daemon.cli('user', 'add', 'tcp', '--knock', 'tcp/21003,udp/24711,udp/22503');
    expect(`${refused.code} ${refused.stderr}`).toMatch(/^2 SP_SEQUENCE_INVALID: .*only udp knocks are heard here/);
    expect(refused.stderr).not.toContain('21003');
    const drawn: UserJson[] = [];
    for (let n = 0; n < 8; n++) drawn.push(await daemon.addUser(`drawn${n}`, { length: 8 }));
    expect(new Set(drawn.flatMap(({ sequence }) => sequence.map(({ protocol }) => protocol)))).toEqual(
      new Set(['udp']),
    );
  });

  it('who has a knock that is no longer heard is named by check, and by the daemon at its start', async () => {
    await daemon.kill('SIGTERM');
    await daemon.writeConfig(NO_FILTER.replace('socket}', 'socket, socket_protocols: [tcp]}'));
    const { code, stdout } = await daemon.cli('check');
    expect(code).toBe(0);
    const named = /note: knock\.socket_protocols: the knocks of alice, drawn0.* and 4 more .*cannot open/;
    expect(stdout).toMatch(named);
    expect(stdout).not.toContain('21234');
    await daemon.launch();
    expect((await daemon.json<Status & Record<string, never>>('status')).notices.join('\n')).toContain('of alice');
    await daemon.kill('SIGTERM');
    await daemon.writeConfig();
  });
});
