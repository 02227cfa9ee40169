import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { buildApp, type ControlApp } from '../../src/control/app.ts';
import { FOLLOW, ROUTES, type RouteName } from '../../src/control/contract/routes.ts';
import { ErrorView, ListView } from '../../src/control/contract/views.ts';
import { isLong, jsonSlices } from '../../src/control/slices.ts';
import { type ErrorCode, SallyportError } from '../../src/core/errors.ts';
import { MemoryLog } from '../support/control-rig.ts';
import { entryView, FakeGateway, grantView, listed, statusView, userView } from '../support/fake-gateway.ts';

let gateway: FakeGateway;
let log: MemoryLog;
let built: ControlApp;

beforeEach(async () => {
  gateway = new FakeGateway();
  log = new MemoryLog();
  built = await buildApp({ gateway, version: '0.1.0', log });
});
afterEach(() => built.app.close());

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

async function send(method: Method, url: string, payload?: object | string, headers: Record<string, string> = {}) {
  const response = await built.app.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
  return { status: response.statusCode, body: response.body, json: () => response.json() as unknown };
}

async function refused(...args: Parameters<typeof send>) {
  const response = await send(...args);
  return { status: response.status, ...ErrorView.parse(response.json()).error };
}

describe('every route', () => {
  const requests: Record<RouteName, [path: string, payload?: object | undefined, ...asked: unknown[]]> = {
    status: ['/v1/status'],
    list: ['/v1/access'],
    whois: ['/v1/access/2001%3Adb8%3A%3A7', undefined, '2001:db8::7'],
    allow: ['/v1/allow', { target: '203.0.113.7', for: '8h', services: ['ssh'] }],
    addEntries: ['/v1/entries', { entries: [{ target: '203.0.113.7', services: ['ssh'], note: 'Ann' }] }],
    revoke: ['/v1/revoke', { what: 'alice' }],
    users: ['/v1/users'],
    addUser: ['/v1/users', { name: 'bob', ttl: '1h', max_addresses: 3 }],
    user: ['/v1/users/alice', undefined, 'alice'],
    setUser: ['/v1/users/alice', { ttl: '2h' }, 'alice', { ttl: '2h' }],
    removeUser: ['/v1/users/alice', undefined, 'alice'],
    card: ['/v1/users/alice/card', undefined, 'alice'],
    rotate: ['/v1/users/alice/rotate', undefined, 'alice'],
    providers: ['/v1/providers'],
    provider: ['/v1/providers/voip.ms', undefined, 'voip.ms'],
    enableProvider: ['/v1/providers/voip.ms/enable', undefined, 'voip.ms'],
    disableProvider: ['/v1/providers/voip.ms/disable', undefined, 'voip.ms'],
    journal: ['/v1/journal?since=1d&limit=5', undefined, { since: '1d', limit: 5 }],
    firewall: ['/v1/firewall'],
    confirmFirewall: ['/v1/firewall/confirm'],
    rollbackFirewall: ['/v1/firewall/rollback'],
    applyFirewall: ['/v1/firewall/apply', { for: '90s', peers: ['203.0.113.7'] }],
    planFirewall: ['/v1/firewall/plan', { peers: ['203.0.113.7'] }],
  };

  it.each(Object.keys(ROUTES) as RouteName[])('%s hands the request over and answers in its shape', async (name) => {
    const [path, payload, ...asked] = requests[name];
    const response = await send(ROUTES[name].method, path, payload);
    expect(response.status).toBe(200);
    expect(ROUTES[name].answer.safeParse(response.json()).error).toBeUndefined();
    const expected = asked.length > 0 ? asked : payload === undefined ? [] : [payload];
    expect(gateway.asked).toEqual([[name, ...expected]]);
  });
});

it.each(['apply', 'plan'])('firewall %s can be asked for without a word', async (command) => {
  expect((await send('POST', `/v1/firewall/${command}`)).status).toBe(200);
});

describe('what is asked wrongly', () => {
  it.each([
    ['an unknown key', { target: '203.0.113.7', evil: 1 }],
    ['a missing target', {}],
    ['no services, which would mean all', { target: '203.0.113.7', services: [] }],
    ['control characters', { target: '203.0.113.7', note: 'a\u001b[2Jb' }],
    ['a text that reverses what follows', { target: '203.0.113.7', note: 'a\u202eb' }],
    ['a note without end', { target: '203.0.113.7', note: 'x'.repeat(201) }],
    ['a number for a text', { target: 7 }],
    ['a list for an object', []],
  ])('%s is refused before the gateway sees it', async (_, payload) => {
    const error = await refused('POST', '/v1/allow', payload);
    expect(error).toMatchObject({ status: 400, code: 'SP_REQUEST_INVALID' });
    expect(gateway.asked).toEqual([]);
  });

  it('says where the problem is', async () => {
    const error = await refused('POST', '/v1/allow', { target: '203.0.113.7', note: 'x'.repeat(201) });
    expect(error.message).toContain('note: it is longer than 200 characters');
  });

  it('an address that is none is refused by its own code', async () => {
    expect(await refused('GET', '/v1/access/010.0.0.1')).toMatchObject({ status: 400, code: 'SP_ADDRESS_INVALID' });
  });

  it.each([
    ['a PIN', { name: 'bob', pin: '12a45' }, '12a45'],
    ['a sequence', { name: 'bob', knock: `tcp/21234,${'9'.repeat(200)}` }, '21234'],
  ])('%s that is refused is not repeated', async (_, payload, secret) => {
    const response = await send('POST', '/v1/users', payload);
    expect(response.status).toBe(400);
    expect(response.body).not.toContain(secret);
    expect(JSON.stringify(log.lines)).not.toContain(secret);
  });

  it('a body that is not JSON is refused and not repeated', async () => {
    const response = await send('POST', '/v1/users', '{"pin": 864864864', { 'content-type': 'application/json' });
    expect(response.status).toBe(400);
    expect(response.body).toContain('the body is not JSON');
    expect(response.body).not.toContain('864');
  });

  it('a body over 64 kB is refused', async () => {
    const error = await refused('POST', '/v1/allow', { target: 'x'.repeat(65 * 1024) });
    expect(error).toMatchObject({ status: 413, code: 'SP_REQUEST_INVALID' });
  });

  it('a body of another type is refused', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      expect((await refused('POST', '/v1/allow', 'target=1', { 'content-type': type })).status).toBe(415);
    }
  });

  it('a path that does not exist is refused', async () => {
    expect(await refused('GET', '/v1/nothing')).toMatchObject({ status: 404, code: 'SP_REQUEST_INVALID' });
    expect(await refused('GET', `/v1/users/${'x'.repeat(2000)}`)).toMatchObject({ code: 'SP_REQUEST_INVALID' });
    expect(await refused('GET', '/v1/users/%ff')).toMatchObject({ code: 'SP_REQUEST_INVALID' });
  });
});

describe('what fails', () => {
  it.each([
    ['SP_NOT_FOUND', { what: 'x' }, 404],
    ['SP_ADDRESS_REFUSED', { address: '127.0.0.1', reason: 'a loopback address' }, 409],
    ['SP_DURATION_INVALID', { value: '3x' }, 400],
  ] as [ErrorCode, Record<string, string>, number][])(
    '%s keeps its code, text and fix',
    async (code, details, status) => {
      const error = new SallyportError(code, details);
      gateway.answer('allow', () => Promise.reject(error));
      expect(await refused('POST', '/v1/allow', { target: 'x' })).toEqual({
        status,
        code,
        message: error.message,
        fix: error.fix,
      });
      expect(log.lines).toEqual([]);
    },
  );

  it('an unforeseen error is told to the log and to nobody else', async () => {
    gateway.answer('status', () => Promise.reject(new Error('the secret cause')));
    const response = await send('GET', '/v1/status');
    expect(response.status).toBe(500);
    expect(ErrorView.parse(response.json()).error.code).toBe('SP_INTERNAL');
    expect(response.body).not.toContain('secret cause');
    expect(log.lines).toMatchObject([{ level: 'error', fields: { err: { message: 'the secret cause' } } }]);
  });

  it('the cause of a refusal is told to the log and to nobody else', async () => {
    gateway.answer('allow', () => Promise.reject(new SallyportError('SP_NOT_FOUND', { what: 'x' }, new Error('why'))));
    const response = await send('POST', '/v1/allow', { target: 'x' });
    expect(response.body).not.toContain('why');
    expect(log.lines).toHaveLength(1);
  });

  it.each([null, undefined, 'text', 401])('%j thrown instead of an error is an inner error', async (thrown) => {
    gateway.answer('status', () => Promise.reject(thrown));
    expect(await refused('GET', '/v1/status')).toMatchObject({ status: 500, code: 'SP_INTERNAL' });
  });

  it('an answer that does not fit its schema is an inner error', async () => {
    gateway.answer('status', async () => ({ ...statusView(), ready: 'yes' }));
    expect(await refused('GET', '/v1/status')).toMatchObject({ status: 500, code: 'SP_INTERNAL' });
  });

  it('what a schema does not name never leaves', async () => {
    gateway.answer('user', async () => ({ ...userView(), pinHash: '$scrypt$ln=15$abc', sequence: [1, 2, 3] }));
    const response = await send('GET', '/v1/users/alice');
    expect(response.status).toBe(200);
    expect(response.body).not.toMatch(/scrypt|sequence/);
  });

  it('a gateway that never answers is given up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      gateway.answer('status', () => new Promise(() => {}));
      const answer = refused('GET', '/v1/status');
      await vi.waitFor(() => expect(gateway.asked).toHaveLength(1));
      await vi.advanceTimersByTimeAsync(20_001);
      expect(await answer).toMatchObject({ status: 503, code: 'SP_CONTROL_TIMEOUT' });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a long list', () => {
  const grants = Array.from({ length: 2345 }, (_, i) =>
    listed(grantView({ id: `G${i}`, note: i % 2 ? 'ü "x"' : null })),
  );

  it('arrives whole', async () => {
    gateway.answer('list', async () => ({ entries: [listed(entryView())], grants }));
    const response = await send('GET', '/v1/access');
    expect(response.json()).toEqual({ entries: [listed(entryView())], grants });
  });

  it('lets other work in between', async () => {
    let turns = 0;
    const counter = () => {
      turns++;
      timer = setImmediate(counter);
    };
    let timer = setImmediate(counter);
    for await (const _ of jsonSlices(ListView, { entries: [], grants })) void _;
    clearImmediate(timer);
    expect(turns).toBeGreaterThanOrEqual(4);
  });

  it('is held to its schema item by item', async () => {
    gateway.answer('list', async () => ({ entries: [], grants: [...grants, { ...grantView(), remaining_s: 'soon' }] }));
    await expect(send('GET', '/v1/access')).rejects.toThrow();
    const extra = grants.map((grant) => ({ ...grant, secret: 'tcp/21234' }));
    gateway.answer('list', async () => ({ entries: [], grants: extra }));
    expect((await send('GET', '/v1/access')).body).not.toContain('secret');
  });

  it('reads the same in slices as in one piece, whatever it holds', async () => {
    const schema = z.object({ a: z.array(z.string()), b: z.number().nullable(), c: z.string().optional() });
    const items = fc
      .tuple(fc.integer({ min: 0, max: 1600 }), fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }))
      .map(([length, words]) => Array.from({ length }, (_, i) => words[i % words.length]));
    await fc.assert(
      fc.asyncProperty(
        fc.record({ a: items, b: fc.option(fc.integer()), c: fc.string() }, { requiredKeys: ['a', 'b'] }),
        async (value) => {
          let text = '';
          for await (const piece of jsonSlices(schema, value)) text += piece;
          expect(text).toBe(JSON.stringify({ a: value.a, b: value.b, c: value.c }));
        },
      ),
      { numRuns: 20 },
    );
    expect(isLong({ a: new Array(501).fill('') })).toBe(true);
    expect(isLong({ a: [] })).toBe(false);
  });
});

describe('/openapi.json', () => {
  it('describes every route in OpenAPI 3.1, and every reference leads somewhere', async () => {
    const response = await send('GET', '/openapi.json');
    const document = response.json() as {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toMatch(/^3\.1\./);
    for (const { method, path } of [...Object.values(ROUTES), FOLLOW]) {
      const url = path.replace(/:(\w+)/g, '{$1}');
      expect(document.paths[url]?.[method.toLowerCase()], `${method} ${url}`).toBeDefined();
    }
    const references = [...response.body.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name);
  });
});
