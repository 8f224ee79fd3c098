import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedTrace, traceContext } from '../../../src/observability/trace-context.ts';
import { request } from '../../support/attributes.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';
const good = `00-${traceId}-${parentId}-01`;

const sampled = { traceId, parentId, isSampled: true };
const cases: readonly [what: string, sent: readonly string[], expected: ReturnType<typeof traceContext>][] = [
  ['none', [], undefined],
  ['one that is recorded', [good], sampled],
  ['one that is not', [`00-${traceId}-${parentId}-00`], { ...sampled, isSampled: false }],
  ['other flags beside', [`00-${traceId}-${parentId}-03`], sampled],
  ['other flags alone', [`00-${traceId}-${parentId}-fe`], { ...sampled, isSampled: false }],
  ['a later version', [`01${good.slice(2)}`], sampled],
  ['a later version with more behind it', [`cc${good.slice(2)}-what.the.future`], sampled],
  ['a later version with something stuck to it', [`cc${good.slice(2)}.x`], undefined],
  ['this version with more behind it', [`${good}-x`], undefined],
  ['the version that is forbidden', [`ff${good.slice(2)}`], undefined],
  ['a trace of zeros', [`00-${'0'.repeat(32)}-${parentId}-01`], undefined],
  ['a parent of zeros', [`00-${traceId}-${'0'.repeat(16)}-01`], undefined],
  ['capitals, which W3C forbids', [good.toUpperCase()], undefined],
  ['two headers', [good, good], undefined],
  ['two joined to one', [`${good},${good}`], undefined],
  ['a space before it', [` ${good}`], undefined],
  ['a line break behind it', [`${good}\n`], undefined],
  ['flags that are no number', [`00-${traceId}-${parentId}-0x`], undefined],
  ['a script', ['"><script>alert(1)</script>'], undefined],
  ['a megabyte', ['0'.repeat(1_000_000)], undefined],
  ['a megabyte behind a later version', [`01${good.slice(2)}-${'-'.repeat(1_000_000)}`], sampled],
];
for (const [what, sent, expected] of cases)
  test(`traceparent: ${what}`, () => {
    const headers = sent.map((value) => ['traceparent', value] as const);
    assert.deepEqual(traceContext(request({ headers })), expected);
    assert.deepEqual(recordedTrace(request({ headers })), expected?.isSampled ? expected : undefined);
  });
