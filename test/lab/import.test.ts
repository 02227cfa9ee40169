/** Moving in from knockd and iptables, as an operator does it, with Debian's own client and real packets. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { knockProgram } from '../support/peers.js';

const KNOCKD = `[options]
	UseSyslog

[laptop]
	sequence      = 21300:udp,24001:tcp,28500:udp
	seq_timeout   = 15
	tcpflags      = syn
	start_command = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
	cmd_timeout   = 3600
	stop_command  = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
`;

interface Made {
  readonly changed: boolean;
  readonly made: readonly { readonly name: string }[];
  readonly entries: readonly { readonly present: boolean }[];
  readonly users: readonly { readonly present: boolean }[];
}

describe('import', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let files: readonly string[];

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenTcp', { port: 80 });
    files = [join(daemon.directory, 'knockd.conf'), join(daemon.directory, 'rules.v4')];
    const rules = `*filter\n:INPUT DROP [0:0]\n-A INPUT -s ${lab.laptop.ipv4}/32 -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n`;
    await writeFile(files[0] ?? '', KNOCKD);
    await writeFile(files[1] ?? '', rules);
  });

  afterAll(() => lab?.destroy());

  const laptop = (port: number) => lab.laptop.tcp(lab.gateway.ipv4, port, { timeout: 300 });

  it('changes nothing before the yes', async () => {
    for (const args of [[], ['--dry-run']]) {
      const { code, stdout } = await daemon.cli('import', ...files, ...args);
      expect(code).toBe(args.length === 0 ? 1 : 0);
      expect(stdout).toContain('laptop');
      expect(stdout).not.toMatch(/21300|24001|28500/);
    }
    expect((await daemon.api('GET', '/v1/users')).body).toEqual([]);
    expect((await daemon.eventsNamed('entry.added')).filter(({ address }) => address === lab.laptop.ipv4)).toEqual([]);
    expect(await laptop(80)).toBe('silent');
  });

  it('makes entries and users with the yes: the whitelist lets in, and the old knock opens', async (ctx) => {
    const program = knockProgram();
    if (program.path === undefined) return ctx.skip(program.reason);
    const { code, stdout, stderr } = await daemon.cli('import', ...files, '--yes');
    expect(`${code} ${stderr}`).toBe('0 ');
    expect(stdout).toContain('2 of 2 made.');
    expect([await laptop(80), await laptop(22)]).toEqual(['open', 'silent']);
    const argv = [lab.gateway.ipv4, '21300:udp', '24001:tcp', '28500:udp'];
    expect((await lab.laptop.exec(program.path, argv, { env: program.env })).code).toBe(0);
    await eventually(
      () => laptop(22),
      (verdict) => verdict === 'open',
    );
    const [grant] = await daemon.grants();
    expect(grant).toMatchObject({ user: 'laptop', services: ['ssh'], method: 'knock' });
    expect(grant?.remaining_s).toBeGreaterThan(3000);
  });

  it('changes nothing more when it is run again', async () => {
    await daemon.json('import', ...files, '--yes');
    const before = (await daemon.events()).length;
    const again = await daemon.json<Made>('import', ...files, '--yes');
    expect(again).toMatchObject({ changed: false, made: [], entries: [{ present: true }], users: [{ present: true }] });
    expect(await daemon.events()).toHaveLength(before);
  });

  it('of 5,000 lines is one change, and lets in whom they name', async () => {
    const many = Array.from(
      { length: 5000 },
      (_, n) => `-A INPUT -s 10.9.${n >> 8}.${n & 255}/32 -p tcp --dport 22 -j ACCEPT`,
    );
    const file = join(daemon.directory, 'many.v4');
    await writeFile(
      file,
      ['*filter', ...many, `-A INPUT -s ${lab.phone.ipv4} -p tcp --dport 80 -j ACCEPT`, 'COMMIT', ''].join('\n'),
    );
    const { code, stdout } = await daemon.cli('import', file, '--yes');
    expect(code).toBe(0);
    expect(stdout).toContain('5,001 of 5,001 made.');
    expect(await lab.phone.tcp(lab.gateway.ipv4, 80, { timeout: 300 })).toBe('open');
    const names = (await daemon.eventsNamed('entry.added')).filter(({ address }) => address?.startsWith('10.9.'));
    expect(names).toHaveLength(5000);
    const again = await daemon.json<Made>('import', file, '--yes');
    expect([again.changed, again.made]).toEqual([false, []]);
  });

  it.each([
    ['the gateway itself', () => ({ target: lab.gateway.ipv4 }), 'SP_ADDRESS_REFUSED'],
    ['everybody', () => ({ target: '0.0.0.0/0' }), 'SP_TARGET_EVERYONE'],
    ['no address', () => ({ target: '1.2.3' }), 'SP_ADDRESS_INVALID'],
    ['an unknown service', () => ({ target: '198.51.100.9', services: ['ftp'] }), 'SP_SERVICE_UNKNOWN'],
  ])('takes all of many entries or none: %s', async (_, wrong, code) => {
    const before = (await daemon.events()).length;
    const entries = [{ target: '198.51.100.8' }, { target: 'many.example.org' }, wrong()];
    const { body } = await daemon.api<{ error: { code: string } }>('POST', '/v1/entries', { entries });
    expect(body.error.code).toBe(code);
    expect(await daemon.events()).toHaveLength(before);
    expect(JSON.stringify(await daemon.json('list'))).not.toMatch(/198\.51\.100\.8|many\.example/);
  });
});
