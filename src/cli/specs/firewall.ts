import { option, type Spec, textOption } from '../spec.js';

/** The guard itself. */
export const FIREWALL: readonly Spec[] = [
  {
    name: 'firewall status',
    summary: 'whether the guard is up, and what it guards',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'firewall'),
  },
  {
    name: 'firewall plan',
    summary: 'what the configuration would change, in words',
    about:
      'Reads the configuration again and says in what it differs from the rules that hold: what it closes and opens, whom of those logged in over SSH it would shut out, and what takes a restart of the daemon. Changes nothing.',
    run: async (call) => (await import('../commands/firewall.js')).plan(call),
  },
  {
    name: 'firewall apply',
    summary: 'bring the rules to the configuration, provisionally',
    about:
      'Reads the configuration again and brings the rules to it, or puts a guard up again that is down. Unless you confirm it in time, the kernel goes back to the previous rules by itself, even with no daemon. A knock that opens something confirms it, too.',
    options: [
      textOption('--for <duration>', 'how long it holds unless confirmed, from 2s to 60m (default: 60s)'),
      option('--force', 'also where it shuts out a live SSH session, or closes the last way in'),
    ],
    examples: ['sallyport firewall apply', 'sallyport firewall apply --for 5m', 'sallyport firewall confirm'],
    run: async (call) => (await import('../commands/firewall.js')).apply(call),
  },
  {
    name: 'firewall confirm',
    summary: 'keep a provisional guard, or change, for good',
    about:
      'Keeps for good what is provisional: the first guard, or a change by firewall apply. See first that a new SSH connection gets in: the one that you have may stay where a new one does not.',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'confirmFirewall'),
  },
  {
    name: 'firewall rollback',
    summary: 'end a provisional guard, or change, now',
    about: 'Ends what is provisional now: the previous rules hold again or, where there are none, nothing is closed.',
    run: async (call) => (await import('../commands/firewall.js')).show(call, 'rollbackFirewall'),
  },
  {
    name: 'firewall restore',
    summary: 'put the guard up without the daemon, as at boot',
    about:
      'Puts the guard up without the daemon: the last rules that were confirmed, with the grants that have time left. Made for the boot, before the network is up. After three boots within ten minutes it leaves everything open instead, and the daemon puts the guard up five minutes after the boot.',
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
    about:
      'Opens everything now, with or without the daemon, and without a question. A running daemon leaves it so until you close it again with firewall apply; a reboot closes it, too.',
    run: async (call) => call.offline.panic({ ...call.configured, json: call.json }),
  },
];
