import { type Spec, textOption } from '../spec.js';

/** The guard itself. */
export const FIREWALL: readonly Spec[] = [
  {
    name: 'firewall status',
    summary: 'whether the guard is up, and what it guards',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'firewall'),
  },
  {
    name: 'firewall apply',
    summary: 'put the guard up again, provisionally',
    about:
      'Puts the guard up provisionally: it takes itself down again, even with no daemon, unless you confirm it in time.',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'applyFirewall'),
  },
  {
    name: 'firewall confirm',
    summary: 'keep a provisional guard for good',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'confirmFirewall'),
  },
  {
    name: 'firewall rollback',
    summary: 'take a provisional guard down now',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'rollbackFirewall'),
  },
  {
    name: 'firewall restore',
    summary: 'put the guard up without the daemon, as at boot',
    about:
      'Puts the guard up without the daemon, with the grants that have time left. Made for the boot, before the network is up. After three boots within ten minutes it leaves everything open for five, for whoever is locked out (firewall.rescue).',
    options: [textOption('--state-dir <dir>', 'where the database lies')],
    run: async (call) =>
      call.offline.restore({
        ...call.given<{ stateDir: string }>('stateDir'),
        ...call.configured,
        json: call.json,
      }),
  },
  {
    name: 'firewall panic',
    summary: 'open everything now, with or without the daemon',
    run: async (call) => call.offline.panic({ ...call.configured, json: call.json }),
  },
];
