import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AddUserRequest, AllowRequest, RevokeRequest, SetUserRequest } from './contract/requests.js';
import * as views from './contract/views.js';

/** Parameters and queries stay unnamed: @fastify/swagger does not follow references there. */
const BODIES = { AllowRequest, RevokeRequest, AddUserRequest, SetUserRequest };

/** Describes the routes that are added after this as OpenAPI 3.1, at `/openapi.json`. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  const schemaRegistry = z.registry<{ id?: string }>();
  for (const [id, schema] of Object.entries({ ...BODIES, ...views })) schemaRegistry.add(schema, { id });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Sallyport control API', version, description: 'HTTP over the Unix socket of the daemon.' },
    },
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry }),
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
