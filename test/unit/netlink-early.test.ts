import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Address, addressBytes, addressFromBytes, neverAllowed, parseAddress } from '../../src/core/address.ts';
import { parseComment } from '../../src/core/grants/comment.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import { hours } from '../../src/core/time.ts';
import { completionKey } from '../../src/firewall/keys.ts';
import { EarlyOpener, isOrdinary } from '../../src/netlink/early.ts';
import { decodeElements } from '../../src/netlink/elements.ts';
import { EPERM } from '../../src/netlink/errors.ts';
import type { LoggedKnock } from '../../src/netlink/logged-knock.ts';
import { decodeMessages, decodeNetfilterBody, findAttribute, readText } from '../../src/netlink/message.ts';
import { mailboxKey, type StandingOrder } from '../../src/netlink/opening-template.ts';
import type { NetlinkSocket } from '../../src/netlink/socket.ts';
import { service } from '../support/core-arbitraries.ts';

const LAPTOP = parseAddress('203.0.113.7');
const SIX = parseAddress('2001:db8:1:2:3:4:5:6');
const ANNA: StandingOrder = {
  mark: finalState(11),
  userId: 1,
  ttl: hours(1),
  services: [service('ssh')],
  sets: { 4: ['grant_ssh_4'], 6: ['grant_ssh_6'] },
};
const MAILBOX = { 4: 'done_4', 6: 'done_6' };
const NLM_F_CREATE_EXCL = 0x600;

const completing = (source: Address = LAPTOP, mark: number = ANNA.mark): LoggedKnock => ({
  source: addressBytes(source),
  mark,
});

/** What the kernel was asked, and a kernel that answers with an error number. */
function kernel() {
  const asked: { set: string | undefined; isCreated: boolean; key: number[]; comment: string | undefined }[] = [];
  let errno = 0;
  const socket = {
    request(bytes: Uint8Array) {
      let last = 0;
      for (const { type, flags, sequence, body } of decodeMessages(bytes)) {
        if (type >> 8 !== 10) continue;
        last = sequence;
        const decoded = decodeNetfilterBody(body);
        const set = readText(findAttribute(decoded?.attributes ?? [], 2));
        const message = bytes.slice();
        const [element] = type === 0x0a0c ? (decodeElements(message) ?? []) : [];
        asked.push({
          set,
          isCreated: (flags & NLM_F_CREATE_EXCL) === NLM_F_CREATE_EXCL,
          key: [...(element?.key ?? [])],
          comment: element?.comment,
        });
      }
      const answer = new Uint8Array(20);
      new DataView(answer.buffer).setInt32(0, -errno, true);
      return [{ type: 2, flags: 0, sequence: last, body: answer }];
    },
  } as unknown as NetlinkSocket;
  const refuse = (number: number) => {
    errno = number;
  };
  return { asked, socket, refuse };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

function opener(ipv6Prefix: 64 | 128 = 128) {
  const { asked, socket, refuse } = kernel();
  const early = new EarlyOpener(socket, { table: 'sallyport', mailbox: MAILBOX, ipv6Prefix });
  early.order([], [ANNA]);
  const open = (packet: LoggedKnock) => {
    vi.advanceTimersByTime(1000);
    return early.open(packet);
  };
  return { asked, refuse, early, open };
}

describe('what is opened before anybody has decided', () => {
  it('is created, so that nothing is touched that is there, and answered in the same transaction', () => {
    const { asked, open } = opener();
    const grant = open(completing());
    expect(grant).toMatchObject({ services: ['ssh'] });
    expect(asked.map(({ set, isCreated }) => [set, isCreated])).toEqual([
      ['grant_ssh_4', true],
      ['done_4', false],
    ]);
    expect(asked[0]?.key).toEqual([203, 0, 113, 7]);
    expect(parseComment(asked[0]?.comment ?? '')).toMatchObject([{ id: grant?.id, userId: 1, method: 'knock' }]);
  });

  it.each([
    [64, [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]],
    [128, [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]],
  ] as const)('covers as much of an IPv6 address as a grant does: /%i', (prefix, key) => {
    const { asked, open } = opener(prefix);
    expect(open(completing(SIX))).toBeDefined();
    expect(asked[0]).toMatchObject({ set: 'grant_ssh_6', key });
  });

  it('is left to the main thread where the kernel refuses', () => {
    const { refuse, open } = opener();
    refuse(EPERM);
    expect(open(completing())).toBeUndefined();
  });

  it.each([
    ['no user has the sequence', completing(LAPTOP, finalState(12))],
    ['it tells of a strike', completing(LAPTOP, 0)],
    ['the address may never be let in', completing(parseAddress('127.0.0.1'))],
  ])('is left to the main thread where %s', (_why, packet) => {
    const { asked, open } = opener();
    expect(open(packet)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('is left to the main thread in a rush, and comes back after it', () => {
    const { early, open } = opener();
    expect(open(completing())).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(early.open(completing(parseAddress('203.0.113.8')))).toBeUndefined();
    expect(open(completing(parseAddress('203.0.113.9')))).toBeDefined();
  });

  it('tells the time of the knock, whatever the time was when the order came', () => {
    const { asked, open } = opener();
    for (const year of [1970, 1971, 1972, 2026, 2038, 2039]) {
      const now = Date.UTC(year, 5, 1, 12, 0, 59);
      vi.setSystemTime(now - 1000);
      expect(open(completing())).toBeDefined();
      expect(parseComment(asked.at(-2)?.comment ?? '')).toMatchObject([{ openedAt: now, userId: 1, ttl: hours(1) }]);
    }
  });

  it('has an id of its own each time', () => {
    const { asked, open } = opener();
    const ids = Array.from({ length: 100 }, () => open(completing())?.id);
    expect(new Set(ids).size).toBe(100);
    const told = asked.flatMap(({ comment }) => (comment === undefined ? [] : parseComment(comment)));
    expect(told.map(({ id }) => id)).toEqual(ids);
  });

  it('is opened for each of many users, as many as are kept ready and more', () => {
    const { asked, early, open } = opener();
    const users = Array.from({ length: 1500 }, (_, n) => ({ ...ANNA, mark: finalState(100 + n), userId: 100 + n }));
    early.order([], users);
    early.order(
      users.slice(0, 1200).map(({ mark }) => mark),
      [],
    );
    early.order([], users);
    for (const { mark, userId } of [users[0], users[1200], users[1499]].filter((user) => user !== undefined)) {
      expect(open(completing(LAPTOP, mark))).toBeDefined();
      expect(parseComment(asked.at(-2)?.comment ?? '')).toMatchObject([{ userId }]);
    }
  });

  it('creates an element in each set that its services take', () => {
    const { asked, early, open } = opener(64);
    early.order([], [{ ...ANNA, sets: { 4: ['grant_a_4', 'grant_b_4'], 6: ['grant_a_6', 'grant_b_6'] } }]);
    for (const source of [LAPTOP, SIX]) {
      const grant = open(completing(source));
      const [a, b] = asked.splice(-3, 2);
      expect(a?.key).toEqual(b?.key);
      expect(parseComment(b?.comment ?? '')).toMatchObject([{ id: grant?.id }]);
    }
  });

  it('is left to the main thread for every address that may never be let in', () => {
    const addresses = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    const zeros = fc.tuple(addresses, fc.nat(16)).map(([bytes, count]) => bytes.slice().fill(0, 0, count));
    fc.assert(
      fc.property(fc.oneof(addresses, zeros), (bytes) => {
        const address = addressFromBytes(bytes);
        if (address !== undefined && isOrdinary(bytes)) expect(neverAllowed(address, new Set())).toBeUndefined();
      }),
    );
    for (const text of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1', '::', '::1', 'ff02::1']) {
      expect(isOrdinary(addressBytes(parseAddress(text)))).toBe(false);
    }
    expect(isOrdinary(new Uint8Array([...new Array<number>(10).fill(0), 255, 255, 203, 0, 113, 7]))).toBe(false);
    for (const address of [LAPTOP, SIX]) expect(isOrdinary(addressBytes(address))).toBe(true);
  });

  it('ends with the order', () => {
    const { early, open } = opener();
    early.order([ANNA.mark], []);
    expect(open(completing())).toBeUndefined();
  });

  it('names the knock in the mailbox as everybody does', () => {
    for (const source of [LAPTOP, SIX]) {
      const bytes = source === LAPTOP ? [203, 0, 113, 7] : [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6];
      expect(mailboxKey(new Uint8Array(bytes), ANNA.mark)).toEqual(completionKey(source, finalState(11)));
    }
  });
});
