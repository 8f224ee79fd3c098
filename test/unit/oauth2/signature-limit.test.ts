import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignatureLimit } from '../../../src/oauth2/signature-limit.ts';

type Step = { readonly at?: number; readonly take: number; readonly taken: boolean } | 'done';

for (const [what, settings, steps] of [
  [
    'so many a second, and a second later as many again',
    { perSecond: 2 },
    [
      { at: 0, take: 1, taken: true },
      { at: 0, take: 1, taken: true },
      { at: 0, take: 1, taken: false },
      { at: 499, take: 1, taken: false },
      { at: 500, take: 1, taken: true },
      { at: 60_000, take: 2, taken: true },
      { at: 60_000, take: 1, taken: false },
    ],
  ],
  [
    'a token that several keys may have signed costs as many',
    { perSecond: 4 },
    [
      { take: 3, taken: true },
      { take: 2, taken: false },
      { take: 1, taken: true },
    ],
  ],
  [
    'so many wait at a time, and each that is done makes room',
    { mostWaiting: 2 },
    [
      { take: 1, taken: true },
      { take: 1, taken: true },
      { take: 1, taken: false },
      'done',
      { take: 1, taken: true },
    ],
  ],
  [
    'a clock that is set back brings nothing, and stops nothing',
    { perSecond: 1 },
    [
      { at: 100_000, take: 1, taken: true },
      { at: 0, take: 1, taken: false },
      { at: 1_000, take: 1, taken: true },
    ],
  ],
] as const satisfies readonly (readonly [string, object, readonly Step[]])[])
  test(what, () => {
    const limit = new SignatureLimit(settings);
    for (const [i, step] of (steps as readonly Step[]).entries()) {
      if (step === 'done') limit.done();
      else assert.equal(limit.take(step.take, step.at ?? 0), step.taken, `step ${i}`);
    }
  });
