/** A dialplan of an administrator's own that lets callers in by UserEvent: a real Asterisk, and the port that opens. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { amiText, dialplanText } from '#dist/phone/setup/snippets.js';
import { eventually } from '../support/lab/lab.js';
import { needsAsterisk, PhoneLab, type Telephone } from '../support/phone/phone-lab.js';

/** One header an event, as docs/phone.md says; and what is not done. */
const authorize = (...bodies: string[]) =>
  ['Answer()', ...bodies.map((body) => `UserEvent(SallyportAuthorize,${body})`), 'Wait(0.2)', 'Hangup()'].join(
    '\n same => n,',
  );
const ami = { host: '127.0.0.1', port: 5038, username: 'sallyport', secretFile: '', userEvents: true };
const ari = { url: '', app: '', username: '', passwordFile: '' };
const MENU = dialplanText({ phone: { extension: '865', driver: 'ami', language: 'en', ari, ami }, context: 'phone' });
const [ACCOUNT, ADDRESS] = ['Account: 1001', `Address: \${CUT(FROM,:,1)}`];
const VOUCHING = `${MENU}
[phone](+)
exten => _87X,1,Set(FROM=\${CHANNEL(pjsip,remote_addr)})
 same => n,Goto(vouch,\${EXTEN},1)
[vouch]
exten => 870,1,${authorize(ACCOUNT, ADDRESS)}
exten => 871,1,${authorize(`${ACCOUNT},${ADDRESS}`)}
exten => 872,1,${authorize(ADDRESS, ACCOUNT)}
exten => 873,1,${authorize(`${ACCOUNT},Name: \${CALLERID(name)}`, ADDRESS)}
exten => 874,1,${authorize('Account: 9999', `Address: \${CALLERID(name)}`)}
exten => 875,1,${authorize('Account: 1002', ADDRESS)}
exten => 876,1,${authorize('Account: 7777', ADDRESS)}
`;
const FORGED = 'x,Account: 1001';

const ASTERISK = {
  dialplan: VOUCHING,
  phones: [{ name: '1001', password: 'phone-secret', callerid: '' }],
  files: { 'manager.conf': `[general]\nenabled = yes\nbindaddr = 127.0.0.1\n${amiText(ami, 'ami-secret')}` },
};

describe('where the configuration listens', () => {
  let phones: PhoneLab;
  let caller: Telephone;

  beforeAll(async () => {
    phones = (await PhoneLab.start('ami', ASTERISK, { userEvents: true })) as PhoneLab;
    if (phones === undefined) return;
    await phones.daemon.addUser('alice', { account: '1001', pin: '48392155' });
    await phones.daemon.addUser('dora', { account: '1002', pin: '48392156', approval: 'phone' });
    caller = await phones.telephone('1001', { register: true });
  });
  afterAll(() => phones?.remove());
  beforeEach(needsAsterisk);

  async function calls(number: string, as = FORGED): Promise<void> {
    await caller.tell('call', { number, as });
    await caller.ended();
  }

  it('a caller whom the dialplan has authenticated is let in, whatever they call themselves', async () => {
    expect(await phones.isOpen(phones.lab.phone)).toBe(false);
    await calls('870');
    await phones.opens(phones.lab.phone);
    const { ipv4 } = phones.lab.phone;
    expect(await phones.daemon.grants()).toMatchObject([{ user: 'alice', address: ipv4, method: 'phone' }]);
    await phones.clear();
  });

  it.each([
    ['both headers in one event', '871', FORGED, 'Account and Address have to be sent in two events'],
    ['the address first', '872', FORGED, 'no account was sent on its channel'],
    ['a display name in a header of its own', '873', FORGED, 'neither Account nor Address'],
    ['a display name for the address, with an account in it', '874', `192.0.2.7,Account: 1001`, 'in two events'],
    ['the account of somebody who has to say yes', '875', FORGED, 'to say yes to a claim'],
    ['an account that nobody has', '876', FORGED, 'an unknown account'],
  ])('%s opens nothing, and is told', async (_, number, name, why) => {
    const before = (await phones.daemon.eventsNamed('attempt.refused')).length;
    await calls(number, name);
    const told = await eventually(
      () => phones.daemon.eventsNamed('attempt.refused'),
      (all) => all.length > before,
    );
    expect(told.slice(before).map(({ detail }) => detail)).toContainEqual(expect.stringContaining(why));
    expect(await phones.daemon.grants()).toEqual([]);
    expect(await phones.isOpen(phones.lab.phone)).toBe(false);
    expect(JSON.stringify(told)).not.toMatch(/x,|9999|7777/);
  });
});

describe('where the configuration says nothing of it', () => {
  let phones: PhoneLab;

  beforeAll(async () => {
    phones = (await PhoneLab.start('ami', ASTERISK)) as PhoneLab;
    await phones?.daemon.addUser('alice', { account: '1001', pin: '48392155' });
  });
  afterAll(() => phones?.remove());
  beforeEach(needsAsterisk);

  it('the same events open nothing and are told nowhere', async () => {
    const caller = await phones.telephone('1001', { register: true });
    await caller.tell('call', { number: '870' });
    await caller.ended();
    // The menu, which comes by the same connection, is there after it.
    await caller.login('1001', '48392155');
    await caller.hears('menu-end');
    expect(await phones.daemon.grants()).toEqual([]);
    expect(await phones.daemon.eventsNamed('attempt.refused')).toEqual([]);
    expect(await phones.isOpen(phones.lab.phone)).toBe(false);
  });
});
