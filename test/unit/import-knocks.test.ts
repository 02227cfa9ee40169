/** knockd.conf and fwknop's access.conf, and what becomes of both in terms of a configuration. */
import { describe, expect, it } from 'vitest';
import { readFile } from '../../src/core/import/file.ts';
import { type ImportGround, planImport } from '../../src/core/import/plan.ts';
import { parsePortRange, parsePortSpan } from '../../src/core/ports.ts';
import { formatSequence } from '../../src/core/sequence.ts';
import { hours, minutes, seconds } from '../../src/core/time.ts';
import { service } from '../support/core-arbitraries.ts';

const ports = (...texts: string[]) => texts.map(parsePortRange);

const GROUND: ImportGround = {
  services: new Map([
    [service('ssh'), ports('tcp/22')],
    [service('sip'), ports('udp/5060', 'tcp/5061', 'udp/10000-20000')],
  ]),
  pool: parsePortSpan('21000-29999'),
  protocols: ['tcp', 'udp'],
  maxTtl: hours(12),
  cuts: true,
  ownAddresses: new Set<never>(),
};
const NOBODY = { entries: [], users: [] };

function plan(
  kind: 'knockd' | 'fwknop' | 'iptables',
  text: string,
  present: Parameters<typeof planImport>[2] = NOBODY,
) {
  return planImport([{ file: 'f', kind, reading: readFile('f', kind, text) }], GROUND, present);
}

const wordsOf = (made: ReturnType<typeof plan>, line: number) =>
  made.files[0]?.lines
    .filter((one) => one.line === line)
    .map(({ verdict, words }) => `${verdict}: ${words}`)
    .join('; ');

const section = (sequence: string, more = '') => `[options]
  logfile = /var/log/knockd.log
[Alice]
  sequence      = ${sequence}
  seq_timeout   = 15
  tcpflags      = syn
  start_command = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
  cmd_timeout   = 3600
  stop_command  = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
${more}`;

describe('a section of knockd.conf', () => {
  it('becomes a user with its sequence, its time and the services of its ports', () => {
    const { users, files } = plan('knockd', section('21300:udp, 24001,28500:tcp'));
    expect(users).toMatchObject([{ name: 'Alice', services: ['ssh'], ttl: hours(1), length: 3, from: [{ line: 3 }] }]);
    expect(formatSequence(users[0]?.sequence ?? [])).toBe('udp/21300,tcp/24001,tcp/28500');
    expect(files[0]?.lines.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it.each([
    ['7000,8000:udp,9000', 'outside the pool', 3],
    ['21300,24001', '3 ports are the least', 3],
    ['21300,24001,21301', 'neighbours', 3],
    ['21300,24001,21300,25000', 'the same', 4],
    ['21300,24001,x', 'cannot be read', 3],
    ['21300,24001,99999', 'cannot be read', 3],
    ['!21300,24001,25000', 'cannot be read', 3],
  ])('whose sequence cannot stay gets a new one, and the reason without a port of it: %s', (sequence, why, length) => {
    const made = plan('knockd', section(sequence));
    expect(made.users).toMatchObject([{ name: 'Alice', sequence: null, length }]);
    expect(wordsOf(made, 3)).toContain(`with ${length} new ports (`);
    expect(wordsOf(made, 3)).toContain(why);
    for (const port of sequence.match(/\d{4,5}/g) ?? []) {
      for (const { words } of made.files[0]?.lines ?? []) expect(words.replace(' 21000-29999', '')).not.toContain(port);
    }
  });

  it('whose sequence begins like that of another gets a new one', () => {
    const text = `${section('21300,24001,28500')}\n${section('21300,24001,28500').replace('Alice', 'Bob')}`;
    expect(plan('knockd', text).users.map(({ sequence }) => sequence?.length)).toEqual([3, undefined]);
  });

  it('with one-time sequences becomes a user with a sequence that stays, and says so', () => {
    const text = section('1,2,3').replace(/sequence {6}= .*/, 'One_Time_Sequences = /etc/knockd/seq');
    const made = plan('knockd', text);
    expect(made.users).toMatchObject([{ sequence: null, length: 3 }]);
    expect(wordsOf(made, 4)).toContain('not_taken');
  });

  it('that only closes is not needed', () => {
    const text = '[close]\nsequence = 9000,8000,7000\ncommand = /sbin/iptables -D INPUT -s %IP% -j ACCEPT\n';
    const made = plan('knockd', text);
    expect(made.users).toEqual([]);
    expect(made.files[0]?.lines.map(({ verdict }) => verdict)).toEqual(['not_needed', 'not_needed', 'not_needed']);
  });

  it.each([
    ['/sbin/iptables -A INPUT -s %IP% -j ACCEPT', ['all']],
    ['iptables -I INPUT 1 -s %IP% -p tcp -m multiport --dports 22,5061 -j ACCEPT', ['ssh', 'sip']],
    [
      'iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT && iptables -I INPUT -s %IP% -p udp --dport 5060 -j ACCEPT',
      ['ssh', 'sip'],
    ],
    ['nft add rule inet filter input ip saddr %IP% tcp dport 22 accept', ['ssh']],
    [
      '/usr/sbin/nft insert rule inet filter input ip saddr %IP% udp dport { 5060, 10000-20000 } counter accept',
      ['sip'],
    ],
    ['ufw allow from %IP% to any port 22 proto tcp', ['ssh']],
    ['ufw insert 1 allow from %IP% to any port 22', ['ssh']],
    ['ufw allow from %IP%', ['all']],
  ])('opens what its command opens: %s', (command, services) => {
    const made = plan('knockd', `[a]\nsequence = 21300,24001,28500\nstart_command = ${command}\n`);
    expect(made.users).toMatchObject([{ services, ttl: null }]);
  });

  it.each([
    '/usr/local/sbin/knock_add -i -c INPUT -p tcp -d 443 -f %IP%',
    'iptables -A INPUT -s 203.0.113.7 -j ACCEPT',
    'iptables -A INPUT -j ACCEPT',
    'iptables -A INPUT -s %IP% -j ACCEPT; rm -rf /',
    'iptables -A INPUT -s %IP% -m limit --limit 1/s -j ACCEPT',
    'iptables -A INPUT -s %IP% -j DROP',
    'iptables -t nat -A PREROUTING -s %IP% -j ACCEPT',
    'nft add rule inet filter input tcp dport 22 accept',
    'ufw allow 22/tcp',
    '',
  ])('whose command cannot be told makes no user: %s', (command) => {
    const made = plan('knockd', `[a]\nsequence = 21300,24001,28500\nstart_command = ${command}\n`);
    expect(made.users).toEqual([]);
    expect(wordsOf(made, 1)).toContain('not_understood');
  });

  it('that opens ports of no service makes no user, and says which service is missing', () => {
    const made = plan('knockd', section('21300,24001,28500').replaceAll('--dport 22', '--dport 25'));
    expect(made.users).toEqual([]);
    expect(wordsOf(made, 3)).toContain('no service has tcp/25');
  });

  it('whose time is longer than a grant may last gets the longest there is', () => {
    expect(plan('knockd', section('21300,24001,28500').replace('3600', '999999')).users).toMatchObject([
      { ttl: hours(12) },
    ]);
  });

  it('with a name that no user can have, or one that is taken, gets another', () => {
    const names = ['open SSH!', '---', 'a', 'A'].map((name) => section('21300,24001').replace('Alice', name));
    expect(plan('knockd', names.join('\n')).users.map(({ name }) => name)).toEqual([
      'open-SSH',
      'knockd-13',
      'a',
      'A-2',
    ]);
  });
});

const STANZAS = `#### fwknopd access.conf
SOURCE                  ANY
REQUIRE_USERNAME        bob
REQUIRE_SOURCE_ADDRESS  Y
OPEN_PORTS              tcp/22, udp/5060
FW_ACCESS_TIMEOUT       3600
KEY_BASE64              c2VjcmV0LWtleS1vbmU=
HMAC_KEY_BASE64         c2VjcmV0LWtleS10d28=
SOURCE: 203.0.113.0/24;
KEY: plain-secret-three;
GPG_DECRYPT_PW          plain-secret-four
UNKNOWN_KEY             plain-secret-five
ENABLE_CMD_EXEC         Y
`;

describe('a stanza of access.conf', () => {
  it('becomes a user with a new sequence, its time and its services; all and 30 s where it names none', () => {
    expect(plan('fwknop', STANZAS).users).toMatchObject([
      { name: 'bob', services: ['ssh', 'sip'], ttl: hours(1), sequence: null, length: 3, from: [{ line: 2 }] },
      { name: 'fwknop-2', services: ['all'], ttl: seconds(30), sequence: null, from: [{ line: 9 }] },
    ]);
  });

  it('says that its keys are not taken over, and never a word of them', () => {
    const made = plan('fwknop', STANZAS);
    for (const line of [7, 8, 10, 11]) expect(wordsOf(made, line)).toContain('not_taken: keys');
    for (const secret of ['c2VjcmV0', 'plain', 'secret']) expect(JSON.stringify(made)).not.toContain(secret);
  });

  it('whose access is short says that live connections end with it, where they do', () => {
    expect(wordsOf(plan('fwknop', STANZAS), 9)).toContain('live connections end with it');
    expect(wordsOf(plan('fwknop', STANZAS.replace('3600', '600')), 2)).not.toContain('live connections');
    expect(minutes(10)).toBe(seconds(600));
  });

  it('whose ports cannot be read makes no user', () => {
    expect(plan('fwknop', 'SOURCE ANY\nOPEN_PORTS tcp/22, icmp/8\n').users).toEqual([]);
  });
});

describe('the plan', () => {
  const RULES = `-A INPUT -s 203.0.113.7 -p tcp --dport 22 -j ACCEPT
-A INPUT -s 203.0.113.7/32 -p udp --dport 5060 -j ACCEPT
-A INPUT -s 203.0.113.8 -p tcp --dport 22 -j ACCEPT
-A INPUT -s 203.0.113.8 -j ACCEPT
-A INPUT -s 203.0.113.9 -p udp -m multiport --dports 69,5060 -j ACCEPT
`;

  it('joins what is let in more than once', () => {
    expect(plan('iptables', RULES).entries).toMatchObject([
      { target: '203.0.113.7', services: ['sip', 'ssh'], from: [{ line: 1 }, { line: 2 }] },
      { target: '203.0.113.8', services: ['all'] },
      { target: '203.0.113.9', services: ['sip'] },
    ]);
  });

  it('says which ports belong to no service, and what a service opens along with a port', () => {
    const words = wordsOf(plan('iptables', RULES), 5);
    expect(words).toContain('taken: 203.0.113.9 is let in to sip (along with it tcp/5061, udp/10000-20000)');
    expect(words).toContain('not_taken: 203.0.113.9: no service has udp/69: add one to the configuration');
  });

  it('knows what is there already, and nothing else', () => {
    const present = {
      entries: [
        { target: '203.0.113.7', services: ['ssh'] },
        { target: '203.0.113.7', services: ['sip'] },
        { target: '203.0.113.8', services: ['ssh'] },
        { target: '203.0.113.9', services: ['all'] },
      ],
      users: ['ALICE'],
    };
    expect(plan('iptables', RULES, present).entries.map(({ isPresent }) => isPresent)).toEqual([true, false, true]);
    expect(plan('knockd', section('21300,24001,28500'), present).users).toMatchObject([
      { isPresent: true, sequence: null },
    ]);
  });

  it('opens to those for whom no port is named what it is told to', () => {
    const reading = readFile('f', 'iptables', '-A INPUT -s 203.0.113.7 -j ACCEPT');
    const made = planImport([{ file: 'f', kind: 'iptables', reading }], GROUND, NOBODY, ['ssh']);
    expect(made.entries).toMatchObject([{ services: ['ssh'] }]);
  });
});
