import type { UserCard } from '../../control/contract/views.js';
import { isSallyportError, SallyportError } from '../../core/errors.js';
import { kindOf, LARGEST_FILE, readFile } from '../../core/import/file.js';
import { type ImportPlan, type Place, type Present, planImport, type ReadFile } from '../../core/import/plan.js';
import { formatSequence } from '../../core/sequence.js';
import { toScope } from '../../core/service.js';
import { formatDuration } from '../../core/time.js';
import type { Call } from '../call.js';
import type { ControlClient } from '../client.js';
import { confirm } from '../confirm.js';
import { readBounded } from '../read-bounded.js';
import { placeText, renderPlan } from '../render/import.js';
import { DaemonError } from '../report.js';
import { clean, count, list } from '../text.js';

/** The daemon writes to the kernel together what it is asked for together. */
const AT_ONCE = 32;

/** What became of one thing that was to be made. */
interface Outcome {
  readonly what: 'entry' | 'user';
  readonly name: string;
  readonly from: readonly Place[];
  readonly error: { readonly code: string; readonly line: string } | null;
  readonly card?: UserCard;
}

/** Shows what the files say, asks, and makes it. Nothing is changed before the yes. */
export async function importFiles(call: Call): Promise<number> {
  const files = [];
  for (const file of new Set(call.args)) files.push(await read(file));
  const ground = await call.offline.importGround(call.config);
  const { services } = call.given<{ services: string[] }>('services');
  const unnamed = services === undefined ? undefined : toScope(services, ground.services);
  const client = await call.client();
  const { present, unknown } = await whatIsThere(client);
  const plan = planImport(files, ground, present, unnamed);
  const isDone = [...plan.entries, ...plan.users].every(({ isPresent }) => isPresent);
  if (!call.json) call.print(await renderPlan(call.terminal, plan));
  if (call.flag('dryRun') || isDone) {
    if (call.json) call.printJson(view(plan, null));
    else call.print(`\n${closing(plan, isDone, unknown === undefined)}`);
    return 0;
  }
  if (unknown !== undefined) throw unknown;
  if (!(await agreed(call, plan))) return 1;
  const outcomes: Outcome[] = [];
  for await (const outcome of carryOut(plan, client)) {
    outcomes.push(outcome);
    if (!call.json) tell(call, outcome);
  }
  if (call.json) call.printJson(view(plan, outcomes));
  else await printCards(call, outcomes);
  return outcomes.some(({ error }) => error !== null) ? 1 : 0;
}

async function read(file: string): Promise<ReadFile> {
  const text = await readBounded(file, LARGEST_FILE);
  const kind = kindOf(file, text);
  if (kind === undefined) throw new SallyportError('SP_IMPORT_KIND', { file });
  return { file, kind, reading: readFile(file, kind, text) };
}

/** Nothing, and why that is not known, where no daemon answers: what is read can be shown all the same. */
async function whatIsThere(client: ControlClient): Promise<{ present: Present; unknown?: SallyportError }> {
  try {
    const [{ entries }, users] = await Promise.all([client.call('list', {}), client.call('users', {})]);
    return { present: { entries, users: users.map(({ name }) => name) } };
  } catch (error) {
    if (isSallyportError(error)) return { present: { entries: [], users: [] }, unknown: error };
    throw error;
  }
}

function closing(plan: ImportPlan, isDone: boolean, isKnown: boolean): string {
  if (plan.entries.length + plan.users.length === 0) return 'Nothing in it can be taken over.';
  if (isDone) return 'All of it is there already. Nothing was changed.';
  const unknown = isKnown ? '' : ' No daemon answers, so what is there already is not known.';
  return `Nothing was changed.${unknown} Run it without --dry-run to make it.`;
}

/** @throws SP_IMPORT_UNASKED where nobody can be asked */
async function agreed(call: Call, plan: ImportPlan): Promise<boolean> {
  if (call.flag('yes')) return true;
  const { io } = call;
  if (call.json) call.printJson(view(plan, null));
  if (call.json || io.stdin.isTTY !== true || io.stdout.isTTY !== true) throw new SallyportError('SP_IMPORT_UNASKED');
  const entries = plan.entries.filter(({ isPresent }) => !isPresent).length;
  const users = plan.users.filter(({ isPresent }) => !isPresent).length;
  const what = [
    ...(entries > 0 ? [count(entries, 'entry', 'entries')] : []),
    ...(users > 0 ? [count(users, 'user', 'users')] : []),
  ];
  if (await confirm(io, `\nMake ${what.join(' and ')}?`)) return true;
  call.print('Nothing was changed.');
  return false;
}

/** Entries a few at a time, users one after the other; told in their order. What the daemon refuses does not stop the rest; that it does not answer does. */
async function* carryOut(plan: ImportPlan, client: ControlClient): AsyncGenerator<Outcome> {
  const all = [...tasks(plan, client)];
  const entries = all.findLastIndex(({ what }) => what === 'entry') + 1;
  for (let start = 0; start < all.length; ) {
    const end = start < entries ? Math.min(start + AT_ONCE, entries) : start + 1;
    const done = await Promise.all(all.slice(start, end).map(carryOutOne));
    start = end;
    for (const { outcome } of done) yield outcome;
    if (done.some(({ isAnswered }) => !isAnswered)) return;
  }
}

async function carryOutOne({ what, name, from, make }: Task): Promise<{ outcome: Outcome; isAnswered: boolean }> {
  try {
    const card = await make();
    const outcome = { what, name, from, error: null, ...(card === undefined ? {} : { card }) };
    return { outcome, isAnswered: true };
  } catch (error) {
    if (!(error instanceof DaemonError || isSallyportError(error))) throw error;
    const outcome = { what, name, from, error: { code: error.code, line: error.toLine() } };
    return { outcome, isAnswered: error instanceof DaemonError };
  }
}

interface Task extends Pick<Outcome, 'what' | 'name' | 'from'> {
  readonly make: () => Promise<UserCard | undefined>;
}

/** Those of entries come first. */
function* tasks(plan: ImportPlan, client: ControlClient): Generator<Task> {
  for (const { target, services, note, from, isPresent } of plan.entries) {
    const body = { target, services: [...services], note };
    const make = () => client.call('allow', { body }).then(() => undefined);
    if (!isPresent) yield { what: 'entry', name: target, from, make };
  }
  for (const { name, services, ttl, sequence, length, from, isPresent } of plan.users) {
    const knock = sequence === null ? { length } : { knock: formatSequence(sequence) };
    const body = { name, services: [...services], ...(ttl === null ? {} : { ttl: formatDuration(ttl) }), ...knock };
    if (!isPresent) yield { what: 'user', name, from, make: () => client.call('addUser', { body }) };
  }
}

function tell(call: Call, { what, name, from, error }: Outcome): void {
  if (error === null) call.print(`made ${what} ${clean(name)}`);
  else call.warn(`${placeText(from[0])}: ${clean(name)}: ${error.line}`);
}

async function printCards(call: Call, outcomes: readonly Outcome[]): Promise<void> {
  const failed = outcomes.filter(({ error }) => error !== null);
  const cards = outcomes.flatMap(({ card }) => (card === undefined ? [] : [card]));
  for (const card of cards) call.print(`\n${(await call.io.renderCard(card)).trimEnd()}`);
  const made = outcomes.length - failed.length;
  call.print(
    `\n${made} of ${outcomes.length} made${failed.length > 0 ? `; not: ${list(failed.map(({ name }) => name))}` : ''}.`,
  );
}

/** For other programs. The ports of new users are in their cards alone. */
function view({ files, entries, users }: ImportPlan, outcomes: readonly Outcome[] | null) {
  return {
    files,
    entries: entries.map(({ isPresent, ...entry }) => ({ ...entry, present: isPresent })),
    users: users.map(({ name, services, ttl, sequence, length, from, isPresent }) => ({
      name,
      services,
      ttl_s: ttl === null ? null : ttl / 1000,
      sequence: isPresent ? null : sequence === null ? 'new' : 'kept',
      ports: sequence?.length ?? length,
      from,
      present: isPresent,
    })),
    changed: outcomes !== null,
    made: outcomes?.filter(({ error }) => error === null).map(({ what, name }) => ({ what, name })) ?? [],
    failed:
      outcomes?.flatMap(({ what, name, from, error }) =>
        error === null ? [] : [{ what, name, from, error: error.line, code: error.code }],
      ) ?? [],
    cards: outcomes?.flatMap(({ card }) => (card === undefined ? [] : [card])) ?? [],
  };
}
