import { namesOption, option, type Spec } from '../spec.js';

/** Moving in from elsewhere. */
export const IMPORT: readonly Spec[] = [
  {
    name: 'import',
    takes: '<file...>',
    arguments: { 'file...': 'rules.v4, rules.v6, NAME.iptables, knockd.conf, access.conf; as many as you like' },
    group: 'Setting up:',
    summary: 'take over whitelists and knocks from iptables, Incredible PBX, knockd, fwknop',
    about:
      'Reads files of iptables-save, account files of Incredible PBX, knockd.conf and access.conf of fwknop (each up to 4 MB; the kind ' +
      'is told by what is in it). Says for each line what becomes of it, and why; then, after your yes, makes the entries, all of them or none, and the users. ' +
      'Files are only read, nothing in them is run. A second run makes nothing twice.',
    options: [
      option('-y, --yes', 'ask nothing, make it'),
      option('--dry-run', 'only say what would be made; needs no daemon').conflicts('yes'),
      namesOption('--services <names>', 'what to open to those for whom no port is named (default: all)'),
    ],
    examples: [
      'sallyport import /etc/iptables/rules.v4 /etc/iptables/rules.v6 --dry-run',
      'sallyport import /root/*.iptables',
      'sallyport import /etc/knockd.conf --yes',
    ],
    run: async (call) => (await import('../commands/import.js')).importFiles(call),
  },
];
