import { describe, expect, it } from 'vitest';
import { kindOf, readFile } from '../../src/core/import/file.ts';
import type { EntryWish, Reading, Verdict } from '../../src/core/import/reading.ts';
import { whoText } from '../../src/core/import/reading.ts';
import { formatPortRange } from '../../src/core/ports.ts';

/** Rules as iptables-save writes them, between the usual head and end. Line 1 is the first of `rules`. */
function read(rules: string, file = 'rules.v4'): Reading {
  return readFile(file, 'iptables', `${rules}\nCOMMIT\n`);
}

/** `203.0.113.7 udp/5060 udp/5061`. */
const wishes = (reading: Reading) => reading.entries.map(wishText);

function wishText({ who, ports }: EntryWish): string {
  return [whoText(who), ...(ports === null ? ['*'] : ports.map(formatPortRange))].join(' ');
}

function verdictsOf(reading: Reading, line: number): Verdict[] {
  return reading.lines.filter((one) => one.line === line).map(({ verdict }) => verdict);
}

const wordsOf = (reading: Reading, line: number) =>
  reading.lines
    .filter((one) => one.line === line)
    .map(({ words }) => words)
    .join('; ');

describe('a rule that lets one source in becomes an entry', () => {
  it.each([
    ['-A INPUT -s 203.0.113.7/32 -p udp -m multiport --dports 5060,5061 -j ACCEPT', '203.0.113.7 udp/5060 udp/5061'],
    ['-A INPUT -s 203.0.113.7 -j ACCEPT', '203.0.113.7 *'],
    ['-A INPUT -s 203.0.113.0/28 -p tcp -m tcp --dport 22 -j ACCEPT', '203.0.113.0/28 tcp/22'],
    ['-A INPUT -s 203.0.113.0/255.255.255.240 -p tcp --dport ssh -j ACCEPT', '203.0.113.0/28 tcp/22'],
    ['-A INPUT -s 192.168.1.5/24 -j ACCEPT', '192.168.1.0/24 *'],
    ['-A INPUT -p udp -m udp --dport 10000:20000 -s 203.0.113.7 -j ACCEPT', '203.0.113.7 udp/10000-20000'],
    ['-A INPUT -s Home.Example.org -p tcp -m tcp --dport 443 -j ACCEPT', 'home.example.org tcp/443'],
    ['-A INPUT -s 2001:db8:0::7/128 -p udp --dport 4569 -j ACCEPT', '2001:db8::7 udp/4569'],
    ['[12:840] -A INPUT -s 203.0.113.7 -p tcp -m state --state NEW -m tcp --dport 80 -j ACCEPT', '203.0.113.7 tcp/80'],
    ['-A INPUT -s 203.0.113.7 -p tcp --tcp-flags FIN,SYN,RST,ACK SYN --dport 80 -j ACCEPT', '203.0.113.7 tcp/80'],
    ['-A INPUT -s 203.0.113.7 -p 17 --dport 5060 -j ACCEPT', '203.0.113.7 udp/5060'],
    ['/sbin/iptables -I INPUT 1 -s 203.0.113.7 -j ACCEPT', '203.0.113.7 *'],
    ['iptables -t filter -A INPUT -s 203.0.113.7 -j ACCEPT # home', '203.0.113.7 *'],
  ])('%s', (rule, wish) => {
    const reading = read(rule);
    expect(wishes(reading)).toEqual([wish]);
    expect(verdictsOf(reading, 1)).toEqual([]);
  });

  it('several where it lists several', () => {
    expect(wishes(read('-A INPUT -s 203.0.113.7,198.51.100.9 -j ACCEPT'))).toEqual(['203.0.113.7 *', '198.51.100.9 *']);
  });

  it('with the comment of the rule, or where it is from, as its note', () => {
    const { entries } = read(
      '-A INPUT -s 203.0.113.7 -m comment --comment "Ann, at home" -j ACCEPT\n-A INPUT -s 203.0.113.8 -j ACCEPT',
      '/etc/iptables/rules.v4',
    );
    expect(entries.map(({ note }) => note)).toEqual(['Ann, at home', 'rules.v4, line 2']);
  });

  it('and says which of its conditions an entry does not have', () => {
    const [wish] = read('-A INPUT -i eth0 -d 192.0.2.1 -s 203.0.113.7 -j ACCEPT').entries;
    expect(wish?.wider).toBe('only through eth0, only to one address of this machine');
  });
});

describe('what Sallyport does itself is not needed, with a reason', () => {
  it.each([
    ['-A INPUT -i lo -j ACCEPT', 'loopback'],
    ['-A INPUT -s 127.0.0.1/32 -j ACCEPT', 'loopback'],
    ['-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT', 'replies'],
    ['-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT', 'replies'],
    ['-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT', 'ICMP'],
    ['-A INPUT -p ipv6-icmp -j ACCEPT', 'ICMP'],
    ['-A INPUT -p udp --sport 67 --dport 68 -j LOG', 'LOG'],
    ['-A INPUT -p udp -m udp --dport 67:68 -j ACCEPT', 'DHCP'],
    ['-A INPUT -j DROP', 'closes'],
    ['-A INPUT -p tcp -j REJECT --reject-with tcp-reset', 'closes'],
    ['-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd', 'fail2ban'],
    ['-A f2b-sshd -s 203.0.113.7/32 -j REJECT', 'fail2ban'],
    ['-A OUTPUT -d 203.0.113.7 -j ACCEPT', 'goes out'],
    ['-A FORWARD -s 203.0.113.7 -j ACCEPT', 'forwarded'],
    ['*nat', 'the table nat'],
    [':INPUT DROP [0:0]', 'closes'],
    [':FORWARD ACCEPT [0:0]', 'FORWARD'],
  ])('%s', (rule, why) => {
    const reading = read(rule);
    expect(reading.entries).toEqual([]);
    expect(verdictsOf(reading, 1)).toEqual(['not_needed']);
    expect(wordsOf(reading, 1)).toContain(why);
  });
});

describe('what a person must decide is not taken, with a reason', () => {
  it.each([
    ['-A INPUT -p tcp --tcp-flags ACK ACK -j ACCEPT', 'any stranger can set'],
    ['-A INPUT -p udp -m udp --sport 53 --dport 1024:65535 -j ACCEPT', 'any stranger can choose'],
    ['-A INPUT -s 203.0.113.53 -p udp -m udp --sport 53 -j ACCEPT', 'sallyport allow 203.0.113.53'],
    ['-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT', 'tcp/80 is open to everybody'],
    ['-A INPUT -s 0.0.0.0/0 -p tcp -m tcp --dport 80 -j ACCEPT', 'tcp/80 is open to everybody'],
    ['-A INPUT -s ::/0 -j ACCEPT', 'open to everybody, for everything'],
    ['-A INPUT -j ACCEPT', 'open to everybody, for everything'],
    ['-A INPUT -i wg0 -j ACCEPT', 'trusted.interfaces: [wg0]'],
    ['-A INPUT -s 66.54.140.46/32 -p udp --dport 4569 -j ACCEPT', 'IPkall'],
    ['-A INPUT -s 66.54.140.47 -j ACCEPT', 'IPkall'],
    ['-A INPUT -s talk.google.com -p udp --dport 5060 -j ACCEPT', 'Google Voice'],
    ['-A INPUT -s gmail.com -j ACCEPT', 'Google Voice'],
    ['-A INPUT -s 224.0.0.0/4 -j ACCEPT', 'multicast'],
    ['-A INPUT -s 203.0.113.7 -p gre -j ACCEPT', 'not gre'],
    ['#-A INPUT -s gone.example.org -j ACCEPT', 'commented out'],
    ['iptables -D INPUT -s 203.0.113.7 -j ACCEPT', 'takes a rule away'],
  ])('%s', (rule, why) => {
    const reading = read(rule);
    expect(reading.entries).toEqual([]);
    expect(verdictsOf(reading, 1)).toEqual(['not_taken']);
    expect(wordsOf(reading, 1)).toContain(why);
  });
});

describe('what has no counterpart is not understood, and lets nobody in', () => {
  it.each([
    '-A INPUT ! -s 203.0.113.7 -j ACCEPT',
    '-A INPUT -s ! 203.0.113.7 -j ACCEPT',
    '-A INPUT -s 1.2.3 -j ACCEPT',
    '-A INPUT -s 10.0.0.1/33 -j ACCEPT',
    '-A INPUT -s 10.0.0.1/255.0.255.0 -j ACCEPT',
    '-A INPUT -s ::ffff:1.2.3.4 -j ACCEPT',
    '-A INPUT -s -j ACCEPT',
    '-A INPUT -s \u212aing.example.org -j ACCEPT',
    `-A INPUT -s ${'a.'.repeat(150)}org -j ACCEPT`,
    '-A INPUT -s 203.0.113.7 -m recent --rcheck --name KNOCK -j ACCEPT',
    '-A INPUT -m set --match-set friends src -j ACCEPT',
    '-A INPUT -s 203.0.113.7 -m limit --limit 3/min -j ACCEPT',
    '-A INPUT -s 203.0.113.7 --dport 22 -j ACCEPT',
    '-A INPUT -s 203.0.113.7 -p tcp --dport 99999 -j ACCEPT',
    '-A INPUT -s 203.0.113.7 -p tcp ! --dport 22 -j ACCEPT',
    '-A INPUT -s 203.0.113.7 -m comment --comment "open -j ACCEPT',
    '$IPT -A INPUT -s $HOME_IP -j ACCEPT',
  ])('%s', (rule) => {
    const reading = read(rule);
    expect(reading.entries).toEqual([]);
    expect(verdictsOf(reading, 1)).toEqual(['not_understood']);
  });
});

describe('the way of a packet is followed', () => {
  it('through the chains that INPUT leads to, and through no other', () => {
    const reading = read(
      [
        '-A INPUT -j WHITE',
        '-A INPUT -s 203.0.113.9 -j FRIENDS',
        '-A INPUT -p tcp -m tcp --dport 22 -j SSH',
        '-A WHITE -s 203.0.113.7 -j ACCEPT',
        '-A FRIENDS -p tcp -m tcp --dport 443 -j ACCEPT',
        '-A SSH -s 203.0.113.8 -j ACCEPT',
        '-A LONELY -s 203.0.113.66 -j ACCEPT',
      ].join('\n'),
    );
    expect(wishes(reading)).toEqual(['203.0.113.7 *', '203.0.113.9 tcp/443', '203.0.113.8 tcp/22']);
    expect(reading.entries.map(({ line }) => line)).toEqual([4, 2, 6]);
    expect(wordsOf(reading, 5)).toContain('by line 2');
    expect(wordsOf(reading, 7)).toContain('nothing leads from INPUT');
  });

  it('to the rule that ends it: what stands behind lets nobody in', () => {
    const reading = read(
      [
        '-A INPUT -s 203.0.113.7 -j DROP',
        '-A INPUT -p tcp -m tcp --dport 22 -j DROP',
        '-A INPUT -s 203.0.113.7 -j ACCEPT',
        '-A INPUT -s 203.0.113.8 -p tcp -m tcp --dport 22 -j ACCEPT',
        '-A INPUT -s 203.0.113.8 -p tcp -m tcp --dport 80 -j ACCEPT',
        '-A INPUT -j DROP',
        '-A INPUT -s 203.0.113.9 -j ACCEPT',
      ].join('\n'),
    );
    expect(wishes(reading)).toEqual(['203.0.113.8 tcp/80']);
    for (const line of [3, 4, 7]) expect(wordsOf(reading, line)).toContain('never reached');
  });

  it('out of a chain by RETURN, and on in the one that it came from', () => {
    const reading = read(
      [
        '-A INPUT -j WHITE',
        '-A INPUT -s 203.0.113.8 -j ACCEPT',
        '-A WHITE -s 203.0.113.7 -j RETURN',
        '-A WHITE -s 203.0.113.7 -j ACCEPT',
        '-A WHITE -j RETURN',
        '-A WHITE -s 203.0.113.9 -j ACCEPT',
      ].join('\n'),
    );
    expect(wishes(reading)).toEqual(['203.0.113.8 *']);
  });

  it('not round and round, nor through a maze of jumps for ever', () => {
    const circle = read('-A INPUT -j A\n-A A -j B\n-A B -j A\n-A B -s 203.0.113.7 -j ACCEPT');
    expect(wishes(circle)).toEqual(['203.0.113.7 *']);
    expect(verdictsOf(circle, 3)).toEqual(['not_understood']);
    const maze = ['-A INPUT -j C0'];
    for (let i = 0; i < 40; i++) maze.push(`-A C${i} -j C${i + 1}`, `-A C${i} -j C${i + 1}`);
    read(maze.join('\n'));
  });

  it('and a network that is let in but for a part of it is told, since entries have no holes', () => {
    const reading = read('-A INPUT -s 203.0.113.9 -j DROP\n-A INPUT -s 203.0.113.0/28 -j ACCEPT');
    expect(wishes(reading)).toEqual(['203.0.113.0/28 *']);
    expect(wordsOf(reading, 1)).toContain('203.0.113.9 is dropped there and lies in 203.0.113.0/28');
  });

  it('a policy that is set again is told as that, and the last one counts', () => {
    const reading = read(':INPUT ACCEPT\n:INPUT DROP');
    expect([verdictsOf(reading, 1), verdictsOf(reading, 2)]).toEqual([['not_needed'], ['not_needed']]);
    expect(wordsOf(reading, 1)).toContain('line 2 says it anew');
  });

  it('a policy of ACCEPT without a rule that drops the rest is told', () => {
    expect(verdictsOf(read(':INPUT ACCEPT [0:0]\n-A INPUT -s 203.0.113.7 -j ACCEPT'), 1)).toEqual(['not_taken']);
    expect(verdictsOf(read(':INPUT ACCEPT [0:0]\n-A INPUT -j REJECT'), 1)).toEqual(['not_needed']);
  });
});

describe('the kind of a file', () => {
  it.each([
    ['rules.v4', '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n', 'iptables'],
    ['iptables-custom', '#!/bin/bash\n/usr/sbin/iptables -A INPUT -s 203.0.113.7 -j ACCEPT\n', 'iptables'],
    ['bob.iptables', '-A INPUT -s 203.0.113.7 -j ACCEPT\n', 'account'],
    ['bob.iptables', 'bob.example.org\n', 'account'],
    ['list.txt', '203.0.113.7\n198.51.100.0/24\n', 'account'],
    ['x', '[options]\n\tUseSyslog\n', 'knockd'],
    ['x', '[ssh]\n  Sequence = 1,2,3\n', 'knockd'],
    ['x', '### fwknop\nSOURCE: ANY;\nKEY: a;\n', 'fwknop'],
    ['x', '%include /etc/fwknop/bob.conf\n', 'fwknop'],
    ['notes.txt', 'bob.example.org\n', undefined],
    ['sallyport.yaml', 'version: 1\nservices:\n  ssh: [tcp/22]\n', undefined],
    ['x', '', undefined],
    ['x', '# nothing\n\n', undefined],
    ['x', '\u0000\u0001\ufffd', undefined],
  ])('%s with %j is told by what is in it', (file, text, kind) => {
    expect(kindOf(file, text)).toBe(kind);
  });
});

describe('an account file of Incredible PBX', () => {
  it('with rules is read as rules, and its name is the note', () => {
    const text = '-A INPUT -s bob.example.org -p udp --dport 5060:5069 -j ACCEPT\n';
    const { entries } = readFile('/root/bob.iptables', 'account', text);
    expect(entries).toMatchObject([{ line: 1, who: { name: 'bob.example.org' }, note: 'bob (Incredible PBX)' }]);
  });

  it('with nothing but addresses and names lets them in, retired providers left out', () => {
    const reading = readFile(
      'bob.iptables',
      'account',
      '# bob\n203.0.113.7\nbob.example.org\n66.54.140.46\n127.0.0.1\n',
    );
    expect(wishes(reading)).toEqual(['203.0.113.7 *', 'bob.example.org *']);
    expect(reading.lines.map(({ line, verdict }) => [line, verdict])).toEqual([
      [4, 'not_taken'],
      [5, 'not_needed'],
    ]);
  });
});
