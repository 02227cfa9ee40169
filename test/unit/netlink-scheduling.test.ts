import { describe, expect, it } from 'vitest';
import { loadLibc } from '../../src/netlink/libc.ts';
import { askForSlice } from '../../src/netlink/scheduling.ts';
import { ScriptedLibc } from '../support/fuzz/gate.ts';

/** A thread with these attributes of struct sched_attr, and what the kernel was asked to make of them. */
function thread(policy: number, nice: number) {
  const libc = new ScriptedLibc();
  const asked: { policy: number; nice: number; runtime: bigint }[] = [];
  const syscall = (_number: number, _id: number, bytes: Uint8Array, size: number) => {
    const view = new DataView(bytes.buffer);
    if (size === 0) {
      asked.push({
        policy: view.getUint32(4, true),
        nice: view.getInt32(16, true),
        runtime: view.getBigUint64(24, true),
      });
      return 0;
    }
    view.setUint32(4, policy, true);
    view.setInt32(16, nice, true);
    return 0;
  };
  return { libc: Object.assign(libc, { syscall }), asked };
}

describe.runIf(['x64', 'arm64'].includes(process.arch))('a thread that asks for short slices', () => {
  it('stays as important as it was', () => {
    const { libc, asked } = thread(0, 5);
    expect(askForSlice(libc, 300_000)).toBe(true);
    expect(asked).toEqual([{ policy: 0, nice: 5, runtime: 300_000n }]);
  });

  it('leaves every other way of scheduling as it is', () => {
    const { libc, asked } = thread(1, 0);
    expect(askForSlice(libc, 300_000)).toBe(false);
    expect(asked).toEqual([]);
  });

  it('goes on where it is refused', () => {
    expect(askForSlice(new ScriptedLibc(), 300_000)).toBe(false);
  });

  it('is understood by the kernel', async () => {
    expect(askForSlice(await loadLibc(), 300_000)).toBe(true);
  });
});
