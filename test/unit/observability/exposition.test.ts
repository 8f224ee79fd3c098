import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Denial, denials } from '../../../src/decision.ts';
import { CheckCounters } from '../../../src/observability/check-counters.ts';
import { counter, type Family, line } from '../../../src/observability/exposition.ts';
import { Histogram } from '../../../src/observability/histogram.ts';
import { paced, page } from '../../../src/service/paced.ts';
import { textOf } from '../../support/text-of.ts';

const apiNamed = (name: string, version = '1') =>
  ({ name, version, basePath: '', errorFormat: 'choreo-connect' }) as const;
type ApiName = ReturnType<typeof apiNamed>;
const admit = (api: ApiName, certificateFrom?: 'peer' | 'header') =>
  ({ outcome: 'allow', api, tokenHeader: 'untouched', certificateFrom }) as const;
const deny = (code: Denial['code'], api?: ApiName) =>
  ({ outcome: 'deny', code, detail: 'x', ...(api && { api }) }) as const;

const linesOf = ({ name, samples }: Family): readonly string[] =>
  [...samples()].flatMap((sample) => (sample === undefined ? [] : [line(name, sample).trimEnd()]));
const decisionsOf = (counters: CheckCounters): readonly string[] => linesOf(counters.families[0]!);

for (const [name, value, written] of [
  ['plain', 'a', 'm{l="a"} 1'],
  ['a quote and a backslash', '\\"', 'm{l="\\\\\\""} 1'],
  ['a line break, which would begin a line of its own', 'a\nm 2', 'm{l="a\\nm 2"} 1'],
  ['braces and equal signs', '"} 5 {x="', 'm{l="\\"} 5 {x=\\""} 1'],
] as const)
  test(`a label's value stays in its label: ${name}`, () =>
    assert.equal(line('m', { value: 1, labels: { l: value } }), `${written}\n`));

test('numbers as Prometheus reads them, and labels of all samples in each', () => {
  assert.equal(line('m', { value: Infinity }), 'm +Inf\n');
  assert.equal(line('m', { value: -Infinity }), 'm -Inf\n');
  assert.equal(line('m', { value: 1 }, 'worker="2"'), 'm{worker="2"} 1\n');
  assert.equal(line('m', { value: 1, labels: { a: 'b' } }, 'worker="2"'), 'm{a="b",worker="2"} 1\n');
});

test('a histogram counts each value up to its bounds, whatever it is', () => {
  const histogram = new Histogram();
  for (const milliseconds of [0, 0.025, 0.026, 1000, 5000]) histogram.observe(milliseconds);
  const lines = linesOf(histogram.family('m', ''));
  for (const expected of [
    'm_bucket{le="0.000025"} 2',
    'm_bucket{le="0.00005"} 3',
    'm_bucket{le="1"} 4',
    'm_bucket{le="+Inf"} 5',
    'm_count 5',
  ])
    assert.ok(lines.includes(expected), lines.join('\n'));
  assert.match(lines.at(-2)!, /^m_sum 6\.00005/);
});

test('Checks by API, outcome and reason, and where no API was found', () => {
  const counters = new CheckCounters();
  const petstore = apiNamed('Pet "store"\n');
  for (const decision of [
    admit(petstore, 'peer'),
    admit(petstore, 'header'),
    deny('certificate_expired', petstore),
    deny('api_not_found'),
  ])
    counters.decided(decision, 0.1);
  assert.deepEqual(decisionsOf(counters), [
    'mtls_enforcer_decisions_total{api="",version="",outcome="deny",reason="api_not_found"} 1',
    'mtls_enforcer_decisions_total{api="Pet \\"store\\"\\n",version="1",outcome="allow",reason=""} 2',
    'mtls_enforcer_decisions_total{api="Pet \\"store\\"\\n",version="1",outcome="deny",reason="certificate_expired"} 1',
  ]);
  assert.deepEqual(linesOf(counters.families[1]!), [
    'mtls_enforcer_certificates_presented_total{from="peer"} 1',
    'mtls_enforcer_certificates_presented_total{from="header"} 1',
    'mtls_enforcer_certificates_presented_total{from="none"} 2',
  ]);
});

test('a fault of ours is a denial like any other, of no API', () => {
  const counters = new CheckCounters();
  counters.failed();
  assert.deepEqual(decisionsOf(counters), [
    'mtls_enforcer_decisions_total{api="",version="",outcome="deny",reason="internal_error"} 1',
  ]);
});

test('counting goes on over a reload, two that are called the same are one, and an API that went is forgotten', () => {
  const counters = new CheckCounters();
  counters.decided(admit(apiNamed('kept')), 0.1);
  counters.decided(admit(apiNamed('gone')), 0.1);
  counters.keepOnly([apiNamed('kept')]);
  counters.decided(admit(apiNamed('kept')), 0.1);
  counters.decided(admit(apiNamed('kept')), 0.1);
  counters.decided(admit(apiNamed('kept', '2')), 0.1);
  assert.deepEqual(decisionsOf(counters), [
    'mtls_enforcer_decisions_total{api="kept",version="1",outcome="allow",reason=""} 3',
    'mtls_enforcer_decisions_total{api="kept",version="2",outcome="allow",reason=""} 1',
  ]);
});

test('the worst that clients can cause: a series for each API that is configured and each code of the table', () => {
  const counters = new CheckCounters();
  const apis = [apiNamed('a'), apiNamed('b')];
  const codes = Object.keys(denials) as Denial['code'][];
  for (let round = 0; round < 3; round++)
    for (const api of apis) for (const code of codes) counters.decided(deny(code, api), 0.1);
  assert.equal(decisionsOf(counters).length, apis.length * codes.length);
});

test('ten thousand APIs are written with turns for others in between, 64 lines each, none lost', async () => {
  const counters = new CheckCounters();
  for (let i = 0; i < 10_000; i++) counters.decided(admit(apiNamed(`api-${i}`)), 0.1);
  let turns = 0;
  let others = setImmediate(function turn() {
    turns++;
    others = setImmediate(turn);
  });
  const longest: number[] = [];
  let text = '';
  for await (const piece of page(paced(counters.families))) {
    text += piece;
    longest.push(piece.length);
  }
  clearImmediate(others);
  assert.equal(text.match(/^mtls_enforcer_decisions_total\{/gm)?.length, 10_000);
  assert.equal(text.match(/^# TYPE mtls_enforcer_decisions_total counter$/gm)?.length, 1);
  assert.ok(Math.max(...longest) < 48_000, String(Math.max(...longest)));
  assert.ok(turns >= 20_000 / 64, String(turns));
});

test('a family of which there is nothing to say is not named', async () => {
  assert.equal(await textOf(page(paced([counter('m', 'x', () => [])]))), '');
});
