import { expect, it } from 'vitest';
import type { GuardLayout } from '#dist/core/firewall.js';
import { parsePortRange, parsePortSpan } from '#dist/core/ports.js';
import type { ServiceName } from '#dist/core/service.js';
import { hours, seconds } from '#dist/core/time.js';
import { place } from '#dist/firewall/placement.js';
import { renderGuard as render } from '#dist/firewall/ruleset.js';

const LAYOUT: GuardLayout = {
  policy: 'lockdown',
  guarded: new Map([['sip' as ServiceName, ['udp/5060', 'tcp/5061'].map(parsePortRange)]]),
  onExpiry: 'cut',
  pool: parsePortSpan('21000-29999'),
  knocks: 'kernel',
  strikes: null,
  window: seconds(10),
  nflogGroup: 864,
  maxTtl: hours(12),
  ipv6Prefix: 64,
  trustedInterfaces: ['wg0'],
  forwardFrom: ['docker0', 'wg0', 'br-*'],
  openPorts: ['udp/51820'].map(parsePortRange),
  localPorts: parsePortSpan('32768-60999'),
};

const renderGuard = (layout: GuardLayout) => render(place({ layout, fallback: null }));

/** The chains from one to the end, without blanks at the beginnings. */
const from = (chain: string, text: string) => text.slice(text.indexOf(`  chain ${chain} {`)).replace(/^ +/gm, '');

it('lockdown closes what the guard leaves alone, in these very rules', () => {
  expect(from('answers', renderGuard(LAYOUT))).toBe(LOCKDOWN);
});

it('drain lets what is established finish, forwarded or not', () => {
  const text = from('lockdown', renderGuard({ ...LAYOUT, onExpiry: 'drain' }));
  expect(text).toContain('chain lockdown {\nct state established accept\n');
  expect(text).toContain('accept\nct state established accept\nip saddr @grant_all_4 goto let_in_4\n');
});

it('no rule of lockdown is there with the policy guard', () => {
  const plain = renderGuard({ ...LAYOUT, policy: 'guard', forwardFrom: [], openPorts: [] });
  expect(renderGuard({ ...LAYOUT, policy: 'guard' })).toBe(plain);
  expect(plain).not.toMatch(/lockdown|forward|answers|begun|51820/);
});

it('the sockets that take knocks are reached under lockdown by their open ports alone', () => {
  const text = renderGuard({ ...LAYOUT, knocks: 'socket', openPorts: [parsePortRange('udp/21000-29999')] });
  expect(text).toContain('{ udp . 21000-29999 } accept');
  expect(text.match(/21000/g)).toHaveLength(1);
});

const LOCKDOWN = `chain answers {
ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
ct state related icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
udp dport != 32768-60999 ip saddr @grant_held_4 drop
udp dport != 32768-60999 ip saddr @range_held_4 drop
udp dport != 32768-60999 ip6 saddr & ffff:ffff:ffff:ffff:: @grant_held_6 drop
udp dport != 32768-60999 ip6 saddr @range_held_6 drop
ct state established ct direction reply accept
ip saddr . tcp sport . tcp dport @begun_4 update @begun_4 { ip saddr . tcp sport . tcp dport } accept
ip6 saddr . tcp sport . tcp dport @begun_6 update @begun_6 { ip6 saddr . tcp sport . tcp dport } accept
drop
}
chain lockdown {
ip saddr @grant_all_4 goto let_in_4
ip saddr @entry_all_4 goto let_in_4
ip saddr @range_all_4 goto let_in_4
ip6 saddr & ffff:ffff:ffff:ffff:: @grant_all_6 goto let_in_6
ip6 saddr @entry_all_6 goto let_in_6
ip6 saddr @range_all_6 goto let_in_6
meta l4proto . th dport { udp . 51820 } accept
ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
ip6 saddr fe80::/10 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept
meta nfproto ipv4 udp sport 67 udp dport 68 accept
ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
ct direction original ct status dnat meta l4proto tcp ct original proto-dst vmap { 5061 : goto ports.sip }
ct direction original ct status dnat meta l4proto udp ct original proto-dst vmap { 5060 : goto replies.sip }
tcp dport != 32768-60999 ct direction reply ct status snat accept
tcp dport != 32768-60999 drop
goto answers
}
chain forwarded {
iifname { "wg0", "docker0", "br-*" } accept
ip saddr @grant_all_4 goto let_in_4
ip saddr @entry_all_4 goto let_in_4
ip saddr @range_all_4 goto let_in_4
ip6 saddr & ffff:ffff:ffff:ffff:: @grant_all_6 goto let_in_6
ip6 saddr @entry_all_6 goto let_in_6
ip6 saddr @range_all_6 goto let_in_6
ct direction original ct status dnat meta l4proto tcp ct original proto-dst vmap { 5061 : goto ports.sip }
ct direction original ct status dnat meta l4proto udp ct original proto-dst vmap { 5060 : goto replies.sip }
goto answers
}
chain guard {
meta oif != 0 goto forwarded
meta l4proto { tcp, udp } th dport 21000-29999 goto pool
iifname { "wg0" } accept
meta l4proto . th dport vmap { tcp . 5061 : goto ports.sip, udp . 5060 : goto replies.sip }
goto lockdown
}
map active { type nf_proto : verdict; flags timeout; }
chain prerouting {
type filter hook prerouting priority -110; policy accept;
iif lo accept
fib daddr type != local accept
meta nfproto vmap @active
}
chain input {
type filter hook input priority -10; policy accept;
iif lo accept
meta nfproto vmap @active
}
chain forward {
type filter hook forward priority -10; policy accept;
meta nfproto vmap @active
}`;
