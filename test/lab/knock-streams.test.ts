/** Streams of real packets against the rules of the game: what gets in, what does not, and what is left of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { KnockStep } from '../support/lab/host.js';
import { addWitness, answersTo, letInBy, underWay } from '../support/lab/knockers.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const FAMILIES = ['ipv4', 'ipv6'] as const;

/** Three users whose knocks A, B and C differ in protocol; D, E and F are another user's, X nobody's. */
const KNOCKERS = {
  tcp: { name: 'tina', knock: 'tcp/21234,tcp/28111,tcp/24711' },
  udp: { name: 'uma', knock: 'udp/21334,udp/28311,udp/24811' },
  mixed: { name: 'max', knock: 'udp/21434,tcp/28411,udp/24911' },
} as const;
const OTHER = 'tcp/26001,udp/22501,tcp/27301';
const NOBODYS = { tcp: 'tcp/23801', udp: 'udp/23801', mixed: 'tcp/23801' };

const GETS_IN = [
  'A B C',
  'A A B C',
  'A B A C',
  'A B B C',
  'A B A B C',
  'A A B B C C',
  'A A A B B B C C C',
  'A B C A B C',
  'A C A B C',
  'A C B A B C',
  'B A B C',
  'C A B C',
  'X A B C',
  'A X A B C',
  'A B X A B C',
  'D A B C',
  'D E A B C',
];
const STAYS_OUT = [
  'A B',
  'B C',
  'A C',
  'A C B',
  'B A C',
  'C B A',
  'A B X C',
  'A X B C',
  'A B D C',
  'A A A',
  'A B C-',
  'A- B C',
];

describe('knocks on real packets', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let many: Awaited<ReturnType<Lab['manyAddresses']>>;
  let used = 0;

  beforeAll(async () => {
    lab = await Lab.create();
    many = await lab.manyAddresses(lab.laptop, 88);
    daemon = lab.daemon({ config: 'knock: {window: 3s, strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    await addWitness(daemon);
    for (const { name, knock } of Object.values(KNOCKERS)) await addUser(name, knock);
    await addUser('other', OTHER);
  });

  afterAll(() => lab?.destroy());

  const addUser = (name: string, knock: string) =>
    daemon.addUser(name, { knock, services: ['ssh'], max_addresses: 1000 });
  const source = (family: 'ipv4' | 'ipv6') => many[family](++used);
  const sources = (family: 'ipv4' | 'ipv6', count: number) => Array.from({ length: count }, () => source(family));

  /** Each stream of letters from an address of its own: who is let in. */
  async function outcomes(
    family: 'ipv4' | 'ipv6',
    kind: keyof typeof KNOCKERS,
    streams: readonly string[],
    copies = 1,
  ) {
    const own = sources(family, streams.length);
    const toSend = streams.map((letters, i) => ({ source: own[i] ?? '', knocks: spell(letters, kind) }));
    const users = await letInBy(toSend, { from: lab.laptop, to: lab.gateway[family], daemon, copies });
    return Object.fromEntries(streams.map((letters, i) => [letters, users[i]]));
  }

  describe.each(FAMILIES)('over %s', (family) => {
    describe.each(['tcp', 'udp', 'mixed'] as const)('in %s', (kind) => {
      const { name } = KNOCKERS[kind];
      const all = (streams: readonly string[], users: string[]) =>
        Object.fromEntries(streams.map((letters) => [letters, users]));

      it('a knock gets in, with repeats, after wrong starts and after another one', async () => {
        expect(await outcomes(family, kind, GETS_IN)).toEqual(all(GETS_IN, [name]));
      });

      it('every packet doubled or tripled gets in', async () => {
        expect(await outcomes(family, kind, ['A B C'], 2)).toEqual({ 'A B C': [name] });
        expect(await outcomes(family, kind, ['A B C'], 3)).toEqual({ 'A B C': [name] });
      });

      it('a wrong order, a missing knock or a wrong one between opens nothing', async () => {
        expect(await outcomes(family, kind, STAYS_OUT)).toEqual(all(STAYS_OUT, []));
      });
    });

    it('a wrong packet that begins another sequence begins it', async () => {
      const streams = ['A B D E F', 'A D E F', 'D E A D E F'];
      expect(await outcomes(family, 'mixed', streams)).toEqual(
        Object.fromEntries(streams.map((letters) => [letters, ['other']])),
      );
    });

    it('wrong packets leave no state', async () => {
      const own = sources(family, 40);
      const wrong = ['X', 'B', 'C', 'A X', 'A B X', 'A C', 'B C', 'X X X'];
      const toSend = own.map((address, i) => ({
        source: address,
        knocks: spell(wrong[i % wrong.length] ?? '', 'mixed'),
      }));
      await lab.laptop.streams(lab.gateway[family], toSend);
      await answersTo([source(family)], { from: lab.laptop, to: lab.gateway[family], daemon });
      expect(await underWay(lab.gateway, family)).toEqual([]);
    });

    it('a knock is forgotten when the next is later than the window', async () => {
      const [slow = '', prompt = ''] = sources(family, 2);
      const knocks = spell('A B C', 'mixed');
      await lab.laptop.streams(lab.gateway[family], [{ source: slow, knocks: knocks.slice(0, 2) }]);
      expect(await underWay(lab.gateway, family)).toContain(slow);
      await eventually(
        () => underWay(lab.gateway, family),
        (some) => !some.includes(slow),
      );
      await lab.laptop.streams(lab.gateway[family], [
        { source: slow, knocks: knocks.slice(2) },
        { source: prompt, knocks },
      ]);
      expect(await answersTo([slow, prompt], { from: lab.laptop, to: lab.gateway[family], daemon })).toEqual([
        [],
        ['max'],
      ]);
    });

    it('the window begins anew with every packet', async () => {
      const address = source(family);
      await lab.laptop.knock(lab.gateway[family], spell('A B C', 'mixed'), { source: address, pause: 1700 });
      expect(await answersTo([address], { from: lab.laptop, to: lab.gateway[family], daemon })).toEqual([['max']]);
    });

    it('packets of others between do not disturb', async () => {
      const [one = '', two = '', three = ''] = sources(family, 3);
      for (const letter of ['A', 'B', 'C']) {
        for (const [address, letters] of [
          [one, letter],
          [two, 'X A B C A'],
          [three, `${letter} ${letter}`],
        ] as const) {
          await lab.laptop.streams(lab.gateway[family], [{ source: address, knocks: spell(letters, 'udp') }]);
        }
      }
      const users = await answersTo([one, two, three], { from: lab.laptop, to: lab.gateway[family], daemon });
      expect(users).toEqual([['uma'], ['uma'], ['uma']]);
    });
  });

  it('SYNs that the kernel sends again while the next knocks follow do no harm', async () => {
    const [a, b, c] = spell('A B C', 'tcp');
    if (a === undefined || b === undefined || c === undefined) throw new Error('three knocks');
    await lab.laptop.nft(`table inet seen {
      counter first { }
      counter second { }
      chain output {
        type filter hook output priority 0;
        tcp dport ${a.port} counter name first
        tcp dport ${b.port} counter name second
      }
    }`);
    const packets = async (name: string) => {
      const { stdout } = await lab.laptop.exec('nft', ['list', 'counter', 'inet', 'seen', name]);
      return Number(/packets (\d+)/.exec(stdout)?.[1]);
    };
    const address = source('ipv4');
    const hold = ({ port }: KnockStep) => lab.laptop.tcp(lab.gateway.ipv4, port, { source: address, timeout: 3500 });
    const held = [hold(a)];
    await eventually(
      () => packets('first'),
      (count) => count === 1,
    );
    held.push(hold(b));
    await eventually(
      () => packets('first'),
      (count) => count >= 2,
    );
    await eventually(
      () => packets('second'),
      (count) => count >= 2,
    );
    held.push(hold(c));
    expect(await answersTo([address], { from: lab.laptop, to: lab.gateway.ipv4, daemon })).toEqual([['tina']]);
    await Promise.all(held);
  });

  it('sequences of two and of eight knocks open', async () => {
    const eight = 'tcp/21501,udp/21503,tcp/21505,udp/21507,udp/21509,tcp/21511,udp/21513,tcp/21515';
    await addUser('two', 'udp/21601,tcp/21701');
    await addUser('eight', eight);
    const streams = [steps('udp/21601,tcp/21701'), steps(eight), steps(eight).slice(1), steps(eight).slice(0, 7)];
    const toSend = streams.map((knocks) => ({ source: source('ipv4'), knocks }));
    const users = await letInBy(toSend, { from: lab.laptop, to: lab.gateway.ipv4, daemon });
    expect(users).toEqual([['two'], ['eight'], [], []]);
  });

  it('users who share their first knocks are told apart by the rest', async () => {
    await addUser('ann', 'udp/25001,tcp/25101,udp/25201');
    await addUser('ben', 'udp/25001,tcp/25101,udp/25301');
    await addUser('cyd', 'udp/25001,tcp/25401,udp/25501,udp/25601');
    const streams = [
      'udp/25001,tcp/25101,udp/25201',
      'udp/25001,tcp/25101,udp/25301',
      'udp/25001,tcp/25401,udp/25501,udp/25601',
    ];
    const crossed = [
      'udp/25001,tcp/25101,udp/25501,udp/25601',
      'udp/25001,tcp/25401,udp/25201',
      'udp/25001,tcp/25101,tcp/25401,udp/25501,udp/25601',
    ];
    const toSend = [...streams, ...crossed].map((text) => ({ source: source('ipv4'), knocks: steps(text) }));
    const users = await letInBy(toSend, { from: lab.laptop, to: lab.gateway.ipv4, daemon });
    expect(users).toEqual([['ann'], ['ben'], ['cyd'], [], [], []]);
  });

  it.each(['rotate', 'remove'] as const)(
    'after user %s the old sequence opens nothing, even where it was begun before',
    async (change) => {
      const old = change === 'rotate' ? 'udp/26101,tcp/26201,udp/26301' : 'udp/26401,tcp/26501,udp/26601';
      const stays = `${old.split(',').slice(0, 2).join(',')},udp/26701`;
      const [name, sharer] = [`${change}d`, `${change}-sharer`];
      await addUser(name, old);
      await addUser(sharer, stays);
      const [begun = '', fresh = '', other = '', newest = ''] = sources('ipv4', 4);
      await lab.laptop.streams(lab.gateway.ipv4, [{ source: begun, knocks: steps(old).slice(0, 2) }]);
      let next: KnockStep[] = [];
      if (change === 'rotate') next = (await daemon.json<{ sequence: KnockStep[] }>('user', 'rotate', name)).sequence;
      else await daemon.json('user', 'remove', name);
      await lab.laptop.streams(lab.gateway.ipv4, [
        { source: begun, knocks: steps(old).slice(2) },
        { source: fresh, knocks: steps(old) },
        { source: other, knocks: steps(stays) },
        { source: newest, knocks: next },
      ]);
      const users = await answersTo([begun, fresh, other, newest], { from: lab.laptop, to: lab.gateway.ipv4, daemon });
      expect(users).toEqual([[], [], [sharer], change === 'rotate' ? [name] : []]);
    },
  );

  /** `A B X` as knocks; `C-` is C in the other protocol. */
  function spell(letters: string, kind: keyof typeof KNOCKERS): KnockStep[] {
    const [a, b, c] = KNOCKERS[kind].knock.split(',');
    const [d, e, f] = OTHER.split(',');
    const meaning: Record<string, string | undefined> = { A: a, B: b, C: c, D: d, E: e, F: f, X: NOBODYS[kind] };
    return letters.split(' ').flatMap((letter) => {
      const [step] = steps(meaning[letter.charAt(0)] ?? '');
      if (step === undefined) throw new Error(`no knock ${letter}`);
      return letter.endsWith('-') ? { ...step, protocol: step.protocol === 'tcp' ? 'udp' : 'tcp' } : step;
    });
  }
});
