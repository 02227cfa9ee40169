/** The example of the contract: it must load as it is. */
export const SAMPLE = `version: 1
services:
  ssh: [tcp/22]
  sip: [udp/5060, tcp/5061, udp/10000-20000]
  web: [tcp/80, tcp/443]
firewall:
  driver: nftables        # nftables | ipset | command
  policy: guard           # guard: close the services below | lockdown: close everything
  guard: [ssh, sip, web]
  on_expiry: cut          # cut | drain
trusted:
  interfaces: [wg0]
  addresses:
    - {address: 203.0.113.0/28, services: all, note: head office}
  names:
    - {name: home.example.org, services: [ssh]}
  providers: [voip.ms]
knock:
  source: kernel          # kernel | socket
  pool: 21000-29999
  window: 10s
grants:
  ttl: 1h
  max_ttl: 12h
phone:
  extension: "864"
  driver: ari             # ari | ami
  ari: {url: "http://127.0.0.1:8088", app: sallyport, username: sallyport, password_file: /etc/sallyport/ari.secret}
  ami: {host: 127.0.0.1, port: 5038, username: sallyport, secret_file: /etc/sallyport/ami.secret}
control:
  socket: /run/sallyport/control.sock
log:
  level: info
`;

/** The least that loads. */
export const LEAST = 'version: 1\nservices:\n  ssh: [tcp/22]\n';
