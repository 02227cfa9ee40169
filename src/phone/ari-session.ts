import { randomBytes } from 'node:crypto';
import type { AriClient } from 'ari-client';
import type { CallId, PhoneNumber, RingFailure, Sound } from '../core/phone/link.js';
import { AriCall, type AriChannelActions } from './ari-call.js';
import { type AriChannel, type AriEvent, readAriEvent } from './ari-event.js';
import { watchSockets } from './ari-socket.js';
import { toError, within } from './deadline.js';
import { RING_CONTEXT } from './dialplan-names.js';
import { PbxError, type PbxSession, RING_SECONDS, type SessionEvents } from './session.js';
import { softphoneAddress } from './softphone-address.js';

/** What the ids of channels begin with that we make ourselves. */
export const RING_CHANNEL = 'sallyport-ring-';

/** Milliseconds for the answer to a request; so often over while events come, since a PBX that speaks is not frozen. */
const REQUEST_LIMIT = 3000;
const MOST_LIMITS = 4;
/** Milliseconds between pings; three without an answer, and the PBX is thought to be frozen. */
const PING_EVERY = 3000;
const MOST_UNANSWERED = 3;
const ADDRESS_LIMIT = 1000;
const LONGEST_EVENT = 100_000;
const MOST_EARLY = 1000;
const MOST_CALLS = 200;

/** One connection to ARI: a web socket for events, a request for each thing to be done. */
export class AriSession implements PbxSession {
  readonly #client: AriClient;
  readonly #events: SessionEvents;
  readonly #calls = new Map<CallId, AriCall>();
  /** By channel: the ring it was made for, and how its dialling went. */
  readonly #rings = new Map<string, { readonly ring: string; status: string }>();
  readonly #endSockets: () => void;
  #app = '';
  #pings: NodeJS.Timeout | undefined;
  #unanswered = 0;
  /** Messages that have come. */
  #heard = 0;
  #isOver = false;
  /** What happened before somebody listened. */
  #early: AriEvent[] | undefined = [];
  #rejectOpening: (error: PbxError) => void = () => undefined;

  constructor(client: AriClient, events: SessionEvents) {
    this.#client = client;
    this.#events = events;
    this.#endSockets = watchSockets(client, {
      onMessage: (data) => this.#receive(data),
      onPong: () => {
        this.#unanswered = 0;
      },
    });
  }

  /** Registers the application. */
  async open(app: string): Promise<void> {
    this.#app = app;
    // It would try again by itself, and give up for good after a while: we are quicker, and never give up.
    const onDrop = (error?: Error) => {
      const lost = new PbxError('unreachable', 'the connection to Asterisk has ended', error);
      this.#rejectOpening(lost);
      this.#lost(lost);
    };
    this.#client.on('WebSocketReconnecting', onDrop);
    this.#client.on('WebSocketMaxRetries', onDrop);
    await new Promise<void>((resolve, reject) => {
      this.#rejectOpening = reject;
      this.#client.start(app).then(resolve, reject);
    });
    this.#pings = setInterval(() => this.#ping(), PING_EVERY);
  }

  listen(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#take(event);
  }

  play(call: CallId, turn: number, sounds: readonly Sound[]): void {
    this.#calls.get(call)?.play(turn, sounds);
  }

  stopPlay(call: CallId, turn: number): void {
    this.#calls.get(call)?.stopPlay(turn);
  }

  hangUp(call: CallId): void {
    this.#calls.get(call)?.hangUp();
  }

  ring(ring: string, number: PhoneNumber): void {
    const channelId = `${RING_CHANNEL}${randomBytes(8).toString('hex')}`;
    this.#rings.set(channelId, { ring, status: '' });
    const asked = this.#client.channels.originate({
      // Both halves stay (/n): the far one is in the dialplan, the near one in our application.
      endpoint: `Local/${number}@${RING_CONTEXT}/n`,
      app: this.#app,
      appArgs: `ring,${ring}`,
      channelId,
      otherChannelId: `${channelId}-far`,
      // What is said is recorded at 8 kHz; of all formats Asterisk takes the one of most samples, and computes them.
      formats: 'slin',
      timeout: RING_SECONDS,
    });
    this.#do(asked).catch(() => this.#ringOver(channelId, 'unreachable'));
  }

  close(): void {
    this.#isOver = true;
    clearInterval(this.#pings);
    for (const call of this.#calls.values()) call.over();
    this.#calls.clear();
    this.#endSockets();
  }

  #lost(error: PbxError): void {
    if (this.#isOver) return;
    this.close();
    this.#events.onLost(error);
  }

  #ping(): void {
    if (++this.#unanswered > MOST_UNANSWERED) {
      this.#lost(new PbxError('unreachable', 'Asterisk does not answer any more; is it frozen?'));
      return;
    }
    try {
      this.#client.ping();
    } catch (error) {
      this.#lost(new PbxError('unreachable', 'the connection to Asterisk has ended', error));
    }
  }

  /** Anything may come here, and nothing is thrown. */
  #receive(data: unknown): void {
    this.#heard++;
    this.#unanswered = 0;
    const text = Buffer.isBuffer(data) && data.length <= LONGEST_EVENT ? data.toString('utf8') : '';
    let event: AriEvent | undefined;
    try {
      event = readAriEvent(JSON.parse(text));
    } catch {
      return;
    }
    if (event === undefined) return;
    if (this.#early === undefined) this.#take(event);
    else if (this.#early.length < MOST_EARLY) this.#early.push(event);
  }

  #take(event: AriEvent): void {
    switch (event.kind) {
      case 'entered':
        void this.#enter(event.channel, event.args);
        break;
      case 'left':
        this.#leave(event.channel as CallId);
        break;
      case 'destroyed':
        this.#leave(event.channel as CallId);
        this.#ringOver(event.channel, failureOf(event.cause, this.#rings.get(event.channel)?.status ?? ''));
        break;
      case 'dialled': {
        const ring = this.#rings.get(event.channel);
        if (ring !== undefined && event.status !== '') ring.status = event.status;
        break;
      }
      case 'digit':
        this.#calls.get(event.channel as CallId)?.digit(event.digit);
        break;
      case 'finished':
        this.#calls.get(event.playback.slice(0, event.playback.lastIndexOf('-')) as CallId)?.finished(event.playback);
        break;
      case 'replaced': {
        const problem = `another program has taken the ARI application "${this.#app}" over: give each a name of its own`;
        this.#lost(new PbxError('refused', problem));
        break;
      }
    }
  }

  async #enter(channel: AriChannel, args: readonly string[]): Promise<void> {
    const id = channel.id as CallId;
    if (this.#calls.has(id)) return;
    const ring = this.#rings.get(channel.id)?.ring ?? null;
    // A ring of which we know nothing, or more calls than anybody has: the dialplan was told to hang up after us.
    if ((ring === null && args[0] === 'ring') || this.#calls.size >= MOST_CALLS) {
      this.#do(this.#client.channels.hangup({ channelId: id })).catch(() => undefined);
      return;
    }
    this.#rings.delete(channel.id);
    const call = new AriCall(id, this.#actions, {
      onDigit: (digit) => this.#events.onDigit(id, digit),
      onPlayed: (turn) => this.#events.onPlayed(id, turn),
    });
    this.#calls.set(id, call);
    call.begin(channel.isUp);
    const address = ring === null ? await this.#addressOf(channel) : null;
    if (this.#calls.get(id) !== call) return;
    this.#events.onCall({ id, callerId: channel.callerId, address, ring });
    call.announced();
  }

  async #addressOf({ id, name }: AriChannel) {
    const read = async (variable: string): Promise<string | null> => {
      const answer = await this.#do(this.#client.channels.getChannelVar({ channelId: id, variable }));
      const { value } = (answer ?? {}) as { value?: unknown };
      return typeof value === 'string' ? value : null;
    };
    return await within(softphoneAddress(name, read), ADDRESS_LIMIT, () => new Error('late')).catch(() => null);
  }

  #leave(id: CallId): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.over();
    this.#calls.delete(id);
    this.#events.onHangUp(id);
  }

  #ringOver(channel: string, why: RingFailure): void {
    const ended = this.#rings.get(channel);
    if (ended === undefined) return;
    this.#rings.delete(channel);
    if (!this.#isOver) this.#events.onRingFailed(ended.ring, why);
  }

  readonly #actions: AriChannelActions = {
    play: (channelId, playbackId, sounds) =>
      this.#do(
        this.#client.channels.play({ channelId, playbackId, media: sounds.map((name) => `sound:${name}`).join(',') }),
      ),
    stopPlayback: (playbackId) => this.#do(this.#client.playbacks.stop({ playbackId })),
    answer: (channelId) => this.#do(this.#client.channels.answer({ channelId })),
    hangUp: (channelId) => this.#do(this.#client.channels.hangup({ channelId })),
  };

  /** The answer to a request. One that does not come, or that says we may not, is about the whole connection. */
  async #do(asked: Promise<unknown>): Promise<unknown> {
    try {
      return await this.#answered(asked);
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof PbxError) this.#lost(error);
      else if (/write access denied|forbidden/i.test(error.message))
        this.#lost(new PbxError('refused', 'our ARI user may only read: set read_only = no in ari.conf', error));
      throw error;
    }
  }

  /** Behind a flood of events an answer takes long to be read, and is no less on its way. */
  async #answered(asked: Promise<unknown>, limits = MOST_LIMITS): Promise<unknown> {
    const heard = this.#heard;
    const late = () => new PbxError('unreachable', 'Asterisk does not answer');
    try {
      return await within(asked, REQUEST_LIMIT, late);
    } catch (error) {
      if (!(error instanceof PbxError) || heard === this.#heard || limits === 1) throw error;
      return await this.#answered(asked, limits - 1);
    }
  }
}

/** From what Asterisk says why a channel has ended (ITU-T Q.850), and how its dialling went. The first is often lost on the way. */
function failureOf(cause: number, status: string): RingFailure {
  if (status === 'BUSY' || cause === 17 || cause === 21) return 'busy';
  if (status === 'CONGESTION' || status === 'CHANUNAVAIL') return 'unreachable';
  return [0, 16, 18, 19].includes(cause) ? 'unanswered' : 'unreachable';
}
