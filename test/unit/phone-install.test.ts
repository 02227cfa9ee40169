import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/core/errors.ts';
import { AsteriskFolder } from '../support/asterisk-folder.ts';

const PHONES = 'local';
const refused = (code: ErrorCode) => expect.objectContaining({ code });

let asterisk: AsteriskFolder;
const use = (kind: 'debian' | 'freepbx') => {
  asterisk = new AsteriskFolder(kind);
};
beforeEach(() => use('debian'));
afterEach(() => asterisk.remove());

/** Runs what has to be refused, and sees that not a byte has changed. */
async function refuses(code: ErrorCode, run: () => Promise<unknown> = () => asterisk.install(undefined, PHONES)) {
  const before = asterisk.snapshot();
  await expect(run()).rejects.toEqual(refused(code));
  expect(asterisk.snapshot()).toEqual(before);
}

describe('phone install on plain Asterisk', () => {
  it('adds one line to each file of Asterisk and keeps what was there before', async () => {
    const before = asterisk.snapshot();
    await asterisk.install(undefined, PHONES);
    const after = asterisk.snapshot();
    for (const name of ['extensions', 'ari', 'manager', 'http']) {
      const path = `etc/${name}.conf`;
      expect(after[path]).toBe(`${before[path]}\n; Sallyport's telephone menu\n#tryinclude "sallyport/${name}.conf"\n`);
      expect(after[`${path}.sallyport-20260301-080000`]).toBe(before[path]);
    }
    expect(after['etc/logger.conf']).toBe(before['etc/logger.conf']);
  });

  it('writes what a file refers to before it is referred to, secrets first', async () => {
    const order = await asterisk.install(undefined, PHONES);
    expect(order.slice(0, 2)).toEqual(['secrets/ari.secret', 'secrets/ami.secret']);
    for (const name of ['extensions', 'ari', 'manager', 'http']) {
      expect(order.indexOf(`etc/sallyport/${name}.conf`)).toBeLessThan(order.indexOf(`etc/${name}.conf`));
    }
  });

  it('changes nothing the second time, and keeps the secrets and the context', async () => {
    await asterisk.install(undefined, PHONES);
    const before = asterisk.snapshot();
    expect(await asterisk.install(undefined, undefined)).toEqual([]);
    expect(asterisk.snapshot()).toEqual(before);
  });

  it('puts the secrets into files that their owner alone can read, and Asterisk’s into ones that strangers cannot', async () => {
    await asterisk.install(undefined, PHONES);
    const after = asterisk.snapshot();
    const secret = /^600 ([\w-]{40})\n$/.exec(after['secrets/ari.secret'] ?? '')?.[1];
    expect(after['etc/sallyport/ari.conf']).toMatch(/^640 /);
    expect(after['etc/sallyport/ari.conf']).toContain(`password = ${secret}\n`);
    expect(after['secrets/ami.secret']).not.toContain(secret);
    expect(statSync(join(asterisk.etc, 'sallyport')).mode & 0o777).toBe(0o750);
  });

  it('closes a file of a secret that others can read', async () => {
    await asterisk.install(undefined, PHONES);
    chmodSync(join(asterisk.top, 'secrets/ami.secret'), 0o644);
    expect(await asterisk.install()).toEqual(['secrets/ami.secret']);
    expect(statSync(join(asterisk.top, 'secrets/ami.secret')).mode & 0o777).toBe(0o600);
  });

  it('leaves what is switched on as it is, and switches on no more than the driver needs, for this machine alone', async () => {
    await asterisk.install(undefined, PHONES);
    expect(asterisk.read('sallyport/http.conf')).toMatch(/\[general\]\(\+\)\nenabled = yes\nbindaddr = 127\.0\.0\.1\n/);
    expect(asterisk.read('sallyport/manager.conf')).not.toContain('[general]');
    asterisk.remove();
    use('debian');
    asterisk.put('manager.conf', '[general]\nenabled = no\n');
    await asterisk.install(asterisk.config({ driver: 'ami' }), PHONES);
    expect(existsSync(join(asterisk.etc, 'sallyport/http.conf'))).toBe(false);
    expect(asterisk.read('sallyport/manager.conf')).toMatch(
      /\[general\]\(\+\)\nenabled = yes\nbindaddr = 127\.0\.0\.1\n/,
    );
  });

  it.each([
    ['ari', 'Stasis(sallyport)'],
    ['ami', 'AGI(agi:async)'],
  ] as const)(
    'leads the extension into the menu, with no variable of the caller’s in any argument: %s',
    async (driver, application) => {
      await asterisk.install(asterisk.config({ driver, extension: '7255' }), PHONES);
      const text = asterisk.read('sallyport/extensions.conf');
      expect(text).toContain(`[${PHONES}]\nexten => 7255,1,Goto(sallyport,menu,1)\n`);
      expect(text).toContain(application);
      expect((text.match(/\$\{\w+\}/g) ?? []).map((name) => name.slice(2, -1))).toEqual(
        driver === 'ari' ? ['STASISSTATUS', 'EXTEN'] : ['EXTEN'],
      );
      expect(text.indexOf('TIMEOUT(absolute)')).toBeLessThan(text.indexOf(application));
    },
  );

  it('gives each user the rights that the menu needs, and no more', async () => {
    await asterisk.install(undefined, PHONES);
    expect(asterisk.read('sallyport/manager.conf')).toContain('\nread = agi,call\nwrite = agi,originate\n');
    expect(asterisk.read('sallyport/manager.conf')).toMatch(
      /deny = 0\.0\.0\.0\/0\.0\.0\.0\ndeny = ::\/0\npermit = 127/,
    );
    expect(asterisk.read('sallyport/ari.conf')).toContain('\nread_only = no\n');
  });

  it('lets our user hear the dialplan’s user events only where the configuration says so, and only those for us', async () => {
    await asterisk.install(asterisk.config({ driver: 'ami' }), PHONES);
    expect(asterisk.read('sallyport/manager.conf')).not.toMatch(/user,|,user|UserEvent/);
    await asterisk.install(asterisk.config({ driver: 'ami', ami: { user_events: true } }));
    expect(asterisk.read('sallyport/manager.conf')).toContain(
      '\nread = agi,call,user\nwrite = agi,originate\n' +
        'eventfilter = Event: AsyncAGI\neventfilter = Event: OriginateResponse\n' +
        'eventfilter = ^Event: UserEvent.*UserEvent: SallyportAuthorize\nwritetimeout',
    );
  });

  it('follows the configuration: a new extension replaces the old one', async () => {
    await asterisk.install(undefined, PHONES);
    await asterisk.install(asterisk.config({ extension: '99' }));
    expect(asterisk.read('sallyport/extensions.conf')).not.toContain('864');
    expect(asterisk.read(`sallyport/extensions.conf.sallyport-20260301-080000`)).toContain('864');
  });

  it('leaves recordings that are somebody’s own', async () => {
    const own = join(asterisk.data, 'sounds/en/sallyport/granted.ulaw');
    mkdirSync(dirname(own));
    writeFileSync(own, 'mine');
    await asterisk.install(undefined, PHONES);
    const sounds = Object.keys(asterisk.snapshot()).filter((path) => path.startsWith('data/'));
    expect(sounds.map((path) => path.replace('data/sounds/en/sallyport/', ''))).toEqual(['closed.wav', 'granted.ulaw']);
  });

  it('writes through a link to where the file lies', async () => {
    asterisk.put('elsewhere/real.conf', asterisk.read('ari.conf'));
    writeFileSync(join(asterisk.etc, 'ari.conf.gone'), '');
    asterisk.put('logger.conf', '');
    const link = join(asterisk.etc, 'ari.conf');
    const { unlinkSync } = await import('node:fs');
    unlinkSync(link);
    symlinkSync('elsewhere/real.conf', link);
    await asterisk.install(undefined, PHONES);
    expect(asterisk.read('elsewhere/real.conf')).toContain('#tryinclude "sallyport/ari.conf"');
  });
});

describe('a file of Asterisk that is not as it should be', () => {
  it('keeps its ends of lines', async () => {
    asterisk.put('ari.conf', '[general]\r\nenabled = yes\r\n');
    await asterisk.install(undefined, PHONES);
    expect(asterisk.read('ari.conf')).toBe(
      '[general]\r\nenabled = yes\r\n\r\n; Sallyport\'s telephone menu\r\n#tryinclude "sallyport/ari.conf"\r\n',
    );
    expect(await asterisk.install()).toEqual([]);
  });

  it.each([
    '#tryinclude "sallyport/exten',
    '#include "sallyport/extensions.conf',
    '  #include sallyport/ext',
    '#tryinclude "sal',
  ])('has a line mended that was half written: %s', async (torn) => {
    asterisk.put('extensions.conf', `[general]\n[${PHONES}]\n${torn}`);
    await asterisk.install(undefined, PHONES);
    expect(asterisk.read('extensions.conf')).toBe(`[general]\n[${PHONES}]\n#tryinclude "sallyport/extensions.conf"`);
    expect(await asterisk.install()).toEqual([]);
  });

  it('gets the line anew where it was commented out', async () => {
    asterisk.put('ari.conf', '[general]\n;#tryinclude "sallyport/ari.conf"\n;--\n#include "sallyport/ari.conf"\n--;\n');
    expect(await asterisk.install(undefined, PHONES)).toContain('etc/ari.conf');
    expect(await asterisk.install()).toEqual([]);
  });

  it('is refused, with its line, where an endless comment would swallow ours', async () => {
    asterisk.put('ari.conf', '[general]\nenabled = yes\n;-- never closed\n');
    await refuses('SP_PHONE_FILE');
    await expect(asterisk.install(undefined, PHONES)).rejects.toThrow('comment that begins on line 3 never ends');
  });

  it('is refused where it cannot be read', async () => {
    mkdirSync(join(asterisk.etc, 'sallyport/http.conf'), { recursive: true });
    await refuses('SP_PHONE_FILE');
  });

  it('keeps its bytes, whatever they are written in', async () => {
    asterisk.put('ari.conf', '[general]\n; \xe4\xf6\xfc \xff\n');
    await asterisk.install(undefined, PHONES);
    expect(asterisk.read('ari.conf')).toContain('; \xe4\xf6\xfc \xff\n');
  });
});

describe('what is somebody else’s is refused before anything is written', () => {
  it.each([
    ['exten => 864,1,Dial(PJSIP/boss)', PHONES],
    ['exten => 8-64,hint,PJSIP/boss', PHONES],
    ['exten => 864/5551234,1,Hangup()', PHONES],
    ['exten => 864,1,Dial(PJSIP/boss)', 'demo'],
  ])('the extension: %s in [%s]', async (line, context) => {
    asterisk.put('extensions.conf', `${asterisk.read('extensions.conf')}\n[${context}]\n${line}\n`);
    await refuses('SP_PHONE_TAKEN');
  });

  it('but not an extension of that name in a context that no phone of ours reaches, nor a pattern', async () => {
    asterisk.put('extensions.conf', `${asterisk.read('extensions.conf')}\n[other]\nexten => 864,1,Hangup()\n`);
    expect(await asterisk.install(undefined, PHONES)).toContain('etc/extensions.conf');
  });

  it('the context, the user of ARI, the user of AMI', async () => {
    asterisk.put('manager.d/own.conf', '[sallyport]\nsecret = x\n');
    await refuses('SP_PHONE_TAKEN');
    asterisk.put('manager.d/own.conf', '');
    asterisk.put('ari.conf', '[sallyport]\ntype = user\n');
    await refuses('SP_PHONE_TAKEN');
    asterisk.put('ari.conf', '');
    asterisk.put('extensions.conf', `[${PHONES}]\n[sallyport]\nexten => s,1,Hangup()\n`);
    await refuses('SP_PHONE_TAKEN');
  });

  it('a secret that Asterisk cannot take is not written anywhere', async () => {
    const file = join(asterisk.top, 'secrets/ami.secret');
    mkdirSync(dirname(file));
    for (const text of [
      'short\n',
      `${'x'.repeat(20)};y\n`,
      `${'x'.repeat(20)}\nwrite = all\n`,
      `${'x'.repeat(20)} y`,
    ]) {
      writeFileSync(file, text);
      await refuses('SP_PHONE_SECRET');
    }
  });

  it('an Asterisk on another machine: neither link is encrypted', async () => {
    await refuses('SP_PHONE_REMOTE', () => asterisk.install(asterisk.config({ ami: { host: '192.0.2.7' } }), PHONES));
    await refuses('SP_PHONE_REMOTE', () =>
      asterisk.install(asterisk.config({ ari: { url: 'http://pbx.example.org:8088' } }), PHONES),
    );
  });
});

describe('where it cannot be told what to do', () => {
  it('says that there is no Asterisk', async () => {
    await refuses('SP_PHONE_ASTERISK', async () => {
      const { findAsterisk } = await import('../../src/phone/setup/home.ts');
      return await findAsterisk(join(asterisk.top, 'nowhere'));
    });
    asterisk.put('extensions.conf', '');
    const { unlinkSync } = await import('node:fs');
    unlinkSync(join(asterisk.etc, 'extensions.conf'));
    await refuses('SP_PHONE_ASTERISK');
  });

  it('asks for the context of the phones, and takes none that is not there', async () => {
    await refuses('SP_PHONE_CONTEXT', () => asterisk.install());
    await refuses('SP_PHONE_CONTEXT', () => asterisk.install(undefined, 'nosuch'));
    await refuses('SP_PHONE_CONTEXT', () => asterisk.install(undefined, 'sallyport'));
  });

  it.each(['from-internal', 'internal', 'phones'])('takes the one context that is called %s', async (name) => {
    asterisk.put('extensions.conf', `[general]\n[trunk]\n[${name}]\n`);
    expect((await asterisk.plan()).context).toBe(name);
  });
});

describe('phone install on FreePBX', () => {
  beforeEach(() => {
    asterisk.remove();
    use('freepbx');
    asterisk.put('ari_additional_custom.conf', '');
  });

  it('changes the custom files alone', async () => {
    const changed = (await asterisk.install()).filter(
      (path) => !path.includes('sallyport/') && path.startsWith('etc/'),
    );
    expect(changed).toEqual([
      'etc/extensions_custom.conf',
      'etc/ari_additional_custom.conf',
      'etc/manager_custom.conf',
    ]);
    expect(asterisk.read('sallyport/extensions.conf')).toContain('[from-internal-custom]\nexten => 864,1,Goto(');
    expect(await asterisk.install()).toEqual([]);
  });

  it('makes a custom file that is included and not there', async () => {
    const { unlinkSync } = await import('node:fs');
    unlinkSync(join(asterisk.etc, 'ari_additional_custom.conf'));
    await asterisk.install();
    expect(asterisk.read('ari_additional_custom.conf')).toContain('#tryinclude "sallyport/ari.conf"');
  });

  it('refuses an extension that FreePBX has given to somebody', async () => {
    asterisk.put('extensions_additional.conf', asterisk.read('extensions_additional.conf').replaceAll('201', '864'));
    await refuses('SP_PHONE_TAKEN', () => asterisk.install());
  });

  it('says where others reach what is for us alone, and never shows the secrets of others', async () => {
    const { remarks, changes } = await asterisk.plan();
    expect(remarks).toEqual([expect.stringContaining('HTTP server listens on ::')]);
    expect(changes.map(({ added }) => added).join()).not.toContain('hunter2');
  });

  it('says that calls from outside reach the context of the phones', async () => {
    asterisk.put('extensions_custom.conf', '[from-trunk-custom]\ninclude => from-internal-custom\n');
    const { remarks } = await asterisk.plan();
    expect(remarks.join('\n')).toContain('[from-trunk] includes [from-internal-custom]: whoever calls from outside');
  });
});
