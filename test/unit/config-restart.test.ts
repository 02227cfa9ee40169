import { expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { restartChanges } from '../../src/config/restart-changes.ts';

function config(...lines: string[]) {
  const result = parseConfig(['version: 1', 'services: {ssh: [tcp/22]}', ...lines].join('\n'), 'sallyport.yaml');
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

const RUNNING = config();

it('what decides who is in takes no restart', () => {
  const file = [
    'firewall: {policy: lockdown, guard: [ssh], forward: [lan0], on_expiry: drain}',
    'trusted: {interfaces: [wg0], addresses: [203.0.113.7], names: [{name: home.example.org}]}',
  ];
  expect(restartChanges(RUNNING, config(...file))).toEqual([]);
});

it('all else is told by its key, as the file writes it', () => {
  const file = [
    'firewall: {provisional: 10m}',
    'knock: {pool: 20000-20999, socket_protocols: [tcp]}',
    'grants: {max_ttl: 2d}',
    'log: {level: debug}',
  ];
  expect(restartChanges(RUNNING, config(...file))).toEqual([
    'firewall.provisional',
    'knock.socket_protocols',
    'knock.pool',
    'grants.max_ttl',
    'log.level',
  ]);
});
