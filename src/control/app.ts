import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { GatewayApi } from './contract/gateway.js';
import { FOLLOW, ROUTES, type Route, type RouteName } from './contract/routes.js';
import { ErrorView } from './contract/views.js';
import { badHttp, type ErrorAnswer, noRoute, toAnswer } from './errors.js';
import { Followers } from './followers.js';
import { handlersFor } from './handlers.js';
import type { ControlLog } from './log.js';
import { isLong, jsonSlices } from './slices.js';

const BODY_LIMIT = 64 * 1024;
/** How long a request may take to arrive, in milliseconds. */
const ARRIVAL_LIMIT = 10_000;
/** How long the gateway may take to answer one, in milliseconds. */
const HANDLER_LIMIT = 20_000;
const MOST_CONNECTIONS = 256;

export interface AppOptions {
  readonly gateway: GatewayApi;
  readonly version: string;
  readonly log: ControlLog;
}

export interface ControlApp {
  readonly app: FastifyInstance;
  readonly followers: Followers;
}

/** The control API, ready for `inject()`; listens nowhere. */
export async function buildApp({ gateway, version, log }: AppOptions): Promise<ControlApp> {
  const app: FastifyInstance = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: ARRIVAL_LIMIT,
    http: { connectionsCheckingInterval: 1000 },
    routerOptions: { maxParamLength: 300 },
    exposeHeadRoutes: false,
    clientErrorHandler: hangUp,
    frameworkErrors: (_error, request, reply) => send(reply, noRoute(request.method, request.url)),
  });
  app.server.maxConnections = MOST_CONNECTIONS;
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);

  app.setErrorHandler((error, request, reply) => {
    const answer = toAnswer(error);
    if (answer.fault)
      log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    return send(reply, answer);
  });
  app.setNotFoundHandler((request, reply) => send(reply, noRoute(request.method, request.url)));

  const followers = new Followers(gateway, log);
  const addAll = (to: FastifyInstance) => {
    addRoutes(to, gateway);
    addFollow(to, followers);
  };
  addAll(app);
  let described: Promise<object> | undefined;
  app.get('/openapi.json', async () => {
    described ??= import('./openapi.js').then(({ describeApi }) => describeApi(version, addAll));
    return await described;
  });
  await app.ready();
  return { app, followers };
}

function addRoutes(app: FastifyInstance, gateway: GatewayApi): void {
  const handlers = handlersFor(gateway) as Readonly<Record<RouteName, (input: unknown) => Promise<unknown>>>;
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    app.route({
      method: route.method,
      url: route.path,
      handlerTimeout: HANDLER_LIMIT,
      ...(route.bodyLimit && { bodyLimit: route.bodyLimit }),
      schema: {
        operationId: name,
        summary: route.summary,
        ...(route.params && { params: route.params }),
        ...(route.query && { querystring: route.query }),
        ...(route.body && { body: route.body }),
        response: { 200: route.answer, '4xx': ErrorView, '5xx': ErrorView },
      },
      handler: async ({ params, query, body }: FastifyRequest, reply) => {
        const answer = await handlers[name]({ params, query, body });
        if (!isLong(answer)) return answer;
        return reply.type('application/json; charset=utf-8').send(Readable.from(jsonSlices(route.answer, answer)));
      },
    });
  }
}

function addFollow(app: FastifyInstance, followers: Followers): void {
  app.route({
    method: FOLLOW.method,
    url: FOLLOW.path,
    schema: {
      operationId: 'followJournal',
      summary: FOLLOW.summary,
      response: { 200: { content: { [FOLLOW.type]: { schema: z.string().describe('a JournalView a line') } } } },
    },
    handler: (_request, reply) => {
      reply.hijack();
      followers.add(reply.raw);
    },
  });
}

function send(reply: FastifyReply, { status, body }: ErrorAnswer): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
}

const HTTP_STATUS: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 };

/** Answers what is not HTTP, where somebody still listens, and closes the connection. */
function hangUp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { status, body } = badHttp(HTTP_STATUS[error.code ?? ''] ?? 400);
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}`;
  if (socket.writable) socket.end(`${head}\r\nConnection: close\r\n\r\n${text}`, () => socket.destroy());
  else socket.destroy();
}
