import { z } from 'zod';
import { APPROVALS } from '../../core/user.js';

/** A moment as ISO 8601 in UTC. */
const time = z.string().describe('ISO 8601, UTC');

/** Something that is open until its expiry. */
export const GrantView = z.object({
  id: z.string(),
  address: z.string().describe('an address or a CIDR'),
  user: z.string().nullable(),
  services: z.array(z.string()),
  method: z.enum(['knock', 'spa', 'phone', 'cli', 'console']),
  opened_at: time,
  expires_at: time,
  remaining_s: z.number().describe('seconds until it ends'),
  ttl_s: z.number().describe('seconds it was opened for, at the last opening or renewal'),
  note: z.string().nullable(),
});
export type GrantView = z.infer<typeof GrantView>;

/** How a host name stands. */
const TrackedView = z.object({
  state: z
    .enum(['pending', 'ok', 'degraded', 'missing', 'dropped'])
    .describe('missing: there is no such name; dropped: its addresses are out for that'),
  addresses: z.array(z.string()).describe('what is let in for it now'),
  resolved_at: time.nullable().describe('the last good answer'),
  next_at: time.describe('the next look-up'),
  detail: z.string().nullable().describe('what is wrong'),
});
export type TrackedView = z.infer<typeof TrackedView>;

/** Something that is let in until it is removed. */
export const EntryView = z.object({
  id: z.string(),
  target: z.string().describe('an address, a CIDR or a host name'),
  services: z.array(z.string()),
  note: z.string().nullable(),
  source: z.enum(['operator', 'setup', 'config', 'provider']),
  created_at: time,
  tracked: TrackedView.nullable().describe('null for an address or a CIDR'),
});
export type EntryView = z.infer<typeof EntryView>;

/** A user without secrets: the sequence only as its length. */
export const UserView = z.object({
  name: z.string(),
  services: z.array(z.string()),
  ttl_s: z.number().nullable().describe('null: the ttl of the configuration'),
  max_addresses: z.number(),
  ports: z.number().describe('how many knocks the sequence has'),
  account: z.string().nullable(),
  pin_set: z.boolean(),
  approval: z.enum(APPROVALS).describe('whose yes a knock takes'),
  number: z.string().nullable().describe('the telephone number to ring for a yes'),
  created_at: time,
  open: z.number().describe('how many grants are open'),
});
export type UserView = z.infer<typeof UserView>;

const KnockView = z.object({ protocol: z.enum(['tcp', 'udp']), port: z.number() });

/** What a user needs to get in. A secret. */
export const UserCard = z.object({
  name: z.string(),
  sequence: z.array(KnockView),
  services: z.array(z.string()),
  ttl_s: z.number().describe('seconds that a knock opens for'),
  approval: z.enum(APPROVALS).describe('whose yes a knock takes before it opens'),
  host: z.string().nullable().describe('where to knock, as far as it is known'),
  wait: z.string().nullable().describe('a port that answers once it is open, such as tcp/22'),
  call: z
    .string()
    .nullable()
    .describe(
      'the extension that takes pairing codes; null: there is no telephone, no PIN, or no UDP knock at the end',
    ),
});
export type UserCard = z.infer<typeof UserCard>;

export const PartView = z.object({ state: z.string(), detail: z.string().optional() });
export type PartView = z.infer<typeof PartView>;

const DaemonPartView = PartView.extend({
  rss_mb: z.number().describe('memory that it takes, in MB'),
  loop_max_ms: z.number().describe('the longest that its event loop was held in the last minute, in ms'),
});

const InterfacesPartView = PartView.extend({
  interfaces: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['up', 'down', 'missing']),
      kind: z.string().nullable().describe('such as wireguard, tailscale, tun, ether; null: it is missing'),
      peers: z
        .number()
        .nullable()
        .describe('of WireGuard or Tailscale; null: it is neither, or its program is not there'),
      online: z
        .number()
        .nullable()
        .describe('how many peers are connected; null: that is not known, as with WireGuard'),
      latest_handshake: time.nullable(),
    }),
  ),
});
export type InterfacesPartView = z.infer<typeof InterfacesPartView>;

const FirewallPartView = PartView.extend({
  policy: z.enum(['guard', 'lockdown']).optional().describe('whether the services named are closed, or everything'),
  reverts_in_s: z.number().optional(),
  guards_in_s: z
    .number()
    .optional()
    .describe('while it waits after quick starts of the machine: seconds until it goes up'),
  reverts_to: z.enum(['previous', 'open']).optional().describe('what holds then: the previous rules, or nothing'),
});

/** A source whose knocks are ignored. */
export const IgnoredView = z.object({
  address: z.string().describe('an IPv4 address, or the /64 of an IPv6 one'),
  until: time,
  remaining_s: z.number(),
});
export type IgnoredView = z.infer<typeof IgnoredView>;

export const StrikesView = z.object({
  limit: z.number().describe('so many wrong packets'),
  per_s: z.number().describe('within so many seconds of the first'),
  ignore_s: z.number().describe('and the knocks of their source are ignored for so many seconds'),
  ignored_count: z.number().nullable().describe('how many sources are ignored now; null: it cannot be read'),
  ignored: z.array(IgnoredView).describe('at most 50 of them, the latest first'),
});
export type StrikesView = z.infer<typeof StrikesView>;

/** An address that asks to be let in, and waits for its user's yes. */
export const ClaimView = z.object({
  address: z.string(),
  user: z.string(),
  method: z.enum(['knock', 'spa']).describe('how it was made'),
  waits_for: z
    .enum(['code', 'call', 'callback'])
    .describe('the pairing code by phone, a call, or an answer to our call'),
  expires_at: time,
  remaining_s: z.number(),
});
export type ClaimView = z.infer<typeof ClaimView>;

const NamesPartView = PartView.extend({ tracked: z.number().describe('how many host names are tracked') });

const PhonePartView = PartView.extend({ calls: z.number().describe('calls that are led now') });

export const StatusView = z.object({
  ready: z.boolean(),
  version: z.string(),
  started_at: time,
  grants: z.array(GrantView),
  entries: z.number(),
  users: z.number(),
  parts: z
    .object({
      firewall: FirewallPartView,
      knock: PartView,
      store: PartView,
      daemon: DaemonPartView,
      phone: PhonePartView.optional(),
      interfaces: InterfacesPartView.optional().describe('the trusted interfaces, where there are any'),
      names: NamesPartView.optional(),
    })
    .catchall(z.looseObject(PartView.shape)),
  claims: z.array(ClaimView),
  strikes: StrikesView.nullable().describe('null: switched off'),
  notices: z.array(z.string()),
});
export type StatusView = z.infer<typeof StatusView>;

const lastSeen = time
  .nullable()
  .describe('when the guard last let a packet from there in; null: not since its rules were loaded, or in 30 days');

export const ListView = z.object({
  entries: z.array(EntryView.extend({ last_seen: lastSeen })),
  grants: z.array(GrantView.extend({ last_seen: lastSeen })),
});
export type ListView = z.infer<typeof ListView>;

export const WhoisView = z.object({
  address: z.string(),
  grants: z.array(GrantView),
  entries: z.array(EntryView),
  allowed: z.array(z.string()).describe('the services that are open to it'),
  last_seen: lastSeen,
  ignored: z.array(IgnoredView).describe('its source, where its knocks are ignored now: one, or none'),
});
export type WhoisView = z.infer<typeof WhoisView>;

const recorded = z
  .boolean()
  .describe('whether it is on the disk; false where the store fails: it is written as soon as that is possible');

/** Exactly one of `grant` and `entry` is not null. */
export const AllowResult = z.object({
  grant: GrantView.nullable(),
  entry: EntryView.nullable(),
  listened_to: z.array(z.string()).describe('sources whose knocks were ignored, and are listened to again'),
  recorded,
});
export type AllowResult = z.infer<typeof AllowResult>;

export const AddEntriesResult = z.object({
  added: z.number().describe('entries that are new, or have a new note'),
  present: z.number().describe('entries that were there already'),
});
export type AddEntriesResult = z.infer<typeof AddEntriesResult>;

export const RevokeResult = z.object({
  revoked: z.array(GrantView),
  removed: z.array(EntryView),
  dropped: z.array(ClaimView).describe('claims that waited, and can be confirmed no more'),
  recorded,
});
export type RevokeResult = z.infer<typeof RevokeResult>;

export const RemoveUserResult = z.object({ removed: UserView, revoked: z.array(GrantView) });
export type RemoveUserResult = z.infer<typeof RemoveUserResult>;

/** One line of the journal. */
export const JournalView = z.object({
  seq: z.number().describe('rises by one with every event'),
  at: time,
  event: z.string(),
  user: z.string().nullable(),
  address: z.string().nullable(),
  method: z.string().nullable(),
  services: z.array(z.string()).nullable(),
  grant: z.string().nullable(),
  detail: z.string().nullable(),
});
export type JournalView = z.infer<typeof JournalView>;

const GuardedView = z.object({ service: z.string(), ports: z.array(z.string()) });

const RuleChangeView = z.object({
  effect: z.enum(['opens', 'closes', 'neither']).describe('for whom it is about'),
  text: z.string().describe('the difference, in words'),
});

export const PlanView = z.object({
  state: z.string().describe('as in the state of the guard'),
  changes: z.array(RuleChangeView).describe('in what the configuration differs from the rules that hold'),
  cuts: z.array(z.string()).describe('addresses that are logged in over SSH now, and would be shut out'),
  last_way_in: z.boolean().describe('whether nobody could get in to SSH any more'),
  in_use: z
    .array(z.object({ service: z.string(), by: z.array(z.string()) }))
    .describe('services that the configuration has no more, and who has them still: it is refused'),
  restart: z.array(z.string()).describe('other keys that differ: they take effect at the next start of the daemon'),
});
export type PlanView = z.infer<typeof PlanView>;

export const FirewallView = z.object({
  state: z.enum(['guarding', 'provisional', 'reverted', 'open', 'waiting', 'failed', 'none']),
  policy: z.string(),
  driver: z.string(),
  on_expiry: z.string(),
  reverts_at: time.nullable(),
  reverts_in_s: z.number().nullable(),
  reverts_to: z
    .enum(['previous', 'open'])
    .nullable()
    .describe('what holds when a provisional guard lapses: the previous rules, or nothing'),
  detail: z.string().nullable(),
  guarded: z.array(GuardedView),
  pool: z.string(),
  unsaved: z.string().nullable().describe('why the rules are not kept for a boot; null where they are'),
  changes: z.array(RuleChangeView).optional().describe('what was applied'),
  replaced: z.boolean().optional().describe('whether another change was waiting to be confirmed, and is gone'),
});
export type FirewallView = z.infer<typeof FirewallView>;

/** A VoIP provider of the catalogue. */
export const ProviderView = z.object({
  name: z.string(),
  title: z.string(),
  source: z.enum(['shipped', 'own']).nullable().describe('whose catalogue it is in; null: in none'),
  status: z.enum(['enabled', 'off', 'retired', 'unknown']).describe('only an enabled one is let in'),
  by: z.enum(['config', 'command']).nullable().describe('what has enabled it'),
  names: z.number().describe('how many host names it has'),
  networks: z.number().describe('how many addresses and CIDRs of its own it has'),
  addresses: z.number().describe('how many addresses its names have now'),
  problems: z.array(z.string()),
});
export type ProviderView = z.infer<typeof ProviderView>;

const ProviderHostView = z.object({
  host: z.string().describe('a host name, an address or a CIDR'),
  services: z.array(z.string()).describe('what is opened to it: SIP, IAX, RTP'),
  tracked: TrackedView.nullable().describe('how a host name stands; null for one that is not enabled, and for others'),
});

export const ProviderDetails = ProviderView.extend({
  hosts: z.array(ProviderHostView),
  ports: z
    .array(z.object({ service: z.string(), ports: z.array(z.string()) }))
    .describe('which closed ports of this host it is let in to'),
  retired: z.object({ since: z.string(), why: z.string() }).nullable(),
});
export type ProviderDetails = z.infer<typeof ProviderDetails>;

/** What every refused request is answered with. */
export const ErrorView = z.object({
  error: z.object({
    code: z.string().describe('such as SP_NOT_FOUND'),
    message: z.string(),
    fix: z.string().describe('what to do'),
  }),
});
export type ErrorView = z.infer<typeof ErrorView>;
