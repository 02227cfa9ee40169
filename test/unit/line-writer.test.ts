import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineWriter } from '../../src/line-writer.ts';

describe('the writer of the log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-lines-'));
  const lost: number[] = [];
  let fd = 0;
  let writer: LineWriter;

  beforeEach(() => {
    const path = join(folder, `${Math.random()}`);
    execFileSync('mkfifo', [path]);
    fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    lost.length = 0;
    writer = new LineWriter({ fd, onLost: (lines) => lost.push(lines) });
  });

  afterEach(async () => {
    await writer.close(0);
    closeSync(fd);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What lies in the pipe now. */
  function read(): Buffer {
    const bytes = Buffer.alloc(1 << 20);
    try {
      return bytes.subarray(0, readSync(fd, bytes));
    } catch {
      return Buffer.alloc(0);
    }
  }

  it('writes every line, in order, though the pipe is full for a while', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `${i} ${'\u00e4'.repeat(20)}\n`).join('');
    for (const line of lines.split(/(?<=\n)/)) writer.write(line);
    let seen = Buffer.alloc(0);
    await vi.waitFor(
      () => {
        seen = Buffer.concat([seen, read()]);
        expect(seen.length).toBe(Buffer.byteLength(lines));
      },
      { timeout: 10_000, interval: 1 },
    );
    expect(seen.toString()).toBe(lines);
    expect(lost).toEqual([]);
  });

  it('throws away what a stalled reader leaves no room for, and tells how much when he goes on', async () => {
    const line = `${'x'.repeat(999)}\n`;
    for (let i = 0; i < 6000; i++) writer.write(line);
    expect(lost).toEqual([]);
    let seen = 0;
    await vi.waitFor(
      () => {
        seen += read().length;
        expect(lost).toHaveLength(1);
      },
      { timeout: 10_000, interval: 1 },
    );
    expect(seen / line.length + (lost[0] ?? 0)).toBe(6000);
    expect(lost[0]).toBeGreaterThan(1000);
    writer.write('after\n');
    await vi.waitFor(() => expect(read().toString()).toBe('after\n'));
  });

  it('closes when all is written, and within the limit where nobody reads', async () => {
    writer.write('last words\n');
    await writer.close(5000);
    expect(read().toString()).toBe('last words\n');
    writer.write('too late\n');
    expect(read().toString()).toBe('');

    const stuck = new LineWriter({ fd, onLost: () => undefined });
    stuck.write('y'.repeat(1 << 20));
    await stuck.close(50);
    expect(read().length).toBeLessThan(1 << 20);
  });

  it('takes a reader that has gone for the end, without an error', async () => {
    const path = join(folder, 'gone');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const end = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    closeSync(reader);
    expect(() => writeSync(end, 'x')).toThrow('EPIPE');
    const orphan = new LineWriter({ fd: end, onLost: () => undefined });
    orphan.write('nobody hears this\n');
    await orphan.close(5000);
    closeSync(end);
  });
});
