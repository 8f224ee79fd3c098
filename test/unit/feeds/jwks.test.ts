import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { type FeedEvent, feedLines } from '../../../src/feeds/feed-event.ts';
import { JwksFeed, JwksFeeds } from '../../../src/feeds/jwks.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

const one = createTokenIssuer(0, { kid: 'one' });
const two = createTokenIssuer(0, { kid: 'two' });
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close().closeAllConnections();
});

/** An issuer whose endpoint does as it is told, and a feed of its keys that is never in a hurry by itself. */
async function setUp(first: RequestListener, times = { every: 3_600_000, retry: 3_600_000, onDemand: 0 }) {
  let answer = first;
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    answer(request, response);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const events: FeedEvent[] = [];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  const feed = new JwksFeed({ url, caPem: undefined }, (event) => events.push(event), times);
  after(() => feed.close());
  return {
    feed,
    events,
    asked: () => asked,
    answers: (next: RequestListener) => {
      answer = next;
    },
    kids: () => feed.jwks()?.map((jwk) => (jwk as { kid: string }).kid),
  };
}
const serving =
  (...texts: string[]): RequestListener =>
  (_, response) =>
    response.end(texts.join(''));
const setOf = (...issuers: { jwk: object }[]): string =>
  JSON.stringify({ keys: issuers.map(({ jwk }) => jwk) });

test('keys are fetched ahead, and others take their place', async () => {
  const { feed, kids, answers, events } = await setUp(serving(setOf(one)));
  assert.equal(kids(), undefined);
  await feed.start();
  assert.deepEqual(kids(), ['one']);
  answers(serving(setOf(two)));
  await feed.start();
  assert.deepEqual(kids(), ['two']);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['read', 'read'],
  );
});

test('the same keys are the same array: nothing is imported anew, nothing is logged', async () => {
  const { feed, events } = await setUp(serving(setOf(one)));
  await feed.start();
  const before = feed.jwks();
  await feed.start();
  assert.equal(feed.jwks(), before);
  assert.deepEqual(
    events.map((event) => feedLines(event).length),
    [1, 0],
  );
});

const failures: readonly [why: string, answer: RequestListener, reason: RegExp][] = [
  ['a 500', (_, response) => response.writeHead(500).end(setOf(two)), /it answered 500/],
  [
    'a redirect',
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    /it answered 302/,
  ],
  ['garbage', serving('<html>'), /is no JSON/],
  ['JSON of another kind', serving('{"a":1}'), /is no JWK Set/],
  ['keys that can not be used', serving('{"keys":[{"kty":"oct","k":"AAAA"}]}'), /no key that can be used/],
  ['a huge answer', serving('x'.repeat(1_200_000)), /more than 1048576 bytes/],
  [
    'an endless answer',
    (_, response) => {
      const write = (): void => {
        while (response.write('x'.repeat(65_536)));
        response.once('drain', write);
      };
      write();
    },
    /more than 1048576 bytes/,
  ],
  ['a connection that breaks off', (request) => request.socket.destroy(), /socket hang up|ECONNRESET/],
  [
    'an answer that breaks off',
    (request, response) => {
      response.writeHead(200, { 'content-length': 999 }).write('{');
      setImmediate(() => request.socket.destroy());
    },
    /aborted|hang up|ECONNRESET/,
  ],
];
for (const [why, answer, reason] of failures) {
  test(`${why}: the last good keys stay, and it is told once`, async () => {
    const { feed, kids, answers, events } = await setUp(serving(setOf(one)));
    await feed.start();
    answers(answer);
    await feed.start();
    await feed.start();
    assert.deepEqual(kids(), ['one']);
    const [, event, again] = events;
    assert.ok(event?.kind === 'failed' && event.keepsLastGood);
    assert.match(event.reason, reason);
    assert.ok(again?.kind === 'failed' && again.failures === 2);
    answers(serving(setOf(one)));
    await feed.start();
    assert.deepEqual(
      events.flatMap(feedLines).map(({ level, message }) => [level, message]),
      [
        ['info', "fetched an issuer's keys"],
        ['warn', "can't fetch an issuer's keys: the last good ones stay in force; trying on"],
        ['info', "fetched an issuer's keys"],
      ],
      'and told when it is over',
    );
  });
}

test('down from the start: told that there are none', async () => {
  const feed = new JwksFeed({ url: 'http://127.0.0.1:1/', caPem: undefined }, (event) => {
    assert.ok(event.kind === 'failed' && !event.keepsLastGood);
  });
  await feed.start();
  assert.equal(feed.jwks(), undefined);
  feed.close();
});

test('after a failure it is tried again by itself', async () => {
  const { feed, kids, answers, asked } = await setUp((_, response) => response.writeHead(503).end(), {
    every: 3_600_000,
    retry: 1,
    onDemand: 0,
  });
  await feed.start();
  const before = asked();
  const fetched = new Promise<void>((resolve) =>
    answers((_, response) => {
      response.end(setOf(two), resolve);
    }),
  );
  await fetched;
  while (kids() === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(kids(), ['two']);
  assert.ok(asked() > before);
});

test('a flood of unknown keys asks the issuer once', async () => {
  const { feed, asked } = await setUp(serving(setOf(one)), {
    every: 3_600_000,
    retry: 1,
    onDemand: 3_600_000,
  });
  await feed.start();
  for (let i = 0; i < 1000; i++) feed.refresh();
  assert.equal(asked(), 1);
});

test('an unknown key asks at once, and nobody waits', async () => {
  const { feed, asked, kids, answers } = await setUp(serving(setOf(one)));
  await feed.start();
  answers(serving(setOf(one, two)));
  assert.equal(feed.refresh(), undefined);
  for (let i = 0; i < 1000; i++) feed.refresh();
  await feed.start();
  assert.equal(asked(), 2, 'those who ask meanwhile share one request');
  assert.deepEqual(kids(), ['one', 'two']);
});

test('a slow issuer does not keep a start for longer than it may', async () => {
  const { feed } = await setUp(() => {});
  const feeds = new JwksFeeds();
  await feeds.start([feed], 20);
  assert.equal(feed.jwks(), undefined);
});

test('one feed an address, kept over reloads with its keys; closed when nobody needs it', async () => {
  const { answers } = await setUp(serving(setOf(one)));
  const { feed: other } = await setUp(serving(setOf(one)));
  answers(serving(setOf(one)));
  const feeds = new JwksFeeds();
  const address = { url: 'http://127.0.0.1:1/', caPem: undefined };
  const feed = feeds.at(address);
  assert.equal(feeds.at({ ...address }), feed);
  assert.notEqual(feeds.at({ ...address, caPem: 'x' }), feed);
  feeds.keepOnly([feed]);
  assert.equal(feeds.at(address), feed);
  feeds.keepOnly([other]);
  assert.notEqual(feeds.at(address), feed);
  feeds.close();
});

test('a key in the query of its URL is in no event', async () => {
  const events: FeedEvent[] = [];
  const feed = new JwksFeed({ url: 'http://127.0.0.1:1/jwks?key=s3cr3t', caPem: undefined }, (event) =>
    events.push(event),
  );
  await feed.start();
  assert.equal(events[0]?.from, 'http://127.0.0.1:1/jwks');
  assert.doesNotMatch(JSON.stringify(events), /s3cr3t/);
  await feed.close();
});
