import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import fc from 'fast-check';
import koffi from 'koffi';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AddressRange, type Family, parseTarget, rangeOf } from '#dist/core/address.js';
import type { GuardShape, KernelRange, RangeContents } from '#dist/core/firewall.js';
import { disjointRanges, mergedRanges } from '#dist/core/ranges.js';
import { ALL } from '#dist/core/service.js';
import { after, type Clock, type Monotonic, minutes } from '#dist/core/time.js';
import { NetlinkRanges } from '#dist/firewall/netlink-ranges.js';
import { NftRanges } from '#dist/firewall/nft-ranges.js';
import { type Placement, place } from '#dist/firewall/placement.js';
import type { Ranges } from '#dist/firewall/ranges.js';
import { SystemClock } from '#dist/host/clock.js';
import { NftablesLink } from '#dist/netlink/nftables-link.js';

/*
 * One network namespace. This thread moves into it by setns(2); the threads and processes that it starts from then on are
 * born there.
 */
const NAMESPACE = `sp-intervals-${process.pid}`;
const CLONE_NEWNET = 0x40000000;
const SETS = ['entry_all', 'range_all', 'range_held'].flatMap((name) =>
  ([4, 6] as const).map((family) => {
    const how = name === 'entry_all' ? 'flags interval;' : 'flags interval,timeout; timeout 1d;';
    return `set ${name}_${family} { type ipv${family}_addr; ${how} }`;
  }),
);

const exec = promisify(execFile);
const setns = koffi.load('libc.so.6').func('int setns(int fd, int type)');
const clock: Clock = new SystemClock();
let link: NftablesLink;
let home: number;

async function nft(commands: string): Promise<void> {
  const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(commands);
  expect((await once(child, 'exit'))[0]).toBe(0);
}

beforeAll(async () => {
  await exec('ip', ['netns', 'add', NAMESPACE]);
  home = openSync('/proc/thread-self/ns/net', 'r');
  const namespace = openSync(`/run/netns/${NAMESPACE}`, 'r');
  expect(setns(namespace, CLONE_NEWNET)).toBe(0);
  closeSync(namespace);
});
afterAll(async () => {
  setns(home, CLONE_NEWNET);
  closeSync(home);
  await exec('ip', ['netns', 'del', NAMESPACE]);
});
beforeEach(async () => {
  await nft(`flush ruleset\ntable inet sallyport {\n${SETS.join('\n')}\n}\n`);
  link = await NftablesLink.open({ table: 'sallyport' });
});
afterEach(() => link.close());

/** Only `all` has sets here, and nobody is held. */
const PLACED = place({ layout: { guarded: new Map() }, fallback: null } as unknown as GuardShape);

const BASES = { 4: [0n, 0x0a00_0000n, 2n ** 32n - 256n], 6: [0n, 0xfd00n << 112n, 2n ** 128n - 256n] } as const;

const range = fc
  .record({
    family: fc.constantFrom<Family>(4, 6),
    base: fc.nat(2),
    first: fc.nat(255),
    length: fc.nat(40),
    minute: fc.integer({ min: 10, max: 14 }),
  })
  .map(({ family, base, first, length, minute }) => {
    const start = BASES[family][base] ?? 0n;
    const last = Math.min(first + length, 255);
    return { family, first: start + BigInt(first), last: start + BigInt(last), minute };
  });

const contents = fc.record({
  entries: fc.array(range, { maxLength: 12 }),
  grants: fc.array(range, { maxLength: 12 }),
});

function toContents(one: { entries: AddressRange[]; grants: (AddressRange & { minute: number })[] }, start: Monotonic) {
  const timed = one.grants.map(({ minute, ...rest }) => ({ ...rest, until: after(start, minutes(minute)) }));
  const grants = disjointRanges(timed).map((each) => ({ ...each, until: each.until as Monotonic }));
  return { entries: new Map([[ALL, mergedRanges(one.entries)]]), grants: new Map([[ALL, grants]]) };
}

/** As text, the time that is left to the minute. */
function shown(ranges: readonly KernelRange[]): string[] {
  return ranges
    .map(({ holds, family, first, last, remaining }) => {
      const left = remaining === null ? 'for good' : `${Math.round(remaining / 60_000)}m`;
      return `${holds} ${family} ${first}-${last} ${left}`;
    })
    .sort();
}

function wanted({ entries, grants }: RangeContents): string[] {
  const lasting = [...entries.values()].flat().map((one) => ({ ...one, holds: 'entry', remaining: null }));
  const timed = [...grants.values()].flat().map(({ until, ...one }) => {
    return { ...one, holds: 'grant', remaining: until - clock.monotonic() };
  });
  return shown([...lasting, ...timed] as KernelRange[]);
}

const ways: Record<string, (placed?: Placement) => Ranges> = {
  'over netlink': () => new NetlinkRanges({ link, clock }),
  'through nft': () => new NftRanges({ clock, onStarted: () => undefined }),
};

describe('interval sets', () => {
  it('hold what was written last, whatever they held before, as both ways of reading tell', async () => {
    const netlink = ways['over netlink']?.() as Ranges;
    const program = ways['through nft']?.() as Ranges;
    const start = clock.monotonic();
    await fc.assert(
      fc.asyncProperty(contents, fc.constantFrom('as known', 'forgotten', 'by nft'), async (one, how) => {
        const next = toContents(one as never, start);
        if (how !== 'as known') netlink.forget();
        await (how === 'by nft' ? program : netlink).write(PLACED, next);
        if (how === 'by nft') netlink.forget();
        expect(shown(await netlink.read(PLACED))).toEqual(wanted(next));
        expect(shown(await program.read(PLACED))).toEqual(wanted(next));
      }),
      { numRuns: 60 },
    );
  });

  it('are put right as a whole where somebody else has been at them', async () => {
    const ranges = ways['over netlink']?.() as Ranges;
    const entries = (...texts: string[]) => {
      const all = texts.map((text) => rangeOf(parseTarget(text)));
      return { entries: new Map([[ALL, mergedRanges(all)]]), grants: new Map() };
    };
    await ranges.write(PLACED, entries('10.0.0.0/24', '10.2.0.1', '10.9.0.0/16'));
    await nft('delete element inet sallyport entry_all_4 { 10.2.0.1 }');
    await ranges.write(PLACED, entries('10.0.0.0/24', '10.3.0.1'));
    expect(shown(await ranges.read(PLACED))).toEqual(wanted(entries('10.0.0.0/24', '10.3.0.1')));
    await nft('add element inet sallyport entry_all_4 { 10.4.0.0/16 }');
    await ranges.write(PLACED, entries('10.0.0.0/24', '10.4.1.0/24'));
    expect(shown(await ranges.read(PLACED))).toEqual(wanted(entries('10.0.0.0/24', '10.4.1.0/24')));
  });

  it('with one range more differ by that alone, so that no other is ever away', async () => {
    const ranges = ways['over netlink']?.() as Ranges;
    const first = rangeOf(parseTarget('10.0.0.0/24'));
    const second = rangeOf(parseTarget('10.7.0.0/24'));
    await ranges.write(PLACED, { entries: new Map([[ALL, [first]]]), grants: new Map() });
    const monitor = spawn('nft', ['monitor', 'elements'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let seen = '';
    monitor.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen += text;
    });
    const sign = 'element inet sallyport range_held_4 { 192.0.2.1 }\n';
    const isHeard = async () => {
      await nft(`add ${sign}delete ${sign}`);
      return seen;
    };
    await expect.poll(isHeard, { timeout: 10_000 }).toContain('192.0.2.1');
    await ranges.write(PLACED, { entries: new Map([[ALL, [first, second]]]), grants: new Map() });
    await expect.poll(() => seen, { timeout: 5000 }).toContain('10.7.0.0');
    monitor.kill();
    expect(seen).not.toContain('10.0.0.0');
  });
});
