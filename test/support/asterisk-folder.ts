import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { write } from '../../src/phone/setup/apply.ts';
import { findAsterisk } from '../../src/phone/setup/home.ts';
import { type InstallPlan, planInstall } from '../../src/phone/setup/plan.ts';

const SAMPLES = join(import.meta.dirname, 'asterisk');

/** A folder that looks like the configuration of an Asterisk, with a place for its data, in a folder of its own. */
export class AsteriskFolder {
  readonly top = mkdtempSync(join(tmpdir(), 'sp-asterisk-'));
  readonly etc = join(this.top, 'etc');
  readonly data = join(this.top, 'data');
  readonly recordings = join(this.top, 'recordings');

  /** `kind` names one of the samples: what Debian's packages, or FreePBX, leave there. */
  constructor(kind: 'debian' | 'freepbx') {
    cpSync(join(SAMPLES, kind), this.etc, { recursive: true });
    this.put('asterisk.conf', `[directories]\nastdatadir => ${this.data}\n`);
    mkdirSync(join(this.data, 'sounds', 'en'), { recursive: true });
    mkdirSync(this.recordings);
    for (const name of ['granted', 'closed']) writeFileSync(join(this.recordings, `${name}.wav`), `RIFF ${name}`);
  }

  put(name: string, text: string): void {
    mkdirSync(dirname(join(this.etc, name)), { recursive: true });
    writeFileSync(join(this.etc, name), text, 'latin1');
  }

  read(name: string): string {
    return readFileSync(join(this.etc, name), 'latin1');
  }

  /** The configuration of Sallyport that goes with it; `phone` are more keys, as JSON has them. */
  config({ ari = {}, ami = {}, ...more }: { ari?: object; ami?: object } & Record<string, unknown> = {}): Config {
    const phone = {
      ari: { password_file: join(this.top, 'secrets', 'ari.secret'), ...ari },
      ami: { secret_file: join(this.top, 'secrets', 'ami.secret'), ...ami },
      ...more,
    };
    const text = JSON.stringify({ version: 1, services: { ssh: ['tcp/22'] }, phone });
    const result = parseConfig(text, 'sallyport.yaml');
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return result.config;
  }

  async plan(config = this.config(), context?: string): Promise<InstallPlan> {
    const home = await findAsterisk(this.etc);
    return await planInstall({ phone: config.phone, home, context, recordings: this.recordings });
  }

  /** Plans and writes all of it; the paths that were written, below the top. */
  async install(config = this.config(), context?: string): Promise<string[]> {
    const { changes } = await this.plan(config, context);
    for (const change of changes) await write(change, '20260301-080000');
    return changes.map(({ path }) => relative(this.top, path));
  }

  /** Every file with its rights and its text. */
  snapshot(): Record<string, string> {
    const files = readdirSync(this.top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
    return Object.fromEntries(
      paths.map((path) => [
        relative(this.top, path),
        `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, 'latin1')}`,
      ]),
    );
  }

  remove(): void {
    rmSync(this.top, { recursive: true, force: true });
  }
}
