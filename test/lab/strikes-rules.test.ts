import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GuardLayout } from '#dist/core/firewall.js';
import type { StrikeLimit } from '#dist/core/knock/strikes.js';
import { parsePortSpan } from '#dist/core/ports.js';
import { hours, minutes, seconds } from '#dist/core/time.js';
import { place } from '#dist/firewall/placement.js';
import { renderGuard } from '#dist/firewall/ruleset.js';
import { listSets } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

/*
 * The rules by themselves, without a daemon: what a minute is in earnest is a second here, and a full set holds
 * three. UDP 21000 and then 23000 is a sequence, whose completion leaves an element in `done`.
 */
const FIRST = 21_000;
const SECOND = 23_000;
const FINAL = 0x8000_0001;
const FAMILIES = ['ipv4', 'ipv6'] as const;
type FamilyName = (typeof FAMILIES)[number];

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.create();
  await lab.manyAddresses(lab.stranger, 94);
});
afterAll(() => lab?.destroy());

function layout(strikes: StrikeLimit | null): GuardLayout {
  return {
    guarded: new Map(),
    onExpiry: 'cut',
    pool: parsePortSpan('21000-29999'),
    knocks: 'kernel',
    strikes,
    window: seconds(10),
    nflogGroup: 864,
    maxTtl: hours(12),
    ipv6Prefix: 128,
    policy: 'guard',
    trustedInterfaces: [],
    forwardFrom: [],
    openPorts: [],
    localPorts: parsePortSpan('32768-60999'),
  };
}

async function load(strikes: StrikeLimit, change: (rules: string) => string = (rules) => rules): Promise<void> {
  const rules = change(renderGuard(place({ layout: layout(strikes), fallback: null })));
  await lab.gateway.nft(`
    add table inet sallyport
    delete table inet sallyport
    table inet sallyport {\n${rules}\n}
    add element inet sallyport step { 0 . udp . ${FIRST} : 9, 9 . udp . ${FIRST} : 9, 9 . udp . ${SECOND} : ${FINAL} }
    add element inet sallyport active { ipv4 : goto guard, ipv6 : goto guard }
  `);
}

const source = (family: FamilyName, index: number, network = 94) =>
  family === 'ipv4' ? `10.${network}.0.${index}` : `fd94:0:0:${index}::1`;
const listed = (family: FamilyName, index: number) =>
  family === 'ipv4' ? source(family, index) : `fd94:0:0:${index}::`;

const ports = (from: string, ...all: number[]) =>
  all.map((port) =>
    packet({ source: from, destination: lab.gateway[from.includes(':') ? 'ipv6' : 'ipv4'], protocol: 'udp', port }),
  );
const wrong = (from: string, times: number) => ports(from, ...Array.from({ length: times }, () => 29_000));
const knock = (from: string) => ports(from, FIRST, SECOND);
const send = (...packets: string[][]) => lab.stranger.raw(lab.gateway, packets.flat());

async function elements(set: string): Promise<string[]> {
  return (await listSets(lab.gateway)).filter((one) => one.set === set).map(({ value }) => value);
}

const set = (name: string, family: FamilyName) => `${name}_${family === 'ipv4' ? 4 : 6}`;
/** Who has completed the sequence; a witness tells that all before it was seen. */
async function completed(family: FamilyName, index: number): Promise<boolean> {
  await send(knock(source(family, 250)));
  const done = await eventually(
    () => elements(set('done', family)),
    (found) => found.includes(source(family, 250)),
  );
  return done.includes(source(family, index));
}

describe.each(FAMILIES)('the rules over %s', (family) => {
  const LIMIT: StrikeLimit = { wrong: 20, per: minutes(1), ignoreFor: minutes(10) };
  const eve = source(family, 1);
  const one = (index: number) => source(family, index);

  describe('with the limit of 20', () => {
    beforeEach(() => load(LIMIT));

    it('ignore a source from the 20th wrong packet on, and not from the 19th', async () => {
      await send(wrong(one(1), 19), wrong(one(2), 20), knock(one(1)), knock(one(2)));
      expect([await completed(family, 1), await completed(family, 2)]).toEqual([true, false]);
      expect(await elements(set('ignored', family))).toEqual([listed(family, 2)]);
      // Its count went with it.
      expect(await elements(set('strikes', family))).toEqual([listed(family, 1)]);
    });

    it('count a packet that starts over on the way through a sequence, though it may be a first one', async () => {
      // After the first, each pair is an unexpected packet and a first one again; an expected first one is none.
      await send(...Array.from({ length: 19 }, () => ports(eve, FIRST, 29_000)));
      expect(await elements(set('ignored', family))).toEqual([]);
      await send(ports(eve, FIRST, 29_000), knock(eve));
      expect(await completed(family, 1)).toBe(false);
      expect(await elements(set('ignored', family))).toEqual([listed(family, 1)]);
    });

    it('count neither the expected packets nor the repeats of those', async () => {
      for (let round = 0; round < 20; round++) await send(ports(eve, FIRST, FIRST, FIRST, SECOND));
      expect(await completed(family, 1)).toBe(true);
      expect(await elements(set('strikes', family))).toEqual([]);
    });

    it('let the crossing packet advance nothing, and forget how far its source had come', async () => {
      await send(wrong(eve, 19), ports(eve, FIRST, 29_000));
      await eventually(
        () => elements(set('ignored', family)),
        (found) => found.length === 1,
      );
      const { stdout } = await lab.gateway.exec('nft', ['list', 'map', 'inet', 'sallyport', set('state', family)]);
      expect(stdout).not.toContain(eve);
    });
  });

  it('begin the count anew with the first wrong packet after the window, which those in it do not prolong', async () => {
    await load({ ...LIMIT, per: seconds(1) });
    const passes = (wait: number) => new Promise((resolve) => setTimeout(resolve, wait));
    for (let round = 0; round < 3; round++) {
      // 15 and 4 within one window, which would go on to the next 4 if it were prolonged.
      await send(wrong(eve, 15));
      await passes(500);
      await send(wrong(eve, 4));
      await passes(600);
      await send(wrong(eve, 4));
      await eventually(
        () => elements(set('strikes', family)),
        (found) => found.length === 0,
      );
    }
    expect(await elements(set('ignored', family))).toEqual([]);
    await send(wrong(eve, 20));
    await eventually(
      () => elements(set('ignored', family)),
      (found) => found.length === 1,
    );
  });

  it('count nobody new where the counts are full, and go on hearing knocks and counting the others', async () => {
    await load(LIMIT, (rules) => rules.replaceAll('size 131072', 'size 3'));
    for (const index of [1, 2, 3]) await send(wrong(one(index), 1));
    await send(wrong(one(4), 100), knock(one(4)), wrong(one(1), 19), knock(one(1)));
    expect([await completed(family, 4), await completed(family, 1)]).toEqual([true, false]);
    expect(await elements(set('ignored', family))).toEqual([listed(family, 1)]);
    // There is room again once the kernel has swept, each second.
    await eventually(
      async () => {
        await send(wrong(one(4), 20));
        return await elements(set('ignored', family));
      },
      (found) => found.length === 2,
    );
  });

  it('ignore nobody new where the ignored are full, and hear the knocks of those who would be', async () => {
    await load(LIMIT, (rules) => rules.replaceAll('size 16384', 'size 3'));
    for (const index of [1, 2, 3]) await send(wrong(one(index), 20));
    await send(wrong(one(4), 100), knock(one(4)), knock(one(1)));
    expect([await completed(family, 4), await completed(family, 1)]).toEqual([true, false]);
    expect(await elements(set('ignored', family))).toHaveLength(3);
  });
});

it('the listing of the rules, by which a change is noticed, stays as it was while sources come and go', async () => {
  await load({ wrong: 20, per: minutes(1), ignoreFor: minutes(10) });
  const listing = async () =>
    (await lab.gateway.exec('nft', ['-s', '-t', 'list', 'table', 'inet', 'sallyport'])).stdout;
  const before = await listing();
  for (const family of FAMILIES) await send(wrong(source(family, 1), 20), wrong(source(family, 2), 5));
  expect(await elements('ignored_6')).toHaveLength(1);
  expect(await elements('strikes_6')).toHaveLength(1);
  expect(await listing()).toBe(before);
  // It reads back as it is: what is listed can be loaded.
  await lab.gateway.nft(`delete table inet sallyport\n${before}`);
  expect(await listing()).toBe(before);
});

it('there is nothing of it in the rules where it is switched off', () => {
  expect(renderGuard(place({ layout: layout(null), fallback: null }))).not.toMatch(/strikes|ignore|struck|limit/);
});
