import { SallyportError } from '../core/errors.js';
import { type Clock, type Instant, parseDuration } from '../core/time.js';

/** Reads a moment: `1d` ago, or ISO 8601. @throws SP_DURATION_INVALID */
export function parseMoment(text: string, clock: Clock): Instant {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const parsed = Date.parse(text);
    if (Number.isNaN(parsed)) throw new SallyportError('SP_DURATION_INVALID', { value: text });
    return parsed as Instant;
  }
  return (clock.now() - parseDuration(text)) as Instant;
}
