import { type ChildProcess, spawn } from 'node:child_process';
import type { LabHost } from './host.js';

/**
 * A mount namespace in which a script has mounted what a test needs, kept for as long as the holder lives: several
 * programs can run in it one after the other, and nothing of it is seen outside.
 */
export class MountHolder {
  readonly #child: ChildProcess;

  /** Resolves when the script is done; it ends with the test, whatever happens. */
  static async start(host: LabHost, script: string): Promise<MountHolder> {
    const held = `set -e; ${script}; echo mounted; exec cat`;
    const child = spawn('ip', ['netns', 'exec', host.namespace, 'unshare', '--mount', 'sh', '-c', held], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve, reject) => {
      child.once('error', reject).once('exit', () => reject(new Error('the mounts could not be made')));
      child.stdout?.once('data', resolve);
    });
    return new MountHolder(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** What runs a program in the namespace: to be put before its name. The program keeps its process id. */
  get wrap(): readonly string[] {
    return ['nsenter', '--target', String(this.#child.pid), '--mount'];
  }

  /** The path by which a file of the namespace is reached from outside. */
  path(inside: string): string {
    return `/proc/${this.#child.pid}/root${inside}`;
  }

  stop(): void {
    this.#child.kill();
  }
}
