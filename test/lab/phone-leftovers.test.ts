/** What a test run that is killed leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mustRun, run } from '../support/lab/host.js';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { freePorts } from '../support/phone/ports.js';

const HOLDER = fileURLToPath(new URL('../support/phone/asterisk-holder.mjs', import.meta.url));

const { folder, reason } = asteriskFolder();
const namespace = `sp${randomBytes(3).toString('hex')}-left`;
let directory: string;
let holder: ChildProcess | undefined;
let pid: number | undefined;

beforeEach(async (context) => {
  if (folder === undefined) return context.skip(reason);
  directory = await mkdtemp(join(tmpdir(), 'sallyport-pbx-'));
  await mustRun('ip', ['netns', 'add', namespace]);
  await mustRun('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
});
afterEach(async () => {
  if (folder === undefined) return;
  holder?.kill('SIGKILL');
  if (pid !== undefined && commandOf(pid) !== '') process.kill(pid, 'SIGKILL');
  await run('ip', ['netns', 'delete', namespace]);
  await rm(directory, { recursive: true, force: true });
});

it.each([
  ['on this machine', {}],
  ['in a network namespace', { namespace }],
])('an Asterisk %s is gone once the process that started it is killed', async (_, where) => {
  const options = { folder, directory: directory, ...(await freePorts()), ...where };
  holder = spawn(process.execPath, [HOLDER, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(holder.stdout ?? expect.fail('no output'), 'data')) as [Buffer];
  const started = Number(line);
  pid = started;
  expect(commandOf(started)).toContain('asterisk');
  holder.kill('SIGKILL');
  await eventually(
    () => commandOf(started),
    (command) => command === '',
  );
});

/** The command line of a process; empty where there is none, or nobody has taken note yet that it ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
