export interface SipPhoneOptions {
  readonly local?: string;
  readonly port?: number;
  readonly server: string;
  readonly serverPort?: number;
  readonly user: string;
  readonly password?: string;
  readonly whenCalled?: WhenCalled;
}

export type WhenCalled = 'answer' | 'ring' | 'busy';

export interface KeyTimes {
  /** Milliseconds, each a multiple of 20. */
  readonly tone?: number;
  readonly gap?: number;
}

export declare class SipPhone {
  constructor(options: SipPhoneOptions);
  readonly port: number;
  readonly local: string;
  open(): Promise<void>;
  register(seconds?: number): Promise<number>;
  call(number: string, options?: { readonly name?: string; readonly as?: string }): SipCall;
  whenCalled(what: WhenCalled): void;
  /** Rejects where none comes for a while. */
  nextCall(): Promise<SipCall>;
  close(): void;
}

export declare class SipCall {
  readonly state: 'calling' | 'ringing' | 'up' | 'ended';
  readonly answered: Promise<void>;
  readonly ended: Promise<'us' | 'them' | 'refused' | 'closed'>;
  readonly from: string;
  readonly received: number;
  readonly heard: number;
  readonly said: readonly string[];
  /** Resolves with when the last key was released, in milliseconds of the machine's monotonic clock. */
  press(digits: string, times?: KeyTimes): Promise<number | undefined>;
  pickUp(): Promise<void>;
  hangUp(): Promise<void>;
}
