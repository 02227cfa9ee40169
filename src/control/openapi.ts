import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AddUserRequest, AllowRequest, RevokeRequest, SetUserRequest } from './contract/requests.js';
import * as views from './contract/views.js';

/** Parameters and queries stay unnamed: @fastify/swagger does not follow references there. */
const BODIES = { AllowRequest, RevokeRequest, AddUserRequest, SetUserRequest };

/**
 * The API as an OpenAPI 3.1 document. It is made from an app of its own when it is asked for: what makes it takes a while
 * to load, and the start does not wait for it.
 */
export async function describeApi(version: string, addRoutes: (app: FastifyInstance) => void): Promise<object> {
  const app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
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
  addRoutes(app);
  await app.ready();
  try {
    return app.swagger();
  } finally {
    await app.close();
  }
}
