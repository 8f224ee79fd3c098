import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FeedState } from '../../../src/feeds/feed.ts';
import { feedFamilies } from '../../../src/service/feed-metrics.ts';
import { paced, page } from '../../../src/service/paced.ts';
import { textOf } from '../../support/text-of.ts';

const state = (more: Partial<FeedState>): FeedState => ({
  feed: 'crl',
  from: 'http://ca.example/a.crl',
  readAt: 1_000_000,
  outdatedFrom: 2_000_000,
  count: 3,
  faults: [],
  reads: 5,
  failures: 0,
  lastError: undefined,
  ...more,
});
const lines = async (states: readonly FeedState[], ocsp: readonly FeedState[] = []) =>
  (await textOf(page(paced(feedFamilies(states, ocsp), 'text'), 'text'))).split('\n');

test('a CRL: read when, out of date when, how much is in it', async () => {
  const all = await lines([state({ failures: 2 })]);
  const labels = '{feed="crl",from="http://ca.example/a.crl"}';
  for (const line of [
    `mtls_enforcer_feed_reads_total${labels} 5`,
    `mtls_enforcer_feed_failures${labels} 2`,
    `mtls_enforcer_feed_available${labels} 1`,
    `mtls_enforcer_feed_last_good_read_timestamp_seconds${labels} 1000`,
    `mtls_enforcer_feed_next_update_timestamp_seconds${labels} 2000`,
    `mtls_enforcer_feed_items${labels} 3`,
  ])
    assert.ok(all.includes(line), `${line}\nin\n${all.join('\n')}`);
});

test('what was never read is not available, and says no time', async () => {
  const all = await lines([state({ readAt: undefined, outdatedFrom: undefined, failures: 1 })]);
  assert.ok(all.some((line) => /^mtls_enforcer_feed_available\{.*\} 0$/.test(line)));
  assert.ok(!all.some((line) => line.startsWith('mtls_enforcer_feed_last_good_read')));
});

test('two of one place, as far as it may be shown, are one series: the worse of them', async () => {
  const all = await lines([state({}), state({ readAt: 500_000, outdatedFrom: undefined, failures: 3 })]);
  const series = all
    .filter((line) => !line.startsWith('#') && line !== '')
    .map((line) => line.split(' ')[0]!);
  assert.equal(new Set(series).size, series.length, 'a series twice is no answer that Prometheus takes');
  for (const line of [
    /_failures\{.*\} 3$/,
    /_last_good_read.*\} 500$/,
    /_next_update.*\} 2000$/,
    /_items\{.*\} 6$/,
  ])
    assert.ok(
      all.some((one) => line.test(one)),
      String(line),
    );
});

test('OCSP is about a certificate each: counted together, none is named', async () => {
  const ocsp = [
    state({ feed: 'ocsp' }),
    state({ feed: 'ocsp', failures: 1 }),
    state({ feed: 'ocsp', readAt: undefined }),
    state({ feed: 'ocsp', readAt: undefined }),
  ];
  const all = (await lines([], ocsp)).filter((line) => line.startsWith('mtls_enforcer_ocsp'));
  assert.deepEqual(all, [
    'mtls_enforcer_ocsp_certificates{state="answered"} 1',
    'mtls_enforcer_ocsp_certificates{state="failing"} 1',
    'mtls_enforcer_ocsp_certificates{state="awaited"} 2',
  ]);
});
