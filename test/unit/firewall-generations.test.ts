import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GuardLayout } from '../../src/core/firewall.ts';
import { withRules } from '../../src/core/rules.ts';
import { minutes } from '../../src/core/time.ts';
import { renderArming } from '../../src/firewall/arming.ts';
import { changeOver, placeBeside } from '../../src/firewall/changeover.ts';
import { FIRST_SLOTS, place } from '../../src/firewall/placement.ts';
import { renderGuard } from '../../src/firewall/ruleset.ts';
import { loadSavedGuard, saveGuard } from '../../src/firewall/saved-guard.ts';
import { LAYOUT, RULES } from '../support/gate-rig.ts';

/** No automaton: it is the same in every generation. */
const NEW: GuardLayout = { ...LAYOUT, knocks: 'socket', onExpiry: 'drain' };
const OLD: GuardLayout = {
  ...NEW,
  guarded: new Map([...LAYOUT.guarded].filter(([name]) => name === 'ssh')),
  onExpiry: 'cut',
  trustedInterfaces: ['wg0'],
};
const LOCKED = { ...NEW, policy: 'lockdown' } as const;

const lines = (layout: GuardLayout, fallback: GuardLayout | null) =>
  renderGuard(place({ layout, fallback })).split('\n');

/** The lines of a chain, without their indents. */
function chain(name: string, text: readonly string[]): string[] {
  const start = text.indexOf(`  chain ${name} {`);
  return start < 0 ? [] : text.slice(start + 1, text.indexOf('  }', start)).map((line) => line.trim());
}

describe('the previous rules behind those that are armed', () => {
  it('have entries and chains of their own, share the sets of grants, and are looked up second', () => {
    const alone = lines(NEW, null);
    const both = lines(NEW, OLD);
    expect(alone.filter((line) => !both.includes(line))).toEqual([]);
    expect(both.filter((line) => !alone.includes(line))).toEqual([
      '  set b_entry_all_4 { type ipv4_addr; flags interval; }',
      '  set b_entry_ssh_4 { type ipv4_addr; flags interval; }',
      '  set b_entry_all_6 { type ipv6_addr; flags interval; }',
      '  set b_entry_ssh_6 { type ipv6_addr; flags interval; }',
      '  chain b_ports.ssh {',
      '    ip saddr @b_entry_all_4 goto let_in_4',
      '    ip saddr @b_entry_ssh_4 goto let_in_4',
      '    ip6 saddr @b_entry_all_6 goto let_in_6',
      '    ip6 saddr @b_entry_ssh_6 goto let_in_6',
      '  chain b_guard {',
      '    iifname { "wg0" } accept',
      '    meta l4proto . th dport vmap { tcp . 22 : goto b_ports.ssh }',
      '  map fallback { type nf_proto : verdict; }',
      '    meta nfproto vmap @fallback',
      '    meta nfproto vmap @fallback',
    ]);
    expect(chain('input', both)).toEqual([
      'type filter hook input priority -10; policy accept;',
      'iif lo accept',
      'meta nfproto vmap @active',
      'meta nfproto vmap @fallback',
    ]);
  });

  it('have a set of grants for each service of either', () => {
    const of = (layout: GuardLayout, fallback: GuardLayout | null) =>
      lines(layout, fallback).filter((line) => line.includes('set grant_'));
    expect(of(OLD, NEW).sort()).toEqual(of(NEW, null).sort());
  });

  it.each([
    ['is closed by both', LOCKED, LOCKED, 'meta oif != 0 goto forwarded', 'meta oif != 0 goto b_forwarded'],
    ['is closed by the new ones', LOCKED, NEW, 'meta oif != 0 goto forwarded', 'meta oif != 0 accept'],
    ['is closed by the previous ones', NEW, LOCKED, 'meta oif != 0 accept', 'meta oif != 0 goto b_forwarded'],
  ] as const)('leave alone what is forwarded unless they close it: it %s', (_, layout, fallback, first, second) => {
    const text = lines(layout, fallback);
    expect([chain('guard', text)[0], chain('b_guard', text)[0]]).toEqual([first, second]);
    expect(chain('forward', text).slice(1)).toEqual(['meta nfproto vmap @active', 'meta nfproto vmap @fallback']);
  });

  it('are armed for good, and those before them for a while', () => {
    expect(renderArming({ kind: 'provisional', remaining: minutes(1) }, place({ layout: NEW, fallback: OLD }))).toBe(
      [
        'flush map inet sallyport fallback',
        'add element inet sallyport fallback { ipv4 : goto b_guard, ipv6 : goto b_guard }',
        'flush map inet sallyport active',
        'add element inet sallyport active { ipv4 timeout 1m : goto guard, ipv6 timeout 1m : goto guard }',
        '',
      ].join('\n'),
    );
  });
});

describe('a change where the rules stand', () => {
  const LATER: GuardLayout = { ...NEW, trustedInterfaces: ['wg1'] };
  const first = place({ layout: OLD, fallback: null });
  const tried = placeBeside({ layout: NEW, fallback: OLD }, first);

  it('leaves the armed rules where they are, and puts the new ones into a free slot', () => {
    expect(tried.slots).toEqual({ layout: 'b_', fallback: '' });
    expect(placeBeside({ layout: LATER, fallback: OLD }, tried).slots).toEqual({ layout: 'c_', fallback: '' });
  });

  it('that is confirmed or taken back leaves the rules in their slot', () => {
    expect(placeBeside({ layout: NEW, fallback: null }, tried).slots.layout).toBe('b_');
    expect(placeBeside({ layout: OLD, fallback: null }, tried).slots.layout).toBe('');
  });

  it('of the entries alone has two slots as well', () => {
    expect(placeBeside({ layout: OLD, fallback: OLD }, first).slots).toEqual({ layout: 'b_', fallback: '' });
  });

  it('makes the sets that are new, and touches no set that both have', () => {
    const { prepare, complete, newScopes } = changeOver(first, tried, { kind: 'permanent' }) ?? {};
    expect(prepare?.match(/set \S+/g)?.sort()).toEqual(
      [
        ...['all', 'ssh', 'web'].flatMap((scope) => [4, 6].map((family) => `set b_entry_${scope}_${family}`)),
        ...['web'].flatMap((scope) =>
          [4, 6].flatMap((family) => [`set grant_${scope}_${family}`, `set range_${scope}_${family}`]),
        ),
      ].sort(),
    );
    expect(newScopes).toEqual(new Set(['web']));
    expect(complete).not.toMatch(/^ *(delete )?set /m);
    expect(complete).toContain('map active { type nf_proto : verdict; flags timeout; elements = { ipv4 : goto b_guard');
  });

  it('takes away what nothing asks for any more, the chains last', () => {
    const { complete } =
      changeOver(tried, placeBeside({ layout: OLD, fallback: null }, tried), { kind: 'permanent' }) ?? {};
    const deleted = complete?.match(/^delete \S+ inet sallyport \S+/gm)?.map((line) => line.split(' ')) ?? [];
    expect(deleted.map(([, , , , name]) => name)).toEqual(
      expect.arrayContaining(['fallback', 'b_guard', 'b_entry_ssh_4']),
    );
    const kinds = deleted.map(([, kind]) => kind);
    expect(kinds.lastIndexOf('map')).toBeLessThan(kinds.indexOf('chain'));
    expect(kinds.lastIndexOf('set')).toBeLessThan(kinds.indexOf('chain'));
  });

  it('is none where a set of both is of another make', () => {
    const other = placeBeside({ layout: { ...NEW, maxTtl: minutes(7) }, fallback: null }, first);
    expect(changeOver(first, other, { kind: 'permanent' })).toBeUndefined();
  });
});

describe('the saved guard', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-saved-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is read as it was written', async () => {
    const rules = { ...RULES, policy: 'lockdown', trustedInterfaces: ['wg0'] } as const;
    const saved = {
      listing: 'a',
      text: 'b',
      slots: { layout: 'b_', fallback: '' } as const,
      kept: { layout: withRules(LAYOUT, rules), rules },
    };
    await saveGuard(directory, saved);
    expect(await loadSavedGuard(directory)).toEqual({ ...saved, older: null });
  });

  it('of an older version tells the layout, and nobody who is let in', async () => {
    const { policy, forwardFrom, openPorts, ...older } = LAYOUT;
    const layout = { ...older, guarded: [...LAYOUT.guarded] };
    await writeFile(join(directory, 'guard.json'), JSON.stringify({ format: 1, listing: 'a', layout }));
    expect(await loadSavedGuard(directory)).toEqual({
      listing: 'a',
      text: null,
      slots: FIRST_SLOTS,
      kept: null,
      older: LAYOUT,
    });
  });

  it.each(['', '{', '{"format":2}', '{"format":3,"listing":"a"}', '{"format":2,"listing":"a","kept":{"rules":{}}}'])(
    'that is damaged is none: %s',
    async (text) => {
      await writeFile(join(directory, 'guard.json'), text);
      expect(await loadSavedGuard(directory)).toBeUndefined();
      expect(await readFile(join(directory, 'guard.json'), 'utf8')).toBe(text);
    },
  );
});
