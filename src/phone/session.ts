import type { CallId, PhoneHandlers, PhoneNumber, Sound } from '../core/phone/link.js';

/**
 * Why there is no connection. What was `refused` is mended by a person only, so it is tried again slowly; what is `unready`
 * lacks what we need, as it does while it starts.
 */
export class PbxError extends Error {
  readonly kind: 'refused' | 'unready' | 'unreachable';

  /** @param message in plain words, with what to do next; shown in `status` */
  constructor(kind: PbxError['kind'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'PbxError';
    this.kind = kind;
  }
}

/** One connection to the PBX, from log-in to its loss. Its functions neither throw nor wait. */
export interface PbxSession {
  /** From now on it tells what happens, beginning with what has happened already. */
  listen(): void;
  play(call: CallId, turn: number, sounds: readonly Sound[]): void;
  /** A digit has come before the play of that turn could begin: it need not. */
  stopPlay(call: CallId, turn: number): void;
  hangUp(call: CallId): void;
  ring(ring: string, number: PhoneNumber): void;
  /** Leaves; what is still on its way is told to nobody. Calls are not hung up. */
  close(): void;
}

/** What a session tells. A digit is told after its call, a hang-up after all digits. */
export interface SessionEvents extends PhoneHandlers {
  /** Told once; nothing comes after it. */
  onLost(error: PbxError): void;
}

/** A way to speak to a PBX. */
export interface PbxDriver {
  /**
   * Connects, hangs up what an earlier connection left behind, and listens.
   * @throws PbxError and nothing else, within a bound
   */
  connect(events: SessionEvents): Promise<PbxSession>;
}

/** A telephone rings so long, in seconds, before nobody is thought to be there. */
export const RING_SECONDS = 30;
/** What we may hand to a PBX: a sound, a number, an id of a ring. Anything else is not handed on. */
export const SOUND = /^[a-z0-9_-]+(\/[a-z0-9_-]+)*$/i;
export const NUMBER = /^[0-9*#+]{1,32}$/;
export const RING_ID = /^[A-Za-z0-9_-]{1,64}$/;
