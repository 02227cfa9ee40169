#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Io, OfflineCommands } from './cli/index.js';
import { processIo, runCli } from './cli/index.js';
import type { UserCard } from './control/contract/gateway.js';
import { VERSION } from './version.js';

/*
 * The composition root. Only this folder's own files know which adapters there are; each command loads what it needs.
 */

/** Where the configuration is, unless --config says otherwise. */
export function configFile(given: string | undefined): string {
  return given ?? (process.env.SALLYPORT_CONFIG || '/etc/sallyport/sallyport.yaml');
}

const offline: OfflineCommands = {
  async controlSocket(config) {
    const { controlSocketOf } = await import('./offline.js');
    return await controlSocketOf(configFile(config));
  },
  async importGround(config) {
    const { importGround } = await import('./offline.js');
    return await importGround(configFile(config));
  },
  async ownPeers() {
    const { ownPeers } = await import('./host/ssh-access.js');
    return await ownPeers();
  },
  async serve({ config, stateDir }) {
    await keepHeapSmall();
    const { serve } = await import('./serve.js');
    return await serve({ file: configFile(config), stateDirectory: stateDir });
  },
  async init({ config, stateDir, ...options }) {
    const { init } = await import('./init.js');
    return await init({ user: undefined, ...options, file: configFile(config), stateDirectory: stateDir, io: ownIo() });
  },
  async check({ config, json }) {
    const { check } = await import('./offline.js');
    return await check({ file: configFile(config), json });
  },
  async restore({ config, stateDir, json }) {
    const { restore } = await import('./restore.js');
    return await restore({ file: configFile(config), stateDirectory: stateDir, json });
  },
  async panic({ config, json }) {
    const { panicNow } = await import('./offline.js');
    return await panicNow({ file: configFile(config), json });
  },
  async phoneInstall({ config, ...options }) {
    const { phoneInstall } = await import('./phone-setup.js');
    return await phoneInstall({ ...options, file: configFile(config), io: ownIo() });
  },
  async phoneTest({ config, ...options }) {
    const { phoneTest } = await import('./phone-setup.js');
    return await phoneTest({ ...options, file: configFile(config), io: ownIo() });
  },
  async whose(address, online) {
    const [{ findWhose }, { parseAddress }] = await Promise.all([
      import('./host/whose.js'),
      import('./core/address.js'),
    ]);
    return await findWhose(parseAddress(address), { online });
  },
  async knock(argv) {
    const { runKnock } = await import('./client/command.js');
    // The ports are a secret; the arguments of a process are not.
    process.title = 'sallyport knock';
    return await runKnock(argv, { stdout: process.stdout, stderr: process.stderr, env: process.env });
  },
  async pair(argv) {
    const [{ runPair }, { untilInterrupted }] = await Promise.all([
      import('./client/pair-command.js'),
      import('./client/interrupt.js'),
    ]);
    process.title = 'sallyport pair';
    return await runPair(
      argv,
      { stdout: process.stdout, stderr: process.stderr, env: process.env },
      untilInterrupted(),
    );
  },
};

/** What `npm start` does once all is built: makes a configuration and a first user where there are none, and serves. */
export async function start(argv: readonly string[]): Promise<number> {
  await keepHeapSmall();
  const { startFromScratch } = await import('./init.js');
  return await startFromScratch({ argv, file: configFile(undefined), io: ownIo() });
}

/** For what runs on: before the rest is loaded, which is the first rush of allocations. */
async function keepHeapSmall(): Promise<void> {
  const heap = await import('./host/heap.js');
  heap.keepHeapSmall();
}

function ownIo(): Io {
  return processIo({ version: VERSION, renderCard });
}

async function renderCard(card: UserCard): Promise<string> {
  const { cardText } = await import('./card.js');
  return cardText(card, process.stdout);
}

function isEntry(): boolean {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
}

if (isEntry()) process.exitCode = await runCli(process.argv.slice(2), ownIo(), offline);
