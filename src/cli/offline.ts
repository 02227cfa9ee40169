import type { ImportGround } from '../core/import/plan.js';
import type { Whose } from '../core/whose.js';

/** What works without a daemon, or is one. Each resolves with the exit status. `config` is undefined for the default. */
export interface OfflineCommands {
  /** Reads the configuration: where the daemon listens. */
  controlSocket(configFile: string | undefined): Promise<string>;
  /** Reads the configuration: what an import has to fit to. */
  importGround(configFile: string | undefined): Promise<ImportGround>;
  /** The other ends of the SSH sessions that this command was started in. */
  ownPeers(): Promise<readonly string[]>;
  serve(options: { config?: string; stateDir?: string }): Promise<number>;
  init(options: {
    config?: string;
    yes: boolean;
    stateDir?: string;
    json: boolean;
    user?: string;
    lockdown: boolean;
  }): Promise<number>;
  check(options: { config?: string; json: boolean }): Promise<number>;
  restore(options: { config?: string; stateDir?: string; json: boolean }): Promise<number>;
  panic(options: { config?: string; json: boolean }): Promise<number>;
  phoneInstall(options: {
    config?: string;
    asteriskDir: string;
    context?: string;
    print: boolean;
    reload: boolean;
    json: boolean;
  }): Promise<number>;
  phoneTest(options: { config?: string; asteriskDir: string; json: boolean }): Promise<number>;
  /** Whose an address is; a registry is asked only if wanted. Never fails. */
  whose(address: string, online: boolean): Promise<Whose>;
  /** Takes everything after `knock` untouched. */
  knock(argv: readonly string[]): Promise<number>;
  /** Takes everything after `pair` untouched. */
  pair(argv: readonly string[]): Promise<number>;
}
