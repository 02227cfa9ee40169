import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Host, localHost, plain } from './host.js';
import { readText } from './proc.js';

/** A packet filter of somebody else on this machine. */
export interface ForeignFirewall {
  readonly name: string;
  /** What it means for us, as one short clause. */
  readonly remark: string;
}

const DROP_WINS = 'what it drops stays dropped, whatever we let in';

/** Tables that iptables-nft makes; Docker, ufw and others write through it. */
const IPTABLES_TABLES = ['filter', 'nat', 'mangle', 'raw', 'security'];

/** Units of systemd that load rules, and what each does to ours. */
const UNITS: Readonly<Record<string, string>> = {
  'firewalld.service': `keeps rules of its own; ${DROP_WINS}`,
  'nftables.service':
    'its configuration usually begins with "flush ruleset": a reload removes our table too, until it is repaired',
  'netfilter-persistent.service': `loads saved iptables rules; ${DROP_WINS}`,
  'shorewall.service': `keeps rules of its own; ${DROP_WINS}`,
};

/**
 * The other packet filters that are active here: tables of nftables other than ours, tables of the old iptables, ufw,
 * and units that load rules. What cannot be asked is passed over, so this never fails.
 */
export async function foreignFirewalls(host: Host = localHost()): Promise<readonly ForeignFirewall[]> {
  const [tables, legacy, ufw, units] = await Promise.all([
    host.run('nft', ['list', 'tables']),
    legacyTables(host),
    ufwEnabled(host),
    activeUnits(host),
  ]);
  return [
    ...parseTables(tables ?? ''),
    ...legacy,
    ...(ufw ? [{ name: 'ufw', remark: `is enabled; ${DROP_WINS}` }] : []),
    ...units.map((unit) => ({ name: unit, remark: UNITS[unit] ?? '' })),
  ];
}

/** Reads `nft list tables`: one `table inet name` a line. Ours is left out. */
function parseTables(text: string): readonly ForeignFirewall[] {
  return [...text.matchAll(/^table (\w+) (\S+)$/gm)].flatMap(([, family = '', table = '']) => {
    if (family === 'inet' && table === 'sallyport') return [];
    const iptables = (family === 'ip' || family === 'ip6') && IPTABLES_TABLES.includes(table);
    const remark = iptables ? `the table of iptables-nft; ${DROP_WINS}` : DROP_WINS;
    return [{ name: `nftables table ${family} ${plain(table)}`, remark }];
  });
}

async function legacyTables(host: Host): Promise<readonly ForeignFirewall[]> {
  const found: ForeignFirewall[] = [];
  for (const [program, file] of [
    ['iptables-legacy', 'ip_tables_names'],
    ['ip6tables-legacy', 'ip6_tables_names'],
  ] as const) {
    const names = (await readText(host, `self/net/${file}`))?.split('\n').filter((name) => name !== '') ?? [];
    if (names.length > 0)
      found.push({ name: program, remark: `has the tables ${plain(names.join(', '))}; ${DROP_WINS}` });
  }
  return found;
}

async function ufwEnabled(host: Host): Promise<boolean> {
  const text = await readFile(join(host.etcRoot, 'ufw', 'ufw.conf'), 'utf8').catch(() => '');
  return /^\s*ENABLED\s*=\s*["']?yes["']?\s*$/im.test(text);
}

async function activeUnits(host: Host): Promise<readonly string[]> {
  const shown = await host.run('systemctl', ['show', ...Object.keys(UNITS), '-p', 'Id', '-p', 'ActiveState']);
  const active = (shown ?? '').split(/\n\s*\n/).filter((unit) => /^ActiveState=active$/m.test(unit));
  return active.flatMap((unit) => /^Id=(.+)$/m.exec(unit)?.[1] ?? []).filter((unit) => unit in UNITS);
}
