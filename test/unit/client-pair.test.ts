import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runPair } from '../../src/client/pair-command.ts';
import { parsePairing } from '../../src/core/pairing.ts';
import { parseSequence } from '../../src/core/sequence.ts';
import { type FakeWorldOptions, fakeWorld } from '../support/client-world.ts';

// Other ports than the examples in help and error texts have.
const LIST = 'tcp/23456,udp/26789,udp/25123';
const SEQUENCE = parseSequence(LIST);
const OFFICE = '203.0.113.7';
const OFFICE_6 = '2001:db8::7';
const MINUTE = 60_000;
const CONFIRMED = 45_000;

interface Setting extends Partial<FakeWorldOptions> {
  readonly tty?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: string;
  /** When Ctrl-C is pressed, in milliseconds from the start. */
  readonly stopAt?: number;
}

/** Pairs with a machine at OFFICE (`office` has OFFICE_6 first) whose user confirms the code after a while. */
async function run(argv: readonly string[], setting: Setting = {}) {
  const { tty = false, columns = 80, env = {}, ports = LIST, stopAt, ...rest } = setting;
  const { time, network, world } = fakeWorld({
    sequence: SEQUENCE,
    far: { [OFFICE]: { opensAfter: 1, opensAt: CONFIRMED }, [OFFICE_6]: { opensAfter: 1, opensAt: CONFIRMED } },
    names: {
      office: [
        { address: OFFICE_6, family: 6 },
        { address: OFFICE, family: 4 },
      ],
    },
    ...rest,
  });
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY: tty,
    columns,
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io = { stdout: output('stdout'), stderr: output('stderr'), env: { SALLYPORT_PORTS: ports, ...env } };
  const controller = new AbortController();
  if (stopAt !== undefined) void time.sleep(stopAt).then(() => controller.abort());
  const code = await time.run(runPair(argv, io, controller.signal, world));
  // The promise of all promises: no port of the sequence is ever written.
  expect(written.stdout + written.stderr).not.toMatch(/23456|26789|25123/);
  const rounds = network.sent.filter(({ knock }) => knock.port === 25123);
  return { code, time, network, rounds, ...written };
}

const waiting = ['--wait', 'tcp/22'];
const nobody = { far: { [OFFICE]: { opensAfter: 99 }, [OFFICE_6]: { opensAfter: 99 } } };

describe('the code', () => {
  it('travels in the last packet of each round, and in no other', async () => {
    const { network, rounds } = await run([OFFICE, ...waiting]);
    expect(rounds.length).toBeGreaterThan(1);
    for (const { payload } of rounds) expect(parsePairing(payload)).toBe('402913');
    for (const { knock, payload } of network.sent) if (knock.port !== 25123) expect(payload).toHaveLength(0);
  });

  it('is shown with what to do, on stdout, before anything is waited for', async () => {
    const { stdout } = await run([OFFICE, ...waiting, '--extension', '864']);
    const [code, call, life, ...result] = stdout.trimEnd().split('\n');
    expect(code).toBe('Your pairing code: 402 913');
    expect(call).toBe('Call 864, give your account and PIN, choose 2, type 402 913.');
    expect(life).toBe('The code is good for 5m.');
    expect(result).toEqual([expect.stringMatching(/^Open\. tcp\/22 on 203\.0\.113\.7 answers, after 4\ds/)]);
  });

  it('says whom to call where the laptop cannot know', async () => {
    expect((await run([OFFICE])).stdout).toContain('Call the extension of your PBX for this (usually 864), give');
  });

  it('is drawn large on a terminal that has room for it', async () => {
    const unicode = await run([OFFICE], { tty: true, env: { LANG: 'C.UTF-8', TERM: 'xterm' } });
    const lines = stripVTControlCharacters(unicode.stdout).split('\n');
    expect(lines.slice(0, 7)).toEqual([
      '',
      '  ██  ██  ██████  ██████      ██████    ██    ██████',
      '  ██  ██  ██  ██      ██      ██  ██  ████        ██',
      '  ██████  ██  ██  ██████      ██████    ██    ██████',
      '      ██  ██  ██  ██              ██    ██        ██',
      '      ██  ██████  ██████      ██████  ██████  ██████',
      '',
    ]);
    for (const line of lines.slice(0, 7)) expect(line.length).toBeLessThanOrEqual(54);
    const plain = await run([OFFICE], { tty: true, env: { TERM: 'xterm', NO_COLOR: '1' } });
    expect(plain.stdout).toContain('##  ##  ######');
    expect(plain.stdout).not.toContain('\u001b[');
    expect((await run([OFFICE], { tty: true, columns: 50, env: { TERM: 'xterm' } })).stdout).not.toContain('##');
  });

  it('alone is printed with --quiet', async () => {
    expect(await run([OFFICE, ...waiting, '-q'])).toMatchObject({ code: 0, stdout: '402 913\n', stderr: '' });
  });

  it('is not shown where no packet can leave', async () => {
    const far = { [OFFICE]: { opensAfter: 1, fault: 'ENETUNREACH' } };
    const { code, stdout, stderr } = await run([OFFICE, ...waiting], { far });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^SP_CLIENT_NOT_SENT: [^\n]+\n$/m);
  });

  it('is refused to a sequence that ends in TCP, with what to do', async () => {
    const { code, stdout, stderr, network } = await run([OFFICE], { ports: 'udp/23456,udp/26789,tcp/25123' });
    expect([code, stdout, network.sent]).toEqual([1, '', []]);
    expect(stderr).toMatch(/^SP_CLIENT_NO_CARRIER: [^\n]*sallyport user rotate[^\n]*\n$/);
  });
});

describe('waiting', () => {
  it('ends within two seconds of the confirmation', async () => {
    const { code, time } = await run([OFFICE, ...waiting]);
    expect(code).toBe(0);
    expect(time.monotonic()).toBeGreaterThanOrEqual(CONFIRMED);
    expect(time.monotonic()).toBeLessThan(CONFIRMED + 2000);
  });

  it('knocks again, quickly at first, and a bounded number of times', async () => {
    const { rounds } = await run([OFFICE, ...waiting], nobody);
    const starts = rounds.map(({ at }) => Math.round(at / 1000));
    expect(starts.slice(0, 4)).toEqual([0, 3, 10, 30]);
    expect(rounds).toHaveLength(12);
    const gaps = starts.slice(4).map((at, i) => at - (starts[i + 3] ?? 0));
    for (const gap of gaps) expect(Math.abs(gap - 30)).toBeLessThanOrEqual(1);
  });

  it('gives up after five minutes, with one line that says what to do', async () => {
    const { code, time, stdout, stderr } = await run([OFFICE, ...waiting], nobody);
    expect(code).toBe(1);
    expect(time.monotonic()).toBeGreaterThanOrEqual(5 * MINUTE);
    expect(time.monotonic()).toBeLessThan(5 * MINUTE + 3000);
    expect(stdout).not.toContain('Open');
    expect(stderr).toMatch(/\nSP_CLIENT_NOT_CONFIRMED: tcp\/22 on 203\.0\.113\.7 stayed shut for 5m\. [^\n]+\n$/);
  });

  it('finds the door once a lost knock was sent again', async () => {
    const far = { [OFFICE]: { opensAfter: 3, opensAt: 20_000 } };
    const { code, rounds } = await run([OFFICE, ...waiting], { far });
    expect([code, rounds.length]).toEqual([0, 3]);
  });

  it('goes on while the network is gone for a moment', async () => {
    const far = { [OFFICE]: { opensAfter: 1, opensAt: CONFIRMED, shutCode: 'ENETUNREACH' } };
    const { code, network } = await run([OFFICE, ...waiting], { far });
    expect(code).toBe(0);
    // An error comes at once, and is still looked at about once a second.
    expect(network.reached.length).toBeLessThan(80);
  });

  it('says in plain words that nothing listens, or that it was open already', async () => {
    const said = async (far: FakeWorldOptions['far'][string]) =>
      (await run([OFFICE, ...waiting], { far: { [OFFICE]: far } })).stdout;
    expect(await said({ opensAfter: 1, answer: 'refused' })).toContain('Open. You are let in, but nothing listens');
    expect(await said({ opensAfter: 0 })).toContain('Already reachable. tcp/22 on 203.0.113.7 answered before');
    expect(await said({ opensAfter: 0, answer: 'refused' })).toContain('refused a connection before the knock');
  });

  it('shows the time left on a terminal, and a line for each step in a pipe', async () => {
    const tty = await run([OFFICE, ...waiting], { tty: true, env: { TERM: 'xterm' } });
    expect(tty.stderr).toMatch(/Waiting for tcp\/22 on 203\.0\.113\.7, 4m 59s left/);
    expect(tty.stderr).toMatch(/4m 20s left/);
    expect(tty.stderr.endsWith('\r\u001b[K')).toBe(true);
    const pipe = await run([OFFICE, ...waiting]);
    expect(pipe.stderr.split('\n').slice(0, 4)).toEqual([
      'Knocking on 203.0.113.7',
      'Waiting for tcp/22 on 203.0.113.7',
      'Knocking on 203.0.113.7 once more',
      'Waiting for tcp/22 on 203.0.113.7',
    ]);
    expect(pipe.stdout + pipe.stderr).not.toContain('\u001b');
  });
});

describe('without a port to wait for', () => {
  it('sends three rounds within ten seconds or so, and claims nothing', async () => {
    const { code, rounds, time, network, stdout } = await run([OFFICE]);
    expect([code, rounds.length, network.reached]).toEqual([0, 3, []]);
    expect(time.monotonic()).toBeLessThan(11_000);
    expect(stdout).toContain('Sent. The code went to 203.0.113.7. Nothing answers a knock');
  });
});

describe('a name', () => {
  it('is knocked on at one address alone: the same code from two of ours would be void', async () => {
    const { network, stdout } = await run(['office', ...waiting]);
    expect(new Set(network.sent.map(({ address }) => address))).toEqual(new Set([OFFICE_6]));
    expect(stdout).toContain(`tcp/22 on office (${OFFICE_6}) answers`);
  });

  it('is knocked on at the next address where nothing leaves for the first, or at the family asked for', async () => {
    const far = { [OFFICE_6]: { opensAfter: 1, fault: 'ENETUNREACH' }, [OFFICE]: { opensAfter: 1 } };
    const { network } = await run(['office', ...waiting], { far });
    expect(network.sent.slice(3).every(({ address }) => address === OFFICE)).toBe(true);
    expect((await run(['office', '-4'])).network.sent.every(({ address }) => address === OFFICE)).toBe(true);
  });
});

describe('Ctrl-C', () => {
  it('ends it at once, with the time that the code has left, and sends nothing more', async () => {
    const { code, stdout, stderr, rounds } = await run([OFFICE, ...waiting], { stopAt: 15_000 });
    expect(code).toBe(130);
    expect(stdout).not.toContain('Open');
    expect(stderr).toMatch(/\nStopped\. The code 402 913 can still be confirmed for 4m 46s\.\n$/);
    expect(rounds).toHaveLength(3);
  });

  it('takes the spinner away, and before the code is shown says no more than that', async () => {
    const tty = { tty: true, env: { TERM: 'xterm' } };
    const { stderr } = await run([OFFICE, ...waiting], { ...tty, stopAt: 15_500 });
    expect(stderr).toContain('\r\u001b[KStopped. ');
    expect(await run([OFFICE], { stopAt: 10 })).toMatchObject({ code: 130, stdout: '' });
  });
});

describe('--json', () => {
  const lines = (stdout: string) =>
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('is the code first, then the result, and nothing on stderr', async () => {
    const { stdout, stderr } = await run([OFFICE, ...waiting, '--json', '--extension', '864'], { tty: true });
    expect(stderr).toBe('');
    expect(lines(stdout)).toEqual([
      { event: 'code', code: '402913', host: OFFICE, extension: '864', valid_s: 300 },
      {
        event: 'result',
        host: OFFICE,
        address: OFFICE,
        open: true,
        already_open: false,
        listening: true,
        rounds: 4,
        elapsed_ms: expect.any(Number),
      },
    ]);
  });

  it('has null where nothing can be known, false where nobody confirmed, and says that it was stopped', async () => {
    expect(lines((await run([OFFICE, '--json'])).stdout)[1]).toMatchObject({ open: null, rounds: 3 });
    const shut = await run([OFFICE, ...waiting, '--json'], nobody);
    expect([shut.code, lines(shut.stdout)[1]]).toEqual([1, expect.objectContaining({ open: false })]);
    const stopped = await run([OFFICE, ...waiting, '--json'], { stopAt: 5000 });
    expect(lines(stopped.stdout)[1]).toEqual({ event: 'stopped', code: '402913' });
  });
});

describe('the command line', () => {
  it.each([
    ['no host', []],
    ['a word as extension', [OFFICE, '--extension', 'reception']],
    ['tries, which are counted by time', [OFFICE, ...waiting, '--tries', '3']],
    ['a UDP port to wait for', [OFFICE, '--wait', 'udp/5060']],
  ])('is refused with %s', async (_what, argv) => {
    const { code, stderr, network } = await run(argv);
    expect([code, network.sent]).toEqual([2, []]);
    expect(stderr).toMatch(/^SP_USAGE: [^\n]+\n$/);
  });

  it('has a help that names every option', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const word of 'HOST --ports --ports-file SALLYPORT_PORTS --wait --extension -4 -6 --delay --json --quiet'.split(
      ' ',
    )) {
      expect(stdout).toContain(word);
    }
  });
});
