import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Denial, denials } from '../../../src/decision.ts';
import { CheckCounters } from '../../../src/observability/check-counters.ts';
import { counter, type Family, formatFor, line } from '../../../src/observability/exposition.ts';
import { Histogram } from '../../../src/observability/histogram.ts';
import { paced, page } from '../../../src/service/paced.ts';
import { textOf } from '../../support/text-of.ts';

const apiNamed = (name: string, version = '1') =>
  ({ name, version, basePath: '', errorFormat: 'choreo-connect', hasOperations: false }) as const;
type ApiName = ReturnType<typeof apiNamed>;
const admit = (api: ApiName, certificateFrom?: 'peer' | 'header') =>
  ({ outcome: 'allow', api, tokenHeader: 'untouched', certificateFrom }) as const;
const deny = (code: Denial['code'], api?: ApiName) =>
  ({ outcome: 'deny', code, detail: 'x', ...(api && { api }) }) as const;

const quick = { now: 0, microseconds: 100 };

const linesOf = ({ name, samples }: Family): readonly string[] =>
  [...samples()].flatMap((sample) => (sample === undefined ? [] : [line(name, sample, 'text').trimEnd()]));
const decisionsOf = (counters: CheckCounters): readonly string[] => linesOf(counters.families[0]!);

for (const [name, value, written] of [
  ['plain', 'a', 'm{l="a"} 1'],
  ['a quote and a backslash', '\\"', 'm{l="\\\\\\""} 1'],
  ['a line break, which would begin a line of its own', 'a\nm 2', 'm{l="a\\nm 2"} 1'],
  ['braces and equal signs', '"} 5 {x="', 'm{l="\\"} 5 {x=\\""} 1'],
] as const)
  test(`a label's value stays in its label: ${name}`, () =>
    assert.equal(line('m', { value: 1, labels: { l: value } }, 'text'), `${written}\n`));

test('numbers as Prometheus reads them, and labels of all samples in each', () => {
  assert.equal(line('m', { value: Infinity }, 'text'), 'm +Inf\n');
  assert.equal(line('m', { value: -Infinity }, 'text'), 'm -Inf\n');
  assert.equal(line('m', { value: 1 }, 'text', 'worker="2"'), 'm{worker="2"} 1\n');
  assert.equal(line('m', { value: 1, labels: { a: 'b' } }, 'text', 'worker="2"'), 'm{a="b",worker="2"} 1\n');
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
    counters.decided(decision, quick);
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
  counters.decided(admit(apiNamed('kept')), quick);
  counters.decided(admit(apiNamed('gone')), quick);
  counters.keepOnly([apiNamed('kept')]);
  counters.decided(admit(apiNamed('kept')), quick);
  counters.decided(admit(apiNamed('kept')), quick);
  counters.decided(admit(apiNamed('kept', '2')), quick);
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
    for (const api of apis) for (const code of codes) counters.decided(deny(code, api), quick);
  assert.equal(decisionsOf(counters).length, apis.length * codes.length);
});

test('ten thousand APIs are written with turns for others in between, 64 lines each, none lost', async () => {
  const counters = new CheckCounters();
  for (let i = 0; i < 10_000; i++) counters.decided(admit(apiNamed(`api-${i}`)), quick);
  let turns = 0;
  let others = setImmediate(function turn() {
    turns++;
    others = setImmediate(turn);
  });
  const longest: number[] = [];
  let text = '';
  for await (const piece of page(paced(counters.families, 'text'), 'text')) {
    text += piece;
    longest.push(piece.length);
  }
  clearImmediate(others);
  assert.equal(text.match(/^mtls_enforcer_decisions_total\{/gm)?.length, 10_000);
  assert.equal(text.match(/^# TYPE mtls_enforcer_decisions_total counter$/gm)?.length, 1);
  assert.ok(Math.max(...longest) < 48_000, String(Math.max(...longest)));
  assert.ok(turns >= 20_000 / 64, String(turns));
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traced = (now: number) => ({
  now,
  microseconds: 100,
  trace: { traceId, parentId: 'b7ad6b7169203331', isSampled: true },
});

test('OpenMetrics: a counter is called by its family, bounds as Go writes them, quotes in help, and an end', async () => {
  const counters = new CheckCounters();
  counters.decided(admit(apiNamed('a'), 'peer'), traced(1_780_315_200_123));
  counters.answered(1_000);
  const families = [...counters.families, counter('m_total', 'a "word"', () => [{ value: 1 }])];
  const written = await textOf(page(paced(families, 'openmetrics', { worker: 2 }), 'openmetrics'));
  for (const expected of [
    '# TYPE mtls_enforcer_decisions counter',
    'mtls_enforcer_decisions_total{api="a",version="1",outcome="allow",reason="",worker="2"} 1',
    '# HELP m a \\"word\\"',
    'm_total{worker="2"} 1',
    'mtls_enforcer_call_duration_seconds_bucket{le="1.0",worker="2"} 1',
    `mtls_enforcer_decision_duration_seconds_bucket{le="0.0001",worker="2"} 1 # {trace_id="${traceId}"} 0.0001 1780315200.123`,
  ])
    assert.ok(written.split('\n').includes(expected), `${expected}\nin\n${written}`);
  assert.equal(written.match(/ # \{/g)?.length, 1);
  assert.ok(written.endsWith('\n# EOF\n'));
});

test('an exemplar is the last request of its bucket whose trace is recorded, and no format but OpenMetrics has any', () => {
  const counters = new CheckCounters();
  for (const decided of [traced(1_000), traced(2_000), quick])
    for (const count of [
      () => counters.decided(deny('api_not_found'), decided),
      () => counters.answered(0.1, decided),
    ])
      count();
  for (const { name, samples } of counters.families.slice(2)) {
    const lines = [...samples()].map((sample) => line(name, sample!, 'openmetrics'));
    assert.deepEqual(
      lines.filter((text) => text.includes('#')),
      [`${name}_bucket{le="0.0001"} 3 # {trace_id="${traceId}"} 0.0001 2\n`],
    );
    assert.ok([...samples()].every((sample) => !line(name, sample!, 'text').includes('#')));
  }
});

for (const [what, accept, format] of [
  ['nothing', undefined, 'text'],
  [
    'Prometheus 2',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  [
    'Prometheus 3',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    'openmetrics',
  ],
  ['by its name alone', 'application/openmetrics-text', 'openmetrics'],
  ['in capitals, with spaces', ' Application/OpenMetrics-Text ; Version="1.0.0" ; Q=1.000', 'openmetrics'],
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text'],
  ['whatever there is', '*/*', 'text'],
  ['text rather', 'application/openmetrics-text;q=0.2,text/plain', 'text'],
  ['OpenMetrics never', 'application/openmetrics-text;q=0', 'text'],
  ['another version of it', 'application/openmetrics-text;version=0.0.1', 'text'],
  ['a weight that is none', 'application/openmetrics-text;q=9e99', 'text'],
  ['a weight below zero', 'application/openmetrics-text;q=-1', 'text'],
  ['one type beside a longer one', 'application/openmetrics-text-x, xapplication/openmetrics-text', 'text'],
  ['a prototype', 'application/openmetrics-text;__proto__=1;constructor', 'openmetrics'],
  ['a megabyte of commas and semicolons', ';,='.repeat(400_000), 'text'],
  ['a megabyte of weights', `application/openmetrics-text${';q=0.1'.repeat(200_000)}`, 'openmetrics'],
] as const)
  test(`the format for who accepts ${what}: ${format}`, () => assert.equal(formatFor(accept), format));

test('a family of which there is nothing to say is not named', async () => {
  assert.equal(await textOf(page(paced([counter('m', 'x', () => [])], 'text'), 'text')), '');
});
