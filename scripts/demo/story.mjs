/** What the demo shows, scene by scene. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { at } from '../lib/checkout.mjs';
import { GatewayProcess } from '../lib/gateway.mjs';

const TTL_SECONDS = 6;
const POOL = { first: 21000, last: 29999 };
/** What a live connection may go on beyond its time, in milliseconds. */
const TOLERANCE_MS = 1000;
const CONFIG = `services: {ssh: [tcp/22]}\nknock: {pool: ${POOL.first}-${POOL.last}}`;

/** A claim that did not hold. */
export class NotSeen extends Error {
  /** @param {string} claim @param {string} log the last words of the gateway */
  constructor(claim, log) {
    super(claim);
    this.log = log;
  }
}

/**
 * Tells the story.
 * @throws {NotSeen} at the first claim that does not hold
 */
export async function tell(wire, screen) {
  const [gateway, laptop, stranger] = wire.machines;
  const daemon = new GatewayProcess(gateway, wire.directory, CONFIG);
  const stage = { gateway, laptop, stranger, daemon, screen, claim };
  const card = join(wire.directory, 'alice.knock');

  function claim(text, isSeen, detail = '') {
    screen.verdict(isSeen, text, detail);
    if (!isSeen) throw new NotSeen(text, daemon.log.split('\n').slice(-12).join('\n'));
  }

  drawTopology(stage);
  await anOpenPort(stage);
  await theGuardGoesUp(stage, card);
  await aStrangerKnowsNothing(stage);
  const connection = await theLaptopKnocks(stage, card);
  await theStrangerSweeps(stage);
  const end = await theLaptopRenews(stage, card);
  screen.scene('Time runs out, and the live connection is cut');
  await connectionEnds(stage, connection, end);
  await theGatewayIsKilled(stage, card);
  await theJournalKnows(stage);
  screen.line(`\n ${screen.paint(['bold', 'green'], 'That is all, and all of it was seen.')}`);
  screen.line(' On a server of your own: sudo npm start');
}

function drawTopology({ gateway, laptop, stranger, screen }) {
  const name = (machine) => `${machine.role.padEnd(8)} ${machine.address}`;
  screen.title('Sallyport: a door that is shut to everybody, and opens for a while to the one who knocks');
  screen.line();
  screen.line(`      ${screen.paint('green', name(laptop))} ──┐`);
  screen.line(`                         ├── ${screen.paint('yellow', name(gateway))}   ssh on tcp/22`);
  screen.line(`      ${screen.paint('red', name(stranger))} ──┘`);
  screen.line();
  screen.note('Three network namespaces of this machine, with real packets between them; nothing else is touched.');
  screen.note(`While it runs, look inside: ip netns exec ${gateway.namespace} nft list ruleset`);
}

async function anOpenPort({ gateway, stranger, screen, claim }) {
  screen.scene('As servers are: open to the world');
  await gateway.tell('listenTcp', { port: 22 });
  screen.command(stranger.role, `connect ${gateway.address} port 22`);
  const verdict = await connect(stranger, gateway);
  claim('a stranger can connect to port 22', verdict === 'open', verdict);
}

async function theGuardGoesUp({ gateway, daemon, screen, claim }, card) {
  screen.scene('The gateway starts');
  screen.command(gateway.role, 'sallyport serve');
  screen.during(() => 'starting …');
  const started = performance.now();
  await daemon.start();
  const took = `ready in ${seconds(performance.now() - started)}`;
  const { firewall } = (await daemon.json('status')).parts;
  claim('the guard is up', ['guarding', 'provisional'].includes(firewall.state), took);
  screen.command(gateway.role, `sallyport user add alice --services ssh --ttl ${TTL_SECONDS}s`);
  const user = await daemon.json('user', 'add', 'alice', '--services', 'ssh', '--ttl', `${TTL_SECONDS}s`);
  const knock = user.sequence.map(({ protocol, port }) => `${protocol}/${port}`);
  writeFileSync(card, `${knock.join(',')}\n`, { mode: 0o600 });
  screen.note(`alice's secret knock, drawn at random: ${knock.join(', then ')}`);
}

async function aStrangerKnowsNothing({ gateway, laptop, stranger, screen, claim }) {
  screen.scene('Nobody gets an answer any more');
  screen.command(stranger.role, `connect ${gateway.address} port 22`);
  screen.during(() => 'waiting for an answer …');
  const [ofStranger, ofLaptop] = await Promise.all([connect(stranger, gateway), connect(laptop, gateway)]);
  claim('the stranger hears nothing, not even a refusal', ofStranger === 'silent', ofStranger);
  claim('neither does the laptop, before it knocks', ofLaptop === 'silent', ofLaptop);
}

async function theLaptopKnocks(stage, card) {
  const { gateway, laptop, stranger, screen, claim } = stage;
  screen.scene('The laptop knocks');
  await knock(stage, card, 'the laptop gets in');
  const { handle } = await laptop.tell('hold', { protocol: 'tcp', address: gateway.address, port: 22 });
  claim('it has a live connection to port 22', await laptop.tell('ping', { handle }));
  const verdict = await connect(stranger, gateway);
  claim('the stranger still hears nothing', verdict === 'silent', verdict);
  return handle;
}

async function theStrangerSweeps({ gateway, laptop, stranger, daemon, screen, claim }) {
  screen.scene('The stranger tries every port of the pool');
  const { first, last } = POOL;
  const rounds = [
    { protocol: 'udp', first, last },
    { protocol: 'udp', first: last, last: first },
    { protocol: 'tcp', first, last },
  ];
  screen.command(stranger.role, `sweep ports ${first}-${last}: UDP upwards and downwards, TCP upwards`);
  let sent = 0;
  screen.during(() => `${sent.toLocaleString('en')} packets sent …`);
  const before = await received(gateway);
  for (const round of rounds) sent += await stranger.tell('sweep', { address: gateway.address, ...round });
  const arrived = (await received(gateway)) - before;
  const { grants } = await daemon.json('status');
  const verdict = await connect(stranger, gateway);
  const size = sent.toLocaleString('en');
  claim(`the packets of the sweep reached the gateway`, arrived > 0.95 * sent, `${size} were sent`);
  const opened = grants.filter(({ address }) => address !== laptop.address);
  claim(`${size} packets opened nothing`, opened.length === 0 && verdict === 'silent', verdict);
}

async function theLaptopRenews(stage, card) {
  const { laptop, daemon, screen, claim } = stage;
  screen.scene('The laptop knocks again: its time begins anew');
  const before = await endOfGrant(daemon, laptop);
  await knock(stage, card, 'the laptop gets in again');
  const after = await endOfGrant(daemon, laptop);
  claim('its time ends later than before', after > (before ?? 0));
  screen.command('gateway', 'sallyport status');
  const { stdout } = await daemon.cli('status');
  screen.quote(stdout);
  claim('status says who is in', stdout.includes(laptop.address) && stdout.includes('alice'));
  return after;
}

async function theGatewayIsKilled(stage, card) {
  const { gateway, laptop, stranger, daemon, screen, claim } = stage;
  screen.scene('The gateway is killed while the door is open: the kernel closes it all the same');
  await knock(stage, card, 'the laptop gets in');
  const { handle } = await laptop.tell('hold', { protocol: 'tcp', address: gateway.address, port: 22 });
  const end = await endOfGrant(daemon, laptop);
  screen.command(gateway.role, 'kill -9 the gateway');
  await daemon.end('SIGKILL');
  const [verdict, isAlive, { code }] = await Promise.all([
    connect(stranger, gateway),
    laptop.tell('ping', { handle }),
    daemon.cli('status'),
  ]);
  claim('no gateway runs', code !== 0);
  claim('the stranger still hears nothing', verdict === 'silent', verdict);
  claim('the connection of the laptop lives on', isAlive);
  await connectionEnds(stage, handle, end);
}

async function theJournalKnows({ gateway, laptop, daemon, screen, claim }) {
  screen.scene('The gateway starts again, and the journal knows who was in');
  screen.command(gateway.role, 'sallyport serve &  sallyport log');
  screen.during(() => 'starting …');
  await daemon.start();
  const events = (await daemon.cli('log', '--json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  screen.quote((await daemon.cli('log')).stdout);
  const grants = (name) =>
    events.filter(({ event, address }) => event === name && address === laptop.address).map(({ grant }) => grant);
  const [opened, expired] = [grants('grant.opened'), grants('grant.expired')];
  claim('it has every opening', opened.length >= 2, `${opened.length} of them`);
  const hasEnds = opened.every((id) => expired.includes(id));
  claim('and how each of them ended, also what ended while no gateway ran', hasEnds);
}

/** Knocks with the real client, until the port can be reached. */
async function knock({ gateway, laptop, screen, claim }, card, text) {
  screen.command(laptop.role, `sallyport knock ${gateway.address} --ports-file alice.knock --wait tcp/22`);
  screen.during(() => 'knocking …');
  const argv = [at('dist', 'main.js'), 'knock', gateway.address, '--ports-file', card, '--wait', 'tcp/22', '--json'];
  const { code, stdout, stderr } = await laptop.run(process.execPath, argv);
  const { open, tries } = code === 0 ? JSON.parse(stdout) : {};
  claim(text, open === true, stderr.trim() || (tries === 1 ? 'at the first try' : `after ${tries} tries`));
}

/** Talks over a live connection until its time is over, and sees that it is then cut. */
async function connectionEnds({ gateway, laptop, screen, claim }, handle, end) {
  const left = () => end - Date.now();
  screen.note('It is asked for an echo again and again.');
  screen.during(() => `${screen.bar(left(), TTL_SECONDS * 1000)}  ${seconds(Math.max(0, left()))} left`);
  let answers = 0;
  let lastAnswer = 0;
  while (left() > -TOLERANCE_MS) {
    if (await laptop.tell('ping', { handle, timeout: 300 })) {
      answers += 1;
      lastAnswer = Date.now();
    }
    await sleep(100);
  }
  const [answersLater, verdict] = await Promise.all([laptop.tell('ping', { handle }), connect(laptop, gateway)]);
  const [before, after] = end >= lastAnswer ? [end - lastAnswer, 0] : [0, lastAnswer - end];
  const when = after > 0 ? `${seconds(after)} after` : `${seconds(before)} before`;
  claim('the connection lived while there was time', answers > 0, `${answers} answers`);
  const isCut = !answersLater && after <= TOLERANCE_MS;
  claim('when its time was over, it was cut in the middle', isCut, `the last answer came ${when} its end`);
  claim('and a new one gets no answer', verdict === 'silent', verdict);
}

/** open, refused or silent. */
function connect(from, to) {
  return from.tell('tcp', { address: to.address, port: 22, timeout: 600 });
}

/** When the grant of a machine ends, in milliseconds since 1970; undefined where it has none. */
async function endOfGrant(daemon, { address }) {
  const { grants } = await daemon.json('status');
  const grant = grants.find((one) => one.address === address);
  return grant && Date.parse(grant.expires_at);
}

/** How many packets have come to a machine. */
async function received(machine) {
  const [link] = JSON.parse(await machine.mustRun('ip', ['-json', '-stats', 'link', 'show', 'eth0']));
  return link.stats64.rx.packets;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
