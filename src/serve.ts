import type { Logger } from 'pino';
import type { Config } from './config/config.js';
import { loadConfig } from './config/load.js';
import { SallyportError } from './core/errors.js';
import { Daemon } from './daemon.js';
import { createLog } from './log.js';

/** A daemon that does not stop by itself in this time is left to the kernel, in milliseconds. */
const STOP_LIMIT_MS = 15_000;

/**
 * Runs the daemon in the foreground until it is told to stop.
 * @returns the exit status: 0 after SIGINT or SIGTERM, 1 where it could not start or had to give up
 */
export async function serve(options: { file: string; stateDirectory: string | undefined }): Promise<number> {
  const read = async () => withStateDirectory(await loadConfig(options.file), options.stateDirectory);
  const config = await read();
  const { log, close } = await createLog(config.log.level);
  try {
    return await run(config, log, read);
  } finally {
    await close();
  }
}

async function run(config: Config, log: Logger, reread: () => Promise<Config>): Promise<number> {
  let end: (status: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const onSignal = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    end(0);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const daemon = new Daemon({
    config,
    log,
    reread,
    onFailed: (error) => {
      log.error({ err: error }, 'a part died; stopping, the kernel goes on guarding');
      end(1);
    },
  });
  // A fault that nobody foresaw: say so and stop; the kernel goes on guarding, and the service manager starts us anew.
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'an unforeseen fault');
    end(1);
  });
  try {
    await daemon.start();
  } catch (error) {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    if (error instanceof SallyportError) log.error({ err: error, fix: error.fix }, `cannot start: ${error.message}`);
    throw error;
  }
  const status = await ended;
  const limit = setTimeout(() => process.exit(1), STOP_LIMIT_MS);
  const isUp = await daemon.stop();
  clearTimeout(limit);
  if (isUp)
    log.info(
      {},
      'stopped; the guard stays up and the grants run out by themselves. To open everything: sallyport firewall panic',
    );
  else log.info({}, 'stopped; no guard is up');
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  return status;
}

/** The configuration with the state kept elsewhere. */
export function withStateDirectory(config: Config, directory: string | undefined): Config {
  return directory === undefined ? config : { ...config, state: { ...config.state, directory } };
}
