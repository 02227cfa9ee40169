import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../src/core/address.ts';
import { CallbackMenu } from '../../src/core/phone/callback-menu.ts';
import type { MenuEffect, MenuEvent, Offer } from '../../src/core/phone/dialogue.ts';
import type { Digit } from '../../src/core/phone/link.ts';
import { MENU_LIMITS } from '../../src/core/phone/menu.ts';
import { hours, seconds } from '../../src/core/time.ts';
import { service } from '../support/core-arbitraries.ts';
import { type Answers, PhoneCaller } from '../support/phone-caller.ts';

const OFFER: Offer = { target: parseTarget('203.0.113.7'), services: [service('ssh')], ttl: hours(1) };
const PIN = '987654';
const VERIFIED: MenuEvent = { kind: 'verified', waiting: 'request', needsClaim: true };

const REQUEST = 'This is your gateway. Somebody asks to be let in from this address. 203.0.113.7';
const WHAT = 'It may use ssh for 1h ';
const CHOICES =
  'If it is you, enter your PIN, followed by the pound key. If it is not you, press 9 and everything of yours is closed.';

interface Gateway {
  readonly fails?: readonly string[];
  readonly triesLeft?: number;
}

function gateway({ fails = [], triesLeft = 9 }: Gateway): Answers {
  let left = triesLeft;
  return (request): MenuEvent | undefined => {
    if (fails.includes(request.kind)) return { kind: 'failed' };
    if (request.kind === 'verify') return request.pin === PIN ? VERIFIED : { kind: 'denied', isLast: --left <= 0 };
    if (request.kind === 'grant') return { kind: 'granted', ttl: hours(1) };
    if (request.kind === 'report') return { kind: 'closed' };
    throw new Error(`nobody asks for ${request.kind} when they are rung`);
  };
}

const rung = (behind: Gateway = {}) => new PhoneCaller(new CallbackMenu({ offer: OFFER }), gateway(behind)).begin();
const kinds = (caller: PhoneCaller) => caller.requests.map(({ kind }) => kind);

describe('who is rung', () => {
  it('hears who asks for what, and then what to press', () => {
    const caller = rung().listen();
    expect(caller.said).toEqual([REQUEST, WHAT + CHOICES]);
  });

  it('lets in by the PIN, and hears for how long', () => {
    const caller = rung().listen().press(`${PIN}#`).listen();
    expect(kinds(caller)).toEqual(['verify', 'grant']);
    expect(caller.requests[0]).toEqual({ kind: 'verify', account: '', pin: PIN });
    expect(caller.last).toBe('Access granted, for 1h Goodbye.');
    expect(caller.state).toBe('over');
  });

  it('lets nobody in by digits that came before the address was heard to its end', () => {
    const caller = rung().press(`${PIN}#`);
    expect([caller.last, caller.requests]).toEqual([REQUEST, []]);
    caller.listen();
    expect([caller.last, caller.requests]).toEqual([WHAT + CHOICES, []]);
    caller.silence().silence().silence().listen();
    expect([kinds(caller), caller.state]).toEqual([[], 'over']);
  });

  it('closes everything by 9 and a moment of silence', () => {
    const caller = rung().listen().press('9');
    expect([kinds(caller), caller.waits.at(-1)]).toEqual([[], seconds(3)]);
    caller.silence().listen();
    expect(kinds(caller)).toEqual(['report']);
    expect(caller.last).toBe('Everything of yours is closed, and an alarm is raised. Goodbye.');
    expect(caller.state).toBe('over');
  });

  it('closes everything by 9 and the pound key', () => {
    expect(kinds(rung().listen().press('9#'))).toEqual(['report']);
  });

  it('is not taken for somebody else where the PIN begins with 9', () => {
    const caller = rung().listen().press('9').press('87654#');
    expect(kinds(caller)).toEqual(['verify', 'grant']);
  });

  it('may report after a wrong PIN', () => {
    const caller = rung().listen().press('111111#').listen().press('9#').listen();
    expect(kinds(caller)).toEqual(['verify', 'report']);
  });

  it('has three tries', () => {
    const caller = rung();
    for (const pin of ['111111#', '222222#', '333333#']) caller.listen().press(pin);
    caller.listen();
    expect(kinds(caller)).toEqual(['verify', 'verify', 'verify']);
    expect([caller.last, caller.state]).toEqual(['Login incorrect. Goodbye.', 'over']);
  });

  it('has no more tries than the gateway gives', () => {
    const caller = rung({ triesLeft: 1 }).listen().press('111111#').listen();
    expect([kinds(caller), caller.last, caller.state]).toEqual([['verify'], 'Login incorrect. Goodbye.', 'over']);
  });

  it('and says nothing is asked twice more, and then no more', () => {
    const caller = rung().listen().silence().silence().silence().listen();
    expect(caller.said).toEqual([REQUEST, WHAT + CHOICES, CHOICES, CHOICES, 'Goodbye.']);
    expect([caller.requests, caller.state]).toEqual([[], 'over']);
  });

  it.each(['verify', 'grant', 'report'])('hears that it did not work where the gateway fails: %s', (kind) => {
    const caller = rung({ fails: [kind] })
      .listen()
      .press(kind === 'report' ? '9#' : `${PIN}#`)
      .listen();
    expect([caller.last, caller.state]).toEqual(['That did not work. Please try again later. Goodbye.', 'over']);
  });

  it('leaves no trace of what was pressed', () => {
    const menu = new CallbackMenu({ offer: OFFER });
    new PhoneCaller(menu, () => undefined).begin().listen().press('314159');
    expect(inspect(menu, { depth: 9, showHidden: true })).not.toContain('314159');
  });
});

describe('whatever happens in a call to who was rung', () => {
  const digit = fc.constantFrom<Digit[]>('0', '1', '9', '9', '*', '#', '#');
  const event: fc.Arbitrary<MenuEvent> = fc.oneof(
    { weight: 6, arbitrary: digit.map((one): MenuEvent => ({ kind: 'digit', digit: one })) },
    { weight: 3, arbitrary: fc.constant<MenuEvent>({ kind: 'played' }) },
    { weight: 2, arbitrary: fc.constant<MenuEvent>({ kind: 'silence' }) },
    { weight: 1, arbitrary: fc.constant(VERIFIED) },
    { weight: 1, arbitrary: fc.boolean().map((isLast): MenuEvent => ({ kind: 'denied', isLast })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<MenuEvent[]>(
        { kind: 'began' },
        { kind: 'granted', ttl: hours(1) },
        { kind: 'failed' },
        { kind: 'closed' },
        { kind: 'timed-out' },
        { kind: 'hung-up' },
        { kind: 'no-claim' },
      ),
    },
  );

  it('nothing is let in before a PIN was right, and after the end nothing is done', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const menu = new CallbackMenu({ offer: OFFER });
        let isOver = false;
        let asked: MenuEffect['kind'] | undefined;
        let isVerified = false;
        for (const one of [{ kind: 'began' } as MenuEvent, ...events]) {
          if (asked === 'verify' && one.kind === 'verified') isVerified = true;
          const effects = menu.handle(one);
          if (isOver) expect(effects).toEqual([]);
          for (const { kind } of effects) {
            if (kind === 'grant') expect(isVerified).toBe(true);
            if (kind === 'verify' || kind === 'grant' || kind === 'report') asked = kind;
          }
          if (one.kind === 'hung-up' || effects.some(({ kind }) => kind === 'hang-up')) isOver = true;
        }
      }),
    );
  });

  it('it comes to an end', () => {
    fc.assert(
      fc.property(fc.infiniteStream(digit), (digits) => {
        const menu = new CallbackMenu({ offer: OFFER });
        const caller = new PhoneCaller(menu, gateway({})).begin();
        for (let n = 0; caller.state !== 'over' && n < 2 * MENU_LIMITS.digits; n++) {
          if (n % 3 === 0) caller.listen();
          caller.press(String(digits.next().value));
        }
        expect(caller.listen().state).toBe('over');
      }),
      { numRuns: 30 },
    );
  });
});
