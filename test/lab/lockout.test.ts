import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LAB_MAIN, type LabDaemon } from '../support/lab/daemon.js';
import { mustNft } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { expectRefusal } from '../support/lab/refusal.js';
import { prepareSshd, sshOptions } from '../support/lab/sshd.js';

/** A real sshd at the gateway, and somebody logged in from the laptop. */
let lab: Lab;
let folder = '';
let sshd: ChildProcess | undefined;
let missing: string | undefined;
let count = 0;
const sessions: ChildProcess[] = [];

beforeAll(async () => {
  lab = await Lab.create();
  folder = join(lab.directory, 'sshd');
  await mkdir(folder);
  // The guest's sshd reads as the guest.
  for (const path of [lab.directory, folder]) await chmod(path, 0o755);
  missing = await prepareSshd(folder, 22);
  if (missing !== undefined) return;
  sshd = spawn('ip', ['netns', 'exec', lab.gateway.namespace, '/bin/sh', join(folder, 'start-sshd')], {
    stdio: 'ignore',
  });
  await eventually(
    () => lab.laptop.tcp(lab.gateway.ipv4, 22),
    (verdict) => verdict === 'open',
  );
});
afterEach(async () => {
  for (const session of sessions.splice(0)) session.kill('SIGKILL');
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(async () => {
  sshd?.kill();
  await lab?.destroy();
});

const sees = (host: 'laptop' | 'phone' | 'stranger') => lab[host].tcp(lab.gateway.ipv4, 22, { timeout: 250 });
const trusting = (...addresses: string[]) => `trusted: {addresses: [${addresses.join(', ')}]}`;

/** A confirmed daemon that sees the sessions of sshd, as one outside of a lab does. */
async function guarding(config: string): Promise<LabDaemon> {
  const wrap = ['nsenter', '--target', String(sshd?.pid), '--mount'];
  const daemon = lab.daemon({ name: `lockout${++count}`, config, wrap });
  await daemon.start();
  await daemon.confirm();
  return daemon;
}

/** Runs a command of the operator's in an SSH session from the laptop. */
async function fromLaptop(daemon: LabDaemon, ...args: string[]) {
  const command = [process.execPath, LAB_MAIN, ...args, '--config', daemon.configFile].join(' ');
  const ssh = ['ssh', ...sshOptions(folder, 22), `root@${lab.gateway.ipv4}`, command];
  const [file = '', ...rest] = ssh;
  return await lab.laptop.exec(file, rest);
}

/** Somebody who is logged in from the laptop until the test ends, as the records of logins say. */
async function logIn(): Promise<void> {
  const ssh = ['ssh', '-tt', ...sshOptions(folder, 22), `guest@${lab.gateway.ipv4}`, 'echo in; cat'];
  const session = spawn('ip', ['netns', 'exec', lab.laptop.namespace, ...ssh], { stdio: ['pipe', 'pipe', 'ignore'] });
  sessions.push(session);
  await once(session.stdout, 'data');
}

describe('whoever works over SSH', () => {
  it('is let in by the set-up, and stays in when all is locked down after he has left', async (context) => {
    context.skip(missing !== undefined, missing);
    const daemon = lab.daemon({ name: 'fresh' });
    const options = ['--yes', '--lockdown', '--json', '--state-dir', daemon.stateDirectory];
    const { code, stderr } = await fromLaptop(daemon, 'init', ...options);
    expect([code, stderr]).toEqual([0, '']);
    await daemon.useSocket();
    await daemon.launch();
    await daemon.confirm();
    const { entries } = await daemon.json<{ entries: object[] }>('list');
    expect(entries).toEqual([expect.objectContaining({ target: lab.laptop.ipv4, source: 'setup', services: ['all'] })]);
    expect([await sees('laptop'), await sees('stranger')]).toEqual(['open', 'silent']);
    await daemon.kill();
  });

  it('does not shut himself out by a change of the configuration, unless he insists', async (context) => {
    context.skip(missing !== undefined, missing);
    const daemon = await guarding(trusting(lab.laptop.ipv4, lab.phone.ipv4));
    await daemon.writeConfig(trusting(lab.phone.ipv4));
    const plan = await fromLaptop(daemon, 'firewall', 'plan');
    expect(plan.stdout).toContain(`It shuts out ${lab.laptop.ipv4}`);
    const refused = await fromLaptop(daemon, 'firewall', 'apply');
    expectRefusal(refused, 'SP_WOULD_LOCK_OUT');
    expect(refused.stderr).toContain(lab.laptop.ipv4);
    expect(await sees('laptop')).toBe('open');
    const insisting = fromLaptop(daemon, 'firewall', 'apply', '--force', '--for', '3s').catch(() => undefined);
    await eventually(
      () => sees('laptop'),
      (verdict) => verdict === 'silent',
    );
    await eventually(
      () => sees('laptop'),
      (verdict) => verdict === 'open',
    );
    await insisting;
  });

  it('does not shut himself out by a revocation, unless he insists or has another way in', async (context) => {
    context.skip(missing !== undefined, missing);
    const daemon = await guarding(trusting(lab.phone.ipv4));
    await daemon.json('allow', lab.laptop.ipv4, '--services', 'ssh');
    expectRefusal(await fromLaptop(daemon, 'revoke', lab.laptop.ipv4), 'SP_WOULD_LOCK_OUT');
    await daemon.json('allow', '10.77.0.0/30');
    expect((await fromLaptop(daemon, 'revoke', lab.laptop.ipv4)).code).toBe(0);
    expectRefusal(await fromLaptop(daemon, 'revoke', '10.77.0.0/30'), 'SP_WOULD_LOCK_OUT');
    expect((await daemon.cli('revoke', '10.77.0.0/30')).code).toBe(0);
    expect(await sees('laptop')).toBe('silent');
  });

  it('is not shut out by somebody else, who is told of the session', async (context) => {
    context.skip(missing !== undefined, missing);
    const daemon = await guarding(trusting(lab.laptop.ipv4, lab.phone.ipv4));
    await logIn();
    await daemon.writeConfig(trusting(lab.phone.ipv4));
    const { cuts } = await eventually(
      () => daemon.json<{ cuts: string[] }>('firewall', 'plan'),
      ({ cuts: found }) => found.length > 0,
    );
    expect(cuts).toEqual([lab.laptop.ipv4]);
    expectRefusal(await daemon.cli('firewall', 'apply'), 'SP_WOULD_LOCK_OUT');
    expect(await daemon.json('firewall', 'apply', '--force')).toMatchObject({ state: 'provisional' });
  });
});

describe('the last way in', () => {
  it('does not go by a change, nor under lockdown by a revocation, unless somebody insists', async () => {
    const daemon = await guarding(trusting(lab.laptop.ipv4));
    await daemon.writeConfig('');
    const refused = await daemon.cli('firewall', 'apply');
    expectRefusal(refused, 'SP_WOULD_LOCK_OUT');
    expect(refused.stderr).toContain('last way in');
    await daemon.json('allow', lab.phone.ipv4);
    await daemon.writeConfig('firewall: {policy: lockdown}');
    await daemon.json('firewall', 'apply');
    await daemon.json('firewall', 'confirm');
    expectRefusal(await daemon.cli('revoke', lab.phone.ipv4), 'SP_WOULD_LOCK_OUT');
    expect((await daemon.cli('revoke', lab.phone.ipv4, '--force')).code).toBe(0);
    expect(await sees('phone')).toBe('silent');
  });

  it('is not for everybody, unless somebody insists', async () => {
    const daemon = await guarding('');
    expectRefusal(await daemon.cli('allow', '0.0.0.0/0'), 'SP_TARGET_EVERYONE');
    expect(await sees('stranger')).toBe('silent');
    expect((await daemon.cli('allow', '0.0.0.0/0', '--force')).code).toBe(0);
    expect(await sees('stranger')).toBe('open');
  });
});
