import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Card, renderCard } from '../../src/client/card.ts';
import {
  bashSnippet,
  debianKnockCommand,
  powershellSnippet,
  sallyportCommand,
  snippetHost,
} from '../../src/client/snippets.ts';
import { parseSequence } from '../../src/core/sequence.ts';

const SEQUENCE = parseSequence('tcp/21234,udp/28111,tcp/24711');
const CARD: Card = {
  user: 'alice',
  host: '203.0.113.7',
  sequence: SEQUENCE,
  services: 'ssh, web',
  ttl: '1h',
  waitPort: 'tcp/22',
};
const PLAIN = { color: false, width: 80 };

describe('the card', () => {
  it('has every way in, ready to copy', () => {
    const lines = renderCard(CARD, PLAIN).split('\n');
    expect(lines).toContain('  sallyport knock 203.0.113.7 --ports tcp/21234,udp/28111,tcp/24711 --wait tcp/22');
    expect(lines).toContain('  knock -d 200 203.0.113.7 21234:tcp 28111:udp 24711:tcp');
    expect(lines).toContain('  ports     21234 TCP, then 28111 UDP, then 24711 TCP; in this order');
    for (const line of bashSnippet(CARD.host, SEQUENCE).split('\n')) expect(lines).toContain(`  ${line}`);
    for (const line of powershellSnippet(CARD.host, SEQUENCE).split('\n')) expect(lines).toContain(`  ${line}`);
  });

  it('says whose it is, what it opens, for how long, that it is secret, and what a knock cannot do', () => {
    const text = renderCard(CARD, { color: false, width: 400 }).replaceAll(/\s+/g, ' ');
    expect(text).toContain('The secret knock of alice');
    expect(text).toContain('ssh, web, for 1h after each knock');
    expect(text).toContain('This card is a secret');
    expect(text).toContain('Anyone who can watch the network can copy these packets');
    expect(text).toContain('shares that address with you');
  });

  it('offers a code by phone to those who have a PIN, and to nobody else', () => {
    const text = renderCard({ ...CARD, extension: '864' }, PLAIN);
    expect(text).toContain(
      '  sallyport pair 203.0.113.7 --ports tcp/21234,udp/28111,tcp/24711 --wait tcp/22 --extension 864\n',
    );
    expect(text).toContain('(Then call 864, choose 2, and type the code');
    expect(renderCard(CARD, PLAIN)).not.toContain('sallyport pair');
    expect(renderCard({ ...CARD, extension: '*8; id' }, PLAIN)).not.toContain('--extension');
  });

  it('says that a knock waits for a yes, where it does', () => {
    const opens = (approval: 'none' | 'phone' | 'callback') =>
      renderCard({ ...CARD, approval }, { color: false, width: 400 })
        .split('\n')
        .find((line) => line.startsWith('  opens'));
    expect(opens('none')).toContain('after each knock; knock again to go on');
    expect(opens('phone')).toContain('after a knock and your yes: call');
    expect(opens('callback')).toContain('your telephone rings');
  });

  it('asks for the server where that is not known', () => {
    const text = renderCard({ ...CARD, host: 'YOUR-SERVER' }, PLAIN);
    expect(text).toContain('sallyport knock YOUR-SERVER --ports');
    expect(text).toContain('Put the name or address of the server');
    expect(renderCard(CARD, PLAIN)).not.toContain('YOUR-SERVER');
  });

  it('leaves --wait out where no TCP port is opened', () => {
    const { waitPort: _, ...card } = CARD;
    expect(renderCard(card, PLAIN)).not.toContain('--wait');
    expect(renderCard({ ...CARD, waitPort: 'tcp/22; id' }, PLAIN)).not.toContain('; id');
  });

  it('keeps prose within the width and breaks no command', () => {
    for (const width of [1, 60, 80, 120]) {
      const lines = renderCard(CARD, { color: false, width }).split('\n');
      const prose = lines.filter((line) => /^( {2}- | {4}\S|\S)/.test(line));
      for (const line of prose) expect(line.length).toBeLessThanOrEqual(Math.max(width, 40));
      expect(lines.filter((line) => line.includes('/dev/tcp/'))).toHaveLength(2);
    }
  });

  it('is the same text with colours and without', () => {
    const colored = renderCard(CARD, { color: true, width: 80 });
    expect(colored).not.toBe(renderCard(CARD, PLAIN));
    expect(stripVTControlCharacters(colored)).toBe(renderCard(CARD, PLAIN));
  });

  it('passes no escape sequence on', () => {
    const text = renderCard({ ...CARD, user: 'a\u001b[2Jb', services: 'ssh\nFAKE', ttl: '\u009b1h' }, PLAIN);
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(text).not.toMatch(/^FAKE/m);
  });
});

describe('the snippets', () => {
  it.each(['$(id)', "'; id; '", '`id`', 'a b', '"', '-x', 'a\nb', 'fe80::1%eth0', ''])(
    'take no %j as a host',
    (host) => {
      expect(snippetHost(host)).toBe('YOUR-SERVER');
      for (const make of [bashSnippet, powershellSnippet, debianKnockCommand, sallyportCommand]) {
        expect(make(host, SEQUENCE)).toContain('YOUR-SERVER');
        expect(make(host, SEQUENCE)).toBe(make('YOUR-SERVER', SEQUENCE));
      }
    },
  );

  it('in bash are one line for each knock, none of which can hang', () => {
    expect(bashSnippet('2001:db8::7', SEQUENCE)).toBe(
      [
        "timeout 0.3 bash -c ': > /dev/tcp/2001:db8::7/21234'; sleep 0.3",
        'echo > /dev/udp/2001:db8::7/28111; sleep 0.3',
        "timeout 0.3 bash -c ': > /dev/tcp/2001:db8::7/24711'; sleep 0.3",
      ].join('\n'),
    );
  });

  it('in PowerShell send all packets from one family', () => {
    const lines = powershellSnippet('office.example.org', SEQUENCE).split('\n');
    expect(lines).toEqual([
      '$f = [Net.Sockets.AddressFamily]::InterNetwork',
      "$t = [Net.Sockets.TcpClient]::new($f); [void]$t.BeginConnect('office.example.org', 21234, $null, $null); Start-Sleep -Milliseconds 300; $t.Close()",
      "$u = [Net.Sockets.UdpClient]::new($f); [void]$u.Send([byte[]]@(10), 1, 'office.example.org', 28111); $u.Close(); Start-Sleep -Milliseconds 300",
      "$t = [Net.Sockets.TcpClient]::new($f); [void]$t.BeginConnect('office.example.org', 24711, $null, $null); Start-Sleep -Milliseconds 300; $t.Close()",
    ]);
    expect(powershellSnippet('2001:db8::7', SEQUENCE)).toContain('AddressFamily]::InterNetworkV6');
  });
});
