/** What a test of the set-up needs beside Asterisk itself. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';

/** The program `asterisk` of a machine that has it installed. */
export function consoleProgram(root: string): string {
  const libraries = readdirSync(join(root, 'usr', 'lib'))
    .map((name) => join(root, 'usr', 'lib', name))
    .filter((path) => existsSync(join(path, 'asterisk', 'modules')));
  const library = libraries[0] ?? '';
  const loader = readdirSync(library).find((name) => /^ld-linux.*\.so/.test(name)) ?? '';
  return `#!/bin/sh\nexec '${join(library, loader)}' --library-path '${library}' '${root}/usr/sbin/asterisk' "$@"\n`;
}

/** Registers the application as a gateway does, and keeps what it is told. */
export async function registerApp(port: number, password: string): Promise<{ heard(): string; close(): void }> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    'sec-websocket-protocol': 'ari',
    authorization: `Basic ${Buffer.from(`sallyport:${password}`).toString('base64')}`,
  };
  let text = '';
  const asked: ClientRequest = request({
    host: '127.0.0.1',
    port: port,
    path: '/ari/events?app=sallyport',
    headers,
  });
  return await new Promise((resolve, reject) => {
    asked.once('error', reject);
    asked.once('response', (response) => reject(new Error(`no upgrade: ${response.statusCode}`)));
    asked.once('upgrade', (_response, socket) => {
      socket.on('data', (bytes) => {
        text += String(bytes);
      });
      socket.on('error', () => undefined);
      resolve({ heard: () => text, close: () => socket.destroy() });
    });
    asked.end();
  });
}
