import type { Spec } from '../spec.js';

const NAME = { takes: '<name>', arguments: { name: 'the name of the provider, as provider list shows it' } } as const;

/** VoIP providers of the catalogue. */
export const PROVIDERS: readonly Spec[] = [
  {
    name: 'provider list',
    summary: 'all VoIP providers there are, and which of them are let in',
    run: async (call) => (await import('../commands/providers.js')).list(call),
  },
  {
    name: 'provider show',
    ...NAME,
    summary: 'one provider: its hosts, their addresses, its ports',
    about: 'Shows a provider: its hosts, what they resolve to where it is enabled, and which ports it is let in to.',
    examples: ['sallyport provider show voip.ms'],
    run: async (call) => (await import('../commands/providers.js')).show(call),
  },
  {
    name: 'provider enable',
    ...NAME,
    summary: 'let a provider in, until it is disabled',
    about:
      'Lets a provider in, at once and until it is disabled: to SIP, IAX and RTP, and to nothing else. Its host names are tracked. What trusted.providers names is enabled already.',
    examples: ['sallyport provider enable voip.ms'],
    run: async (call) => (await import('../commands/providers.js')).enable(call),
  },
  {
    name: 'provider disable',
    ...NAME,
    summary: 'put a provider out, now',
    examples: ['sallyport provider disable voip.ms'],
    run: async (call) => (await import('../commands/providers.js')).disable(call),
  },
];
