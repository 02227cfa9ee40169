import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type Io, type OfflineCommands, runCli } from '../../src/cli/index.ts';
import type { ControlLog } from '../../src/control/log.ts';
import { ControlServer } from '../../src/control/server.ts';
import { FakeGateway } from './fake-gateway.ts';

/** Keeps what is logged. */
export class MemoryLog implements ControlLog {
  readonly lines: { level: string; fields: object; message: string }[] = [];
  info = (fields: object, message: string): void => void this.lines.push({ level: 'info', fields, message });
  warn = (fields: object, message: string): void => void this.lines.push({ level: 'warn', fields, message });
  error = (fields: object, message: string): void => void this.lines.push({ level: 'error', fields, message });
}

/** A directory of its own for one test. */
export function tempDir(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'sp-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface CliRun {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  readonly stdin?: string | PassThrough;
  readonly tty?: boolean;
  /** Of the terminal. */
  readonly columns?: number;
  readonly env?: Record<string, string>;
  readonly onOut?: (text: string) => void;
  readonly interrupt?: AbortSignal;
  readonly offline?: Partial<OfflineCommands>;
}

/** Runs a command as the shell would, with everything it prints kept. */
export async function cli(socket: string, argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  let [out, err] = ['', ''];
  const stdin = typeof options.stdin === 'object' ? options.stdin : new PassThrough();
  if (typeof options.stdin === 'string') stdin.end(options.stdin);
  const tty = options.tty === true ? { isTTY: true, columns: options.columns ?? 100 } : {};
  const io: Io = {
    stdin,
    stdout: {
      ...tty,
      write: (text) => {
        out += text;
        options.onOut?.(text);
      },
    },
    stderr: {
      write: (text) => {
        err += text;
      },
    },
    env: options.env ?? {},
    version: '0.1.0',
    renderCard: (card) => `card of ${card.name}: ${card.sequence.map(({ port }) => port).join(' ')}`,
    onInterrupt: (listener) => {
      options.interrupt?.addEventListener('abort', listener);
      return () => options.interrupt?.removeEventListener('abort', listener);
    },
  };
  const refuse = () => Promise.reject(new Error('not wired in this test'));
  const offline: OfflineCommands = {
    controlSocket: async () => socket,
    importGround: refuse,
    ownPeers: async () => [],
    serve: refuse,
    init: refuse,
    check: refuse,
    restore: refuse,
    panic: refuse,
    phoneInstall: refuse,
    phoneTest: refuse,
    knock: refuse,
    pair: refuse,
    whose: async () => ({ names: [], network: null, problems: [] }),
    ...options.offline,
  };
  const status = await runCli(argv, io, offline);
  return { status, out, err };
}

export interface ControlRig {
  readonly gateway: FakeGateway;
  readonly log: MemoryLog;
  readonly socket: string;
  readonly server: ControlServer;
  run(argv: readonly string[], options?: CliOptions): Promise<CliRun>;
  stop(): Promise<void>;
}

/** A control server on a socket of its own, before a gateway of canned answers. */
export async function startRig(): Promise<ControlRig> {
  const dir = tempDir();
  const [gateway, log, socket] = [new FakeGateway(), new MemoryLog(), join(dir.path, 'control.sock')];
  const server = new ControlServer({ socket, gateway, version: '0.1.0', log });
  await server.start();
  return {
    gateway,
    log,
    socket,
    server,
    run: (argv, options) => cli(socket, argv, options),
    stop: async () => {
      await server.stop();
      dir.remove();
    },
  };
}
