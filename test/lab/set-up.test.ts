import { spawn } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
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
