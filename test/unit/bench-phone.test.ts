import { describe, expect, test } from 'vitest';
import { script } from '../support/scripts.ts';

interface Call {
  readonly opened: number | null;
  readonly unsure: number;
  readonly presses: number;
}

interface Measured {
  readonly figures: readonly { readonly id: string; readonly value: number | null; readonly goal?: object }[];
  readonly notes: readonly string[];
  readonly plots: readonly { readonly series: readonly { readonly name: string; readonly values: number[] }[] }[];
}

const { phoneResult, sinceRelease } = await script<{
  phoneResult(calls: { ari: Call[]; ami: Call[] }): Measured;
  sinceRelease(found: { opened: number | null; at: number }, released: number): number | null;
}>('bench/phone-result.mjs');
const { checkMeasured, verdict } = await script<{
  checkMeasured(measured: unknown): string | undefined;
  verdict(figure: unknown): string | undefined;
}>('bench/goals.mjs');
const { loadScenarios } = await script<{
  loadScenarios(): Promise<{ id: string; needsAsterisk?: boolean; run(tools: object): Promise<Measured> }[]>;
}>('bench/scenarios.mjs');

const call = (opened: number | null, presses = 1): Call => ({ opened, unsure: 0.1, presses });
const verdicts = ({ figures }: Measured) =>
  Object.fromEntries(figures.filter(({ goal }) => goal).map((figure) => [figure.id, verdict(figure)]));

describe('the time from the last digit to the port open', () => {
  test('begins when the key is released, however long the port was asked before', () => {
    expect(sinceRelease({ at: 1000, opened: 134.5 }, 1130)).toBe(4.5);
    expect(sinceRelease({ at: 1000, opened: null }, 1130)).toBeNull();
  });

  test('is none where the port was open before the key was released', () => {
    expect(() => sinceRelease({ at: 1000, opened: 60 }, 1080)).toThrow('open before');
  });
});

describe('what the calls say', () => {
  test('has a goal for the median of each driver, which a slow one alone misses', () => {
    const measured = phoneResult({ ari: [3, 30, 5].map((one) => call(one)), ami: [21, 21, 3].map((one) => call(one)) });
    expect(checkMeasured(measured)).toBeUndefined();
    expect(verdicts(measured)).toEqual({ 'ari-median': 'met', 'ami-median': 'missed' });
  });

  test('counts calls that opened nothing, and keys that were pressed again, and has the former in no median', () => {
    const { figures, plots } = phoneResult({ ari: [call(4), call(null, 3), call(6, 2), call(5)], ami: [call(7)] });
    const value = (id: string) => figures.find((figure) => figure.id === id)?.value;
    expect(['median', 'slowest', 'lost', 'again'].map((id) => value(`ari-${id}`))).toEqual([5, 6, 1, 2]);
    expect(plots[0]?.series).toEqual([
      { name: 'ARI', values: [4, 6, 5] },
      { name: 'AMI', values: [7] },
    ]);
  });

  test('can be kept and shown where every call opened nothing', () => {
    const measured = phoneResult({ ari: [call(null, 3)], ami: [call(null, 3)] });
    expect(checkMeasured(measured)).toBeUndefined();
    expect(verdicts(measured)).toEqual({ 'ari-median': 'unmeasured', 'ami-median': 'unmeasured' });
  });
});

test('without Asterisk the scenario says that it was not measured, and touches nothing', async () => {
  const scenario = (await loadScenarios()).find(({ id }) => id === 'phone');
  expect(scenario?.needsAsterisk).toBe(true);
  const measured = await scenario?.run({ quick: true, asterisk: { missing: 'no apt-get' } });
  expect(checkMeasured(measured)).toBeUndefined();
  expect(verdicts(measured as Measured)).toEqual({ 'ari-median': 'unmeasured', 'ami-median': 'unmeasured' });
  expect(measured?.notes).toEqual(['Not measured: Asterisk could not be fetched.']);
});
