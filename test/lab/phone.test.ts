/** The telephone as a whole: a real Asterisk, softphones, the menu, and the port that opens. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePairing, type PairingCode } from '#dist/core/pairing.js';
import { steps } from '../support/lab/lab.js';
import type { Driver } from '../support/phone/pbx.js';
import { needsAsterisk, PhoneLab, type Telephone } from '../support/phone/phone-lab.js';

const ALICE = 'udp/21234,tcp/28111,udp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
const [ALICES_PIN, BOBS_PIN] = ['48392155', '71625390'];
const CODE = '402913' as PairingCode;

describe.each<Driver>(['ari', 'ami'])('the telephone by %s', (driver) => {
  let phones: PhoneLab;
  let desk: Telephone;

  beforeAll(async () => {
    phones = (await PhoneLab.start(driver)) as PhoneLab;
    if (phones === undefined) return;
    await phones.daemon.addUser('alice', { knock: ALICE, account: '1001', pin: ALICES_PIN });
    await phones.daemon.addUser('bob', { knock: BOB, approval: 'callback', number: '1001', pin: BOBS_PIN });
    desk = await phones.telephone('1001', { register: true });
  });
  afterAll(() => phones?.remove());
  beforeEach(async (context) => {
    needsAsterisk(context);
    await phones.clear();
  });

  it('lets in an address that is typed, with the method, the account and the caller in the records', async () => {
    const { laptop } = phones.lab;
    await desk.login('1001', ALICES_PIN);
    await desk.press(`1${laptop.ipv4.replaceAll('.', '*')}#`);
    await desk.hears('offer-choices');
    expect(await desk.said()).toContain('sallyport/service-all');
    expect(await phones.isOpen(laptop)).toBe(false);
    await desk.press('1');
    await phones.opens(laptop);
    await desk.hears('granted');
    expect(await phones.daemon.grantFor(laptop.ipv4)).toMatchObject({
      user: 'alice',
      method: 'phone',
      note: 'caller 1001',
    });
    expect((await phones.daemon.eventsNamed('grant.opened')).at(-1)).toMatchObject({ user: 'alice', method: 'phone' });
  });

  it('lets in the address that a softphone calls from', async () => {
    await desk.login('1001', ALICES_PIN);
    await desk.hears('menu-own-address');
    await desk.press('4');
    await desk.hears('offer-choices');
    await desk.press('1');
    await phones.opens(phones.lab.phone);
  });

  it('lets in the IPv6 address of a knock by its code and the PIN', async () => {
    const { laptop, gateway } = phones.lab;
    await laptop.knock(gateway.ipv6, steps(ALICE), { payload: [...encodePairing(CODE)] });
    await phones.told('claim.made', 'alice', 'pairing code');
    expect(await phones.isOpen(laptop, 'ipv6')).toBe(false);
    await desk.login('1001', ALICES_PIN);
    await desk.press(`2${CODE}`);
    await desk.hears('offer-choices');
    await desk.press('1');
    await phones.opens(laptop, 'ipv6');
  });

  it('closes what is open', async () => {
    const { laptop, phone, gateway } = phones.lab;
    await phones.daemon.cli('allow', laptop.ipv4, '--for', '1h');
    await phone.knock(gateway.ipv4, steps(ALICE));
    await phones.opens(phone);
    await desk.login('1001', ALICES_PIN);
    await desk.press('3');
    await desk.hears('open-choices');
    await desk.press('1');
    await desk.hears('closed');
    expect(await phones.isOpen(phone)).toBe(false);
    expect(await phones.isOpen(laptop)).toBe(true);
  });

  it('rings who has to say yes, and lets in by their PIN', async () => {
    const { laptop, gateway } = phones.lab;
    await desk.tell('whenCalled', { what: 'answer' });
    await Promise.all([desk.isCalled(), laptop.knock(gateway.ipv4, steps(BOB))]);
    await desk.hears('callback-choices');
    expect(await phones.isOpen(laptop)).toBe(false);
    await desk.press(`${BOBS_PIN}#`);
    await phones.opens(laptop);
    await desk.hears('granted');
    await desk.ended();
  });

  it('tells the journal where the number is busy', async () => {
    await desk.tell('whenCalled', { what: 'busy' });
    await phones.lab.laptop.knock(phones.lab.gateway.ipv4, steps(BOB));
    await phones.told('claim.unanswered', 'bob', /^the number is busy$/);
  });

  it('writes what was pressed nowhere', async () => {
    await phones.wroteNone(ALICES_PIN, BOBS_PIN, CODE);
  });
});
