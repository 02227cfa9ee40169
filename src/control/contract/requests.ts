import { z } from 'zod';
import { APPROVALS } from '../../core/user.js';

/**
 * One line of printable text. Only length and characters are bounded here: whether it is a duration, a name or an address
 * is for the daemon to say, in the words of the error table.
 */
const line = (longest: number) =>
  z
    .string()
    .min(1, 'it is empty')
    .max(longest, `it is longer than ${longest} characters`)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'it holds control characters');

const duration = line(32).describe('such as 90s, 15m, 8h or 2d');
const name = line(64);
/** Never empty: no services would mean all of them. */
const services = z.array(line(64)).min(1, 'name at least one service').max(64);

const force = z.boolean().optional().describe('do it all the same');
const peers = z
  .array(line(64))
  .max(32)
  .optional()
  .describe('the other ends of the SSH sessions that this is asked for in: they are not to be shut out');

export const AllowRequest = z.strictObject({
  target: line(253).describe('an address, a CIDR or a host name'),
  services: services.optional(),
  for: duration.optional().describe('how long; an entry that stays where it is left out'),
  note: line(200).optional(),
  user: name.optional(),
  force: force.describe('also where it lets everybody in'),
});
export type AllowRequest = z.infer<typeof AllowRequest>;

/** So many at once, of which none is made where one is refused. */
export const MOST_AT_ONCE = 20_000;

export const AddEntriesRequest = z.strictObject({
  entries: z
    .array(AllowRequest.pick({ target: true, services: true, note: true }))
    .min(1)
    .max(MOST_AT_ONCE, `there are more than ${MOST_AT_ONCE}`),
});
export type AddEntriesRequest = z.infer<typeof AddEntriesRequest>;

export const RevokeRequest = z.strictObject({
  what: line(253).describe('a target, the id of a grant or an entry, or the name of a user'),
  force: force.describe('also where it shuts somebody out who is logged in over SSH, or is the last way in'),
  peers,
});
export type RevokeRequest = z.infer<typeof RevokeRequest>;

export const ApplyRequest = z.strictObject({
  for: duration
    .optional()
    .describe('how long it holds unless confirmed, from 2s to 60m; a minute where it is left out'),
  force: force.describe('also where it shuts somebody out who is logged in over SSH, or closes the last way in'),
  peers,
});
export type ApplyRequest = z.infer<typeof ApplyRequest>;

export const PlanRequest = z.strictObject({ peers });
export type PlanRequest = z.infer<typeof PlanRequest>;

const userOptions = {
  services: services.optional(),
  ttl: duration.optional(),
  knock: line(200).optional().describe('such as tcp/21234,udp/28111,tcp/24711'),
  account: line(32).optional().describe('digits'),
  pin: z
    .string()
    .regex(/^\d{6,32}$/, 'it is not 6 to 32 digits')
    .optional(),
  approval: z
    .enum(APPROVALS)
    .optional()
    .describe('whose yes a knock takes: none, the user who calls, the user who is rung'),
  number: line(64).optional().describe('the telephone number to ring for a yes'),
  max_addresses: z.int().min(1).max(1000).optional(),
  length: z.int().min(2).max(8).optional().describe('how many ports to draw'),
};

export const AddUserRequest = z.strictObject({ name, ...userOptions });
export type AddUserRequest = z.infer<typeof AddUserRequest>;

/** What is left out stays as it is. */
export const SetUserRequest = z.strictObject(userOptions);
export type SetUserRequest = z.infer<typeof SetUserRequest>;

export const JournalRequest = z.strictObject({
  since: line(40).optional().describe('how long ago (a duration), or a moment in ISO 8601'),
  after: z.coerce.number().int().min(0).optional().describe('only events with a larger number'),
  limit: z.coerce.number().int().min(1).max(10_000).optional().describe('at most so many, the newest'),
});
export type JournalRequest = z.infer<typeof JournalRequest>;

export const UserParams = z.strictObject({ name });
export const ProviderParams = z.strictObject({ name });
export const AddressParams = z.strictObject({ address: line(64) });
