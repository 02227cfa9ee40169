import type { ServiceName } from '../core/service.js';
import type { Config } from './config.js';

/** The services that strangers do not reach, in the order of `services`: the guarded ones, or all of them under lockdown. */
export function closedServices({ firewall, services }: Pick<Config, 'firewall' | 'services'>): readonly ServiceName[] {
  return firewall.policy === 'lockdown' ? [...services.keys()] : firewall.guard;
}
