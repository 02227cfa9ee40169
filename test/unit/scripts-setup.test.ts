import { chownSync, lchownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeCheckout } from '../support/fake-checkout.ts';

const NOBODY = 65534;

let checkout: FakeCheckout;

beforeEach(() => {
  checkout = new FakeCheckout();
});

afterEach(() => checkout.remove('.'));

describe('the set-up', () => {
  test('installs and builds in a bare clone, says so, and does nothing the second time', () => {
    const first = checkout.setUp();
    expect(first.stderr).toContain('npm packages (there are none yet)');
    expect(first.status).toBe(0);
    expect(checkout.takeCalls()).toEqual(['npm ci', 'tsc -b']);

    const second = checkout.setUp();
    expect(second.stderr).toBe('');
    expect(second.status).toBe(0);
    expect(checkout.takeCalls()).toEqual([]);
  });

  test('installs again when package-lock.json has changed', () => {
    checkout.setUp();
    checkout.takeCalls();
    checkout.lock('2.0.0');
    expect(checkout.setUp().stderr).toContain('they differ from package-lock.json');
    expect(checkout.takeCalls()).toEqual(['npm ci', 'tsc -b']);
  });

  test('takes packages that somebody installed by hand', () => {
    checkout.setUp();
    checkout.takeCalls();
    checkout.remove('.cache');
    checkout.setUp();
    expect(checkout.takeCalls()).toEqual(['tsc -b']);
  });

  test('installs again for a Node that needs the other SQLite', () => {
    checkout.setUp();
    checkout.takeCalls();
    for (const name of ['better-sqlite3', 'better-sqlite3-napi10']) checkout.remove(`node_modules/${name}`);
    checkout.remove('.cache/packages.stamp');
    expect(checkout.setUp().status).toBe(0);
    expect(checkout.takeCalls()).toEqual(['npm ci']);
  });

  test('builds again when a source has changed, and only then', () => {
    checkout.setUp();
    checkout.takeCalls();
    checkout.write('src/main.ts', 'export const changed = true;\n');
    checkout.setUp();
    expect(checkout.takeCalls()).toEqual(['tsc -b']);
  });

  test('leaves nothing of a source that is gone', () => {
    checkout.write('src/old.ts', 'export {};\n');
    checkout.setUp();
    expect(checkout.has('dist/old.js')).toBe(true);
    checkout.remove('src/old.ts');
    checkout.setUp();
    expect(checkout.has('dist/old.js')).toBe(false);
    expect(checkout.has('dist/main.js')).toBe(true);
  });

  test('builds SQLite where it does not load', () => {
    for (const name of ['better-sqlite3', 'better-sqlite3-napi10']) {
      checkout.write(`packages/${name}/index.js`, "throw new Error('no binary');");
    }
    const { stderr, status } = checkout.setUp();
    expect(checkout.takeCalls()).toEqual(['npm ci', 'npm rebuild']);
    expect(stderr).toMatch(/SQLite \(better-sqlite3.*\) could be neither fetched nor compiled for this Node\. .+$/m);
    expect(status).toBe(1);
  });

  test('says in one line that the network cannot be reached', () => {
    checkout.write('npm-says', 'npm error code ENOTFOUND\nnpm error network request to the registry failed');
    const { stderr, status } = checkout.setUp();
    expect(stderr.trim().split('\n').at(-1)).toBe(
      'npm packages: the network cannot be reached. Connect it and run this again; details: .cache/setup.log',
    );
    expect(status).toBe(1);
  });

  test('says in one line what npm could not do, and goes on from there the next time', () => {
    checkout.write('npm-says', 'npm error code EUSAGE\nnpm error\nnpm error the two files are not in sync.');
    const failed = checkout.setUp();
    expect(failed.stderr.trim().split('\n').at(-1)).toMatch(
      /^npm packages failed: the two files are not in sync\. Run/,
    );
    expect(failed.status).toBe(1);
    checkout.remove('npm-says');
    expect(checkout.setUp().status).toBe(0);
  });

  test('refuses a Node that is too old before it touches anything', () => {
    const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.19.0' } })";
    const { stderr, status } = checkout.setUp('--import', `data:text/javascript,${encodeURIComponent(older)}`);
    expect(stderr).toMatch(/^this is Node 18\.19\.0, and Sallyport needs 20\.19 or newer\. .*\n$/);
    expect(status).toBe(1);
    expect(checkout.takeCalls()).toEqual([]);
    expect(checkout.has('.cache')).toBe(false);
  });

  test('as root leaves nothing of root in the checkout of somebody else', (context) => {
    context.skip(process.getuid?.() !== 0, 'only root can act as somebody else');
    for (const path of everythingBelow(checkout.root)) lchownSync(path, NOBODY, NOBODY);
    chownSync(checkout.root, NOBODY, NOBODY);
    expect(checkout.setUp().status).toBe(0);
    const roots = everythingBelow(checkout.root).filter((path) => lstatSync(path).uid !== NOBODY);
    expect(roots).toEqual([]);
    expect(checkout.has('dist/main.js')).toBe(true);
  });
});

function everythingBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
}
