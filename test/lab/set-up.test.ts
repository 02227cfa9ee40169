import { spawn } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MountHolder } from '../support/lab/holder.js';
import { arming, hasTable, mustNft } from '../support/lab/kernel.js';
import { Lab } from '../support/lab/lab.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

interface InitJson {
  readonly config: string;
  readonly user: { readonly name: string; readonly sequence: readonly { protocol: string; port: number }[] };
  readonly remarks: readonly string[];
}

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 8080 });
});
afterAll(() => lab?.destroy());

describe('sallyport init', () => {
  const files = (name: string) => ({
    config: join(lab.directory, name, 'etc', 'sallyport.yaml'),
    state: join(lab.directory, name, 'state'),
  });
  const init = ({ config, state }: { config: string; state: string }, ...options: string[]) =>
    lab.gateway.exec(process.execPath, [MAIN, 'init', '--config', config, '--state-dir', state, ...options]);

  it('writes a configuration for root alone, makes the first user, and gives the card', async () => {
    const fresh = files('fresh');
    const { code, stdout, stderr } = await init(fresh, '--yes', '--json', '--user', 'alice');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { config, user } = JSON.parse(stdout) as InitJson;
    expect(config).toBe(fresh.config);
    expect(user.name).toBe('alice');
    expect(user.sequence).toHaveLength(3);
    for (const { protocol, port } of user.sequence) {
      expect(['tcp', 'udp']).toContain(protocol);
      expect(port).toBeGreaterThanOrEqual(21000);
      expect(port).toBeLessThanOrEqual(29999);
    }
    expect((await stat(fresh.config)).mode & 0o777).toBe(0o600);
    expect((await stat(fresh.state)).mode & 0o777).toBe(0o700);
    expect((await stat(join(fresh.state, 'sallyport.db'))).mode & 0o777).toBe(0o600);
    expect((await lab.gateway.exec(process.execPath, [MAIN, 'check', '--config', fresh.config])).code).toBe(0);
  });

  it('keeps the configuration that is there', async () => {
    const kept = files('kept');
    expect((await init(kept, '--yes')).code).toBe(0);
    const before = await readFile(kept.config, 'utf8');
    const { code, stdout, stderr } = await init(kept, '--yes', '--json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^SP_CONFIG_EXISTS: .*\n$/);
    expect(await readFile(kept.config, 'utf8')).toBe(before);
  });

  it('does nothing where nobody is there to be asked', async () => {
    const asked = files('asked');
    const { code, stderr } = await init(asked);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^SP_USAGE: .*--yes.*\n$/);
    await expect(stat(asked.config)).rejects.toThrow('ENOENT');
    await expect(stat(asked.state)).rejects.toThrow('ENOENT');
  });

  it('guards the ports on which sshd really listens, and nothing of what is not here', async () => {
    const plain = files('plain');
    expect((await init(plain, '--yes', '--json')).code).toBe(0);
    const config = await readFile(plain.config, 'utf8');
    expect(config).toMatch(/ssh:/);
    expect(config).not.toMatch(/sip:/);
    expect(config).toMatch(/policy: guard /);
  });

  it('locks everything down where it is told to, and a relative folder is one of here', async () => {
    const locked = files('locked');
    const state = relative(process.cwd(), locked.state);
    const { code, stdout } = await init({ ...locked, state }, '--yes', '--lockdown', '--json');
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ policy: 'lockdown' })]);
    expect(await readFile(locked.config, 'utf8')).toMatch(/policy: lockdown /);
    expect((await stat(join(locked.state, 'sallyport.db'))).isFile()).toBe(true);
  });

  /** Answers the questions on a terminal, each with a key. */
  async function answer(name: string, keys: readonly string[], ...options: string[]) {
    const { config, state } = files(name);
    const command = [process.execPath, MAIN, 'init', '--config', config, '--state-dir', state, ...options].join(' ');
    const wide = `stty cols 200; ${command}`;
    const argv = ['netns', 'exec', lab.gateway.namespace, 'script', '-qec', wide, '/dev/null'];
    const child = spawn('ip', argv, { env: { ...process.env, TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit'] });
    const waiting = keys.length === 2 ? ['Lock everything down?', 'make the first user?'] : ['make the first user?'];
    const left = [...keys];
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output = stripVTControlCharacters(output + text.toString());
      if (waiting[0] === undefined || !output.includes(waiting[0])) return;
      waiting.shift();
      child.stdin.write(left.shift() ?? '');
    });
    const bound = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const code = await new Promise<number | null>((done) => child.once('close', done));
    clearTimeout(bound);
    const written = await readFile(config, 'utf8').catch(() => '');
    return { code, output, policy: /policy: (\w+)/.exec(written)?.[1] };
  }

  it.each([
    ['the default is guard', ['\r', 'y'], [], 0, 'guard'],
    ['a yes is lockdown', ['y', 'y'], [], 0, 'lockdown'],
    ['a no to the last question writes nothing', ['y', 'n'], [], 1, undefined],
    ['with the option it is not asked', ['y'], ['--lockdown'], 0, 'lockdown'],
  ] as const)('asks whether to lock everything down: %s', async (name, keys, options, code, policy) => {
    const done = await answer(name.replaceAll(' ', '-'), keys, ...options);
    expect([done.code, done.policy]).toEqual([code, policy]);
    if (options.length === 0) expect(done.output).toMatch(/Lockdown closes every port .* also close tcp\/8080/);
  });
});

describe('npm start', () => {
  /*
   * The state and the socket of a configuration that it makes lie under /var/lib and /run. Here both are empty folders in
   * memory, kept over two starts by a mount namespace that lives as long as the test.
   */
  let holder: MountHolder;
  let config: string;

  beforeAll(async () => {
    config = join(lab.directory, 'start', 'sallyport.yaml');
    const script = `import { start } from ${JSON.stringify(pathToFileURL(MAIN).href)}; process.exitCode = await start([]);`;
    await writeFile(join(lab.directory, 'start.mjs'), script);
    holder = await MountHolder.start(lab.gateway, 'mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run');
  });
  afterAll(() => holder?.stop());

  /** What scripts/start.mjs does once all is built; ended by Ctrl-C when it is ready, or when `until` is over. */
  async function start(): Promise<{ code: number | null; output: string }> {
    const command = [...holder.wrap, process.execPath, join(lab.directory, 'start.mjs')];
    const child = spawn('ip', ['netns', 'exec', lab.gateway.namespace, ...command], {
      env: { ...process.env, SALLYPORT_CONFIG: config, SUDO_USER: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const read = (text: Buffer) => {
      const wasReady = output.includes('"msg":"ready"');
      output += text.toString();
      if (!wasReady && output.includes('"msg":"ready"')) child.kill('SIGINT');
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    const bound = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(bound);
    return { code, output };
  }

  it('makes a configuration and a first user, prints the card, and serves; Ctrl-C takes the guard down again', async () => {
    const { code, output } = await start();
    expect(code).toBe(0);
    expect(output).toContain(`Wrote ${config}`);
    expect(output).toContain('"msg":"ready"');
    expect(output.match(/The secret knock of admin/g)).toHaveLength(1);
    expect(output).toMatch(/sallyport knock \S+ --ports (?:tcp|udp)\/\d+(?:,(?:tcp|udp)\/\d+){2} /);
    expect((await stat(config)).mode & 0o777).toBe(0o600);
    expect(await hasTable(lab.gateway)).toBe(false);
  });

  it('prints no card and makes nothing the second time', async () => {
    const before = await readFile(config, 'utf8');
    const { code, output } = await start();
    expect(code).toBe(0);
    expect(output).toContain('"msg":"ready"');
    expect(output).not.toContain('Wrote');
    expect(output).not.toContain('secret knock');
    expect(await readFile(config, 'utf8')).toBe(before);
  });

  it('says in one line what hinders it', async () => {
    await mustNft(lab.gateway, 'flush ruleset');
    await lab.gateway.exec('sh', ['-c', `echo 'unknown: 1' >> ${config}`]);
    const { code, output } = await start();
    expect(code).toBe(1);
    expect(output).toMatch(/^SP_CONFIG_INVALID: \S+sallyport\.yaml:\d+.*\n$/);
    expect(await arming(lab.gateway)).toBe('not at all');
  });
});
