/** The tables that are read as rows. `sequences` comes with its user. */
export type Table = 'users' | 'entries' | 'names' | 'resolved' | 'grants' | 'journal' | 'meta';

/** The columns of a row as it is read: its name there, and where it is taken from. */
export const COLUMNS: Readonly<Record<Table, Readonly<Record<string, string>>>> = {
  users: {
    ...same('name', 'services', 'ttl', 'max_addresses', 'account', 'pin_hash', 'approval', 'number', 'created_at'),
    id: 'users.id',
    sequence_id: 'sequences.id',
    steps: 'sequences.steps',
  },
  entries: same('id', 'target', 'services', 'note', 'source', 'created_at'),
  names: same('id', 'name', 'services', 'note', 'created_at'),
  resolved: same('name', 'addresses', 'resolved_at', 'missing_since'),
  grants: same(
    'id',
    'user_id',
    'user_name',
    'target',
    'services',
    'method',
    'opened_at',
    'expires_at',
    'expires_mono',
    'ttl',
    'note',
    'ended_at',
    'end_reason',
  ),
  journal: same('seq', 'at', 'event', 'user', 'address', 'method', 'services', 'grant_id', 'detail'),
  meta: same('key', 'value'),
};

function same(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, name]));
}
