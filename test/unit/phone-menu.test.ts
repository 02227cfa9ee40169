import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseAddress, parseTarget } from '../../src/core/address.ts';
import type { GrantId } from '../../src/core/grants/grant.ts';
import type { MenuEvent, Offer, OpenGrant, Waiting } from '../../src/core/phone/dialogue.ts';
import { MENU_LIMITS, Menu } from '../../src/core/phone/menu.ts';
import { type Duration, hours, minutes, seconds } from '../../src/core/time.ts';
import { service } from '../support/core-arbitraries.ts';
import { type Answers, PhoneCaller } from '../support/phone-caller.ts';

const OWN = parseAddress('198.51.100.20');
const LAPTOP = parseAddress('2001:db8::7');
const grantId = (text: string) => text as GrantId;
const LOGIN = '1001#123456#';

const ENTER_ACCOUNT = 'Please enter your account number, followed by the pound key.';
const ENTER_PIN = 'Please enter your PIN, followed by the pound key.';
const ENTER_ADDRESS = 'Please enter the address, with the star key for each dot, followed by the pound key.';
const ENTER_CODE = 'Please enter the six digits of the pairing code.';
const MENU =
  'To let in an address, press 1. To use a pairing code, press 2. To hear what is open for you, press 3. To end this call, press star.';
/** What is left of it for a user with an approval. */
const CLAIMS_ALONE =
  'To use a pairing code, press 2. To hear what is open for you, press 3. To end this call, press star.';
const ABOUT_TO = 'You are about to let in this address.';
const CHOICES = 'Press 1 to confirm, 2 to start again, or star to cancel.';
const UNFIT = 'That is not an address that can be let in.';
const GOODBYE = 'Goodbye.';

const offer = (address: string, ttl: Duration = hours(1)): Offer => ({
  target: parseTarget(address),
  services: [service('sip'), service('web')],
  ttl,
});
const readBack = (address: string) => `${address} It may use sip+web for 1h ${CHOICES}`;

interface Gateway {
  waiting?: Offer;
  code?: string;
  needsClaim?: boolean;
  open?: OpenGrant[];
  /** Kinds of requests that are kept waiting. */
  slow?: readonly string[];
  fails?: readonly string[];
}

/** A gateway with one account, 1001 with the PIN 123456, which lets in all but what begins with 0 or 127. */
function gateway({ waiting, code, needsClaim = false, open = [], slow = [], fails = [] }: Gateway = {}): Answers {
  let tries = 0;
  const waits: Waiting = waiting !== undefined ? 'request' : code !== undefined ? 'code' : 'nothing';
  return (request): MenuEvent | undefined => {
    if (slow.includes(request.kind)) return undefined;
    if (fails.includes(request.kind)) return { kind: 'failed' };
    switch (request.kind) {
      case 'verify':
        if (request.account === '1001' && request.pin === '123456')
          return { kind: 'verified', waiting: waits, needsClaim };
        return { kind: 'denied', isLast: ++tries === 3 };
      case 'propose':
        return /^(0|127)\./.test(request.address)
          ? { kind: 'unfit' }
          : { kind: 'proposed', offer: offer(request.address) };
      case 'find-claim':
        if (request.code === null)
          return waiting === undefined ? { kind: 'no-claim' } : { kind: 'proposed', offer: waiting };
        return request.code === code ? { kind: 'proposed', offer: offer(LAPTOP) } : { kind: 'no-claim' };
      case 'grant':
        return { kind: 'granted', ttl: hours(1) };
      case 'list-open':
        return { kind: 'open', grants: open };
      case 'close':
      case 'report':
        return { kind: 'closed' };
    }
  };
}

function call(behind: Gateway = {}, { address = null as typeof OWN | null, limits = MENU_LIMITS } = {}) {
  return new PhoneCaller(new Menu({ address }, limits), gateway(behind)).begin();
}

const inMenu = (behind: Gateway = {}, options = {}) => call(behind, options).press(LOGIN);
const kinds = (caller: PhoneCaller) => caller.requests.map(({ kind }) => kind);

describe('who calls', () => {
  it('is asked for the account, then for the PIN, and hears the menu', () => {
    const caller = call();
    expect(caller.last).toBe(ENTER_ACCOUNT);
    expect(caller.reply('1001#').last).toBe(ENTER_PIN);
    expect(caller.reply('123456#').last).toBe(MENU);
    expect(caller.requests).toEqual([{ kind: 'verify', account: '1001', pin: '123456' }]);
  });

  it.each([
    ['an unknown account', '9999#123456#'],
    ['a wrong PIN', '1001#654321#'],
    ['a PIN that is too short', '1001#12#'],
  ])('hears the same for %s, three times, and then good-bye', (_, wrong) => {
    const caller = call();
    for (let tries = 1; tries <= 2; tries++) {
      expect(caller.reply(wrong).last).toBe('Login incorrect.');
      expect(caller.listen().last).toBe(ENTER_ACCOUNT);
    }
    expect(caller.reply(wrong).last).toBe('Login incorrect. Goodbye.');
    expect(caller.listen().state).toBe('over');
    expect(caller.said.filter((one) => one === ENTER_PIN)).toHaveLength(3);
    expect(kinds(caller)).toEqual(['verify', 'verify', 'verify']);
  });

  it('gets in with the third try', () => {
    expect(call().press('1#1#').reply('2#2#').reply(LOGIN).last).toBe(MENU);
  });

  it('has three tries even where the gateway would allow more', () => {
    const caller = new PhoneCaller(new Menu({ address: null }), () => ({ kind: 'denied', isLast: false })).begin();
    for (let tries = 0; tries < 5; tries++) caller.reply(LOGIN);
    expect(kinds(caller)).toHaveLength(3);
    expect(caller.listen().state).toBe('over');
  });

  it('has no try left where the gateway says so', () => {
    const caller = new PhoneCaller(new Menu({ address: null }), () => ({ kind: 'denied', isLast: true })).begin();
    expect(caller.press(LOGIN).last).toBe('Login incorrect. Goodbye.');
    expect(caller.listen().state).toBe('over');
  });

  it('does not spend the next try on what is still being typed when the verdict comes', () => {
    const caller = call().press('1001#000000#');
    caller.press('1203*0*113*7#1').press('#5#');
    expect(kinds(caller)).toEqual(['verify']);
    expect(caller.listen().last).toBe(ENTER_ACCOUNT);
    expect(caller.reply(LOGIN).last).toBe(MENU);
  });

  it('begins an account or a PIN again with the star key', () => {
    const caller = call().press('99*1001#77*123456#');
    expect(caller.requests).toEqual([{ kind: 'verify', account: '1001', pin: '123456' }]);
  });

  it('does not pass with an account or a PIN that only begins right', () => {
    const caller = call({ slow: ['verify'] }).press(`${'1'.repeat(25)}#${'2'.repeat(50)}#`);
    expect(caller.requests).toEqual([{ kind: 'verify', account: '1'.repeat(21), pin: '2'.repeat(33) }]);
  });

  it('is asked again for nothing but a pound key', () => {
    expect(call().press('#').last).toBe(ENTER_ACCOUNT);
    expect(call().press('1001##').last).toBe(ENTER_PIN);
  });

  it('is asked for patience while the verdict takes long, and told where it never comes', () => {
    const caller = call({ slow: ['verify'] }).press(LOGIN);
    expect(caller.silence().last).toBe('One moment, please.');
    while (caller.state !== 'over' && caller.last === 'One moment, please.') caller.silence();
    expect(caller.last).toBe(`That did not work. Please try again later. ${GOODBYE}`);
    expect(caller.listen().state).toBe('over');
    expect(caller.said.length).toBeLessThan(15);
    expect(caller.waits.slice(-8).reduce((all, one) => all + one)).toBeGreaterThan(seconds(20));
    expect(caller.event({ kind: 'verified', waiting: 'nothing', needsClaim: false }).state).toBe('over');
  });
});

describe('an address that is typed', () => {
  it('is read back with services and time, and let in by 1', () => {
    const caller = inMenu().reply('1');
    expect(caller.last).toBe(ENTER_ADDRESS);
    expect(caller.reply('203*0*113*7#').last).toBe(ABOUT_TO);
    expect(caller.listen().last).toBe(readBack('203.0.113.7'));
    expect(kinds(caller)).not.toContain('grant');
    expect(caller.press('1').last).toBe(`Access granted, for 1h ${MENU}`);
    expect(caller.requests.slice(1)).toEqual([{ kind: 'propose', address: '203.0.113.7' }, { kind: 'grant' }]);
  });

  it('can be started again with 2, and the second one is let in', () => {
    const caller = inMenu().reply('1').reply('203*0*113*7#').reply('2');
    expect(caller.last).toBe(ENTER_ADDRESS);
    caller.reply('203*0*113*8#').reply('1');
    expect(kinds(caller)).toEqual(['verify', 'propose', 'propose', 'grant']);
  });

  it('can be cancelled with the star key', () => {
    const caller = inMenu().reply('1').reply('203*0*113*7#').reply('*');
    expect(caller.last).toBe(`Cancelled. ${MENU}`);
    expect(kinds(caller)).toEqual(['verify', 'propose']);
  });

  it.each([
    '256*1*1*1#',
    '1*2*3#',
    '***************#',
    '****************************#',
    '0*0*0*0#',
    '127*0*0*1#',
    '1*2*3*4*5#',
    '01*2*3*4#',
    '203*0*113*70000000#',
    '1234567890123456789#',
    '1*#',
  ])('is asked for again where it is none that can be let in: %s', (keys) => {
    const caller = inMenu().reply('1').reply(keys);
    expect(caller.last).toBe(`${UNFIT} ${ENTER_ADDRESS}`);
    expect(caller.reply('203*0*113*7#').reply('1').last).toBe(`Access granted, for 1h ${MENU}`);
  });

  it('is not asked for without end', () => {
    const caller = inMenu().reply('1');
    for (let times = 0; times < MENU_LIMITS.mistakes; times++) expect(caller.reply('1#').last).toContain(ENTER_ADDRESS);
    expect(caller.reply('1#').last).toBe(`${UNFIT} ${GOODBYE}`);
    expect(caller.listen().state).toBe('over');
  });

  it('is not looked at more often in a call than the limit', () => {
    const caller = inMenu().reply('1');
    for (let times = 0; times < 30; times++) caller.reply('203*0*113*7#').reply('2');
    expect(caller.listen().state).toBe('over');
    expect(kinds(caller).filter((kind) => kind === 'propose')).toHaveLength(MENU_LIMITS.offers);
  });

  it('is told where it could not be let in after all', () => {
    const caller = inMenu({ fails: ['grant'] })
      .reply('1')
      .reply('203*0*113*7#')
      .reply('1');
    expect(caller.last).toBe(`That did not work. Please try again later. ${MENU}`);
  });
});

describe('digits typed ahead', () => {
  it('answer every question up to the read-back', () => {
    const caller = call().press(`${LOGIN}1203*0*113*7#`);
    expect(caller.last).toBe(ABOUT_TO);
    expect(caller.reply('1').last).toBe(`Access granted, for 1h ${MENU}`);
  });

  it('are kept while the verdict is awaited, as many as are worth it', () => {
    const caller = call({ slow: ['verify'] }).press(`${LOGIN}1203*0*113*7#`);
    caller.answer({ kind: 'verified', waiting: 'nothing', needsClaim: false });
    expect(caller.requests.at(-1)).toEqual({ kind: 'propose', address: '203.0.113.7' });

    const many = call({ slow: ['verify'] }).press(`${LOGIN}${'3'.repeat(200)}`);
    many.answer({ kind: 'verified', waiting: 'nothing', needsClaim: false });
    expect(many.state).not.toBe('over');
  });

  it.each(['1', '11', '1#1', '111111111111'])('confirm no read-back that has not begun: %s', (ahead) => {
    const slow = call({ slow: ['propose'] }).press(`${LOGIN}1203*0*113*7#${ahead}`);
    slow.answer({ kind: 'proposed', offer: offer('203.0.113.7') });
    const quick = call().press(`${LOGIN}1203*0*113*7#${ahead}`);
    for (const caller of [slow, quick]) {
      expect(caller.last).toBe(ABOUT_TO);
      expect(caller.listen().last).toBe(readBack('203.0.113.7'));
      expect(kinds(caller)).not.toContain('grant');
    }
  });

  it('are dropped where something is told that was not known when they were typed', () => {
    const caller = call({ slow: ['verify'] }).press(`${LOGIN}7123`);
    caller.answer({ kind: 'verified', waiting: 'nothing', needsClaim: false });
    expect(caller.last).toBe(`Invalid choice. ${MENU}`);
  });

  it('end a read-back before its end once the address is being read', () => {
    const caller = inMenu().reply('1').reply('203*0*113*7#');
    caller.event({ kind: 'played' });
    expect(caller.last).toBe(readBack('203.0.113.7'));
    expect(caller.press('1').last).toContain('Access granted');
  });
});

describe('a pairing code', () => {
  it('is taken with its sixth digit, and its address is read back', () => {
    const caller = inMenu({ code: '402913' }).reply('2');
    expect(caller.last).toBe(ENTER_CODE);
    expect(caller.reply('402913').last).toBe(ABOUT_TO);
    expect(caller.listen().last).toBe(readBack('2001:db8::7'));
    expect(caller.press('1').last).toContain('Access granted');
    expect(caller.requests.slice(1)).toEqual([{ kind: 'find-claim', code: '402913' }, { kind: 'grant' }]);
  });

  it('may end with a pound key, which does no harm', () => {
    const right = inMenu({ code: '402913' }).reply('2').reply('402913#');
    expect(right.last).toBe(ABOUT_TO);
    expect(right.listen().last).toBe(readBack('2001:db8::7'));
    const wrong = inMenu({ code: '402913' }).reply('2').reply('111111#');
    expect(wrong.last).toBe(`No request with that code is waiting. ${ENTER_CODE}`);
  });

  it.each(['111111', '40291#', '4#'])('is asked for again where there is no such claim: %s', (keys) => {
    const caller = inMenu({ code: '402913' }).reply('2').reply(keys);
    expect(caller.last).toBe(`No request with that code is waiting. ${ENTER_CODE}`);
    expect(caller.reply('402913').reply('1').last).toContain('Access granted');
  });

  it('cannot be guessed in a call', () => {
    const caller = inMenu({ code: '402913' }).reply('2');
    for (let times = 0; times < 50; times++) caller.reply(String(100_000 + times));
    expect(caller.listen().state).toBe('over');
    expect(kinds(caller).filter((kind) => kind === 'find-claim').length).toBeLessThanOrEqual(MENU_LIMITS.mistakes + 1);
  });

  it('is started again with 2', () => {
    const caller = inMenu({ code: '402913' }).reply('2').reply('402913').reply('2');
    expect(caller.last).toBe(ENTER_CODE);
  });

  it('does not let in what may not be let in', () => {
    const caller = call({ slow: ['find-claim'] }).press(`${LOGIN}2402913`);
    expect(caller.answer({ kind: 'unfit' }).last).toBe(`${UNFIT} ${MENU}`);
  });
});

describe('an address that waits for a yes', () => {
  const WAITING = offer('203.0.113.9', minutes(30));

  it('is offered in place of the code', () => {
    const caller = inMenu({ waiting: WAITING });
    expect(caller.last).toContain('To allow the request that is waiting, press 2.');
    caller.reply('2');
    expect(caller.last).toBe(ABOUT_TO);
    expect(caller.listen().last).toBe(`203.0.113.9 It may use sip+web for 30m ${CHOICES}`);
    expect(caller.press('1').last).toContain('Access granted');
    expect(caller.requests.slice(1)).toEqual([{ kind: 'find-claim', code: null }, { kind: 'grant' }]);
  });

  it.each(['2', '*'])('can be refused with %s, and then a code is asked for', (no) => {
    const caller = inMenu({ waiting: WAITING }).reply('2').reply(no);
    if (no === '*') caller.reply('2');
    expect(caller.last).toBe(ENTER_CODE);
    expect(kinds(caller)).not.toContain('grant');
  });

  it('may be gone by then', () => {
    const caller = inMenu({ waiting: WAITING, slow: ['find-claim'] })
      .reply('2')
      .answer({ kind: 'no-claim' });
    expect(caller.last).toBe(`No request is waiting. ${MENU}`);
  });
});

describe('the address of the phone itself', () => {
  it('is offered where it is known, and let in by 4 and 1', () => {
    const caller = inMenu({}, { address: OWN });
    expect(caller.last).toContain('To let in the address that you are calling from, press 4.');
    expect(caller.reply('4').listen().last).toBe(readBack(OWN));
    expect(caller.press('1').last).toContain('Access granted');
    expect(caller.requests.slice(1)).toEqual([{ kind: 'propose', address: OWN }, { kind: 'grant' }]);
  });

  it('is neither offered nor accepted where it is not known', () => {
    const caller = inMenu();
    expect(caller.last).not.toContain('press 4');
    expect(caller.reply('4').last).toBe(`Invalid choice. ${MENU}`);
    expect(kinds(caller)).toEqual(['verify']);
  });

  it('leads back to the menu where it cannot be let in, or is not wanted', () => {
    const unfit = inMenu({}, { address: parseAddress('127.0.0.1') }).reply('4');
    expect(unfit.last).toContain(`${UNFIT} To let in an address`);
    for (const no of ['2', '*']) {
      const caller = inMenu({}, { address: OWN }).reply('4').reply(no);
      expect(caller.last).toContain('To let in an address, press 1.');
      expect(kinds(caller)).not.toContain('grant');
    }
  });
});

describe('a caller with an approval', () => {
  const WAITING = offer('203.0.113.9', minutes(30));
  const NOTHING = `No request is waiting. ${CLAIMS_ALONE}`;

  it('is offered what waits for a yes and what is open, and no address to type or to call from', () => {
    const caller = inMenu({ needsClaim: true, waiting: WAITING }, { address: OWN });
    expect(caller.last).toBe(
      'To allow the request that is waiting, press 2. To hear what is open for you, press 3. To end this call, press star.',
    );
    expect(inMenu({ needsClaim: true, code: '402913' }, { address: OWN }).last).toBe(CLAIMS_ALONE);
  });

  it.each(['1', '4'])('gets nowhere with %s, which is no choice', (key) => {
    const caller = inMenu({ needsClaim: true, code: '402913' }, { address: OWN });
    for (let times = 0; times < MENU_LIMITS.mistakes; times++)
      expect(caller.press(key).last).toBe(`Invalid choice. ${CLAIMS_ALONE}`);
    expect(caller.press(key).last).toBe(GOODBYE);
    expect(kinds(caller)).toEqual(['verify']);
  });

  it('lets in nothing by typing on, whatever is typed', () => {
    const caller = call({ needsClaim: true }, { address: OWN }).press(`${LOGIN}1203*0*113*7#1`);
    expect(kinds(caller)).not.toContain('propose');
    expect(kinds(caller)).not.toContain('grant');
  });

  it('lets in the request that waits', () => {
    const caller = inMenu({ needsClaim: true, waiting: WAITING }).reply('2').listen();
    expect(caller.last).toContain('203.0.113.9');
    expect(caller.press('1').last).toBe(`Access granted, for 1h ${CLAIMS_ALONE}`);
    expect(caller.requests.slice(1)).toEqual([{ kind: 'find-claim', code: null }, { kind: 'grant' }]);
  });

  it('lets in by a pairing code, also after a no to the request that waits', () => {
    const paired = inMenu({ needsClaim: true, code: '402913' }).reply('2').reply('402913');
    expect(paired.reply('1').last).toContain('Access granted');
    expect(paired.requests.slice(1)).toEqual([{ kind: 'find-claim', code: '402913' }, { kind: 'grant' }]);
    const both = inMenu({ needsClaim: true, waiting: WAITING, code: '402913' }).reply('2').reply('2');
    expect(both.last).toBe(ENTER_CODE);
    expect(both.reply('402913').listen().last).toBe(readBack(LAPTOP));
  });

  it('is told where nothing waits', () => {
    expect(inMenu({ needsClaim: true }).last).toBe(NOTHING);
    expect(inMenu({ needsClaim: true }).reply('3').last).toBe(`Nothing is open for you. ${NOTHING}`);
  });

  it('may knock then, and let it in in the same call', () => {
    const caller = inMenu({ needsClaim: true, slow: ['find-claim'] }).reply('2');
    expect(caller.requests.at(-1)).toEqual({ kind: 'find-claim', code: null });
    expect(caller.answer({ kind: 'proposed', offer: WAITING }).last).toBe(ABOUT_TO);
    expect(caller.reply('1').last).toContain('Access granted');
  });

  it('is asked for a code where nothing has come, and may have typed it ahead', () => {
    expect(inMenu({ needsClaim: true }).reply('2').last).toBe(ENTER_CODE);
    const ahead = call({ needsClaim: true }).press(`${LOGIN}2402913`);
    expect(ahead.requests.at(-1)).toEqual({ kind: 'find-claim', code: '402913' });
    expect(ahead.last).toBe(`No request with that code is waiting. ${ENTER_CODE}`);
  });
});

describe('what is open', () => {
  const OPEN: OpenGrant[] = [
    { id: grantId('AAAAAAAA'), target: OWN, remaining: minutes(12) },
    { id: grantId('BBBBBBBB'), target: LAPTOP, remaining: hours(2) },
  ];
  const OPEN_CHOICES = 'Press 1 to close it, 2 for the next one, or star for the menu.';

  it('is read one by one', () => {
    const caller = inMenu({ open: OPEN }).reply('3');
    expect(caller.last).toBe('Open for you is address number 1');
    expect(caller.listen().last).toBe(`198.51.100.20 for another 12m ${OPEN_CHOICES}`);
    expect(caller.reply('2').last).toBe('Open for you is address number 2');
    expect(caller.listen().last).toBe(`2001:db8::7 for another 2h ${OPEN_CHOICES}`);
    expect(caller.reply('2').last).toBe(`That was all. ${MENU}`);
    expect(kinds(caller)).toEqual(['verify', 'list-open']);
  });

  it('is closed by 1, the one that was read and no other', () => {
    const caller = inMenu({ open: OPEN }).reply('3').reply('2').reply('1');
    expect(caller.requests.at(-1)).toEqual({ kind: 'close', id: 'BBBBBBBB' });
    expect(caller.last).toBe(`It is closed. That was all. ${MENU}`);
    const both = inMenu({ open: OPEN }).reply('3').reply('1');
    expect(both.last).toBe('It is closed. Open for you is address number 2');
    both.reply('1');
    expect(kinds(both)).toEqual(['verify', 'list-open', 'close', 'close']);
  });

  it('is not closed by a digit typed before it was read', () => {
    const caller = call({ open: OPEN }).press(`${LOGIN}31111`);
    expect(caller.listen().last).toContain('198.51.100.20');
    expect(kinds(caller)).toEqual(['verify', 'list-open']);
  });

  it('is left with the star key', () => {
    expect(inMenu({ open: OPEN }).reply('3').reply('*').last).toBe(MENU);
  });

  it('may be nothing', () => {
    expect(inMenu().reply('3').last).toBe(`Nothing is open for you. ${MENU}`);
  });

  it.each(['list-open', 'close'])('leads back to the menu where the gateway cannot: %s', (kind) => {
    const caller = inMenu({ open: OPEN, fails: [kind] })
      .reply('3')
      .reply('1');
    expect(caller.said.join()).toContain('That did not work. Please try again later.');
    expect(caller.state).not.toBe('over');
  });
});

describe('a call', () => {
  /** Keys that lead to each question there is, and what is asked there. */
  const QUESTIONS: [string, string[], string][] = [
    ['the account', [], ENTER_ACCOUNT],
    ['the PIN', ['1001#'], ENTER_PIN],
    ['the menu', [LOGIN], MENU],
    ['the address', [LOGIN, '1'], ENTER_ADDRESS],
    ['the code', [LOGIN, '2'], ENTER_CODE],
    ['the read-back', [LOGIN, '1', '203*0*113*7#'], readBack('203.0.113.7')],
    ['what is open', [LOGIN, '3'], 'for another'],
  ];
  const OPEN = [{ id: grantId('AAAAAAAA'), target: OWN, remaining: minutes(12) }];
  const at = (keys: string[], behind: Gateway = {}) =>
    keys.reduce((caller, one) => caller.reply(one), call({ open: OPEN, ...behind })).listen();

  it.each(QUESTIONS)('repeats a question twice after silence, then says good-bye: %s', (_, keys, question) => {
    const caller = at(keys);
    for (let times = 1; times <= 2; times++) expect(caller.silence().last).toContain(question);
    expect(caller.silence().last).toBe(GOODBYE);
    expect(caller.listen().state).toBe('over');
    expect(kinds(caller)).not.toContain('grant');
  });

  it('asks again for what was left unfinished, from its beginning', () => {
    const caller = call().press('10').silence();
    expect(caller.last).toBe(ENTER_ACCOUNT);
    caller.press(LOGIN);
    expect(caller.requests).toEqual([{ kind: 'verify', account: '1001', pin: '123456' }]);
  });

  it.each(QUESTIONS)('ends with a hang-up, whatever comes after it: %s', (_, keys) => {
    for (const heard of [false, true]) {
      const caller = keys.reduce((one, next) => one.reply(next), call({ open: OPEN }));
      if (heard) caller.listen();
      const before = caller.requests.length;
      caller.event({ kind: 'hung-up' });
      for (const event of AFTERWARDS) caller.event(event);
      expect(caller.requests).toHaveLength(before);
    }
  });

  it.each(['verify', 'propose', 'find-claim', 'grant', 'list-open', 'close'])(
    'ends with a hang-up while an answer is awaited: %s',
    (slow) => {
      for (const way of [
        ['1', '203*0*113*7#', '1'],
        ['2', '402913'],
        ['3', '1'],
      ]) {
        const caller = [LOGIN, ...way].reduce((one, keys) => one.reply(keys), call({ open: OPEN, slow: [slow] }));
        const before = [...caller.requests];
        caller.event({ kind: 'hung-up' });
        for (const event of AFTERWARDS) caller.event(event);
        expect(caller.requests).toEqual(before);
      }
    },
  );

  it('tells that a choice is none, and not without end', () => {
    const caller = inMenu();
    for (let times = 0; times < MENU_LIMITS.mistakes; times++)
      expect(caller.press('9').last).toBe(`Invalid choice. ${MENU}`);
    expect(caller.press('9').last).toBe(GOODBYE);
  });

  it('ends with the star key in the menu', () => {
    expect(inMenu().press('*').last).toBe(GOODBYE);
  });

  it('is over at once where a digit cuts the good-bye short', () => {
    expect(inMenu().press('*').press('1').state).toBe('over');
  });

  it('is over after so many digits, whatever they say', () => {
    const caller = inMenu({ code: '402913' });
    for (let times = 0; times < MENU_LIMITS.digits && caller.state !== 'over'; times++) caller.press('3');
    expect(caller.state).toBe('over');
  });

  it('does nothing before it began', () => {
    const menu = new Menu({ address: null });
    for (const event of AFTERWARDS.filter(({ kind }) => kind !== 'began' && kind !== 'hung-up'))
      expect(menu.handle(event)).toEqual([]);
    expect(menu.handle({ kind: 'began' })).toHaveLength(1);
  });

  it('shows no digit to who prints it', () => {
    const menu = new Menu({ address: null });
    const caller = new PhoneCaller(menu).begin().press('8642097#7531864#112358');
    expect(caller.requests).toHaveLength(1);
    const printed = [String(menu), JSON.stringify(menu), inspect(menu, { showHidden: true, depth: 10, getters: true })];
    for (const text of printed) expect(text).not.toMatch(/8642097|7531864|112358|1, 1, 2/);
  });
});

const AFTERWARDS: MenuEvent[] = [
  { kind: 'played' },
  { kind: 'silence' },
  { kind: 'verified', waiting: 'request', needsClaim: false },
  { kind: 'denied', isLast: false },
  { kind: 'proposed', offer: offer('203.0.113.7') },
  { kind: 'unfit' },
  { kind: 'no-claim' },
  { kind: 'granted', ttl: hours(1) },
  { kind: 'failed' },
  { kind: 'open', grants: [] },
  { kind: 'closed' },
  { kind: 'digit', digit: '1' },
  { kind: 'timed-out' },
  { kind: 'hung-up' },
  { kind: 'began' },
];
