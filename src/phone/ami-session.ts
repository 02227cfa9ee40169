import { randomBytes } from 'node:crypto';
import type { PhoneConfig } from '../config/config.js';
import type { CallId, PhoneNumber, RingFailure, Sound } from '../core/phone/link.js';
import { AmiCall } from './ami-call.js';
import { type AmiMessage, readMessage } from './ami-message.js';
import { readCallerId } from './ari-event.js';
import { within } from './deadline.js';
import { MENU_CONTEXT, MENU_EXTENSION, RING_CONTEXT } from './dialplan-names.js';
import { PbxError, type PbxSession, RING_SECONDS, type SessionEvents } from './session.js';
import { softphoneAddress } from './softphone-address.js';
import { UserEvents } from './user-events.js';

/** Where the dialplan hands a call to us: a telephone that was rung goes there when it answers. */
const RING_CHANNEL = 'sallyport-ring-';

/** Milliseconds between pings: one that is not answered in its time ends the connection. */
const PING_EVERY = 5000;
const ADDRESS_LIMIT = 1000;
const MOST_EARLY = 1000;
const MOST_CALLS = 200;

/** What a session asks of its connection. */
export interface AmiActions {
  action(action: Readonly<Record<string, string>>): Promise<AmiMessage>;
  close(): void;
}

/** One connection to AMI: calls that the dialplan has handed over by AGI(agi:async), each with a queue of commands. */
export class AmiSession implements PbxSession {
  readonly #events: SessionEvents;
  /** Undefined where nobody listens to them. */
  readonly #userEvents: UserEvents | undefined;
  readonly #calls = new Map<CallId, { readonly call: AmiCall; readonly channel: string }>();
  /** By channel: the ring it was made for. */
  readonly #rings = new Map<string, string>();
  readonly #left: string[] = [];
  #connection: AmiActions | undefined;
  #pings: NodeJS.Timeout | undefined;
  #isOver = false;
  /** What happened before somebody listened. */
  #early: unknown[] | undefined = [];

  constructor(events: SessionEvents, { userEvents }: Pick<PhoneConfig['ami'], 'userEvents'>) {
    this.#events = events;
    this.#userEvents = userEvents ? new UserEvents() : undefined;
  }

  /** What comes on the connection, as the library has read it. Anything may come, and nothing is thrown. */
  receive(event: unknown): void {
    if (this.#early === undefined) this.#take(event);
    else if (this.#early.length < MOST_EARLY && isOurs(readMessage(event))) this.#early.push(event);
  }

  /** The connection has ended. */
  closed(): void {
    this.#lost(new PbxError('unreachable', 'the connection to Asterisk has ended'));
  }

  /** Speaks on a connection that is logged in. */
  async open(connection: AmiActions): Promise<void> {
    this.#connection = connection;
    // Digits of other calls are nothing to us.
    await connection.action({ action: 'Events', eventmask: this.#userEvents ? 'agi,call,user' : 'agi,call' });
    this.#pings = setInterval(() => void this.#ask({ action: 'Ping' }).catch(() => undefined), PING_EVERY);
  }

  listen(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#take(event);
  }

  play(call: CallId, turn: number, sounds: readonly Sound[]): void {
    this.#calls.get(call)?.call.play(turn, sounds);
  }

  stopPlay(call: CallId, turn: number): void {
    this.#calls.get(call)?.call.stopPlay(turn);
  }

  hangUp(call: CallId): void {
    this.#calls.get(call)?.call.hangUp();
  }

  ring(ring: string, number: PhoneNumber): void {
    const channelid = `${RING_CHANNEL}${randomBytes(8).toString('hex')}`;
    this.#rings.set(channelid, ring);
    const action = {
      action: 'Originate',
      // Both halves stay (/n): the far one is in the dialplan, the near one comes to us.
      channel: `Local/${number}@${RING_CONTEXT}/n`,
      context: MENU_CONTEXT,
      exten: MENU_EXTENSION,
      priority: '1',
      timeout: String(RING_SECONDS * 1000),
      async: 'true',
      channelid,
      otherchannelid: `${channelid}-far`,
    };
    this.#ask(action).catch(() => this.#ringOver(channelid, 'unreachable'));
  }

  /** The channels of the calls that it left as it was closed. */
  get left(): readonly string[] {
    return this.#left;
  }

  close(): void {
    this.#isOver = true;
    clearInterval(this.#pings);
    for (const { call, channel } of this.#calls.values()) {
      call.over();
      this.#left.push(channel);
    }
    this.#calls.clear();
    this.#connection?.close();
  }

  #lost(error: PbxError): void {
    if (this.#isOver) return;
    this.close();
    this.#events.onLost(error);
  }

  #take(read: unknown): void {
    const event = readMessage(read);
    if (this.#isOver || !isOurs(event)) return;
    const { uniqueid = '', commandid = '', result = '' } = event;
    const id = uniqueid as CallId;
    switch (event.event) {
      case 'AsyncAGIStart':
        void this.#enter(id, event);
        break;
      case 'AsyncAGIExec':
        this.#calls.get(id)?.call.done(commandid, decode(result).trim());
        break;
      case 'AsyncAGIEnd':
        this.#leave(id);
        break;
      case 'OriginateResponse':
        if (event.response !== 'Success') this.#ringOver(uniqueid, failureOf(event.reason));
        break;
      case 'UserEvent':
        this.#authorize(read);
        break;
    }
  }

  #authorize(event: unknown): void {
    const authorization = this.#userEvents?.take(event);
    if (authorization !== undefined) this.#events.onAuthorize(authorization);
  }

  async #enter(id: CallId, { channel = '', channelstate, calleridnum }: AmiMessage): Promise<void> {
    if (id === '' || channel === '' || this.#calls.has(id) || this.#calls.size >= MOST_CALLS) return;
    // One that we rang in an earlier life: nobody waits for it.
    if (id.startsWith(RING_CHANNEL) && !this.#rings.has(id)) return;
    const ring = this.#rings.get(id) ?? null;
    this.#rings.delete(id);
    const send = (command: string, commandid: string) => {
      this.#ask({ action: 'AGI', channel, command, commandid }).catch(() => this.#leave(id));
    };
    const call = new AmiCall(id, send, {
      onDigit: (digit) => this.#events.onDigit(id, digit),
      onPlayed: (turn) => this.#events.onPlayed(id, turn),
    });
    this.#calls.set(id, { call, channel });
    // What it asks first is worked off before the first wait.
    const asked = ring === null ? softphoneAddress(channel, (expression) => call.read(expression)) : null;
    call.begin(channelstate === '6');
    const address = asked && (await within(asked, ADDRESS_LIMIT, () => new Error('late')).catch(() => null));
    if (this.#calls.get(id)?.call !== call) return;
    this.#events.onCall({ id, callerId: readCallerId(calleridnum), address, ring });
    call.announced();
  }

  #leave(id: CallId): void {
    const known = this.#calls.get(id);
    if (known === undefined) return;
    known.call.over();
    this.#calls.delete(id);
    this.#events.onHangUp(id);
  }

  #ringOver(channel: string, why: RingFailure): void {
    const ring = this.#rings.get(channel);
    if (ring === undefined) return;
    this.#rings.delete(channel);
    if (!this.#isOver) this.#events.onRingFailed(ring, why);
  }

  /** The answer to an action. One that does not come, or that says we may not, is about the whole connection. */
  async #ask(action: Readonly<Record<string, string>>): Promise<AmiMessage> {
    try {
      if (this.#connection === undefined) throw new Error('there is no connection');
      return await this.#connection.action(action);
    } catch (error) {
      if (error instanceof PbxError) this.#lost(error);
      else if (error instanceof Error && /permission denied/i.test(error.message))
        this.#lost(new PbxError('refused', `our AMI user may not do "${action.action}": see write in manager.conf`));
      throw error;
    }
  }
}

function isOurs(message: AmiMessage | undefined): message is AmiMessage {
  const event = message?.event ?? '';
  return event === 'OriginateResponse' || event === 'UserEvent' || event.startsWith('AsyncAGI');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** Asterisk's control frames by their numbers: 5 is BUSY, 8 is CONGESTION. */
function failureOf(reason: string | undefined): RingFailure {
  if (reason === '5') return 'busy';
  return reason === '8' ? 'unreachable' : 'unanswered';
}
