import { lstat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FOLLOW, ROUTES } from '../../src/control/contract/routes.ts';
import type { LabDaemon } from '../support/lab/daemon.js';
import { Lab } from '../support/lab/lab.js';

describe('the control socket', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
  });
  afterAll(() => lab?.destroy());

  it('is for its owner and its group alone', async () => {
    const found = await lstat(daemon.socket);
    expect(found.isSocket()).toBe(true);
    expect(found.mode & 0o777).toBe(0o660);
    expect(found.uid).toBe(0);
  });

  it('tells all its routes in OpenAPI', async () => {
    const { status, body } = await daemon.api<{ openapi: string; paths: Record<string, object> }>(
      'GET',
      '/openapi.json',
    );
    expect(status).toBe(200);
    expect(body.openapi).toMatch(/^3\.1\./);
    const told = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = [...Object.values(ROUTES), FOLLOW].map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
    );
    expect(told.sort()).toEqual(routes.sort());
  });

  it('is gone with its daemon', async () => {
    await daemon.kill('SIGTERM');
    await expect(lstat(daemon.socket)).rejects.toThrow('ENOENT');
  });
});
