import type { z } from 'zod';
import { formatPortRange, formatPortSpan, type PortRange, type PortSpan, spansOverlap } from '../core/ports.js';
import { ALL } from '../core/service.js';
import { type Duration, formatDuration } from '../core/time.js';
import type { Complaint } from './issues.js';
import { type Path, shown } from './problem.js';
import { fileSchema } from './schema.js';
import { nearest } from './suggest.js';
import { portRange } from './values.js';

const { knock, grants } = fileSchema.shape;
const { pool: poolSchema } = knock.unwrap().shape;
const { ttl: ttlSchema, max_ttl: maxTtlSchema } = grants.unwrap().shape;

/**
 * What holds between keys. It reads the raw file and looks only at values that are good in themselves, so that every
 * problem is found at once, whatever else is wrong.
 */
export function crossChecks(file: unknown): readonly Complaint[] {
  return [
    ...driverAndSource(file),
    ...poolAndServices(file),
    ...portsWithinServices(file),
    ...unknownServices(file),
    ...ttlAndMax(file),
    ...userEventsAndDriver(file),
  ];
}

function driverAndSource(file: unknown): Complaint[] {
  const source = at(file, ['knock', 'source']);
  if (at(file, ['firewall', 'driver']) !== 'none' || !(source === undefined || source === 'kernel')) return [];
  const why = 'the kernel recognises knocks by rules, and there are none with firewall.driver: none';
  return source === undefined
    ? [complaint(['firewall', 'driver'], `none takes knock.source: socket as well; ${why}`)]
    : [complaint(['knock', 'source'], `${why}; write socket`)];
}

function poolAndServices(file: unknown): Complaint[] {
  const pool = read<PortSpan>(poolSchema, at(file, ['knock', 'pool']));
  if (pool === undefined) return [];
  const written = at(file, ['knock', 'pool']) !== undefined;
  return servicePorts(file).flatMap(({ path, name, range }) => {
    if (!spansOverlap(pool, range)) return [];
    const [ports, span] = [formatPortRange(range), formatPortSpan(pool)];
    return written
      ? [
          complaint(
            ['knock', 'pool'],
            `the pool ${span} overlaps ${ports} of the service ${name}; move it clear of every service`,
          ),
        ]
      : [complaint(path, `${ports} overlaps the pool ${span}; set knock.pool to a range clear of every service`)];
  });
}

function portsWithinServices(file: unknown): Complaint[] {
  const found: Complaint[] = [];
  const widest = new Map<string, PortRange>();
  for (const { path, name, range } of servicePorts(file).sort((a, b) => a.range.first - b.range.first)) {
    const key = `${name} ${range.protocol}`;
    const before = widest.get(key);
    if (before !== undefined && spansOverlap(before, range)) {
      found.push(complaint(path, `${formatPortRange(range)} overlaps ${formatPortRange(before)} of the same service`));
    }
    if (before === undefined || before.last < range.last) widest.set(key, range);
  }
  return found;
}

function unknownServices(file: unknown): Complaint[] {
  const services = at(file, ['services']);
  if (!isRecord(services)) return [];
  const known = Object.keys(services);
  return references(file).flatMap(({ path, name }) => {
    if (name === ALL || known.includes(name)) return [];
    const near = nearest(name, [ALL, ...known]);
    const hint = near === undefined ? `there are: ${known.slice(0, 20).join(', ')}` : `did you mean ${near}?`;
    return [complaint(path, `there is no service ${shown(name)}; ${hint}`)];
  });
}

function ttlAndMax(file: unknown): Complaint[] {
  const ttl = read<Duration>(ttlSchema, at(file, ['grants', 'ttl']));
  const max = read<Duration>(maxTtlSchema, at(file, ['grants', 'max_ttl']));
  if (ttl === undefined || max === undefined || ttl <= max) return [];
  const [ttlText, maxText] = [formatDuration(ttl), formatDuration(max)];
  return at(file, ['grants', 'ttl']) === undefined
    ? [
        complaint(
          ['grants', 'max_ttl'],
          `${maxText} is shorter than grants.ttl, which is ${ttlText} where it is left out`,
        ),
      ]
    : [complaint(['grants', 'ttl'], `${ttlText} is longer than grants.max_ttl, which is ${maxText}`)];
}

function userEventsAndDriver(file: unknown): Complaint[] {
  const path = ['phone', 'ami', 'user_events'];
  if (at(file, path) !== true || at(file, ['phone', 'driver']) === 'ami') return [];
  return [complaint(path, 'user events come by AMI alone; write phone.driver: ami, or leave this out')];
}

/** Every port of a service that can be read. */
function servicePorts(file: unknown): { path: Path; name: string; range: PortRange }[] {
  const services = at(file, ['services']);
  if (!isRecord(services)) return [];
  return Object.entries(services).flatMap(([name, ports]) =>
    list(ports).flatMap((port, index) => {
      const range = read<PortRange>(portRange, port);
      return range === undefined ? [] : [{ path: ['services', name, index], name, range }];
    }),
  );
}

/** Every place that names a service. */
function references(file: unknown): { path: Path; name: string }[] {
  const lists: Path[] = [['firewall', 'guard']];
  for (const key of ['addresses', 'names']) {
    for (const index of list(at(file, ['trusted', key])).keys()) lists.push(['trusted', key, index, 'services']);
  }
  return lists.flatMap((path) =>
    list(at(file, path)).flatMap((name, index) => (typeof name === 'string' ? [{ path: [...path, index], name }] : [])),
  );
}

function complaint(path: Path, message: string): Complaint {
  return { path, at: 'value', message };
}

function read<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  const result = schema.safeParse(value);
  return result.success ? result.data : undefined;
}

function at(value: unknown, path: Path): unknown {
  let part = value;
  for (const step of path) {
    if (typeof step === 'number') part = list(part)[step];
    else part = isRecord(part) ? part[step] : undefined;
  }
  return part;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
