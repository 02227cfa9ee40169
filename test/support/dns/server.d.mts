/** What the server says of a name; see server.mjs. */
export interface Says {
  readonly A?: readonly string[] | Says;
  readonly AAAA?: readonly string[] | Says;
  readonly ttl?: number;
  readonly rcode?: 'servfail' | 'refused' | 'nxdomain';
  readonly does?:
    | 'nothing'
    | 'garbage'
    | 'strangeId'
    | 'otherName'
    | 'loop'
    | 'alias'
    | 'truncate'
    | 'truncateOnly'
    | 'random';
  readonly to?: string;
  readonly count?: number;
}

export class DnsServer {
  listen(port?: number, address?: string): Promise<number>;
  set(name: string, says: Says): void;
  die(isDead?: boolean): void;
  asked(name: string): number;
  close(): Promise<void>;
}
