import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemdAnalyze } from '../support/peers.ts';

const DAEMON = 'systemd/sallyport.service';
const BOOT_STEP = 'systemd/sallyport-firewall.service';

/** How exposed a unit is, of 10, as systemd rates it. */
function exposure(tool: { path: string; env: Readonly<Record<string, string>> }, unit: string): number {
  const args = ['security', '--offline=true', '--no-pager', unit];
  const { stdout, stderr } = spawnSync(tool.path, args, { encoding: 'utf8', env: { ...process.env, ...tool.env } });
  const figure = /^\S+ Overall exposure level for \S+: (\d+\.\d+) /m.exec(stdout)?.[1];
  if (figure === undefined) throw new Error(`no figure: ${stdout}${stderr}`);
  return Number(figure);
}

describe('the units', () => {
  it.for([[DAEMON, 2.0] as const, [BOOT_STEP, 1.5] as const])(
    '%s is rated at most %d by systemd-analyze',
    ([unit, most], ctx) => {
      const tool = systemdAnalyze();
      if (tool.path === undefined) return ctx.skip(tool.reason);
      expect(exposure(tool, unit)).toBeLessThanOrEqual(most);
    },
  );

  it('the daemon may see the processes that serve SSH sessions', () => {
    const unit = readFileSync(DAEMON, 'utf8');
    const hidden = /^(ProtectProc=(?!default|invisible)|ProcSubset=pid|PrivateUsers=yes)/m;
    expect(unit).not.toMatch(hidden);
    // ProtectProc=invisible hides nothing from the group of /proc, which is root's.
    expect(unit).toMatch(/^SupplementaryGroups=(.* )?root( .*)?$/m);
  });
});
