import { option, type Spec, textOption } from '../spec.js';

const stateDir = () => textOption('--state-dir <dir>', 'where the database lies');

/** Setting up and running. */
export const DAEMON: readonly Spec[] = [
  {
    name: 'init',
    group: 'Setting up:',
    summary: 'look at this host, write the configuration, make the first user',
    about:
      'Looks at this host (who is logged in over SSH, the port of sshd, the firewall), writes the configuration, and makes ' +
      'the first user. The peers of authenticated SSH sessions are let in until you remove them, so that nobody is locked out; the ' +
      'first guard is provisional, whatever it closes.',
    options: [
      option('-y, --yes', 'ask nothing, take what was found'),
      textOption('--user <name>', 'the name of the first user'),
      option(
        '--lockdown',
        'close everything to strangers, not only the services (default: ask; with --yes only these)',
      ),
      stateDir(),
    ],
    examples: ['sallyport init', 'sallyport init --yes --user alice', 'sallyport init --yes --lockdown'],
    run: async (call) =>
      call.offline.init({
        ...call.given<{ stateDir: string; user: string }>('stateDir', 'user'),
        ...call.configured,
        yes: call.flag('yes'),
        lockdown: call.flag('lockdown'),
        json: call.json,
      }),
  },
  {
    name: 'check',
    group: 'Setting up:',
    summary: 'check the configuration; problems with file and line',
    about:
      'Checks the configuration: problems with file and line. Then says how hard it is to guess a knock, for the users there ' +
      'are, and what to do where it is too easy.',
    examples: ['sallyport check', 'sallyport check --config ./sallyport.yaml --json'],
    run: async (call) => call.offline.check({ ...call.configured, json: call.json }),
  },
  {
    name: 'serve',
    group: 'Setting up:',
    summary: 'run the daemon in the foreground',
    about: 'Runs the daemon in the foreground. Its log is readable on a terminal and JSON anywhere else.',
    options: [stateDir()],
    speechless: true,
    run: async (call) => call.offline.serve({ ...call.given<{ stateDir: string }>('stateDir'), ...call.configured }),
  },
  {
    name: 'status',
    group: 'Seeing:',
    summary: 'what is open, to whom, until when; the health of each part',
    run: async (call) => (await import('../commands/status.js')).status(call),
  },
  {
    name: 'log',
    group: 'Seeing:',
    summary: 'the journal: who was let in, when and why',
    about: 'Prints the journal, oldest first. With --json, one object a line.',
    options: [
      option('-f, --follow', 'go on with what happens, until Ctrl-C'),
      textOption('--since <when>', 'how far back: a duration, or a moment in ISO 8601').default('1d'),
    ],
    examples: [
      'sallyport log',
      'sallyport log --since 2h --follow',
      'sallyport log --since 2026-03-01T08:00:00Z --json',
    ],
    run: async (call) => (await import('../commands/log.js')).log(call),
  },
];
