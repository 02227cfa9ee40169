import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { verdict } from '../../src/cli/render/status.ts';
import type { PlanView } from '../../src/control/contract/views.ts';
import { type CliRun, type ControlRig, startRig } from '../support/control-rig.ts';
import {
  claimView,
  entryView,
  grantView,
  journalView,
  listed,
  planView,
  providerView,
  statusView,
  userView,
} from '../support/fake-gateway.ts';

let rig: ControlRig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const ESCAPE = '\u001b';
const LINES = ['status', 'list', 'whois 203.0.113.7', 'user list', 'user show alice', 'firewall status', 'log'];

describe('a pipe', () => {
  it.each(LINES)('gets plain text from "%s": no escape, no frame', async (line) => {
    const { status, out } = await rig.run(line.split(' '));
    expect(status).toBe(0);
    for (const mark of [ESCAPE, '│', '╭', '─', '●', '✔']) expect(out).not.toContain(mark);
    expect(out).toContain(line === 'firewall status' ? 'guarding' : 'alice');
  });

  it('gets columns that line up', async () => {
    rig.gateway.answer('users', async () => [userView(), userView({ name: 'bartholomew', services: ['sip', 'ssh'] })]);
    expect((await rig.run(['user', 'list'])).out).toBe(
      [
        'USER         SERVICES  TTL      PORTS  OPEN    ACCOUNT  PIN  APPROVAL',
        'alice        ssh       default  3      1 of 5  -        no   none',
        'bartholomew  sip, ssh  default  3      1 of 5  -        no   none',
        '',
      ].join('\n'),
    );
  });
});

describe('providers', () => {
  it('are listed with what has enabled them, and what is wrong with them', async () => {
    rig.gateway.answer('providers', async () => [
      providerView(),
      providerView({
        name: 'ipkall',
        title: 'IPkall',
        status: 'retired',
        by: null,
        names: 0,
        networks: 2,
        addresses: 0,
      }),
      providerView({ name: 'acme', title: 'Acme', by: 'config', problems: ['acme seems to be gone'] }),
    ]);
    expect((await rig.run(['provider', 'list'])).out).toBe(
      [
        'PROVIDER  TITLE    STATUS                        NAMES  ADDRESSES  PROBLEMS',
        'voip.ms   VoIP.ms  enabled by command            1      2',
        'ipkall    IPkall   retired                       0      2',
        'acme      Acme     enabled by the configuration  1      2          acme seems to be gone',
        '',
      ].join('\n'),
    );
  });

  it('are shown with their hosts, and with the ports that they reach', async () => {
    const { out } = await rig.run(['provider', 'show', 'voip.ms']);
    expect(out).toMatch(/^SIP +udp\/5060$/m);
    expect(out).toMatch(/^IAX +not closed by the firewall, so there is nothing to open$/m);
    expect(out).toMatch(/^atlanta\.voip\.ms +IAX, RTP, SIP +198\.51\.100\.9 +ok +2026-03-01 08:00:00Z$/m);
    expect(out).toMatch(/^198\.51\.100\.32\/27 +RTP$/m);
    expect((await rig.run(['provider', 'enable', 'voip.ms'])).out).toBe(
      'voip.ms is let in to SIP (udp/5060), until it is disabled\n' +
        'Its 1 host name is looked up now, and tracked: sallyport provider show voip.ms\n',
    );
  });
});

describe('a terminal', () => {
  it.each(LINES)('gets colour from "%s", and none where NO_COLOR says so', async (line) => {
    expect((await rig.run(line.split(' '), { tty: true })).out).toContain(ESCAPE);
    const sober = await rig.run(line.split(' '), { tty: true, env: { NO_COLOR: '1' } });
    expect(sober.out).not.toContain(ESCAPE);
  });

  it('that is dumb gets plain text', async () => {
    const { out } = await rig.run(['status'], { tty: true, env: { TERM: 'dumb' } });
    for (const mark of [ESCAPE, '│']) expect(out).not.toContain(mark);
  });

  it('that is narrow has the widest column wrapped between words, and no address broken', async () => {
    const note = 'the lodger in the attic room, until the end of the month';
    rig.gateway.answer('list', async () => ({
      entries: [listed(entryView({ target: '2001:db8:7::7', note }))],
      grants: [],
    }));
    const shown = (columns: number) => rig.run(['list'], { tty: true, columns, env: { NO_COLOR: '1' } });
    const natural = (await shown(400)).out.split('\n');
    const widest = Math.max(...natural.map((line) => line.length));
    for (const columns of [widest - 1, widest - 30]) {
      const { out } = await shown(columns);
      for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
      expect(out).toContain('│ 2001:db8:7::7 │');
      expect(out.replaceAll(/[│\s]+/g, ' ')).toContain('the lodger');
    }
  });

  it('that is too narrow for columns has each row in lines of names and values', async () => {
    rig.gateway.answer('list', async () => ({
      entries: [listed(entryView({ target: '2001:db8:7::7', note: 'Ann' }))],
      grants: [],
    }));
    const { out } = await rig.run(['list'], { tty: true, columns: 40, env: { NO_COLOR: '1' } });
    expect(out).toMatch(/^2001:db8:7::7\n {2}services \S+ · from \S+\n/m);
    expect(out).toContain('note Ann');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('sees who is in, until when, and what is wrong', async () => {
    rig.gateway.answer('status', async () => statusView({ notices: ['the local port range overlaps the pool'] }));
    const { out } = await rig.run(['status'], { tty: true, env: { NO_COLOR: '1' } });
    expect(out).toContain('● guarding; 1 address in');
    expect(out).toMatch(/✔ {2}knock {5}listening/);
    expect(out).toMatch(/│ 203\.0\.113\.7 │ alice │ ssh +│ knock +│ 59m 12s left │/);
    expect(out).toContain('! the local port range overlaps the pool');
  });
});

describe('what others wrote', () => {
  it('never steers the terminal', async () => {
    const evil = `a${ESCAPE}[2J\u202eb\nc`;
    rig.gateway.answer('list', async () => ({
      entries: [listed(entryView({ note: evil }))],
      grants: [listed(grantView({ note: evil }))],
    }));
    rig.gateway.events = [journalView({ detail: evil, user: evil })];
    rig.gateway.answer('status', async () => statusView({ notices: [evil], grants: [grantView({ note: evil })] }));
    for (const line of ['list', 'log', 'status']) {
      const { out } = await rig.run([line]);
      expect(out).toContain('a?[2J?b?c');
      for (const mark of [ESCAPE, '\u202e']) expect(out).not.toContain(mark);
    }
  });
});

describe('ignored sources', () => {
  const strikes = (count: number | null) => ({
    limit: 20,
    per_s: 60,
    ignore_s: 600,
    ignored_count: count,
    ignored: Array.from({ length: Math.min(count ?? 0, 50) }, (_, i) => ({
      address: `198.51.100.${i + 1}`,
      until: '2026-03-01T08:10:00.000Z',
      remaining_s: 600 - i,
    })),
  });
  const status = async (count: number | null) => {
    rig.gateway.answer('status', async () => statusView({ strikes: strikes(count) }));
    return (await rig.run(['status'])).out;
  };

  it('are counted in the status, the latest ten by name', async () => {
    expect(await status(0)).not.toContain('ignored');
    expect(await status(1)).toContain(
      '1 source is ignored for wrong packets (sallyport allow ADDRESS ends it):\n  198.51.100.1  10m left\n',
    );
    const out = await status(3000);
    expect(out).toContain('3,000 sources are ignored for wrong packets');
    expect(out).toContain('  198.51.100.10  9m 51s left\nand 2,990 more\n');
    expect(out).not.toContain('198.51.100.11');
    expect(await status(null)).toContain('Whose knocks are ignored cannot be read.');
  });

  it('are off where they are switched off, and the status says so', async () => {
    rig.gateway.answer('status', async () => statusView({ strikes: null }));
    expect((await rig.run(['status'])).out).toContain('strikes off');
    rig.gateway.answer('status', async () => statusView());
    expect((await rig.run(['status'])).out).not.toContain('strikes off');
  });

  it('are told of by whois, and by allow where it ends that', async () => {
    const [ignored] = strikes(1).ignored;
    rig.gateway.answer('whois', async (address: string) => ({
      address,
      grants: [],
      entries: [],
      allowed: [],
      last_seen: null,
      ignored: ignored === undefined ? [] : [ignored],
    }));
    expect((await rig.run(['whois', '198.51.100.1'])).out).toContain(
      'The knocks of 198.51.100.1 are ignored for another 10m: too many wrong packets came from there.',
    );
    const allowed = async (...listened_to: string[]) => {
      rig.gateway.answer('allow', async () => ({ grant: null, entry: entryView(), listened_to, recorded: true }));
      return (await rig.run(['allow', '198.51.100.0/28'])).out;
    };
    expect(await allowed()).not.toContain('listened');
    expect(await allowed('198.51.100.1', '198.51.100.2')).toContain(
      'the knocks of 198.51.100.1, 198.51.100.2 are listened to again',
    );
    expect(await allowed('1', '2', '3', '4')).toContain('the knocks of 4 ignored sources are listened to again');
  });
});

describe('the verdict', () => {
  const parts = (firewall: { state: string; detail?: string; reverts_in_s?: number }, knock = 'listening') => ({
    firewall,
    knock: { state: knock },
    store: { state: 'ok' },
    daemon: { state: 'running', rss_mb: 120, loop_max_ms: 3 },
  });

  it.each([
    [statusView(), 'good', 'guarding; 1 address in'],
    [statusView({ grants: [] }), 'good', 'guarding; nobody is in'],
    [
      statusView({ grants: [grantView(), grantView({ id: 'B' }), grantView({ id: 'C', address: '203.0.113.8' })] }),
      'good',
      'guarding; 2 addresses in',
    ],
    [
      statusView({ parts: parts({ state: 'provisional', reverts_in_s: 272 }) }),
      'warn',
      'guarding for now, opens again in 4m 32s; 1 address in',
    ],
    [statusView({ parts: parts({ state: 'open' }) }), 'bad', 'open: nothing is guarded'],
    [statusView({ parts: parts({ state: 'failed', detail: 'no nft' }) }), 'bad', 'the guard failed: no nft'],
    [
      statusView({ parts: parts({ state: 'reverted' }) }),
      'bad',
      'open: the provisional guard was not confirmed and took itself down',
    ],
    [statusView({ parts: parts({ state: 'guarding' }, 'failed') }), 'warn', 'guarding, but not all is well: knock'],
    [statusView({ parts: parts({ state: 'dreaming' }) }), 'warn', 'the guard is dreaming; 1 address in'],
    [statusView({ ready: false }), 'warn', 'starting; 1 address in'],
  ] as const)('%# is honest', (status, tone, text) => {
    expect(verdict(status)).toMatchObject({ tone, text });
  });
});

describe('log', () => {
  it('prints one object a line with --json', async () => {
    rig.gateway.events = [journalView(), journalView({ seq: 2, event: 'grant.expired' })];
    const { out } = await rig.run(['log', '--json']);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(rig.gateway.events);
  });

  it('prints a line a person can read otherwise', async () => {
    const { out } = await rig.run(['log']);
    expect(out).toBe('2026-03-01 08:00:00Z  grant.opened          203.0.113.7      alice       knock  ssh  G7M3K2QX\n');
  });

  it('--follow goes on with what happens, nothing twice, until Ctrl-C', async () => {
    const history = journalView({ seq: 4 });
    rig.gateway.answer('journal', async () => {
      rig.gateway.tell(history);
      return [history];
    });
    const interrupt = new AbortController();
    const seen: number[] = [];
    const running = rig.run(['log', '--follow', '--json'], {
      interrupt: interrupt.signal,
      onOut: (text) => seen.push((JSON.parse(text) as { seq: number }).seq),
    });
    await vi.waitFor(() => expect(seen).toEqual([4]));
    rig.gateway.tell(journalView({ seq: 5 }));
    rig.gateway.tell(journalView({ seq: 6 }));
    await vi.waitFor(() => expect(seen).toEqual([4, 5, 6]));
    interrupt.abort();
    expect(await running).toMatchObject({ status: 0, err: '' });
  });

  it('--follow says so when the daemon stops', async () => {
    const running = rig.run(['log', '--follow']);
    await vi.waitFor(() => expect(rig.gateway.asked).toHaveLength(1));
    await rig.server.stop();
    expect(await running).toMatchObject({ status: 1, err: expect.stringMatching(/^SP_DAEMON_STOPPED: /) });
  });
});

describe('a secret from standard input', () => {
  const asked = () => rig.gateway.asked[0]?.[1];

  it.each(['864864\n', '864864', '864864\r\nmore\n'])('%j is taken as the PIN', async (stdin) => {
    const { status, out } = await rig.run(['user', 'add', 'bob', '--pin-stdin'], { stdin });
    expect(status).toBe(0);
    expect(asked()).toEqual({ name: 'bob', pin: '864864' });
    expect(out).not.toContain('864864');
  });

  it.each(['86486\n', '86 48 64\n', 'abcdef\n', '\n', '', `${'8'.repeat(33)}\n`])('%j is no PIN', async (stdin) => {
    const { status, out, err } = await rig.run(['user', 'set', 'alice', '--pin-stdin'], { stdin });
    expect([status, out]).toEqual([2, '']);
    expect(err).toMatch(/^SP_PIN_INVALID: [^\n]+\n$/);
    if (stdin.trim() !== '') expect(err).not.toContain(stdin.trim());
    expect(rig.gateway.asked).toEqual([]);
  });

  it('may be the sequence', async () => {
    const stdin = 'tcp/21234,udp/28111,tcp/24711\n';
    await rig.run(['user', 'add', 'bob', '--knock-stdin'], { stdin });
    expect(asked()).toEqual({ name: 'bob', knock: stdin.trim() });
    const empty = await rig.run(['user', 'add', 'bob', '--knock-stdin'], { stdin: '\n' });
    expect(empty).toMatchObject({ status: 2, err: expect.stringMatching(/^SP_USAGE: /) });
  });

  /** A terminal with a person at it, who types when asked. */
  async function typed(keys: string): Promise<CliRun> {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => stdin });
    setImmediate(() => stdin.write(keys));
    return rig.run(['user', 'add', 'bob', '--pin-stdin'], { stdin, tty: true });
  }

  it('is asked for on a terminal and not shown', async () => {
    const { status, out, err } = await typed('8648649\u007f\r');
    expect(status).toBe(0);
    expect(asked()).toEqual({ name: 'bob', pin: '864864' });
    expect(err).toMatch(/^PIN/);
    expect(out + err).not.toContain('864');
  });

  it('Ctrl-C at the prompt adds nobody', async () => {
    expect((await typed('864\u0003')).status).toBe(130);
    expect(rig.gateway.asked).toEqual([]);
  });
});

describe('a card', () => {
  it('is rendered for a person and whole for a program', async () => {
    expect((await rig.run(['user', 'add', 'bob'])).out).toBe('card of bob: 21234 28111 24711\n');
    expect((await rig.run(['user', 'rotate', 'alice'])).out).toBe('card of alice: 21234 28111 24711\n');
  });
});

describe('claims', () => {
  it('that wait are in the status, with what they wait for', async () => {
    rig.gateway.answer('status', async () =>
      statusView({
        claims: [claimView(), claimView({ user: 'bob', waits_for: 'code' }), claimView({ waits_for: 'callback' })],
      }),
    );
    const { out } = await rig.run(['status']);
    expect(out).toContain('3 addresses wait for a yes:\n  203.0.113.9  alice  waits for a call');
    expect(out).toContain('bob    waits for its code by phone');
    expect(out).toContain('waits for an answer to our call');
    rig.gateway.answer('status', async () => statusView());
    expect((await rig.run(['status'])).out).not.toContain('for a yes');
  });

  it('that nobody can confirm are seen from their user', async () => {
    const show = async (change: Parameters<typeof userView>[0]) => {
      rig.gateway.answer('user', async () => userView(change));
      return (await rig.run(['user', 'show', 'alice'])).out;
    };
    expect(await show({})).toContain('none: a knock opens');
    expect(await show({ approval: 'phone' })).toContain('which cannot be given: no account, no PIN');
    expect(await show({ approval: 'phone', account: '1', pin_set: true })).not.toContain('cannot');
    const out = await show({ approval: 'callback', number: '15550100', pin_set: true });
    expect(out).toContain('15550100');
    expect(out).not.toContain('cannot');
  });
});

describe('the telephone', () => {
  it.each(['refused', 'unreachable', 'failed'])('is told of in the first line where it is %s', async (state) => {
    const { firewall, knock, store, daemon } = statusView().parts;
    const phone = { state, detail: 'the PBX does not take the login', calls: 0 };
    const parts = { firewall, knock, store, daemon, phone };
    expect(verdict(statusView({ parts })).text).toBe('guarding, but not all is well: phone');
  });
});

describe('whois and list', () => {
  it('tell when somebody was last let in', async () => {
    const seen = { ...grantView(), last_seen: '2026-03-01T08:10:00.000Z' };
    rig.gateway.answer('list', async () => ({ entries: [listed(entryView())], grants: [seen] }));
    const { out } = await rig.run(['list']);
    expect(out).toMatch(/203\.0\.113\.7 .*2026-03-01 08:10:00Z/);
    expect(out).toMatch(/198\.51\.100\.0\/28 .*not lately/);
  });

  it('tell whose an address is, and ask a registry only with --online', async () => {
    const asked: unknown[] = [];
    const whose = async (address: string, online: boolean) => {
      asked.push([address, online]);
      const names = [
        { name: 'dns.example.net', confirmed: true },
        { name: `bank${ESCAPE}.example`, confirmed: false },
      ];
      const network = {
        owner: 'Example Ltd',
        network: '203.0.113.0/24',
        country: 'NL',
        abuse: 'abuse@example.net',
        source: 'rdap',
      } as const;
      return { names, network: online ? network : null, problems: ['reverse DNS was slow'] };
    };
    const { out } = await rig.run(['whois', '203.0.113.7', '--online'], { offline: { whose } });
    expect(out).toContain('Its name is dns.example.net.\n');
    expect(out).toContain('its name is bank?.example, but that name does not lead back to it.\n');
    expect(out).toContain("Its network 203.0.113.0/24 is Example Ltd's (NL), says rdap.\n");
    expect(out).toContain('Misuse is told of to abuse@example.net.\n');
    expect(out).toContain('Whose it is: reverse DNS was slow.\n');
    const { out: json } = await rig.run(['whois', '203.0.113.7', '--json'], { offline: { whose } });
    expect(JSON.parse(json)).toMatchObject({ last_seen: null, whose: { network: null } });
    expect(asked).toEqual([
      ['203.0.113.7', true],
      ['203.0.113.7', false],
    ]);
  });
});

describe('a plan', () => {
  const plan = async (changes: Partial<PlanView>) => {
    rig.gateway.answer('planFirewall', async () => planView(changes));
    return (await rig.run(['firewall', 'plan'])).out;
  };

  it('says what closes and what opens, whom it shuts out, and what takes a restart', async () => {
    expect(
      await plan({
        changes: [
          { effect: 'closes', text: 'web (tcp/443) is closed to strangers' },
          { effect: 'opens', text: '203.0.113.7 is let in to all' },
        ],
        cuts: ['198.51.100.7'],
        last_way_in: true,
        in_use: [{ service: 'sip', by: ['anna', 'ben'] }],
        restart: ['knock.pool'],
      }),
    ).toBe(
      `closes  web (tcp/443) is closed to strangers
opens   203.0.113.7 is let in to all
It shuts out 198.51.100.7, who is logged in over SSH now.
Nobody could get in to SSH any more: it closes the last way in.
The service sip would be gone, and is still that of anna, ben.
Takes a restart of the daemon: knock.pool
Do it, provisionally: sallyport firewall apply
`,
    );
  });

  it('of nothing says so, and of a guard that is down, what applying does', async () => {
    expect(await plan({ changes: [] })).toBe('Nothing would change.\n');
    expect(await plan({ changes: [], state: 'open' })).toBe(
      'The guard is down: nothing is closed, whatever the rules say.\nDo it, provisionally: sallyport firewall apply\n',
    );
  });
});
