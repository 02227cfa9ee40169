import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LabBoots } from '../support/lab/boots.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import { hasTable, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';

let lab: Lab;
let count = 0;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

interface Standing {
  readonly parts: { readonly firewall: { state: string; detail?: string; guards_in_s?: number } };
}

/** A machine that has started once, with a confirmed daemon that lets the laptop in. */
async function machine(config = ''): Promise<{ boots: LabBoots; daemon: LabDaemon }> {
  const name = `boots${++count}`;
  const boots = new LabBoots(lab, name);
  await boots.start();
  const daemon = lab.daemon({ name, config, wrap: boots.wrap });
  await daemon.start();
  await daemon.confirm();
  await daemon.json('allow', lab.laptop.ipv4, '--for', '1h');
  return { boots, daemon };
}

const sees = (host: typeof lab.laptop) => host.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
const firewall = async (daemon: LabDaemon) => (await daemon.api<Standing>('GET', '/v1/status')).body.parts.firewall;
const restored = (daemon: LabDaemon) => daemon.json<{ state: string }>('firewall', 'restore');

describe('three starts of the machine within ten minutes', () => {
  it('leave it open until five minutes after the last, and then the guard goes up by itself, with its grants', async () => {
    const { boots, daemon } = await machine();
    await boots.restart(daemon);
    expect(await restored(daemon)).toMatchObject({ state: 'guarding' });
    await daemon.launch();
    await boots.restart(daemon);
    const { code, stdout, stderr } = await daemon.cli('firewall', 'restore');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'The guard waits.\n' });
    expect(stderr).toMatch(/started 3 times within 10m, so nothing is closed for 4m 40s .*sallyport firewall apply/);
    expect([await hasTable(lab.gateway), await sees(lab.stranger)]).toEqual([false, 'open']);
    await boots.running(296);
    await daemon.launch();
    const waiting = await firewall(daemon);
    expect(waiting).toMatchObject({ state: 'waiting', detail: expect.stringContaining('sallyport firewall apply') });
    expect(waiting.guards_in_s).toBeLessThanOrEqual(4);
    expect((await daemon.cli('status')).stdout).toMatch(/^open for now: everything is open for \ds more/);
    await eventually(
      () => firewall(daemon),
      ({ state }) => state === 'guarding',
      8000,
    );
    expect([await sees(lab.laptop), await sees(lab.stranger)]).toEqual(['open', 'silent']);
    expect(await daemon.eventsNamed('firewall.closed')).toHaveLength(1);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('are noted by the daemon where there is no boot step, and an operator can close at once', async () => {
    const { boots, daemon } = await machine();
    for (const _ of [2, 3]) {
      expect((await firewall(daemon)).state).toBe('guarding');
      await boots.restart(daemon);
      await daemon.launch();
    }
    expect((await firewall(daemon)).state).toBe('waiting');
    await daemon.kill('SIGTERM');
    await daemon.launch();
    expect([(await firewall(daemon)).state, await sees(lab.stranger)]).toEqual(['waiting', 'open']);
    await daemon.json('firewall', 'apply');
    await daemon.confirm();
    expect([await sees(lab.laptop), await sees(lab.stranger)]).toEqual(['open', 'silent']);
    await daemon.kill('SIGTERM');
    await daemon.launch();
    expect((await firewall(daemon)).state).toBe('guarding');
  });

  it('change nothing where one of them lasted, or where it is configured away', async () => {
    const { boots, daemon } = await machine();
    await boots.restart(daemon, { uptime: 20 });
    await daemon.launch();
    await daemon.kill('SIGTERM');
    await boots.running(700);
    await daemon.launch();
    await boots.restart(daemon);
    expect(await restored(daemon)).toMatchObject({ state: 'guarding' });
    await daemon.writeConfig('firewall: {rescue: false}');
    for (const _ of [2, 3, 4]) {
      await boots.start();
      expect(await restored(daemon)).toMatchObject({ state: 'guarding' });
    }
    expect(await sees(lab.stranger)).toBe('silent');
  });
});
