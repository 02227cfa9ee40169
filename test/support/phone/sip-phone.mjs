/**
 * A telephone for tests: registers, calls and is called, over UDP. What it does not do: transfers, holding, early media.
 *
 *   INVITE ──▶ 401 ──▶ ACK, INVITE with digest ──▶ 100, 180, 200 ──▶ ACK … RTP … BYE ──▶ 200
 */
import dgram from 'node:dgram';
import { RtpStream } from './rtp.mjs';
import { authorization, cseq, formatSip, header, headersNamed, parseSip, token, uriIn } from './sip-message.mjs';

const RESEND_MS = 500;
const ANSWER_BOUND_MS = 10_000;
const NEXT_CALL_BOUND_MS = 30_000;

export class SipPhone {
  #options;
  #socket;
  #calls = new Map();
  /** By branch: what waits for an answer. */
  #waiting = new Map();
  #incoming = [];
  #expecting = [];
  #cseq = 1;
  #callId = token();

  /**
   * @param {{local?: string, port?: number, server: string, serverPort?: number, user: string, password?: string,
   *   whenCalled?: 'answer' | 'ring' | 'busy'}} options `whenCalled`: what it does when it is called
   */
  constructor(options) {
    this.#options = { local: '127.0.0.1', port: 0, serverPort: 5060, password: '', whenCalled: 'answer', ...options };
  }

  get port() {
    return this.#socket.address().port;
  }

  /** The address it speaks from. */
  get local() {
    return this.#options.local;
  }

  async open() {
    this.#socket = dgram.createSocket('udp4');
    this.#socket.on('message', (data) => this.#receive(data.toString('utf8'))).on('error', () => {});
    const { local, port } = this.#options;
    await new Promise((resolve, reject) => this.#socket.once('error', reject).bind(port, local, resolve));
  }

  /** Registers for a while, in seconds; 0 takes it back. Resolves with the status. */
  async register(seconds = 300) {
    const { server, serverPort, user } = this.#options;
    const uri = `sip:${server}:${serverPort}`;
    const us = `<sip:${user}@${server}>`;
    const more = [
      ['From', `${us};tag=${token()}`],
      ['To', us],
      ['Call-ID', this.#callId],
      ['Contact', this.#contact()],
      ['Expires', seconds],
    ];
    const answer = await this.#authenticated('REGISTER', uri, more);
    return answer.status;
  }

  /**
   * Calls a number.
   * @param {{name?: string, as?: string}} [options] the display name, and who it says it is
   * @returns {SipCall} at once; `await call.answered`
   */
  call(number, { name = '', as = this.#options.user } = {}) {
    const { server, serverPort } = this.#options;
    const uri = `sip:${number}@${server}:${serverPort}`;
    const from = `${name === '' ? '' : `"${name}" `}<sip:${as}@${server}>;tag=${token()}`;
    const call = new SipCall(this, { callId: token(), from, to: `<${uri}>`, uri });
    this.#calls.set(call.callId, call);
    call.answered = this.#invite(call);
    call.answered.catch(() => {});
    return call;
  }

  /** What it does with the next call that comes. */
  whenCalled(what) {
    this.#options.whenCalled = what;
  }

  /** The next call that comes, or has come and was not taken yet; rejects where none comes for a while. */
  nextCall() {
    const call = this.#incoming.shift();
    if (call !== undefined) return Promise.resolve(call);
    return new Promise((resolve, reject) => {
      const take = (next) => {
        clearTimeout(bound);
        resolve(next);
      };
      const bound = setTimeout(() => {
        this.#expecting.splice(this.#expecting.indexOf(take), 1);
        reject(new Error('nobody called'));
      }, NEXT_CALL_BOUND_MS);
      this.#expecting.push(take);
    });
  }

  /** Leaves without a word: calls are not hung up. */
  close() {
    for (const call of this.#calls.values()) call.forget('closed');
    for (const { timer, bound } of this.#waiting.values()) {
      clearInterval(timer);
      clearTimeout(bound);
    }
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #invite(call) {
    const sdp = await call.prepare();
    const answer = await this.#authenticated('INVITE', call.uri, call.heads(this.#contact()), sdp, call);
    if (answer.status >= 300) {
      call.forget('refused');
      throw new Error(`the call was refused: ${answer.first}`);
    }
    call.connected(answer);
    this.#ack(call);
  }

  /** @internal Hangs up: BYE for an answered call, CANCEL for one that still rings. */
  async end(call) {
    if (call.state === 'up') {
      call.forget('us');
      await this.#request('BYE', call.target, call.heads(this.#contact()), '').catch(() => {});
    } else if (call.state === 'calling') {
      call.forget('us');
      const { via, number } = call.invite;
      this.#send(
        formatSip(`CANCEL ${call.uri} SIP/2.0`, [['Via', via], ...call.heads(), ['CSeq', `${number} CANCEL`]]),
      );
    } else if (call.state === 'ringing') {
      this.#answer(call.request, '486 Busy Here', call);
      call.forget('us');
    }
  }

  /** @internal Picks up a call that rings. */
  async pickUp(call) {
    const sdp = await call.prepare();
    call.rtp.connect(call.request.body);
    call.state = 'up';
    const say = () => this.#answer(call.request, '200 OK', call, sdp);
    say();
    call.resending = setInterval(say, RESEND_MS);
  }

  async #authenticated(method, uri, heads, body = '', call = undefined) {
    const first = await this.#request(method, uri, heads, body, call);
    if (first.status !== 401 && first.status !== 407) return first;
    const { user, password } = this.#options;
    const proof = authorization(first, { method, uri, user, password });
    return await this.#request(method, uri, [...heads, proof], body, call);
  }

  /** Sends until a final answer comes; ACKs what is refused. */
  #request(method, uri, heads, body, call) {
    const branch = `z9hG4bK${token()}`;
    const number = this.#cseq++;
    const via = `SIP/2.0/UDP ${this.#options.local}:${this.port};branch=${branch};rport`;
    const text = formatSip(
      `${method} ${uri} SIP/2.0`,
      [['Via', via], ...heads, ['CSeq', `${number} ${method}`], ['Max-Forwards', 70], ['User-Agent', 'sallyport-test']],
      body,
    );
    if (method === 'INVITE') call.invite = { via, number };
    return new Promise((resolve, reject) => {
      const done = (settle, value) => {
        clearInterval(timer);
        clearTimeout(bound);
        this.#waiting.delete(branch);
        settle(value);
      };
      const timer = setInterval(() => this.#send(text), RESEND_MS);
      const bound = setTimeout(() => done(reject, new Error(`no answer to ${method}`)), ANSWER_BOUND_MS);
      const onAnswer = (answer) => {
        clearInterval(timer);
        // From here on it rings, for as long as it likes.
        if (answer.status < 200) return clearTimeout(bound);
        if (method === 'INVITE' && answer.status >= 300) {
          const to = ['To', header(answer, 'to')];
          const others = heads.filter(([name]) => name === 'From' || name === 'Call-ID');
          this.#send(formatSip(`ACK ${uri} SIP/2.0`, [['Via', via], ...others, to, ['CSeq', `${number} ACK`]]));
        }
        done(resolve, answer);
      };
      this.#waiting.set(branch, { onAnswer, timer, bound });
      this.#send(text);
    });
  }

  #receive(text) {
    const message = parseSip(text);
    if (message === undefined) return;
    if (message.status !== undefined) {
      const branch = /branch=([^;]+)/.exec(header(message, 'via'))?.[1];
      const waiting = this.#waiting.get(branch);
      if (waiting !== undefined) waiting.onAnswer(message);
      else if (cseq(message).method === 'INVITE' && message.status === 200) this.#ackAgain(message);
      return;
    }
    this.#take(message);
  }

  #ackAgain(answer) {
    const call = this.#calls.get(header(answer, 'call-id'));
    if (call?.target !== undefined) this.#ack(call);
  }

  #ack(call) {
    const via = `SIP/2.0/UDP ${this.#options.local}:${this.port};branch=z9hG4bK${token()};rport`;
    this.#send(
      formatSip(`ACK ${call.target} SIP/2.0`, [['Via', via], ...call.heads(), ['CSeq', `${call.invite.number} ACK`]]),
    );
  }

  #take(request) {
    const call = this.#calls.get(header(request, 'call-id'));
    switch (request.method) {
      case 'INVITE':
        if (call !== undefined) this.#takeAgain(call, request);
        else this.#ring(request);
        break;
      case 'ACK':
        clearInterval(call?.resending);
        break;
      case 'BYE':
        this.#answer(request, '200 OK', call);
        call?.forget('them');
        break;
      case 'CANCEL':
        this.#answer(request, '200 OK', call);
        if (call?.state === 'ringing') {
          this.#answer(call.request, '487 Request Terminated', call);
          call.forget('them');
        }
        break;
      default:
        this.#answer(request, '200 OK', call);
    }
  }

  /** A repeated INVITE, or a new one within the call: the same answer again. */
  #takeAgain(call, request) {
    if (call.state === 'up') this.#answer(request, '200 OK', call, call.rtp.sdp());
    else if (call.state === 'ringing') this.#answer(request, '180 Ringing', call);
  }

  #ring(request) {
    const call = new SipCall(this, { callId: header(request, 'call-id'), request });
    const what = this.#options.whenCalled;
    this.#answer(request, '100 Trying', call);
    if (what === 'busy') return this.#answer(request, '486 Busy Here', call);
    this.#calls.set(call.callId, call);
    this.#answer(request, '180 Ringing', call);
    if (what === 'answer') void this.pickUp(call);
    const expecting = this.#expecting.shift();
    if (expecting !== undefined) expecting(call);
    else this.#incoming.push(call);
  }

  #answer(request, status, call, body = '') {
    const to = header(request, 'to');
    const tagged = call !== undefined && !to.includes('tag=') ? `${to};tag=${call.tag}` : to;
    this.#send(
      formatSip(
        `SIP/2.0 ${status}`,
        [
          ...headersNamed(request, 'via').map((value) => ['Via', value]),
          ...headersNamed(request, 'record-route').map((value) => ['Record-Route', value]),
          ['From', header(request, 'from')],
          ['To', tagged],
          ['Call-ID', header(request, 'call-id')],
          ['CSeq', header(request, 'cseq')],
          ['Contact', this.#contact()],
        ],
        body,
      ),
    );
  }

  /** @internal */
  drop(call) {
    this.#calls.delete(call.callId);
  }

  #contact() {
    return `<sip:${this.#options.user}@${this.#options.local}:${this.port}>`;
  }

  #send(text) {
    const { server, serverPort } = this.#options;
    this.#socket?.send(text, serverPort, server, () => {});
  }
}

export class SipCall {
  #phone;
  #from;
  #to;
  #ended;
  callId;
  uri;
  request;
  rtp;
  /** Where requests within the call go. */
  target;
  invite;
  resending;
  tag = token();
  state;
  answered;
  /** Resolves with who ended it: `us`, `them`, `refused`, `closed`. */
  ended;

  /** @internal Made by `SipPhone`. */
  constructor(phone, { callId, from, to, uri, request }) {
    this.#phone = phone;
    this.callId = callId;
    this.uri = uri;
    this.request = request;
    this.#from = from;
    this.#to = to;
    this.state = request === undefined ? 'calling' : 'ringing';
    if (request !== undefined) {
      this.#from = `${header(request, 'to')};tag=${this.tag}`;
      this.#to = header(request, 'from');
      this.target = uriIn(header(request, 'contact'));
    }
    this.ended = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /** Who calls, as the other side says. */
  get from() {
    return this.request === undefined ? '' : header(this.request, 'from');
  }

  /** Presses keys; resolves when the last is released and its gap is over, with when it was released (RtpStream). */
  press(digits, times) {
    return this.rtp.press(digits, times);
  }

  /** Packets of voice that came, and those of them in which something is to be heard. */
  get received() {
    return this.rtp?.received ?? 0;
  }

  get heard() {
    return this.rtp?.heard ?? 0;
  }

  /** The names of the recordings that were heard, where they spell them. */
  get said() {
    return this.rtp?.said ?? [];
  }

  async pickUp() {
    if (this.state === 'ringing') await this.#phone.pickUp(this);
  }

  async hangUp() {
    await this.#phone.end(this);
  }

  /** @internal Makes the voice ready; resolves with our SDP. */
  async prepare() {
    this.rtp = new RtpStream(this.#phone.local);
    await this.rtp.open();
    return this.rtp.sdp();
  }

  /** @internal The call was answered. */
  connected(answer) {
    this.#to = header(answer, 'to');
    this.target = uriIn(header(answer, 'contact'));
    this.state = 'up';
    this.rtp.connect(answer.body);
  }

  /** @internal */
  heads(contact) {
    const heads = [
      ['From', this.#from],
      ['To', this.#to],
      ['Call-ID', this.callId],
    ];
    return contact === undefined ? heads : [...heads, ['Contact', contact]];
  }

  /** @internal The call is over. */
  forget(by) {
    if (this.state === 'ended') return;
    clearInterval(this.resending);
    this.rtp?.close();
    this.state = 'ended';
    this.#phone.drop(this);
    this.#ended(by);
  }
}
