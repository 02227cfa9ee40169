/** Child processes of the set-up: seen while they run, logged in full, and explained in one line when they fail. */
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { constants } from 'node:os';
import { asOwner, at, CACHE, makeFolder, ROOT, readIfThere, shown, writeOwned } from './checkout.mjs';

/** What went wrong in one line, with what to do; `output` is what a person must read to mend it. */
export class SetupError extends Error {
  constructor(problem, fix, output = '') {
    super(`${problem}. ${fix}`);
    this.name = 'SetupError';
    this.output = output;
  }
}

const LOG = at('.cache', 'setup.log');
const NO_NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|Could not resolve|Temporary failure resolving/;

/** Says one line about the set-up, on stderr: stdout belongs to what comes after it. */
export function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

/**
 * Runs a program as the checkout's owner (or as root with `host: true`) and shows that it runs.
 * @param {string} what   the step in plain words, why included where it is not plain
 * @param {string[]} argv program and arguments; no shell
 * @param {{host?: boolean, env?: object, cwd?: string, quiet?: boolean}} [options] `quiet`: no progress line
 * @returns {Promise<{code: number, output: string}>} rejects only where the program cannot be started
 */
export async function run(what, [program, ...args], options = {}) {
  const started = process.hrtime.bigint();
  const progress = options.quiet ? () => {} : showProgress(what);
  const env = { ...process.env, ...options.env };
  const child = spawn(program, args, {
    cwd: options.cwd ?? ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.host ? { env } : asOwner(env)),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      output += text;
    });
  }
  const stopPassing = passSignals(child);
  try {
    const code = await ended(child, program);
    progress(code === 0 ? `done in ${seconds(started)}` : `failed after ${seconds(started)}`);
    return { code, output };
  } catch (error) {
    progress('could not be started');
    throw error;
  } finally {
    stopPassing();
    log(`$ ${[program, ...args].join(' ')}\n${output}\n`);
  }
}

/** Like `run`, but a failure ends the set-up with `fix` as what to do. Gives the output. */
export async function mustRun(what, argv, fix, options = {}) {
  const { code, output } = await run(what, argv, options);
  if (code !== 0) throw failure(what, output, fix);
  return output;
}

/** The error for a step that failed: the most telling line of its output, and what to do. */
export function failure(what, output, fix) {
  const step = what.replace(/ \(.*\)$/, '');
  if (NO_NETWORK.test(output)) {
    return new SetupError(
      `${step}: the network cannot be reached`,
      `Connect it and run this again; details: ${shown(LOG)}`,
    );
  }
  return new SetupError(`${step} failed: ${tellingLine(output)}`, `${fix} Details: ${shown(LOG)}`);
}

function tellingLine(output) {
  const lines = output.split('\n').map((line) => line.trim());
  // npm's first line is a bare code; the sentence comes after it.
  const errors = lines.filter((line) => /^npm (error|ERR!) (?!code |syscall |errno )|^E: |\berror:/i.test(line));
  const telling = errors[0] ?? lines.filter((line) => line !== '').at(-1) ?? 'it said nothing';
  return telling
    .replace(/^npm (error|ERR!) /, '')
    .slice(0, 200)
    .replace(/\.$/, '');
}

function ended(child, program) {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      const missing = error.code === 'ENOENT';
      reject(
        new SetupError(
          missing ? `${program} is not installed` : `${program}: ${error.message}`,
          'Install it and run this again.',
        ),
      );
    });
    child.once('close', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

/** While a child runs, a signal for us ends it first and then us; otherwise it would go on alone. */
function passSignals(child) {
  const pass = (signal) => {
    child.kill(signal);
    child.once('close', () => process.exit(128 + constants.signals[signal]));
  };
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return () => process.off('SIGINT', pass).off('SIGTERM', pass);
}

function showProgress(what) {
  if (!process.stderr.isTTY) {
    say(`${what} …`);
    return (end) => say(`${what}: ${end}`);
  }
  const started = process.hrtime.bigint();
  const draw = () => process.stderr.write(`\r\x1b[2Kset-up: ${what} … ${seconds(started)}`);
  draw();
  const timer = setInterval(draw, 1000);
  return (end) => {
    clearInterval(timer);
    process.stderr.write(`\r\x1b[2Kset-up: ${what}: ${end}\n`);
  };
}

function seconds(since) {
  const value = Number(process.hrtime.bigint() - since) / 1e9;
  return value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`;
}

/** Keeps what the steps printed; a log that has grown over a megabyte starts again. */
function log(text) {
  makeFolder(CACHE);
  const old = readIfThere(LOG);
  if (old === undefined || old.length > 1_000_000) writeOwned(LOG, text);
  else appendFileSync(LOG, text);
}
