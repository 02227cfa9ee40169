/** A small checkout with the real set-up scripts, and stand-ins for npm and the compiler that note each call. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url));

const TRY = `import { runScript, setUp } from './lib/setup.mjs';
await runScript(() => setUp({ hostTools: false }));
`;

/** Stands for tsc: makes dist/x.js of each src/x.ts, and removes nothing, as tsc does. */
const TSC = `const { appendFileSync, mkdirSync, readdirSync, writeFileSync } = require('node:fs');
appendFileSync('calls', 'tsc ' + process.argv.slice(2).join(' ') + '\\n');
mkdirSync('dist', { recursive: true });
for (const name of readdirSync('src')) writeFileSync('dist/' + name.replace('.ts', '.js'), '');
`;

/** Stands for npm: `ci` makes node_modules, unless the file "npm-says" has something to say first. */
const NPM = `const { appendFileSync, cpSync, existsSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
if (args[0] === '--version') console.log('10.9.2');
else {
  appendFileSync('calls', 'npm ' + args[0] + '\\n');
  if (existsSync('npm-says')) {
    console.error(readFileSync('npm-says', 'utf8'));
    process.exit(1);
  }
  if (args[0] === 'ci') {
    cpSync('packages', 'node_modules', { recursive: true });
    cpSync('package-lock.json', 'node_modules/.package-lock.json');
  }
}
`;

export class FakeCheckout {
  readonly root = mkdtempSync(join(tmpdir(), 'sallyport-checkout-'));

  constructor() {
    cpSync(join(SCRIPTS, 'lib'), join(this.root, 'scripts/lib'), { recursive: true });
    this.write('scripts/try.mjs', TRY);
    this.write('npm-cli.cjs', NPM);
    this.write('package.json', '{"type":"module"}');
    this.lock('1.0.0');
    for (const sqlite of ['better-sqlite3', 'better-sqlite3-napi10']) {
      this.write(`packages/${sqlite}/package.json`, '{"type":"commonjs","main":"index.js"}');
      this.write(`packages/${sqlite}/index.js`, 'module.exports = class { close() {} };');
    }
    this.write('packages/typescript/package.json', '{"type":"commonjs"}');
    this.write('packages/typescript/bin/tsc', TSC);
    this.write('src/main.ts', 'export {};\n');
  }

  /** Locks one package at the given version. */
  lock(version: string): void {
    this.write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/some': { version } } }));
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  /** Runs the set-up; `node` are options of Node itself. */
  setUp(...node: string[]): SpawnSyncReturns<string> {
    const env = { ...process.env, npm_execpath: join(this.root, 'npm-cli.cjs') };
    return spawnSync(process.execPath, [...node, join(this.root, 'scripts/try.mjs')], { env, encoding: 'utf8' });
  }

  /** What npm and the compiler were asked for since the last time. */
  takeCalls(): readonly string[] {
    const path = join(this.root, 'calls');
    const calls = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    rmSync(path, { force: true });
    return calls;
  }
}
