import { describe, expect, it } from 'vitest';
import { parseHostName } from '../../src/core/names/host-name.ts';
import { parsePortRange } from '../../src/core/ports.ts';
import { parseProviderNames } from '../../src/core/provider.ts';
import { type GuardRules, readRules, writeRules } from '../../src/core/rules.ts';
import { compareRules } from '../../src/core/rules-change.ts';
import { ALL, type ServiceName } from '../../src/core/service.ts';
import { service } from '../support/core-arbitraries.ts';
import { RULES } from '../support/gate-rig.ts';
import { target } from '../support/grants.ts';

const SSH = service('ssh');
const WEB = service('web');

/** Services as the file writes them; all of them closed unless named otherwise. */
function closing(written: Record<string, string[]>, guard = Object.keys(written)): Partial<GuardRules> {
  const services = new Map(Object.entries(written).map(([name, ports]) => [service(name), ports.map(parsePortRange)]));
  return { services, guarded: new Map([...services].filter(([name]) => guard.includes(name))) };
}

const entry = (text: string, services: readonly ServiceName[] = [ALL], note: string | null = null) => ({
  target: target(text),
  services,
  note,
});

function lines(before: Partial<GuardRules>, after: Partial<GuardRules>): string[] {
  return compareRules({ ...RULES, ...before }, { ...RULES, ...after }).map(({ effect, text }) => `${effect}: ${text}`);
}

const LOCKED = { policy: 'lockdown' } as const;

describe('the difference between two sets of rules in words', () => {
  it.each<[string, Partial<GuardRules>, Partial<GuardRules>, string[]]>([
    ['none', {}, {}, []],
    [
      'a service that is closed now, and one that is not any more',
      closing({ ssh: ['tcp/22'], web: ['tcp/80', 'tcp/443'] }, ['ssh']),
      closing({ ssh: ['tcp/22'], web: ['tcp/80', 'tcp/443'] }, ['web']),
      ['closes: web (tcp/80, tcp/443) is closed to strangers', 'opens: ssh (tcp/22) is no longer closed'],
    ],
    [
      'another port of a closed service',
      closing({ ssh: ['tcp/22'] }),
      closing({ ssh: ['tcp/2222'] }),
      ['closes: ssh has tcp/2222 as well, closed to strangers', 'opens: ssh has tcp/22 no longer: not closed by it'],
    ],
    [
      'another port of a service under lockdown',
      { ...LOCKED, ...closing({ ssh: ['tcp/22'] }) },
      { ...LOCKED, ...closing({ ssh: ['tcp/2222'] }) },
      [
        'closes: ssh has tcp/22 no longer: closed but to those who are let in to all',
        'opens: ssh has tcp/2222 as well, for those who are let in to it',
      ],
    ],
    [
      'a service that comes, and one that goes, under lockdown',
      { ...LOCKED, ...closing({ ssh: ['tcp/22'] }) },
      { ...LOCKED, ...closing({ web: ['tcp/80'] }) },
      [
        'closes: the service ssh (tcp/22) is gone: closed but to those who are let in to all',
        'opens: the service web (tcp/80) is there for those who are let in to it',
      ],
    ],
    [
      'lockdown',
      closing({ ssh: ['tcp/22'], web: ['tcp/80'] }, ['ssh']),
      { ...LOCKED, ...closing({ ssh: ['tcp/22'], web: ['tcp/80'] }) },
      ['closes: policy lockdown: everything is closed that is not on the whitelist'],
    ],
    [
      'the end of lockdown',
      { ...LOCKED, ...closing({ ssh: ['tcp/22'] }) },
      closing({ ssh: ['tcp/22'] }),
      ['opens: policy guard: only ssh stay closed, all else is as open as other rules leave it'],
    ],
    [
      'interfaces',
      { trustedInterfaces: ['wg0'] },
      { trustedInterfaces: ['lan0'] },
      [
        'closes: everything that comes in by the interface wg0 is let in no longer',
        'opens: everything that comes in by the interface lan0 is let in',
      ],
    ],
    [
      'forwarding, which counts under lockdown alone',
      { ...LOCKED, forwardFrom: ['docker0'] },
      { ...LOCKED, forwardFrom: [] },
      ['closes: what is forwarded from the interface docker0 is let in no longer'],
    ],
    ['forwarding under guard', { forwardFrom: ['docker0'] }, { forwardFrom: [] }, []],
    [
      'entries',
      { entries: [entry('203.0.113.0/28'), entry('198.51.100.7', [SSH, WEB]), entry('192.0.2.1')] },
      { entries: [entry('203.0.113.0/28', [ALL], 'office'), entry('198.51.100.7', [WEB]), entry('192.0.2.2', [SSH])] },
      [
        'closes: 198.51.100.7 is let in to ssh no longer',
        'closes: 192.0.2.1 is let in to all no longer',
        'opens: 192.0.2.2 is let in to ssh',
        'neither: the note on 203.0.113.0/28 is another',
      ],
    ],
    [
      'names and providers',
      {
        names: [{ name: parseHostName('a.example'), services: [ALL], note: null }],
        providers: parseProviderNames('voip.ms'),
      },
      { names: [{ name: parseHostName('b.example'), services: [SSH], note: null }], providers: [] },
      [
        'closes: a.example is let in to all no longer',
        'closes: the provider voip.ms is let in no longer',
        'opens: b.example is let in to ssh',
      ],
    ],
    [
      'what becomes of live connections',
      { onExpiry: 'drain' },
      { onExpiry: 'cut' },
      ['closes: on_expiry cut: live connections stop when a grant ends'],
    ],
  ])('%s', (_, before, after, expected) => {
    expect(lines(before, after)).toEqual(expected);
  });
});

describe('rules that are written and read again', () => {
  it('are the same', () => {
    const rules: GuardRules = {
      ...RULES,
      policy: 'lockdown',
      openPorts: [parsePortRange('udp/51820')],
      entries: [entry('2001:db8::/48', [SSH], 'Ann')],
      names: [{ name: parseHostName('home.example'), services: [ALL], note: null }],
      providers: parseProviderNames('voip.ms'),
    };
    expect(readRules(JSON.parse(JSON.stringify(writeRules(rules))))).toEqual(rules);
  });
});
