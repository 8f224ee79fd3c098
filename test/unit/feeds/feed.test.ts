import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CostlyError, Feed, type FeedSource, type FeedTimes, type Reading } from '../../../src/feeds/feed.ts';
import { type FeedEvent, feedLines } from '../../../src/feeds/feed-event.ts';
import { FeedPool } from '../../../src/feeds/feed-pool.ts';

const never: FeedTimes = { every: 3_600_000, retry: 3_600_000, onDemand: 0, within: 3_600_000 };
const reading = (version: string): Reading<string> => ({ value: version, version, count: 1 });

function feedOf(read: FeedSource<string>['read'], times: Partial<FeedTimes> = {}) {
  const events: FeedEvent[] = [];
  const feed = new Feed(
    { feed: 'jwks', from: 'https://idp.test/jwks', read },
    (event) => events.push(event),
    { ...never, ...times },
  );
  return { feed, events };
}

describe('a feed', () => {
  const endless: readonly (readonly [why: string, read: FeedSource<string>['read']])[] = [
    ['heeds its signal', ({ signal }) => new Promise((_, no) => signal.addEventListener('abort', no))],
    ['heeds nothing', () => new Promise(() => {})],
  ];
  for (const [why, read] of endless) {
    it(`a read that never ends and ${why} has failed after its time, and the next one begins`, async () => {
      let stuck = true;
      const { feed, events } = feedOf(
        (request) => (stuck ? read(request) : Promise.resolve(reading('new'))),
        { within: 5 },
      );
      await feed.start();
      assert.partialDeepStrictEqual(events, [
        { kind: 'failed', reason: 'no whole answer within 0.005 s', failures: 1, keepsLastGood: false },
      ]);
      stuck = false;
      await feed.start();
      assert.equal(feed.latest, 'new');
      await feed.close();
    });

    it(`closing does not wait for a read that ${why}, and tells nothing of it`, async () => {
      const { feed, events } = feedOf(read);
      const started = feed.start();
      await feed.close();
      await started;
      assert.deepEqual(events, []);
      await feed.start();
      assert.deepEqual(events, [], 'and what is closed reads no more');
    });
  }

  it('what was costly to read in vain is read again late, also where it is asked for', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let reads = 0;
    const { feed } = feedOf(
      () => {
        reads++;
        return Promise.reject(new CostlyError('took more than 30 s'));
      },
      { retry: 1, costlyRetry: 900_000 },
    );
    await feed.start();
    feed.refresh();
    t.mock.timers.tick(890_000);
    assert.equal(reads, 1);
    t.mock.timers.tick(20_000);
    assert.equal(reads, 2);
    await feed.close();
  });

  it('what comes too late is not taken', async () => {
    const late = Promise.withResolvers<Reading<string>>();
    const { feed } = feedOf(() => late.promise, { within: 5 });
    await feed.start();
    late.resolve(reading('stale'));
    await late.promise;
    assert.equal(feed.latest, undefined);
    await feed.close();
  });

  it('one read at a time: who asks meanwhile shares it, who saw a change gets one of its own', async () => {
    const reads: ((version: string) => void)[] = [];
    const { feed } = feedOf(
      () => new Promise((resolve) => reads.push((version) => resolve(reading(version)))),
    );
    const first = [feed.start(), feed.start()];
    const anew = [feed.startAnew(), feed.startAnew()];
    assert.equal(reads.length, 1);
    reads[0]!('before');
    await Promise.all(first);
    assert.equal(feed.latest, 'before');
    while (reads.length === 1) await new Promise(setImmediate);
    reads[1]!('after');
    await Promise.all(anew);
    assert.equal(feed.latest, 'after');
    assert.equal(reads.length, 2);
    await feed.close();
  });

  it('equal versions are the very same value', async () => {
    const { feed, events } = feedOf(async () => ({ ...reading('one'), value: `${Math.random()}` }));
    await feed.start();
    const before = feed.latest;
    await feed.start();
    assert.equal(feed.latest, before);
    assert.partialDeepStrictEqual(events, [{ changed: true }, { changed: false }]);
    await feed.close();
  });

  it('is told of a change while it reads: it reads again by itself', async () => {
    let version = 0;
    const again = Promise.withResolvers<void>();
    const { feed } = feedOf(async ({ readIn }) => {
      if (version++ === 0) readIn(0);
      else again.resolve();
      return reading(`${version}`);
    });
    await feed.start();
    await again.promise;
    await feed.start();
    assert.equal(feed.latest, '2');
    await feed.close();
  });

  it('its lines: when it begins to fail, when it works again, when something is new', async () => {
    const outcomes = ['a', 'a', new Error('down'), new Error('down'), 'a', 'b'];
    const { feed, events } = feedOf(async () => {
      const outcome = outcomes.shift()!;
      if (typeof outcome !== 'string') throw outcome;
      return { ...reading(outcome), unused: ['key "x" is a secret, and would be known to all'] };
    });
    for (let i = 0; i < 6; i++) await feed.start();
    assert.deepEqual(
      events.map((event) => feedLines(event).map(({ message }) => message)),
      [
        ["one of an issuer's keys is not used", "fetched an issuer's keys"],
        [],
        ["can't fetch an issuer's keys: the last good ones stay in force; trying on"],
        [],
        ["one of an issuer's keys is not used", "fetched an issuer's keys"],
        ["one of an issuer's keys is not used", "fetched an issuer's keys"],
      ],
    );
    await feed.close();
  });
});

it('a pool closes what is not kept, and only that', async () => {
  const closed: string[] = [];
  const pool = new FeedPool<string, Feed<string>>(
    (address) => address,
    (address) =>
      new Feed(
        {
          feed: 'jwks',
          from: address,
          read: async () => reading(address),
          close: async () => void closed.push(address),
        },
        () => {},
        never,
      ),
  );
  const [kept, dropped] = [pool.at('kept'), pool.at('dropped')];
  await pool.start([kept, dropped], 1_000);
  assert.deepEqual([kept.latest, dropped.latest], ['kept', 'dropped']);
  await pool.keepOnly([kept]);
  assert.deepEqual(closed, ['dropped']);
  assert.equal(pool.at('kept'), kept);
  assert.notEqual(pool.at('dropped'), dropped);
  await pool.close();
});

describe('the line', () => {
  for (const [from, fields] of [
    ['/crls/partner.crl', { file: '/crls/partner.crl' }],
    ['http://crl.test/ca.crl', { url: 'http://crl.test/ca.crl' }],
  ] as const)
    it(`says of ${from} that it is a ${Object.keys(fields)}`, () => {
      for (const event of [
        { kind: 'read', changed: true, failures: 0, count: 1, unused: [] },
        { kind: 'failed', reason: 'r', failures: 1, keepsLastGood: true, lapsed: false },
      ] as const)
        assert.partialDeepStrictEqual(
          feedLines({ feed: 'crl', from, ...event }).map((line) => line.fields),
          [fields],
        );
    });
});
