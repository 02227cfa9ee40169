import { MOST_AT_ONCE } from '../../control/contract/requests.js';
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

/** What became of one thing that was to be made. */
interface Outcome {
  readonly what: 'entry' | 'user';
  readonly name: string;
  readonly from: readonly Place[];
  readonly error: Failure | null;
  readonly card?: UserCard;
}

interface Failure {
  readonly code: string;
  readonly line: string;
  /** No daemon answers: there is no use in asking on. */
  readonly isFinal: boolean;
}

/** So many entries are told of by name. */
const MOST_TOLD = 20;

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
  const entries = plan.entries.filter(({ isPresent }) => !isPresent).length;
  if (entries > MOST_AT_ONCE) throw new SallyportError('SP_IMPORT_LARGE', { entries, most: MOST_AT_ONCE });
  if (!(await agreed(call, plan))) return 1;
  if (!call.json) call.print(`\nMaking ${wishes(plan)}:`);
  const outcomes: Outcome[] = [];
  for await (const outcome of carryOut(plan, client)) outcomes.push(outcome);
  if (call.json) call.printJson(view(plan, outcomes));
  else {
    tell(call, outcomes);
    await printCards(call, outcomes);
  }
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
  if (await confirm(io, `\nMake ${wishes(plan)}?`)) return true;
  call.print('Nothing was changed.');
  return false;
}

/** `3 entries and 1 user`: what is not there yet. */
function wishes(plan: ImportPlan): string {
  const entries = plan.entries.filter(({ isPresent }) => !isPresent).length;
  const users = plan.users.filter(({ isPresent }) => !isPresent).length;
  const what = [
    ...(entries > 0 ? [count(entries, 'entry', 'entries')] : []),
    ...(users > 0 ? [count(users, 'user', 'users')] : []),
  ];
  return what.join(' and ');
}

/**
 * The entries in one request, of which the daemon makes all or none; then the users, one after the other. Where the entries are
 * refused no user is made; a user that is refused does not stop the rest.
 */
async function* carryOut(plan: ImportPlan, client: ControlClient): AsyncGenerator<Outcome> {
  const entries = plan.entries.filter(({ isPresent }) => !isPresent);
  if (entries.length > 0) {
    const wanted = entries.map(({ target, services, note }) => ({ target, services: [...services], note }));
    const error = await failureOf(() => client.call('addEntries', { body: { entries: wanted } }));
    for (const { target, from } of entries) yield { what: 'entry', name: target, from, error };
    if (error !== null) return;
  }
  for (const task of users(plan, client)) {
    const { name, from } = task;
    let card: UserCard | undefined;
    const error = await failureOf(async () => {
      card = await task.make();
    });
    yield { what: 'user', name, from, error, ...(card === undefined ? {} : { card }) };
    if (error?.isFinal) return;
  }
}

async function failureOf(work: () => Promise<unknown>): Promise<Failure | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!(error instanceof DaemonError || isSallyportError(error))) throw error;
    return { code: error.code, line: error.toLine(), isFinal: !(error instanceof DaemonError) };
  }
}

interface Task extends Pick<Outcome, 'name' | 'from'> {
  readonly make: () => Promise<UserCard>;
}

function* users(plan: ImportPlan, client: ControlClient): Generator<Task> {
  for (const { name, services, ttl, sequence, length, from, isPresent } of plan.users) {
    const knock = sequence === null ? { length } : { knock: formatSequence(sequence) };
    const body = { name, services: [...services], ...(ttl === null ? {} : { ttl: formatDuration(ttl) }), ...knock };
    if (!isPresent) yield { name, from, make: () => client.call('addUser', { body }) };
  }
}

/** What became of it, one line each where they are few. Entries are refused together, so that is told once. */
function tell(call: Call, outcomes: readonly Outcome[]): void {
  const entries = outcomes.filter(({ what }) => what === 'entry');
  const refused = entries[0]?.error ?? null;
  if (refused !== null) call.warn(`none of ${count(entries.length, 'entry', 'entries')} is made: ${refused.line}`);
  else if (entries.length > MOST_TOLD) call.print(`made ${entries.length.toLocaleString('en')} entries`);
  for (const { what, name, from, error } of outcomes) {
    if (what === 'entry' && (refused !== null || entries.length > MOST_TOLD)) continue;
    if (error === null) call.print(`made ${what} ${clean(name)}`);
    else call.warn(`${placeText(from[0])}: ${clean(name)}: ${error.line}`);
  }
}

async function printCards(call: Call, outcomes: readonly Outcome[]): Promise<void> {
  const failed = outcomes.filter(({ error }) => error !== null);
  const cards = outcomes.flatMap(({ card }) => (card === undefined ? [] : [card]));
  for (const card of cards) call.print(`\n${(await call.io.renderCard(card)).trimEnd()}`);
  const made = outcomes.length - failed.length;
  call.print(`\n${made.toLocaleString('en')} of ${outcomes.length.toLocaleString('en')} made${notMade(failed)}.`);
}

function notMade(failed: readonly Outcome[]): string {
  if (failed.length === 0) return '';
  const more = failed.length > MOST_TOLD ? ` and ${(failed.length - MOST_TOLD).toLocaleString('en')} more` : '';
  return `; not: ${list(failed.slice(0, MOST_TOLD).map(({ name }) => name))}${more}`;
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
