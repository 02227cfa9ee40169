/**
 * A private Asterisk: its own configuration, ports and folders, on loopback or in a network namespace of the caller's. It does not
 * outlive the thread that started it, however that one ends.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asteriskConfig, DIALPLAN } from './asterisk-config.mjs';

const UP_BOUND_MS = 60_000;
const END_BOUND_MS = 10_000;
const CLI_BOUND_MS = 10_000;
const NOBODY = 65534;
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const OUTPUT_KEPT = 100_000;

/**
 * @typedef {object} AsteriskOptions
 * @property {string} folder where `fetchAsterisk` put it
 * @property {string} directory an existing folder of the caller's, with a short path: a Unix socket lies below it
 * @property {string} [namespace] the network namespace it runs in
 * @property {string} [address] where SIP and RTP are served
 * @property {number} [sipPort]
 * @property {number} [httpPort] of ARI, on 127.0.0.1
 * @property {number} [amiPort] on 127.0.0.1
 * @property {[first: number, last: number]} [rtp] ports
 * @property {{name: string, password: string, callerid?: string}[]} [phones] softphones: they register, and call into the
 *   context `phone`; one with an empty callerid says itself who it is
 * @property {{name: string, from: string, port: number}[]} [trunks] known by their address, without a password
 * @property {{name: string, password: string}[]} [ariUsers]
 * @property {{name: string, password: string, read: string, write: string}[]} [amiUsers]
 * @property {string} [dialplan] all of extensions.conf
 * @property {Record<string, string>} [files] more files of /etc/asterisk, or other texts of those that there are
 * @property {Record<string, string>} [sounds] of the English sounds, in place of Asterisk's own: name of a folder or file, to path
 */

const DEFAULTS = {
  address: '127.0.0.1',
  sipPort: 5060,
  httpPort: 8088,
  amiPort: 5038,
  rtp: [10000, 10199],
  phones: [{ name: '1001', password: 'phone-secret' }],
  trunks: [],
  ariUsers: [{ name: 'sallyport', password: 'ari-secret' }],
  amiUsers: [{ name: 'sallyport', password: 'ami-secret', read: 'agi,call', write: 'agi,originate' }],
  dialplan: DIALPLAN,
  files: {},
  sounds: {},
};

export class AsteriskServer {
  #options;
  #child;
  #output = '';
  #library;
  /** Root runs it as nobody, unless the checkout or the folder of its own is closed to him. */
  #setuid;

  /** @param {AsteriskOptions} options nothing is done before `start` */
  constructor(options) {
    this.#options = { ...DEFAULTS, ...options };
    this.#library = libraryFolder(this.#options.folder);
    this.#setuid = mayNobody('-x', join(this.#options.folder, 'usr', 'sbin', 'asterisk'));
  }

  get pid() {
    return this.#child?.pid;
  }

  /** What it wrote to its console, the last of it. */
  get output() {
    return this.#output;
  }

  /** Everything that is in its log files. */
  get logs() {
    const folder = join(this.#options.directory, 'log');
    if (!existsSync(folder)) return '';
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('\n');
  }

  /** Writes the configuration and starts it; resolves when it takes calls. */
  async start() {
    this.#write();
    await this.launch();
  }

  /** Starts it with the configuration that is there; resolves when it takes calls. */
  async launch() {
    const child = spawn(...this.#command('-f', '-n'), { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    this.#child = child;
    const keep = (text) => {
      this.#output = (this.#output + text).slice(-OUTPUT_KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const until = performance.now() + UP_BOUND_MS;
    while (performance.now() < until) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      const { code, output } = await this.cli('core waitfullybooted').catch(() => ({ code: 1, output: '' }));
      if (code === 0 && output.includes('fully booted')) return;
      await sleep(50);
    }
    await this.kill();
    throw new Error(`Asterisk did not come up: ${this.#output.slice(-2000)}`);
  }

  /** Ends it as its service does, hanging up what is left. */
  async stop() {
    await this.#end('SIGTERM');
  }

  /** Ends it without a word to anybody. */
  async kill() {
    await this.#end('SIGKILL');
  }

  /** Holds it where it is: it keeps its connections and answers nothing. */
  freeze() {
    this.#child?.kill('SIGSTOP');
  }

  thaw() {
    this.#child?.kill('SIGCONT');
  }

  /**
   * A command of its own CLI.
   * @returns {Promise<{code: number, output: string}>}
   */
  cli(line) {
    const [file, args] = this.#command('-r', '-x', line);
    return new Promise((resolve) => {
      execFile(file, args, { timeout: CLI_BOUND_MS, env: {} }, (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : typeof error.code === 'number' ? error.code : 124,
          output: stdout + stderr,
        }),
      );
    });
  }

  async #end(signal) {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    const limit = setTimeout(() => child.kill('SIGKILL'), END_BOUND_MS);
    await ended;
    clearTimeout(limit);
  }

  /** Its own loader and libraries: the host's may be of another release. */
  #command(...args) {
    const { namespace, folder, directory } = this.#options;
    const loader = readdirSync(this.#library).find((name) => /^ld-linux.*\.so/.test(name));
    const command = [
      ...(namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]),
      ...['setpriv', '--pdeathsig=KILL'],
      ...(this.#setuid ? AS_NOBODY : []),
      join(this.#library, loader),
      '--library-path',
      this.#library,
      join(folder, 'usr', 'sbin', 'asterisk'),
      '-C',
      join(directory, 'etc', 'asterisk.conf'),
      ...args,
    ];
    return [command[0], command.slice(1)];
  }

  #write() {
    const { directory, folder, files, sounds } = this.#options;
    const data = join(directory, 'data');
    const theirs = join(folder, 'usr', 'share', 'asterisk');
    const folders = ['etc', 'lib', 'lib/keys', 'spool', 'run', 'log', 'data', 'data/sounds', 'data/sounds/en'];
    for (const name of ['', ...folders]) {
      mkdirSync(join(directory, name), { recursive: true });
      if (this.#setuid) chownSync(join(directory, name), NOBODY, NOBODY);
    }
    this.#setuid &&= mayNobody('-w', join(directory, 'run'));
    const links = readdirSync(join(theirs, 'sounds', 'en_US_f_Allison')).map((name) => [
      join('sounds', 'en', name),
      join(theirs, 'sounds', 'en_US_f_Allison', name),
    ]);
    for (const name of ['documentation', 'rest-api', 'static-http']) links.push([name, join(theirs, name)]);
    // Of two by the same name the first is taken.
    for (const [name, path] of Object.entries(sounds)) links.unshift([join('sounds', 'en', name), path]);
    for (const [name, path] of links) {
      if (!existsSync(join(data, name))) symlinkSync(path, join(data, name));
    }
    const modules = join(this.#library, 'asterisk', 'modules');
    const texts = { ...asteriskConfig({ ...this.#options, data, modules }), ...files };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, 'etc', name), text);
  }
}

function libraryFolder(folder) {
  const all = readdirSync(join(folder, 'usr', 'lib'));
  const name = all.find((one) => existsSync(join(folder, 'usr', 'lib', one, 'asterisk', 'modules')));
  return join(folder, 'usr', 'lib', name);
}

/** What nobody may do with a path: `-x` for a program, `-w` for a folder. False where we are not root, and cannot become him. */
function mayNobody(how, path) {
  if (process.getuid?.() !== 0) return false;
  return spawnSync('setpriv', [...AS_NOBODY, 'test', how, path], { stdio: 'ignore' }).status === 0;
}
