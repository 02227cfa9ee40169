/*
 * Loaded into a daemon by NODE_OPTIONS=--import: its wall clock is off by as many milliseconds as the file named by
 * LAB_CLOCK says. The file may change at any time. The machine's own clock is never touched, and neither is the monotonic one.
 */
import { readFileSync } from 'node:fs';

const file = process.env.LAB_CLOCK ?? '';
const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(file, 'utf8'));

globalThis.Date = class extends RealDate {
  static now = now;

  constructor(...parts) {
    super(...(parts.length === 0 ? [now()] : parts));
  }
};
