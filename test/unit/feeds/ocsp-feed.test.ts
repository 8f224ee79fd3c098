import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { feedLines } from '../../../src/feeds/feed-event.ts';
import { type OcspAddress, OcspFeed } from '../../../src/feeds/ocsp-feed.ts';
import { RevocationCache } from '../../../src/feeds/revocation-cache.ts';
import { questionKey, writeOcspRequest } from '../../../src/pki/revocation/ocsp-request.ts';
import { der, extension, octets, oid, sequence } from '../pki/der-writer.ts';
import { certify, entity, validity } from '../pki/forge.ts';
import {
  certId,
  forgeOcsp,
  good,
  type ResponseParts,
  revoked,
  type Single,
  unknown,
} from '../pki/revocation/ocsp-forge.ts';
import { twinOf } from '../pki/second-key.ts';
import {
  type Answer,
  around,
  authorityOf,
  hour,
  ownerIn,
  webServer,
  wholeSecond,
} from './revocation-world.ts';

const ca = authorityOf('CA');
const other = authorityOf('Other');
const certificate = certify(ca.who, entity('Client'));
const neighbour = certify(ca.who, entity('Neighbour'));
const byTheBook = { clockSkew: 60_000, maxAge: Infinity, staleGrace: 0 };
const strict = { ...byTheBook, clockSkew: 0, maxAge: hour / 2 };
const nonceOid = '1.3.6.1.5.5.7.48.1.2';

const asOf = wholeSecond(Date.now() - hour);
const nextUpdate = wholeSecond(Date.now() + hour);
const single = (more: Partial<Single> = {}): Single => ({
  id: certId(ca.who, certificate),
  thisUpdate: asOf,
  nextUpdate: Date.now() + hour,
  ...more,
});
const responseOf = (more: Partial<Single> = {}, parts: Partial<ResponseParts> = {}): Uint8Array =>
  forgeOcsp(ca.who, { responses: [single(more)], producedAt: Date.now() - hour, ...parts });
const sending =
  (bytes: Uint8Array | string): Answer =>
  (_, response) =>
    response.end(bytes);

async function feedOf(
  answer: Answer,
  more: Partial<OcspAddress> = {},
  cache?: RevocationCache,
  place?: string,
) {
  const server = await webServer(answer);
  const world = around([], { timeout: 1_000, ...(cache && { cache }) });
  const url = `${place ?? server.url}/`;
  const address = { certificate, issuer: ca.certificate, url, reach: 'anywhere', nonce: false } as const;
  const feed = new OcspFeed(
    { ...address, owners: () => [ownerIn('CA')], responders: [], freshness: byTheBook, ...more },
    world,
  );
  after(() => feed.close());
  return { feed, server, world };
}

describe('what a responder says', () => {
  const statuses: readonly (readonly [what: string, status: Uint8Array, expected: string])[] = [
    ['good', good, 'good'],
    ['revoked', revoked(1), 'revoked'],
    ['unknown', unknown, 'unknown'],
  ];
  for (const [what, status, expected] of statuses)
    it(what, async () => {
      const { feed, world } = await feedOf(sending(responseOf({ status })));
      await feed.start();
      assert.equal(feed.latest?.status, expected, JSON.stringify(world.events));
      assert.equal(world.changes, 1);
    });

  it('is asked by GET where that is short, as a cache in between may answer', async () => {
    const { feed, server } = await feedOf(sending(responseOf()));
    await feed.start();
    const request = Buffer.from(writeOcspRequest(certificate, ca.certificate)).toString('base64');
    assert.deepEqual(server.asked, [`GET /${encodeURIComponent(request)}`]);
  });

  it('by POST where it takes no GET, from then on', async () => {
    const { feed, server } = await feedOf((request, response) =>
      request.method === 'GET' ? response.writeHead(405).end() : response.end(responseOf()),
    );
    await feed.start();
    await feed.start();
    assert.deepEqual(
      server.asked.map((line) => line.slice(0, 4)),
      ['GET ', 'POST', 'POST'],
    );
    assert.equal(feed.latest?.status, 'good');
  });

  it('with a nonce by POST, and the answer must repeat it', async () => {
    const repeating: Answer = (_, response, body) => {
      const nonce = body.subarray(-32);
      response.end(responseOf({}, { extensions: [extension(nonceOid, octets(nonce))] }));
    };
    const { feed, server } = await feedOf(repeating, { nonce: true });
    await feed.start();
    assert.equal(feed.latest?.status, 'good');
    server.answer = sending(responseOf({ status: revoked() }));
    await feed.start();
    assert.equal(feed.latest?.status, 'good');
    assert.equal(feed.state.lastError, 'what it sent does not repeat the nonce');
    assert.deepEqual(server.asked, ['POST /', 'POST /']);
  });

  type Refused = readonly [what: string, answer: Answer, reason: RegExp];
  const refused: readonly Refused[] = [
    ['garbage', sending('garbage'), /^no OCSPResponse: /],
    ['tryLater', sending(responseOf({}, { status: 3 })), /^the responder says tryLater$/],
    ['unauthorized', sending(responseOf({}, { status: 6 })), /^the responder says unauthorized$/],
    [
      'one of yesterday',
      sending(responseOf({ nextUpdate: Date.now() - hour / 2 - 120_000 })),
      /^what it sent is out of date$/,
    ],
    [
      'one older than the last good one',
      sending(responseOf({ thisUpdate: Date.now() - 3 * hour })),
      /^what it sent is older than its last good answer, which stays in force$/,
    ],
    [
      'one of the same second that says good',
      sending(responseOf()),
      /^what it sent is older than its last good answer, which stays in force$/,
    ],
    [
      'one of by now that knows nothing of it',
      sending(responseOf({ status: unknown, thisUpdate: Date.now() - 1_000 })),
      /^it says unknown of what it said was revoked, which stays in force$/,
    ],
    [
      'one about another certificate',
      sending(responseOf({ id: certId(ca.who, neighbour) })),
      /^what it sent is about other certificates$/,
    ],
    [
      'one that a stranger signed',
      sending(responseOf({}, { signedBy: other.who })),
      /^what it sent the OCSP response is not signed by|not signed by the key of/,
    ],
    [
      'one of a foreign responder',
      sending(forgeOcsp(other.who, { responses: [single()], producedAt: Date.now() - hour })),
      /^what it sent its responder is neither the issuer nor authorised by it$/,
    ],
    ['more than any responder sends', sending(Buffer.alloc(300_000)), /^it sent more than 262144 bytes$/],
    ['silence', () => {}, /^no whole answer within 1 s$/],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/' }).end(), /^it answered 302$/],
    ['an error', (_, response) => response.writeHead(500).end(), /^it answered 500$/],
  ];
  for (const [what, answer, reason] of refused)
    it(`after ${what} the last good answer stays in force`, async () => {
      const { feed, server, world } = await feedOf(sending(responseOf({ status: revoked() })));
      while (feed.latest === undefined) await feed.start();
      world.events.length = 0;
      server.answer = answer;
      await feed.start();
      assert.equal(feed.latest.status, 'revoked');
      const [event] = world.events;
      assert.ok(event?.kind === 'failed', JSON.stringify(event));
      assert.match(event.reason, reason);
      assert.match(event.from, /^http:\/\/127\.0\.0\.1:\d+\/ about CN=Client, serial number [0-9A-F]+$/);
      assert.equal(
        feedLines(event)[0]!.message,
        "can't ask an OCSP responder about a certificate: its last good answer stays in force; trying on",
      );
    });

  it('without nextUpdate counts for a while only from when it was made: there is always a newer one', async () => {
    const producedAt = wholeSecond(Date.now() - hour);
    const { feed, server, world } = await feedOf(sending(responseOf({ nextUpdate: null }, { producedAt })));
    await feed.start();
    const { until } = feed.latest!.window;
    assert.equal(until, producedAt + 2 * world.limits().refresh + byTheBook.clockSkew);
    const old = { producedAt: Date.now() - 3 * hour };
    server.answer = sending(responseOf({ nextUpdate: null }, old));
    await feed.start();
    assert.equal(feed.state.lastError, 'what it sent was made too long ago for one without nextUpdate');
    assert.equal(feed.latest!.window.until, until, 'whoever sends one again prolongs nothing');
  });

  const minute = 60_000;
  const bad = { status: revoked(1) };
  const until = (minutes: number): Partial<Single> => ({ nextUpdate: asOf + hour + minutes * minute });
  const newer = { thisUpdate: asOf + minute };
  type Told = readonly [
    what: string,
    told: boolean,
    first: Partial<Single>,
    afterMinutes: number,
    then: Partial<Single>,
  ];
  const told: readonly Told[] = [
    ['good for longer, in time', false, until(10), 5, { ...newer, ...until(20) }],
    ['good for less long', true, until(10), 1, { ...newer, ...until(5) }],
    ['good again once the first had lapsed', true, until(10), 15, { ...newer, ...until(20) }],
    ['revoked where it was good', true, until(10), 5, { ...newer, ...until(20), ...bad }],
    ['revoked for longer, in time', false, { ...bad, ...until(10) }, 5, { ...newer, ...bad, ...until(20) }],
    [
      'revoked again once the first had lapsed',
      true,
      { ...bad, ...until(10) },
      15,
      { ...newer, ...bad, ...until(20) },
    ],
    [
      'revoked for good where it was on hold, of the same second',
      true,
      { status: revoked(6), ...until(10) },
      5,
      { ...bad, ...until(10) },
    ],
    ['revoked, the same that has lapsed', false, { ...bad, ...until(-10) }, 5, { ...bad, ...until(-10) }],
    [
      'revoked, a newer that has lapsed',
      true,
      { ...bad, ...until(-10) },
      5,
      { ...newer, ...bad, ...until(-5) },
    ],
    [
      'unknown again once the first had lapsed',
      true,
      { status: unknown, ...until(10) },
      15,
      { ...newer, status: unknown, ...until(20) },
    ],
  ];
  for (const [what, isTold, first, afterMinutes, then] of told)
    it(`${what}: ${isTold ? 'verdicts of before are remembered no more' : 'they are remembered on'}`, async ({
      mock,
    }) => {
      mock.timers.enable({ apis: ['Date'], now: asOf + hour });
      const freshness = { ...byTheBook, clockSkew: 0 };
      const { feed, server, world } = await feedOf(sending(responseOf(first)), { freshness });
      await feed.start();
      assert.equal(world.changes, 1, feed.state.lastError);
      mock.timers.setTime(asOf + hour + afterMinutes * minute);
      server.answer = sending(responseOf(then, { producedAt: Date.now() }));
      await feed.start();
      assert.equal(feed.state.lastError, undefined);
      assert.equal(world.changes, isTold ? 2 : 1);
    });

  it('counts after a restart while the responder is down, as long as it is good by itself', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ocsp-feed-'));
    after(() => rmSync(dir, { recursive: true }));
    const repeating: Answer = (_, response, body) =>
      response.end(
        responseOf({ status: revoked() }, { extensions: [extension(nonceOid, octets(body.subarray(-32)))] }),
      );
    const first = await feedOf(repeating, { nonce: true }, new RevocationCache(dir));
    await first.feed.start();
    while (readdirSync(dir).length === 0) await new Promise(setImmediate);
    await first.world.cache()!.close();
    const down: Answer = (request) => request.socket.destroy();
    const second = await feedOf(down, { nonce: true }, new RevocationCache(dir), first.server.url);
    first.server.answer = down;
    await second.feed.start();
    assert.equal(second.feed.latest?.status, 'revoked');
    const third = await feedOf(
      down,
      { nonce: true, freshness: strict },
      new RevocationCache(dir),
      first.server.url,
    );
    await third.feed.start();
    assert.equal(third.feed.latest?.status, 'revoked', 'which it stays by a policy that is stricter');
    const twin = { nonce: true, certificate: twinOf(certificate) };
    const fourth = await feedOf(down, twin, new RevocationCache(dir), first.server.url);
    await fourth.feed.start();
    assert.equal(fourth.feed.latest?.status, 'revoked', 'with its signature turned round, too');
  });

  it('that was kept and counts only later, by a clock that is behind, stays and counts once the clock is right', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'ocsp-feed-'));
    after(() => rmSync(dir, { recursive: true }));
    const first = await feedOf(sending(responseOf()), {}, new RevocationCache(dir));
    await first.feed.start();
    await first.world.cache()!.close();
    first.server.answer = (request) => request.socket.destroy();
    const { now } = Date;
    const clock = t.mock.method(Date, 'now', () => now() - 2 * hour);
    const { feed, world } = await feedOf(() => {}, {}, new RevocationCache(dir), first.server.url);
    await feed.start();
    await feed.start();
    assert.equal(feed.state.readAt, undefined);
    const told = world.events.filter(({ kind }) => kind === 'not-yet');
    assert.equal(told.length, 1);
    assert.match(JSON.stringify(told), /the answer of .* counts only from then on; is the clock right\?/);
    clock.mock.restore();
    await feed.start();
    assert.equal(feed.latest?.status, 'good');
  });

  it('that is too old by now is thrown away', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ocsp-feed-'));
    after(() => rmSync(dir, { recursive: true }));
    const first = await feedOf(sending(responseOf()), {}, new RevocationCache(dir));
    await first.feed.start();
    while (readdirSync(dir).length === 0) await new Promise(setImmediate);
    await first.world.cache()!.close();
    first.server.answer = (request) => request.socket.destroy();
    const second = await feedOf(() => {}, { freshness: strict }, new RevocationCache(dir), first.server.url);
    await second.feed.start();
    assert.equal(second.feed.latest, undefined, 'by a policy that is stricter, when it was sent');
    assert.deepEqual(readdirSync(dir), []);
  });

  const responder = entity('Responder');
  const ended = certify(
    ca.who,
    responder,
    [
      extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.9'))),
      extension('1.3.6.1.5.5.7.48.1.5', der(0x05)),
    ],
    {
      validity: validity(Date.now() - 4 * hour, Date.now() - hour),
    },
  );
  const early = { thisUpdate: wholeSecond(Date.now() - 3 * hour) };
  const kept: readonly (readonly [what: string, bytes: Uint8Array, expected: string | undefined])[] = [
    ['is good', responseOf(), 'good'],
    ['says that it is revoked', responseOf({ status: revoked(1) }), 'revoked'],
    ['is out of date', responseOf({ ...early, nextUpdate: Date.now() - 2 * hour }), undefined],
    ['is about another', responseOf({ id: certId(ca.who, neighbour) }), undefined],
    ['is signed by another', forgeOcsp(other.who, { responses: [single()] }), undefined],
    [
      'was sent, as is noted beside it, while the certificate of who signed it was valid',
      forgeOcsp(responder, {
        responses: [single(early)],
        producedAt: early.thisUpdate,
        certificates: [ended],
      }),
      undefined,
    ],
  ];
  for (const [what, bytes, expected] of kept)
    it(`that was kept and ${what} is at hand at once as ${expected ?? 'nothing'}, and no more than if it came now`, async () => {
      const dir = mkdtempSync(join(tmpdir(), 'ocsp-feed-'));
      after(() => rmSync(dir, { recursive: true }));
      const down: Answer = (request) => request.socket.destroy();
      const server = await webServer(down);
      const key = `ocsp ${server.url}/ ${questionKey(certificate, ca.certificate)}`;
      const readAt = new Date(Date.now() - 2.5 * hour).toISOString();
      await new RevocationCache(dir).write(
        key,
        { notes: { feed: 'ocsp', readAt }, parts: [bytes] },
        ({ reason }) => assert.fail(reason),
      );
      const cache = new RevocationCache(dir);
      await cache.loadAhead();
      const { feed, world } = await feedOf(down, {}, cache, server.url);
      assert.equal(feed.latest?.status, expected);
      await feed.start();
      assert.equal(feed.latest?.status, expected, 'nor once the disk was asked');
      assert.equal(world.changes, expected === undefined ? 1 : 0);
      assert.equal(readdirSync(dir).length, expected === undefined ? 0 : 1, 'it is thrown away');
    });

  const stale: readonly (readonly [what: string, more: Partial<Single>, expected: string | undefined])[] = [
    ['good, out of date', { nextUpdate: Date.now() - hour / 2 }, undefined],
    ['revoked, out of date', { nextUpdate: Date.now() - hour / 2, status: revoked(1) }, 'revoked'],
    ['revoked, of tomorrow', { thisUpdate: Date.now() + hour, status: revoked(1) }, undefined],
    ['revoked, about another', { id: certId(ca.who, neighbour), status: revoked(1) }, undefined],
    ['good, made long ago, without nextUpdate', { nextUpdate: null }, undefined],
    ['revoked, made long ago, without nextUpdate', { nextUpdate: null, status: revoked(1) }, 'revoked'],
  ];
  for (const [what, more, expected] of stale)
    it(`what it says first is ${what}: ${expected ?? 'nothing to go by'}`, async () => {
      const answer = sending(
        responseOf({ thisUpdate: Date.now() - 4 * hour, ...more }, { producedAt: Date.now() - 4 * hour }),
      );
      const { feed } = await feedOf(answer, { freshness: { ...byTheBook, clockSkew: 0 } });
      await feed.start();
      assert.equal(feed.latest?.status, expected, feed.state.lastError);
      if (feed.latest !== undefined) assert.ok(feed.latest.window.until < Date.now(), 'and is out of date');
    });

  it('where it was not asked for all that is asked before, is asked for again soon', {
    timeout: 20_000,
  }, async () => {
    const { feed, server, world } = await feedOf(sending(responseOf()));
    const { promise: others, resolve: answered } = Promise.withResolvers<void>();
    const { signal } = new AbortController();
    for (let i = 0; i < 4; i++)
      void world.lanes.run(server.url, { owners: [ownerIn('CA')], signal }, () => others);
    await feed.start();
    assert.equal(feed.state.lastError, 'no turn in time within 1 s: it is asked about others first');
    assert.deepEqual(server.asked, []);
    answered();
    while (feed.latest === undefined) await new Promise((next) => setTimeout(next, 50));
    assert.equal(feed.latest.status, 'good');
  });

  it('by another delegate, for the rest the same: is known as that one’s', async () => {
    const said = [1, 2].map(() => {
      const who = entity('Responder');
      const forSigning = extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.9')));
      const today = { validity: validity(wholeSecond(Date.now() - hour), nextUpdate) };
      const delegate = certify(ca.who, who, [forSigning], today);
      const parts = { responses: [single({ nextUpdate })], producedAt: asOf, certificates: [delegate] };
      return { delegate: new Uint8Array(delegate.serialOctets), bytes: forgeOcsp(who, parts) };
    });
    const { feed, server, world } = await feedOf(sending(said[0]!.bytes));
    for (const { delegate, bytes } of said) {
      server.answer = sending(bytes);
      await feed.start();
      assert.partialDeepStrictEqual(feed.latest, { status: 'good', delegate });
    }
    assert.equal(world.changes, 1, 'which is no reason to judge all anew');
  });

  it('by a delegate in place of revoked keeps that at hand, until the issuer itself says good', async () => {
    const [minute, who] = [60_000, entity('Responder')];
    const delegate = certify(ca.who, who, [extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.9')))], {
      validity: validity(wholeSecond(Date.now() - hour), nextUpdate),
    });
    const by = (signer: typeof who, minutes: number, status: Uint8Array): Uint8Array =>
      forgeOcsp(signer, {
        responses: [single({ nextUpdate, thisUpdate: asOf + minutes * minute, status })],
        producedAt: asOf + minutes * minute,
        certificates: [delegate],
      });
    const isKnown = { delegate: new Uint8Array(delegate.serialOctets), instead: { status: 'revoked' } };
    const steps: readonly (readonly [bytes: Uint8Array, latest: object, isInstead: boolean])[] = [
      [by(ca.who, 1, revoked(1)), { status: 'revoked' }, false],
      [by(who, 2, good), { status: 'good', ...isKnown }, true],
      [by(who, 3, good), { status: 'good', ...isKnown }, true],
      [by(ca.who, 4, unknown), { status: 'unknown', ...isKnown }, true],
      [by(who, 5, good), { status: 'good', ...isKnown }, true],
      [by(ca.who, 6, good), { status: 'good' }, false],
      [by(who, 7, good), { status: 'good' }, false],
    ];
    const { feed, server } = await feedOf(sending(steps[0]![0]));
    for (const [bytes, latest, isInstead] of steps) {
      server.answer = sending(bytes);
      await feed.start();
      assert.equal(feed.state.lastError, undefined);
      assert.partialDeepStrictEqual(feed.latest, latest);
      assert.equal('instead' in feed.latest!, isInstead, feed.latest!.status);
    }
  });

  it('of a responder with many certificates that it fails, and works again, is one line; a good answer is none', async () => {
    const server = await webServer((_, response) => response.writeHead(500).end());
    const world = around([]);
    const all = [certificate, neighbour].map((one) => {
      const address = {
        certificate: one,
        issuer: ca.certificate,
        url: server.url,
        reach: 'anywhere',
        owners: () => [ownerIn('CA')],
      } as const;
      return new OcspFeed({ ...address, nonce: false, responders: [], freshness: byTheBook }, world);
    });
    after(() => Promise.all(all.map((feed) => feed.close())));
    for (const feed of all) await feed.start();
    server.answer = sending(
      forgeOcsp(ca.who, {
        producedAt: Date.now() - hour,
        responses: [single(), single({ id: certId(ca.who, neighbour) })],
      }),
    );
    for (const feed of [...all, ...all]) await feed.start();
    assert.deepEqual(
      world.events.flatMap(feedLines).map(({ level, message }) => `${level}: ${message}`),
      [
        "warn: can't ask an OCSP responder about a certificate, and there is no answer yet: revocation_pending or revocation_unknown, unless another source knows; trying on",
        'info: asked an OCSP responder about a certificate',
      ],
    );
  });

  it('of a responder that nobody is asked about any more nothing is left, its URL neither', async () => {
    const world = around([]);
    const ask = (n: number): OcspFeed =>
      new OcspFeed(
        {
          certificate,
          issuer: ca.certificate,
          url: `http://${n}.test/${Buffer.alloc(2_000, 0x78)}`,
          reach: 'anywhere',
          owners: () => [ownerIn('CA')],
          nonce: false,
          responders: [],
          freshness: byTheBook,
        },
        world,
      );
    const askMany = async (from: number): Promise<void> => {
      for (let n = from; n < from + 3_000; n++) await ask(n).close();
    };
    await askMany(0);
    const before = heapUsed();
    await askMany(3_000);
    const held = heapUsed() - before;
    assert.ok(held < 1_500_000, `${held} bytes of 3,000 URLs of 2 KB`);
  });
});

/** As `--expose-gc` gives it. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
