import { renderCard } from './client/card.js';
import type { UserCard } from './control/contract/gateway.js';
import { toPort } from './core/ports.js';
import { humanDuration, seconds } from './core/time.js';

/** A user's card as text for a terminal, or plain for a pipe. */
export function cardText(card: UserCard, output: { isTTY?: boolean; columns?: number }): string {
  const services = card.services.includes('all') ? 'everything that is guarded' : card.services.join(', ');
  return renderCard(
    {
      user: card.name,
      host: card.host ?? '',
      sequence: card.sequence.map(({ protocol, port }) => ({ protocol, port: toPort(port) })),
      services,
      approval: card.approval,
      ttl: humanDuration(seconds(card.ttl_s)),
      ...(card.wait === null ? {} : { waitPort: card.wait }),
      ...(card.call === null ? {} : { extension: card.call }),
    },
    { color: output.isTTY === true && !process.env.NO_COLOR, width: output.columns ?? 80 },
  );
}
