import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Address, parseAddress } from '../../src/core/address.ts';
import { parseComment } from '../../src/core/grants/comment.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import { toPort } from '../../src/core/ports.ts';
import { hours } from '../../src/core/time.ts';
import { completionKey } from '../../src/firewall/keys.ts';
import { EarlyOpener, mailboxKey, type StandingOrder } from '../../src/netlink/early.ts';
import { decodeElements } from '../../src/netlink/elements.ts';
import { EPERM } from '../../src/netlink/errors.ts';
import { decodeMessages, decodeNetfilterBody, findAttribute, readText } from '../../src/netlink/message.ts';
import type { LoggedPacket } from '../../src/netlink/nflog.ts';
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

const completing = (source: Address = LAPTOP, mark: number = ANNA.mark): LoggedPacket => ({
  family: source.includes(':') ? 6 : 4,
  source,
  protocol: 'udp',
  destinationPort: toPort(24_711),
  mark,
  payload: new Uint8Array(),
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
  const open = (packet: LoggedPacket) => {
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
