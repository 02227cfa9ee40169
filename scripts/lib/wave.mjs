/** Sound as numbers: what the recordings need of RIFF WAVE, 16 bits, one channel. */

/** The longest silence that is left before and after, in seconds. */
const MARGIN = 0.08;
/** What counts as silence, of 32,767. */
const FLOOR = 200;
/** The loudest sample of a recording. */
const PEAK = 20_000;
const TAPS = 63;

/** @returns {{rate: number, samples: Float64Array}} */
export function readWave(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at) => bytes.subarray(at, at + 4).toString('latin1');
  if (tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw new Error('no WAVE file');
  let rate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = Math.min(view.getUint32(at + 4, true), bytes.length - at - 8);
    if (tag(at) === 'fmt ') {
      const [format, channels, bits] = [0, 2, 14].map((offset) => view.getUint16(at + 8 + offset, true));
      if (format !== 1 || channels !== 1 || bits !== 16) throw new Error('not 16 bits, one channel');
      rate = view.getUint32(at + 12, true);
    }
    if (tag(at) === 'data') {
      const samples = new Float64Array(size >> 1);
      for (let i = 0; i < samples.length; i += 1) samples[i] = view.getInt16(at + 8 + 2 * i, true);
      return { rate, samples };
    }
    at += 8 + size + (size & 1);
  }
  throw new Error('no sound in it');
}

/** A WAVE file of it. */
export function writeWave({ rate, samples }) {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(2 * rate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((sample, i) => {
    bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample))), 44 + 2 * i);
  });
  return bytes;
}

/** Without the silence around it, and as loud as the others. */
export function trimmed({ rate, samples }) {
  const first = samples.findIndex((sample) => Math.abs(sample) > FLOOR);
  const last = samples.findLastIndex((sample) => Math.abs(sample) > FLOOR);
  const margin = Math.round(MARGIN * rate);
  const part = first < 0 ? samples : samples.slice(Math.max(0, first - margin), last + margin + 1);
  const loudest = part.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  return { rate, samples: part.map((sample) => (sample * PEAK) / loudest) };
}

/** At half the rate: what lies above the new limit is filtered out first (a windowed sinc), or it would be heard as noise. */
export function halved({ rate, samples }) {
  const middle = (TAPS - 1) / 2;
  const taps = Array.from({ length: TAPS }, (_, i) => {
    const x = i - middle;
    const sinc = x === 0 ? 0.45 : Math.sin(0.45 * Math.PI * x) / (Math.PI * x);
    return sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (TAPS - 1)));
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  const at = (i) => samples[i] ?? 0;
  const half = Float64Array.from({ length: samples.length >> 1 }, (_, i) =>
    taps.reduce((total, tap, j) => total + (tap / sum) * at(2 * i + j - middle), 0),
  );
  return { rate: rate / 2, samples: half };
}
