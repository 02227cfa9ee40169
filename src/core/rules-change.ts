import { formatPortRange, type PortRange } from './ports.js';
import type { GuardRules } from './rules.js';
import type { Scope, Services } from './service.js';

/** One difference between two sets of rules. */
export interface RuleChange {
  /** Whether somebody may be in who was out, or out who was in; `neither` where nobody is. */
  readonly effect: 'opens' | 'closes' | 'neither';
  /** What it is about, in words for people. */
  readonly text: string;
}

/** In what rules differ: a line for each difference, those that close first. */
export function compareRules(before: GuardRules, after: GuardRules): RuleChange[] {
  const found = [
    ...policyChange(before, after),
    ...serviceChanges(before, after),
    ...listChanges(before.trustedInterfaces, after.trustedInterfaces, 'everything that comes in by the interface'),
    ...(before.policy === 'lockdown' && after.policy === 'lockdown'
      ? [
          ...listChanges(before.forwardFrom, after.forwardFrom, 'what is forwarded from the interface'),
          ...listChanges(before.openPorts.map(formatPortRange), after.openPorts.map(formatPortRange), 'everyone to'),
        ]
      : []),
    ...letInChanges(entriesByTarget(before), entriesByTarget(after)),
    ...letInChanges(namesByName(before), namesByName(after)),
    ...listChanges(before.providers, after.providers, 'the provider'),
    ...expiryChange(before, after),
  ];
  const rank = { closes: 0, opens: 1, neither: 2 } as const;
  return found.sort((a, b) => rank[a.effect] - rank[b.effect]);
}

const closes = (text: string): RuleChange => ({ effect: 'closes', text });
const opens = (text: string): RuleChange => ({ effect: 'opens', text });

function policyChange(before: GuardRules, after: GuardRules): RuleChange[] {
  if (before.policy === after.policy) return [];
  if (after.policy === 'lockdown')
    return [closes('policy lockdown: everything is closed that is not on the whitelist')];
  const closed = [...after.guarded.keys()].filter((name) => after.services.has(name));
  return [opens(`policy guard: only ${listed(closed)} stay closed, all else is as open as other rules leave it`)];
}

/** Under `guard` a port of a guarded service is one more that is closed; under `lockdown`, one that the service opens. */
function serviceChanges(before: GuardRules, after: GuardRules): RuleChange[] {
  const [was, is] = [closedOf(before), closedOf(after)];
  const isLockdown = after.policy === 'lockdown';
  const changes: RuleChange[] = [];
  for (const [name, ports] of is) {
    const known = was.get(name);
    const text = ports.map(formatPortRange);
    if (known === undefined) {
      if (before.policy === after.policy || !isLockdown) {
        changes.push(
          isLockdown
            ? opens(`the service ${name} (${listed(text)}) is there for those who are let in to it`)
            : closes(`${name} (${listed(text)}) is closed to strangers`),
        );
      }
      continue;
    }
    const old = known.map(formatPortRange);
    const [more, less] = [missing(text, old), missing(old, text)];
    if (more.length > 0)
      changes.push(
        isLockdown
          ? opens(`${name} has ${listed(more)} as well, for those who are let in to it`)
          : closes(`${name} has ${listed(more)} as well, closed to strangers`),
      );
    if (less.length > 0)
      changes.push(
        isLockdown
          ? closes(`${name} has ${listed(less)} no longer: closed but to those who are let in to all`)
          : opens(`${name} has ${listed(less)} no longer: not closed by it`),
      );
  }
  for (const [name, ports] of was) {
    if (is.has(name) || (before.policy !== after.policy && !isLockdown)) continue;
    const text = listed(ports.map(formatPortRange));
    changes.push(
      isLockdown
        ? closes(`the service ${name} (${text}) is gone: closed but to those who are let in to all`)
        : opens(`${name} (${text}) is no longer closed`),
    );
  }
  return changes;
}

/** The closed services, without what providers add to them. */
function closedOf({ guarded, services }: GuardRules): Services {
  return new Map<Parameters<Services['get']>[0], readonly PortRange[]>(
    [...guarded].filter(([name]) => services.has(name)),
  );
}

function listChanges(before: readonly string[], after: readonly string[], what: string): RuleChange[] {
  return [
    ...missing(before, after).map((one) => closes(`${what} ${one} is let in no longer`)),
    ...missing(after, before).map((one) => opens(`${what} ${one} is let in`)),
  ];
}

interface LetIn {
  readonly scope: Scope;
  readonly note: string | null;
}

function letInChanges(before: ReadonlyMap<string, LetIn>, after: ReadonlyMap<string, LetIn>): RuleChange[] {
  const changes: RuleChange[] = [];
  for (const [who, { scope }] of before) {
    const lost = missing(scope, after.get(who)?.scope ?? []);
    if (lost.length > 0) changes.push(closes(`${who} is let in to ${listed(lost)} no longer`));
  }
  for (const [who, { scope, note }] of after) {
    const known = before.get(who);
    const gained = missing(scope, known?.scope ?? []);
    if (gained.length > 0) changes.push(opens(`${who} is let in to ${listed(gained)}`));
    else if (known !== undefined && known.note !== note) {
      changes.push({ effect: 'neither', text: `the note on ${who} is another` });
    }
  }
  return changes;
}

function entriesByTarget({ entries }: GuardRules): Map<string, LetIn> {
  return byName(entries.map(({ target, services, note }) => ({ name: target, services, note })));
}

function namesByName({ names }: GuardRules): Map<string, LetIn> {
  return byName(names);
}

function byName(all: readonly { name: string; services: Scope; note: string | null }[]): Map<string, LetIn> {
  const found = new Map<string, LetIn>();
  for (const { name, services, note } of all) {
    const known = found.get(name);
    found.set(name, { scope: [...new Set([...(known?.scope ?? []), ...services])], note: known?.note ?? note });
  }
  return found;
}

function expiryChange(before: GuardRules, after: GuardRules): RuleChange[] {
  if (before.onExpiry === after.onExpiry) return [];
  return after.onExpiry === 'cut'
    ? [closes('on_expiry cut: live connections stop when a grant ends')]
    : [opens('on_expiry drain: live connections go on when a grant ends')];
}

function missing<T extends string>(some: readonly T[], among: readonly T[]): T[] {
  return some.filter((one) => !among.includes(one));
}

function listed(items: readonly string[]): string {
  return items.length === 0 ? 'nothing' : items.join(', ');
}
