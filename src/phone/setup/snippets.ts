import type { PhoneConfig } from '../../config/config.js';
import { MENU_CONTEXT, MENU_EXTENSION, RING_CONTEXT } from '../dialplan-names.js';
import { AUTHORIZE_EVENT } from '../user-events.js';

/** What is in the files that belong to us alone, below Asterisk's folder. */
export interface SnippetOptions {
  readonly phone: Pick<PhoneConfig, 'extension' | 'driver' | 'language' | 'ari' | 'ami'>;
  /** The context from which phones dial. */
  readonly context: string;
}

/** The folder of our own files, below Asterisk's. */
export const OWN_FOLDER = 'sallyport';

/** How long a call may last, in seconds: what ends it where the gateway died in the middle. The gateway's own limit is shorter. */
const LONGEST_CALL = 180;
/** How long a call waits for a gateway that may not be there; one that takes the call raises it. AMI alone needs this. */
const LONGEST_WAIT = 8;

/** What every file begins with that an installation writes. */
export const HEAD = `; Written by \`sallyport phone install\`, which writes it anew: change the configuration of Sallyport instead.
`;

/**
 * The dialplan. Nothing that a caller controls (number, name, what is dialled) is part of an application's arguments, and no
 * digit of the menu passes through here.
 */
export function dialplanText({ phone, context }: SnippetOptions): string {
  const menu = phone.driver === 'ari' ? ariMenu(phone) : amiMenu(phone);
  return `; The only door to the menu. Put it nowhere that a trunk can reach.
[${context}]
exten => ${phone.extension},1,Goto(${MENU_CONTEXT},${MENU_EXTENSION},1)

[${MENU_CONTEXT}]
${menu}
; How the gateway rings somebody back, whose number it has from its administrator.
[${RING_CONTEXT}]
exten => _[0-9*#+]!,1,Goto(${context.replace(/^from-internal-custom$/, 'from-internal')},\${EXTEN},1)
`;
}

function ariMenu({ language, ari }: SnippetOptions['phone']): string {
  return `; A gateway that dies in the middle of a call leaves silence: the time limit ends it.
exten => ${MENU_EXTENSION},1,Set(TIMEOUT(absolute)=${LONGEST_CALL})
 same => n,Answer()
 same => n,Set(CHANNEL(language)=${language})
 same => n,Stasis(${ari.app})
 same => n,GotoIf($["\${STASISSTATUS}" = "SUCCESS"]?over)
 same => n,Playback(sallyport/not-available)
 same => n(over),Hangup()
exten => T,1,Hangup()
`;
}

function amiMenu({ language }: SnippetOptions['phone']): string {
  return `; A gateway that takes the call raises the time limit; where none does, the caller hears so.
exten => ${MENU_EXTENSION},1,Set(TIMEOUT(absolute)=${LONGEST_WAIT})
 same => n,Answer()
 same => n,Set(CHANNEL(language)=${language})
 same => n,AGI(agi:async)
 same => n,Hangup()
exten => T,1,Playback(sallyport/not-available)
 same => n,Hangup()
`;
}

/** The user of ARI. ARI knows no finer right than to write or not, and answering a call is writing. */
export function ariText({ username }: PhoneConfig['ari'], secret: string): string {
  return `[${username}]
type = user
read_only = no
password = ${secret}
`;
}

/** Lets the user events through that are for us, and no others. A regular expression for the whole of an event. */
export const USER_EVENT_FILTER = `^Event: UserEvent.*UserEvent: ${AUTHORIZE_EVENT}`;

/**
 * The user of AMI. \`agi\` runs the menu; \`originate\` rings somebody back, and \`call\` says what came of it. Of all calls of
 * the PBX it hears of its own alone; \`user\` is there only where the dialplan may let addresses in.
 */
export function amiText({ username, userEvents }: PhoneConfig['ami'], secret: string): string {
  return `[${username}]
secret = ${secret}
deny = 0.0.0.0/0.0.0.0
deny = ::/0
permit = 127.0.0.1/255.255.255.255
permit = ::1/128
read = agi,call${userEvents ? ',user' : ''}
write = agi,originate
eventfilter = Event: AsyncAGI
eventfilter = Event: OriginateResponse
${userEvents ? `eventfilter = ${USER_EVENT_FILTER}\n` : ''}writetimeout = 1000
`;
}

/** What switches on ARI's HTTP server, or AMI, where it is off: for this machine alone. */
export function enableText(port: number, portKey: 'bindport' | 'port', isFirst: boolean): string {
  return `[general]${isFirst ? '' : '(+)'}
enabled = yes
bindaddr = 127.0.0.1
${portKey} = ${port}
`;
}
