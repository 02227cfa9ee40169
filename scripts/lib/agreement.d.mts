export interface Seen {
  readonly grants: readonly { readonly id: string; readonly address: string }[];
  readonly elements: readonly { readonly value: string; readonly comment: string | null }[];
  readonly records: readonly { readonly id: string; readonly target: string; readonly ended: boolean }[];
  readonly events: readonly { readonly event: string; readonly grant: string | null }[];
}

export declare function disagreements(seen: Seen): string[];

export declare function readRecords(db: {
  prepare(sql: string): { all(): unknown[] };
}): Pick<Seen, 'records' | 'events'>;
