import { APPROVALS } from '../../core/user.js';
import { namesOption, numberOption, option, type Spec, textOption } from '../spec.js';

const NAME = { takes: '<name>', arguments: { name: 'the name of the user' } } as const;

const options = () => [
  namesOption('--services <names>', 'which services a knock opens, with commas between them'),
  textOption('--ttl <duration>', 'how long a knock opens for: 90s, 15m, 8h (default: grants.ttl)'),
  textOption(
    '--knock <sequence>',
    'the ports, such as tcp/21234,udp/28111,tcp/24711; others see it in the process list',
  ).conflicts(['knockStdin', 'length']),
  option('--knock-stdin', 'read the ports from standard input').conflicts(['pinStdin', 'length']),
  numberOption('--length <n>', 'draw so many ports at random, 2 to 8', 2, 8),
  textOption('--account <digits>', 'the account to give on the phone'),
  option('--pin-stdin', 'read the PIN, 6 digits or more, from standard input'),
  option('--approval <how>', 'whether a knock opens, or waits for a yes: the user calls, or is called back').choices(
    APPROVALS,
  ),
  textOption('--number <phone>', 'the telephone number to call back, as the PBX dials it'),
  numberOption('--max-addresses <n>', 'how many addresses may be open at once; the oldest gives way', 1, 1000),
];

/** Who may knock. */
export const USERS: readonly Spec[] = [
  {
    name: 'user add',
    ...NAME,
    summary: 'add a user and print their card',
    about:
      'Adds a user and prints their card: the ports to knock on, and how. Without --knock, three ports are drawn at random.',
    options: options(),
    examples: [
      'sallyport user add alice',
      'sallyport user add bob --services ssh,web --ttl 8h --length 4',
      'sallyport user add carol --knock-stdin < ports.txt',
    ],
    run: async (call) => (await import('../commands/users.js')).add(call),
  },
  {
    name: 'user set',
    ...NAME,
    summary: 'change a user',
    about: 'Changes what is given; the rest stays as it is. A new sequence makes the old one useless at once.',
    options: options(),
    examples: [
      'sallyport user set alice --ttl 30m --max-addresses 2',
      'sallyport user set alice --pin-stdin',
      'sallyport user set alice --approval callback --number 15550100',
    ],
    run: async (call) => (await import('../commands/users.js')).set(call),
  },
  {
    name: 'user list',
    summary: 'all users',
    run: async (call) => (await import('../commands/users.js')).list(call),
  },
  {
    name: 'user show',
    ...NAME,
    summary: 'one user, without secrets',
    run: async (call) => (await import('../commands/users.js')).show(call),
  },
  {
    name: 'user remove',
    ...NAME,
    summary: 'remove a user and end their grants now',
    run: async (call) => (await import('../commands/users.js')).remove(call),
  },
  {
    name: 'user card',
    ...NAME,
    summary: "print a user's card again",
    about: 'Prints how a user gets in. Whoever reads it can knock.',
    run: async (call) => (await import('../commands/users.js')).card(call),
  },
  {
    name: 'user rotate',
    ...NAME,
    summary: 'draw a new sequence and print the new card',
    about: 'Draws a new sequence and prints the new card. The old sequence opens nothing any more; open grants stay.',
    run: async (call) => (await import('../commands/users.js')).rotate(call),
  },
];
