import type { Instant } from '../time.js';
import { type Duration, millis } from '../time.js';
import type { Grant, GrantId, Method } from './grant.js';

/*
 * What a kernel element says of the grants that opened it, so that a grant which the store never saw is not lost:
 *
 *   sp1 7K2M9QXA.k.c.sy1k2f.2s0 8ABCDEFG.c..sy1k30.5k
 *       |        | | |      |
 *       id       | | |      time it was opened for, seconds, base 36
 *                | | opened at, seconds since 1970, base 36
 *                | user id, base 36, or nothing
 *                method: k(nock) s(pa) p(hone) c(li) o (console)
 *
 * The kernel keeps 127 bytes (NFTNL_UDATA_COMMENT_MAXLEN with its NUL). What does not fit is left out, the grants with the
 * least time first: they are in the store already, or end before the rest.
 */

/** What a comment tells of one grant. */
export interface CommentedGrant {
  readonly id: GrantId;
  readonly userId: number | null;
  readonly method: Method;
  readonly openedAt: Instant;
  readonly ttl: Duration;
}

const TAG = 'sp1';
const LONGEST = 127;
const LETTER = { knock: 'k', spa: 's', phone: 'p', cli: 'c', console: 'o' } as const satisfies Record<Method, string>;
const METHOD: ReadonlyMap<string, Method> = new Map(
  Object.entries(LETTER).map(([method, letter]) => [letter, method as Method]),
);

/** The comment for an element that these grants share. */
export function formatComment(grants: readonly Grant[]): string {
  let text = TAG;
  for (const grant of [...grants].sort((a, b) => b.expires - a.expires)) {
    const item = formatItem({ ...grant, userId: grant.user?.id ?? null });
    if (text.length + item.length > LONGEST) break;
    text += item;
  }
  return text;
}

/** The comment for an element that one grant has for itself. */
export function commentOf(grant: CommentedGrant): string {
  return TAG + formatItem(grant);
}

function formatItem({ id, userId, method, openedAt, ttl }: CommentedGrant): string {
  const user = userId === null ? '' : userId.toString(36);
  return ` ${id}.${LETTER[method]}.${user}.${Math.floor(openedAt / 1000).toString(36)}.${Math.ceil(ttl / 1000).toString(36)}`;
}

/** Reads a comment; an empty list for any text that is not one of ours. */
export function parseComment(text: string): CommentedGrant[] {
  const [tag, ...items] = text.split(' ');
  if (tag !== TAG || text.length > LONGEST) return [];
  const grants = items.map(parseItem);
  return grants.every((grant) => grant !== undefined) ? grants : [];
}

/** Whether a comment names this grant and no other, without reading it word by word. */
export function namesAlone(comment: string | null, id: GrantId): boolean {
  return comment?.startsWith(`${TAG} ${id}.`) === true && comment.indexOf(' ', TAG.length + 1) < 0;
}

function parseItem(item: string): CommentedGrant | undefined {
  const match = /^([0-9A-HJKMNP-TV-Z]{8})\.([a-z])\.([0-9a-z]{0,6})\.([0-9a-z]{1,8})\.([0-9a-z]{1,6})$/.exec(item);
  const [, id, letter, user, opened, ttl] = match ?? [];
  const method = METHOD.get(letter ?? '');
  if (id === undefined || user === undefined || opened === undefined || ttl === undefined || !method) return undefined;
  return {
    id: id as GrantId,
    userId: user === '' ? null : Number.parseInt(user, 36),
    method,
    openedAt: (Number.parseInt(opened, 36) * 1000) as Instant,
    ttl: millis(Number.parseInt(ttl, 36) * 1000),
  };
}
