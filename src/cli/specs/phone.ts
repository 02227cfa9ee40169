import { option, type Spec, textOption } from '../spec.js';

const asteriskDir = () =>
  textOption('--asterisk-dir <dir>', "the folder of Asterisk's configuration").default('/etc/asterisk');

/** The telephone menu: setting Asterisk up for it. Both commands work without the daemon. */
export const PHONE: readonly Spec[] = [
  {
    name: 'phone install',
    summary: 'set Asterisk up for the menu: dialplan, users, sounds',
    about:
      'Sets this machine’s Asterisk (plain or FreePBX) up for the menu: the extension, a user of ARI and one of AMI with random ' +
      'secrets, the recordings. Each file of Asterisk gets one line, and is kept beside as FILE.sallyport-DATE. A second run changes nothing.',
    options: [
      option('--print', 'show everything, secrets masked, and change nothing'),
      option('--reload', 'have the running Asterisk take it'),
      textOption('--context <name>', 'the context from which your phones dial (FreePBX: from-internal-custom)'),
      asteriskDir(),
    ],
    examples: [
      'sallyport phone install --print',
      'sallyport phone install --reload',
      'sallyport phone install --context phones --reload',
    ],
    run: async (call) =>
      call.offline.phoneInstall({
        ...call.given<{ context: string }>('context'),
        ...call.configured,
        ...asteriskDirOf(call),
        print: call.flag('print'),
        reload: call.flag('reload'),
        json: call.json,
      }),
  },
  {
    name: 'phone test',
    summary: 'check what a call needs, and say what to mend',
    about:
      'Checks what a call needs: the link to Asterisk, its login and rights, the application (while the daemon runs), the ' +
      'extension, the sounds, and that no log of Asterisk keeps digits. Exit status 1 where a check fails.',
    options: [asteriskDir()],
    examples: ['sallyport phone test', 'sallyport phone test --json'],
    run: async (call) => call.offline.phoneTest({ ...call.configured, ...asteriskDirOf(call), json: call.json }),
  },
];

function asteriskDirOf(call: { given: <T extends object>(...names: (keyof T & string)[]) => Partial<T> }) {
  return { asteriskDir: call.given<{ asteriskDir: string }>('asteriskDir').asteriskDir ?? '/etc/asterisk' };
}
