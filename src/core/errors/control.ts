import type { ErrorTable } from './entry.js';

/** Commands, the daemon, and the control socket between them. */
export const CONTROL_ERRORS = {
  SP_CONTROL_BUSY: {
    text: 'a daemon answers on {socket} already',
    fix: 'Stop that one first, or give this one a control.socket of its own.',
    usage: false,
  },
  SP_CONTROL_SOCKET: {
    text: 'cannot listen on {socket}: {problem}',
    fix: 'Look at control.socket in the configuration and at the rights on its directory.',
    usage: false,
  },
  SP_CONTROL_TIMEOUT: {
    text: 'the daemon did not finish that in time',
    fix: 'Look at sallyport status and at the log before you try again.',
    usage: false,
  },
  SP_REQUEST_INVALID: {
    text: 'that request cannot be served: {problem}',
    fix: 'Correct it and send it again; /openapi.json on the control socket says how it is written.',
    usage: true,
  },
  SP_INTERNAL: {
    text: 'something went wrong inside the daemon',
    fix: 'The cause is in its log (journalctl -u sallyport).',
    usage: false,
  },
  SP_DAEMON_UNREACHABLE: {
    text: 'no daemon answers on {socket}',
    fix: 'Start it with npm start or systemctl start sallyport, or name its configuration with --config.',
    usage: false,
  },
  SP_DAEMON_FORBIDDEN: {
    text: 'you have no permission to talk to the daemon on {socket}',
    fix: 'Run this as root, or become a member of the group sallyport.',
    usage: false,
  },
  SP_DAEMON_TIMEOUT: {
    text: 'the daemon on {socket} did not answer within {seconds} s',
    fix: 'Look at its log (journalctl -u sallyport), and restart it if it hangs.',
    usage: false,
  },
  SP_DAEMON_ANSWER: {
    text: 'the daemon on {socket} gave an answer that makes no sense here: {problem}',
    fix: 'Restart the daemon, so that it and this command are of the same version.',
    usage: false,
  },
  SP_DAEMON_STOPPED: {
    text: 'the daemon on {socket} stopped',
    fix: 'Start it with npm start or systemctl start sallyport, then run this again.',
    usage: false,
  },
  SP_OUTPUT_UNWRITABLE: {
    text: 'the output cannot be written: {reason}',
    fix: 'What was asked for may be done all the same: look at sallyport status.',
    usage: false,
  },
  SP_COMMAND_FAILED: {
    text: 'this command failed in a way that it should not: {problem}',
    fix: 'Run it again with SALLYPORT_DEBUG=1 and report what it prints.',
    usage: false,
  },
} as const satisfies ErrorTable;
