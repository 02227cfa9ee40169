import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabDaemon } from './daemon.js';
import { mustNft } from './kernel.js';
import type { Lab } from './lab.js';

/** Starts of a machine, as the kernel would tell of them, for a daemon and its commands. */
export class LabBoots {
  readonly #lab: Lab;
  readonly #folder: string;
  #count = 0;

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    this.#folder = join(lab.directory, name);
  }

  /** Runs a program where the kernel tells of our starts. */
  get wrap(): string[] {
    const mounts = [
      `mount --bind ${this.#folder}.boot_id /proc/sys/kernel/random/boot_id`,
      `mount --bind ${this.#folder}.uptime /proc/uptime`,
      'exec "$@"',
    ];
    return ['unshare', '--mount', 'sh', '-c', mounts.join(' && '), 'sh'];
  }

  /** The machine has started: the kernel has lost everything, and has run for so many seconds. */
  async start({ uptime = 20 }: { uptime?: number } = {}): Promise<void> {
    const id = String(++this.#count).padStart(12, '0');
    await writeFile(`${this.#folder}.boot_id`, `b007b007-0000-4000-8000-${id}\n`);
    await this.running(uptime);
    await mustNft(this.#lab.gateway, 'flush ruleset');
  }

  /** The machine has run for so many seconds, and time stands still. */
  async running(uptime: number): Promise<void> {
    await writeFile(`${this.#folder}.uptime`, `${uptime.toFixed(2)} 0.00\n`);
  }

  /** The daemon is gone, and the machine starts again. */
  async restart(daemon: LabDaemon, options: { uptime?: number } = {}): Promise<void> {
    await daemon.kill('SIGKILL');
    await this.start(options);
  }
}
