import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { CrlFeed } from '../../../src/feeds/crl-feed.ts';
import { CrlThread, type CrlThreadLimits, maxCrlBytes } from '../../../src/feeds/crl-thread.ts';
import { feedLines } from '../../../src/feeds/feed-event.ts';
import { fetchBytes } from '../../../src/feeds/fetch.ts';
import type { VerifiedCrl } from '../../../src/feeds/newest-crls.ts';
import { OcspFeed } from '../../../src/feeds/ocsp-feed.ts';
import { type Kept, RevocationCache } from '../../../src/feeds/revocation-cache.ts';
import { createEffort } from '../../../src/pki/path/effort.ts';
import { defaultPolicy } from '../../../src/pki/path/path-options.ts';
import { judgeSignature } from '../../../src/pki/path/signature-checks.ts';
import { explicit, extension, implicit } from '../pki/der-writer.ts';
import { certify, entity, generateEc } from '../pki/forge.ts';
import { deltaOf, scope } from '../pki/revocation/crl-forge.ts';
import {
  type Answer,
  around,
  authorityOf,
  type CrlFacts,
  crlOf,
  hour,
  ownerIn,
  webServer,
} from './revocation-world.ts';

const ca = authorityOf('CA');
const stranger = authorityOf('Stranger');
/** Of the CA's name, and not its key. */
const forger = authorityOf('CA');

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'crl-feed-'));
  after(() => rmSync(made, { recursive: true, force: true }));
  return made;
};
const sending =
  (bytes: Uint8Array | string): Answer =>
  (_, response) =>
    response.end(bytes);
const pem = (der: Uint8Array): string =>
  `-----BEGIN X509 CRL-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END X509 CRL-----\n`;

const longRefresh = (world: ReturnType<typeof around>) => ({
  ...world,
  limits: () => ({ ...world.limits(), refresh: 24 * hour }),
});

/** Numbers of what is in force. */
const numbers = (feed: CrlFeed): readonly unknown[] =>
  (feed.latest ?? []).map(({ crl }) => Number(crl.cRLNumber));

describe('a CRL from a URL', () => {
  const der = crlOf(ca, { number: 1, revoked: ['0102'] });
  const forms: readonly (readonly [what: string, bytes: Uint8Array | string])[] = [
    ['DER', der],
    ['PEM', pem(der)],
    ['PEM behind text', `Certificate Revocation List (CRL):\n    Version 2\n${pem(der)}`],
    ['base64 without armour', Buffer.from(der).toString('base64')],
    ['base64 in lines', Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\r\n')],
  ];
  for (const [what, bytes] of forms)
    it(`as ${what} is read, and found in`, async () => {
      const server = await webServer(sending(bytes));
      const world = around([stranger.certificate, ca.certificate]);
      const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
      await feed.start();
      const [held] = feed.latest ?? assert.fail(JSON.stringify(world.events));
      const { revoked } = held!.crl;
      const find = (serial: string) => revoked.find(ca.certificate.subject.key, Buffer.from(serial, 'hex'));
      assert.equal(revoked.at(find('0102') ?? assert.fail()).reasonCode, undefined);
      assert.equal(find('0103'), undefined);
      assert.equal(world.changes, 1);
      await feed.close();
    });

  const good = crlOf(ca, { number: 5, thisUpdate: Date.now() - 2 * hour });
  type Refused = readonly [what: string, answer: Answer, reason: RegExp];
  const refused: readonly Refused[] = [
    ['garbage', sending('garbage'), /^what it sent is no CRL, in PEM or DER$/],
    ['nothing', sending(''), /^what it sent is empty; it needs a CRL, in PEM or DER$/],
    ['a web page', sending('<html>Not found</html>'), /^what it sent is no CRL, in PEM or DER$/],
    ['a certificate', sending(ca.certificate.der), /^what it sent is a certificate, no CRL$/],
    ['half a CRL', sending(good.subarray(0, 100)), /^what it sent is no usable CRL \(crl_malformed/],
    [
      'that of a stranger',
      sending(crlOf(stranger, { number: 9 })),
      /^what it sent is a CRL of CN=Stranger, which is no CA that is known here; where another/,
    ],
    [
      'that of somebody who has the name and not the key',
      sending(crlOf(forger, { number: 9 })),
      /^what it sent is a CRL of CN=CA, and the CRL is not signed by the key of/,
    ],
    [
      'an older one by its number',
      sending(crlOf(ca, { number: 4 })),
      /^the CRL of CN=CA number 4 of .* is older than the CRL of CN=CA number 5 of .*, which stays in force$/,
    ],
    [
      'an older one by its date',
      sending(crlOf(ca, { number: 5, thisUpdate: Date.now() - 3 * hour })),
      /number 5 .* is older than .* number 5/,
    ],
    [
      'an older one without number',
      sending(crlOf(ca, { thisUpdate: Date.now() - 3 * hour })),
      /is older than/,
    ],
    [
      'one of tomorrow',
      sending(
        crlOf(ca, { number: 6, thisUpdate: Date.now() + 24 * hour, nextUpdate: Date.now() + 48 * hour }),
      ),
      /counts only from then on; is the clock right\?$/,
    ],
    ['a redirect', (_, response) => response.writeHead(301, { location: '/' }).end(), /^it answered 301$/],
    ['an error', (_, response) => response.writeHead(503).end(), /^it answered 503$/],
    ['silence', () => {}, /^no whole answer within 0\.2 s$/],
    [
      'one byte from time to time',
      (_, response) => {
        response.write('0');
        const more = setInterval(() => response.write('0'), 20);
        response.on('close', () => clearInterval(more));
      },
      /^no whole answer within 0\.2 s$/,
    ],
    ['a connection that breaks', (request) => request.socket.destroy(), /hang up|ECONNRESET/],
  ];
  for (const [what, answer, reason] of refused)
    it(`after ${what} the last good one stays in force, and the next good one counts`, async () => {
      const server = await webServer(sending(good));
      const world = around([ca.certificate], { timeout: 200 });
      const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
      // On a machine that is busy, reading it takes longer than the source may.
      while (feed.latest === undefined) await feed.start();
      const before = world.changes;
      server.answer = answer;
      world.events.length = 0;
      await feed.start();
      assert.deepEqual(numbers(feed), [5]);
      assert.equal(world.changes, before);
      const [event] = world.events;
      assert.ok(event?.kind === 'failed', JSON.stringify(event));
      assert.match(event.reason, reason);
      assert.equal(event.keepsLastGood, true);
      assert.match(
        feedLines(event)[0]!.message,
        /^can't read a list of revoked certificates: the last good one stays in force; trying on$/,
      );
      server.answer = sending(crlOf(ca, { number: 7, thisUpdate: Date.now() }));
      await feed.start();
      assert.deepEqual(numbers(feed), [7]);
      await feed.close();
    });

  type Held = readonly [what: string, first: Uint8Array, second: Uint8Array, numbers: readonly number[]];
  const old = { number: 5, thisUpdate: Date.now() - 9 * hour, nextUpdate: Date.now() - 8 * hour };
  const rolled = { ...ca, who: entity('CA', generateEc()) };
  const rolledCa = authorityOf('CA', rolled.who);
  const delta: CrlFacts = { number: 6, extensions: [deltaOf(5)] };
  const users: CrlFacts = { number: 2, extensions: [scope(implicit(1, Uint8Array.of(0xff)))] };
  const held: readonly Held[] = [
    ['the newer one takes the place of the older', good, crlOf(ca, { number: 6 }), [6]],
    [
      'once it is out of date, one of a CA that counts from 1 again',
      crlOf(ca, old),
      crlOf(ca, { number: 1 }),
      [1],
    ],
    ['with a new key of the CA, both are needed', good, crlOf(rolledCa, { number: 1 }), [1, 5]],
    ['a delta stands beside the complete one', good, crlOf(ca, delta), [6, 5]],
    ['one of another scope, too', good, crlOf(ca, users), [2, 5]],
  ];
  for (const [what, first, second, expected] of held)
    it(what, async () => {
      const server = await webServer(sending(first));
      const world = around([ca.certificate, rolledCa.certificate]);
      const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
      await feed.start();
      server.answer = sending(second);
      await feed.start();
      assert.deepEqual(numbers(feed), expected, JSON.stringify(world.events));
      await feed.close();
    });

  it('is asked for by its ETag, and anew once others may sign', async () => {
    const server = await webServer((request, response) => {
      if (request.headers['if-none-match'] === '"5"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"5"' }).end(good);
    });
    const world = around([ca.certificate]);
    const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
    await feed.start();
    await feed.start();
    assert.partialDeepStrictEqual(world.events, [
      { kind: 'read', changed: true },
      { kind: 'read', changed: false },
    ]);
    world.known = [ca.certificate, stranger.certificate];
    server.answer = sending(`${pem(good)}${pem(crlOf(stranger, { number: 3 }))}`);
    await feed.start();
    assert.deepEqual(numbers(feed), [5, 3]);
    await feed.close();
  });

  it('that is out of date by now is told once more', async () => {
    const ended = { number: 1, thisUpdate: Date.now() - 9 * hour, nextUpdate: Date.now() - hour };
    const server = await webServer(sending(crlOf(ca, ended)));
    const world = around([ca.certificate]);
    const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
    await feed.start();
    server.answer = (_, response) => response.writeHead(500).end();
    for (let i = 0; i < 3; i++) await feed.start();
    assert.deepEqual(
      world.events.flatMap(feedLines).map(({ message }) => message),
      [
        'read a list of revoked certificates',
        'the last good list of revoked certificates is out of date now, and there is no newer one',
      ],
    );
    assert.partialDeepStrictEqual(feed.state, { failures: 3, lastError: 'it answered 500' });
    await feed.close();
  });
});

describe('a proxy of the environment', () => {
  const odd: readonly (readonly [what: string, proxy: string])[] = [
    ['no such port', 'http://user:geheim@127.0.0.1:99999'],
    ['a password that is not percent-encoded', 'http://user:gehe%im@127.0.0.1:1'],
    ['a proxy that refuses', 'http://user:geheim@127.0.0.1:1'],
  ];
  for (const [what, proxy] of odd)
    for (const scheme of ['http', 'https'])
      it(`with ${what}, for ${scheme}: is told without its password`, async () => {
        const world = { ...around([ca.certificate]), proxies: { [`${scheme}_proxy`]: proxy } };
        const feed = new CrlFeed({ url: `${scheme}://crl.test/`, reach: 'anywhere' }, world);
        await feed.start();
        const { lastError = '' } = feed.state;
        assert.match(
          lastError,
          what === 'a proxy that refuses'
            ? /ECONNREFUSED/
            : new RegExp(
                `^the environment variable ${scheme}_proxy is no URL of a proxy; write "http://HOST:PORT"$`,
              ),
        );
        assert.doesNotMatch(JSON.stringify(world.events), /user|gehe/);
        await feed.close();
      });
});

describe('a CRL that is out of date, and whose source has no other', () => {
  const ended = crlOf(ca, { number: 1, thisUpdate: Date.now() - 9 * hour, nextUpdate: Date.now() - hour });
  const told = (world: ReturnType<typeof around>): readonly string[] =>
    world.events.flatMap(feedLines).map(({ message, fields }) => `${message}: ${fields.reason ?? ''}`);
  const expected = [
    'read a list of revoked certificates: ',
    'the last good list of revoked certificates is out of date now, and there is no newer one: its source has no other',
  ];

  it('of a URL is told once, and asked for whole, since a cache in between may have stuck to it', async () => {
    const tags: (string | undefined)[] = [];
    const server = await webServer((request, response) => {
      const tag = request.headers['if-none-match'];
      tags.push(tag);
      if (tag === undefined) response.writeHead(200, { etag: '"1"' }).end(ended);
      else response.writeHead(304).end();
    });
    const world = around([ca.certificate]);
    const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
    for (let i = 0; i < 4; i++) await feed.start();
    assert.deepEqual(told(world), expected);
    assert.deepEqual(tags, [undefined, undefined, undefined, undefined]);
    server.answer = sending(crlOf(ca, { number: 2 }));
    await feed.start();
    assert.deepEqual(numbers(feed), [2]);
    await feed.close();
  });

  it('of a file is told once', async () => {
    const file = join(folder(), 'ca.crl');
    writeFileSync(file, ended);
    const world = around([ca.certificate]);
    const feed = new CrlFeed({ path: file }, world);
    for (let i = 0; i < 4; i++) await feed.start();
    assert.deepEqual(told(world), expected);
    await feed.close();
  });
});

describe('CRLs of files', () => {
  it('of a folder, with what else lies there; a change counts without a reload', async () => {
    const dir = folder();
    writeFileSync(join(dir, 'README'), 'CRLs of the CA');
    writeFileSync(join(dir, 'ca.crl'), crlOf(ca, { number: 1 }));
    writeFileSync(join(dir, 'other.pem'), pem(crlOf(stranger, { number: 2 })));
    const world = around([ca.certificate, stranger.certificate]);
    const feed = new CrlFeed({ path: dir }, world);
    await feed.start();
    assert.deepEqual(numbers(feed), [1, 2]);
    assert.ok(world.events[0]?.kind === 'read');
    assert.deepEqual(world.events[0].unused, [`${join(dir, 'README')} is no CRL, in PEM or DER`]);
    await feed.start();
    assert.equal(world.changes, 1);
    writeFileSync(join(dir, 'ca.crl'), crlOf(ca, { number: 7, thisUpdate: Date.now() }));
    await feed.start();
    assert.deepEqual(numbers(feed).toSorted(), [2, 7]);
    writeFileSync(join(dir, 'ca.crl'), crlOf(ca, { number: 3 }));
    await feed.start();
    assert.deepEqual(numbers(feed).toSorted(), [2, 7], 'an older one never takes its place');
    rmSync(join(dir, 'other.pem'));
    await feed.start();
    assert.deepEqual(numbers(feed), [7], 'what was taken away is gone');
    writeFileSync(join(dir, 'ca.crl'), pem(crlOf(ca, { number: 8 })).slice(0, 90));
    await feed.start();
    assert.deepEqual(numbers(feed), [7], 'and what is being written is not yet read');
    rmSync(dir, { recursive: true });
    await feed.start();
    assert.deepEqual(numbers(feed), [7]);
    assert.match(feed.state.lastError ?? '', /^names no file/);
    await feed.close();
  });

  const unusable: readonly (readonly [what: string, spoil: (file: string) => void])[] = [
    ['is being written', (file) => writeFileSync(file, crlOf(ca, { number: 8 }).subarray(0, 90))],
    ['is being written, as PEM', (file) => writeFileSync(file, pem(crlOf(ca, { number: 8 })).slice(0, 90))],
    ['is empty', (file) => writeFileSync(file, '')],
    ['is too long', (file) => truncateSync(file, maxCrlBytes + 1)],
    ['was signed by somebody else', (file) => writeFileSync(file, crlOf(forger, { number: 8 }))],
    [
      'is a link to nowhere',
      (file) => {
        rmSync(file);
        symlinkSync('/nowhere', file);
      },
    ],
  ];
  for (const [what, spoil] of unusable)
    it(`of a folder: one that ${what} keeps its last good list beside others, until it is deleted`, async (t) => {
      const dir = folder();
      let file = join(dir, 'ca.crl');
      writeFileSync(file, crlOf(ca, { number: 1 }));
      writeFileSync(join(dir, 'other.crl'), crlOf(stranger, { number: 2 }));
      const world = around([ca.certificate, stranger.certificate]);
      const feed = new CrlFeed({ path: dir }, world);
      t.after(() => feed.close());
      await feed.start();
      // It is another name that keeps an equal list.
      renameSync(file, join(dir, 'renamed.crl'));
      file = join(dir, 'renamed.crl');
      await feed.start();
      world.events.length = 0;
      spoil(file);
      await feed.start();
      await feed.start();
      assert.deepEqual(numbers(feed).toSorted(), [1, 2]);
      const told = world.events.flatMap(feedLines).map(({ fields }) => fields.reason);
      assert.equal(
        told.filter(
          (reason) =>
            reason === `${file} keeps its last good list in force until the file is mended or deleted`,
        ).length,
        1,
        'told once',
      );
      // Others change meanwhile, and again: what is kept is kept each time.
      for (const number of [3, 4]) {
        writeFileSync(join(dir, 'other.crl'), crlOf(stranger, { number }));
        await feed.start();
        assert.deepEqual(numbers(feed).toSorted(), [1, number]);
      }
      rmSync(file);
      await feed.start();
      assert.deepEqual(numbers(feed), [4]);
    });

  it('of a folder: a list whose file is gone stays while another that appeared can not be read', async (t) => {
    const dir = folder();
    const [first, second] = [join(dir, 'ca-1.crl'), join(dir, 'ca-2.crl')];
    writeFileSync(first, crlOf(ca, { number: 1 }));
    writeFileSync(join(dir, 'other.crl'), crlOf(stranger, { number: 7 }));
    const world = around([ca.certificate, stranger.certificate]);
    const feed = new CrlFeed({ path: dir }, world);
    t.after(() => feed.close());
    await feed.start();
    rmSync(first);
    const next = crlOf(ca, { number: 2 });
    for (const length of [90, 120]) {
      writeFileSync(second, next.subarray(0, length));
      await feed.start();
      assert.deepEqual(numbers(feed).toSorted(), [1, 7]);
    }
    const told = world.events.flatMap(feedLines).map(({ fields }) => String(fields.reason));
    assert.ok(
      told.includes(`${first} is gone, and its list stays in force until it is known what is in ${second}`),
    );
    writeFileSync(second, next);
    await feed.start();
    assert.deepEqual(numbers(feed).toSorted(), [2, 7]);
    rmSync(second);
    await feed.start();
    assert.deepEqual(numbers(feed), [7]);
  });
});

describe('a list that is there before its time, beside one that counts', () => {
  const day = 24 * hour;
  const lists = (): string => {
    const begins = Date.now() + 2 * hour;
    const later = crlOf(ca, { number: 6, thisUpdate: begins, nextUpdate: begins + day });
    return `${pem(crlOf(ca, { number: 5, nextUpdate: Date.now() + day }))}${pem(later)}`;
  };

  it('of a URL is asked for at its time, and whole', async (t) => {
    const server = await webServer((request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"' }).end(sent);
    });
    const sent = lists();
    const timers = t.mock.method(globalThis, 'setTimeout');
    const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, longRefresh(around([ca.certificate])));
    after(() => feed.close());
    await feed.start();
    assert.deepEqual(numbers(feed), [5]);
    // Less the minute that clocks may differ by.
    const delays = timers.mock.calls.map((call) => Number(call.arguments[1]));
    assert.ok(delays.some((delay) => Math.abs(delay - 2 * hour + 60_000) < 10_000));
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * hour });
    await feed.start();
    assert.deepEqual(numbers(feed), [6]);
  });

  it('of a file comes into force at its time, though nobody touches the file', async (t) => {
    const file = join(folder(), 'bundle.pem');
    writeFileSync(file, lists());
    const world = around([ca.certificate]);
    const feed = new CrlFeed({ path: file }, world);
    after(() => feed.close());
    await feed.start();
    const first = feed.latest;
    await feed.start();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * hour - 120_000 });
    const read = t.mock.method(world.threads.files, 'read');
    await feed.start();
    assert.deepEqual([numbers(feed), feed.latest === first], [[5], true]);
    t.mock.timers.setTime(Date.now() + 120_000);
    for (let i = 0; i < 3; i++) await feed.start();
    assert.deepEqual([numbers(feed), world.changes], [[6], 2]);
    const isWhole = await Promise.all(read.mock.calls.map(({ result }) => result));
    assert.deepEqual(
      isWhole.map((one) => one !== undefined),
      [false, true, false, false],
      'and is read but once more',
    );
  });
});

describe('a source that fails', () => {
  const nobody = 'http://127.0.0.1:1/';
  const ofCrl = (world: ReturnType<typeof around>) => new CrlFeed({ url: nobody, reach: 'anywhere' }, world);
  const ofResponder = (world: ReturnType<typeof around>) =>
    new OcspFeed(
      {
        certificate: certify(ca.who, entity('Client')),
        issuer: ca.certificate,
        url: nobody,
        reach: 'anywhere',
        owners: () => [ownerIn('CA')],
        nonce: false,
        responders: [],
        freshness: { clockSkew: 0, maxAge: Infinity, staleGrace: 0 },
      },
      world,
    );
  const rows = [
    ['a CRL', ofCrl],
    ['an OCSP responder', ofResponder],
  ] as const;
  for (const [what, make] of rows)
    it(`${what}: is asked again after 30 s, then less often, up to 15 minutes`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const world = around([ca.certificate]);
      const feed = make(world);
      const over = async (count: number): Promise<void> => {
        while (world.events.length < count) await new Promise(setImmediate);
        // The next one is set once it was told.
        await new Promise(setImmediate);
      };
      void feed.start();
      await over(1);
      for (const [at, seconds] of [30, 60, 120, 240, 480, 900, 900].entries()) {
        t.mock.timers.tick(seconds * 1_000 - 1);
        await new Promise(setImmediate);
        assert.equal(feed.state.reads, at + 1, `not before ${seconds} s`);
        t.mock.timers.tick(1);
        await over(at + 2);
        assert.equal(feed.state.reads, at + 2, `after ${seconds} s`);
      }
      await feed.close();
    });
});

describe('the thread', () => {
  it('what takes too long is ended, and the next one begins anew', async () => {
    const thread = new CrlThread({ patience: 1, heapMegabytes: 64 });
    after(() => thread.close());
    const read = (): Promise<unknown> =>
      thread.read([crlOf(ca)], [ca.certificate], () => defaultPolicy.weakAlgorithms);
    await assert.rejects(read(), { message: /^reading it (took more than 0\.001 s|was ended)$/ });
    await assert.rejects(read(), { message: /^reading it (took more than 0\.001 s|was ended)$/ });
    await thread.close();
    await assert.rejects(read(), { message: 'closed' });
  });

  it('one that hangs in a file system has no second beside it for the same path, until it has ended', async (t) => {
    const dir = folder();
    writeFileSync(join(dir, 'ca.crl'), crlOf(ca));
    const { promise: comesBack, resolve: comeBack } = Promise.withResolvers<void>();
    const { terminate } = Worker.prototype;
    t.mock.method(Worker.prototype, 'terminate', async function (this: Worker) {
      await comesBack;
      return terminate.call(this);
    });
    const thread = new CrlThread({ patience: 1, heapMegabytes: 64 });
    after(() => thread.close());
    const read = (): Promise<string> =>
      thread
        .read({ path: dir, known: undefined }, [ca.certificate], () => defaultPolicy.weakAlgorithms)
        .then(
          () => 'read',
          ({ message }: Error) => message,
        );
    const tookTooLong = /^reading it took more than 0\.001 s/;
    const hangs = /^reading .* was given up and has not ended yet; see whether its file system hangs$/;
    assert.match(await read(), tookTooLong);
    assert.match(await read(), hangs);
    assert.match(await read(), hangs);
    comeBack();
    let next = await read();
    while (hangs.test(next)) {
      await new Promise(setImmediate);
      next = await read();
    }
    assert.match(next, tookTooLong);
  });

  it('equal lists of several sources are one in memory', async () => {
    const thread = new CrlThread();
    after(() => thread.close());
    const der = crlOf(ca);
    const read = async (held?: VerifiedCrl) =>
      (await thread.read([der.slice()], [ca.certificate], () => defaultPolicy.weakAlgorithms, {
        held: (digest) => (digest === held?.digest ? held : undefined),
      }))!.crls[0]!;
    const one = await read();
    const other = await read(one);
    assert.equal(other.crl, one.crl);
    assert.equal(other.der, one.der);
    assert.notEqual((await read()).crl, one.crl);
  });

  it('what nobody wants any more is not read', async () => {
    const thread = new CrlThread();
    after(() => thread.close());
    const abort = new AbortController();
    const read = (signal?: AbortSignal): Promise<unknown> =>
      thread.read([crlOf(ca)], [ca.certificate], () => defaultPolicy.weakAlgorithms, { signal });
    const all = [read(), read(abort.signal), read()];
    abort.abort(new Error('given up'));
    const ends = await Promise.allSettled(all);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
  });
});

describe('a URL that a certificate names', () => {
  it('whose list takes long to read holds up none that the configuration names', async () => {
    const server = await webServer(sending(crlOf(ca, { number: 3 })));
    const world = around([ca.certificate]);
    class Busy extends CrlThread {
      override read(): Promise<never> {
        return new Promise(() => {});
      }
    }
    const feeds = [undefined, () => [ownerIn('somebody')]].map(
      (owners) =>
        new CrlFeed(
          { url: server.url, reach: 'anywhere', ...(owners && { owners }) },
          { ...world, threads: { ...world.threads, followed: new Busy() } },
        ),
    );
    void feeds[1]!.start();
    await feeds[0]!.start();
    assert.deepEqual(feeds.map(numbers), [[3], []]);
    await Promise.all(feeds.map((feed) => feed.close()));
  });
});

describe('of one source', () => {
  const thread = new CrlThread();
  after(() => thread.close());
  const read = async (content: Parameters<CrlThread['read']>[0]) =>
    (await thread.read(content, [ca.certificate], () => defaultPolicy.weakAlgorithms))!;
  const partition = (i: number, facts: CrlFacts = {}): Uint8Array => {
    const url = explicit(0, explicit(0, implicit(6, Buffer.from(`http://a/${i}`))));
    return crlOf(ca, { number: 1, ...facts, extensions: [scope(url), ...(facts.extensions ?? [])] });
  };

  it("many lists wait for no foreign keys of their issuer's name, and no request looks at them for its own", async () => {
    const renewed = authorityOf('CA', entity('CA'));
    const foreign = Array.from({ length: 62 }, () => authorityOf('CA', entity('CA', generateEc('P-521'))));
    const signers = [ca, renewed, ...foreign].map(({ certificate }) => certificate);
    const many = Array.from({ length: 300 }, (_, i) => pem(partition(i)));
    const { crls } = (await thread.read(
      [Buffer.from(many.join(''))],
      signers,
      () => defaultPolicy.weakAlgorithms,
    ))!;
    assert.equal(crls.length, 300);
    const effort = createEffort();
    for (const { crl } of crls) {
      const question = {
        signed: crl,
        what: () => 'the CRL',
        at: 0,
        lenient: defaultPolicy.weakAlgorithms,
        policy: defaultPolicy,
        effort,
        account: effort.revocation,
        now: Date.now(),
      };
      assert.equal(judgeSignature({ ...question, signer: ca.certificate }), 'holds');
      assert.partialDeepStrictEqual(judgeSignature({ ...question, signer: renewed.certificate }), {
        code: 'signature_invalid',
      });
    }
    assert.deepEqual([effort.checks, effort.revocation.signatureChecks], [0, 0]);
  });

  it('a list that is there a thousand times is read once', async () => {
    const { crls, faults } = await read([Buffer.from(pem(crlOf(ca)).repeat(1_000))]);
    assert.deepEqual([crls.length, faults], [1, []]);
  });

  it('a folder of many lists of one scope has the newest, wherever it is', async () => {
    const dir = folder();
    for (let i = 0; i < 1_100; i++)
      writeFileSync(join(dir, `${i}.crl`), crlOf(ca, { number: (i * 7) % 1_100 }));
    const { crls, faults, unused, faulty } = await read({ path: dir, known: undefined });
    assert.deepEqual([crls.map(({ crl }) => crl.cRLNumber), faults, faulty], [[1_099n], [], []]);
    assert.match(unused.at(-1)!, /^and so on, \d+ in all$/);
  });

  it('a thousand lists stand side by side, and no more', async () => {
    const { crls, faults } = await read([
      Buffer.from(Array.from({ length: 1_003 }, (_, i) => pem(partition(i))).join('')),
    ]);
    assert.equal(crls.length, 1_000);
    assert.match(faults[0]!, /^has more than 1000 lists side by side, .* 3 of 1003 don't count$/);
  });

  it('nor does a file of many keep that of another file out', async () => {
    const dir = folder();
    const many = Array.from({ length: 1_003 }, (_, i) => pem(partition(i)));
    writeFileSync(join(dir, 'a.pem'), many.join(''));
    writeFileSync(join(dir, 'b.crl'), crlOf(ca, { number: 7 }));
    const { crls, faulty } = await read({ path: dir, known: undefined });
    assert.equal(crls.length, 1_000);
    assert.ok(crls.some(({ crl }) => crl.cRLNumber === 7n));
    assert.deepEqual(faulty, [join(dir, 'a.pem')]);
  });

  describe('a file of a folder that takes more than its part of the time or memory', () => {
    const slow = authorityOf('Slow CA', entity('Slow CA', generateEc('P-521')));
    /** Unsigned: nobody needs a key to write them. */
    const unsigned = (count: number): string => {
      const one = crlOf(slow, { revoked: ['0102030405060708'] });
      const at = Buffer.from(one).indexOf(Buffer.from('0102030405060708', 'hex'));
      return Array.from({ length: count }, (_, i) => {
        new DataView(one.buffer, one.byteOffset).setUint32(at + 4, i);
        return pem(one);
      }).join('');
    };
    /** In one line more than the thread has memory for. */
    const bomb = (): string => `-----BEGIN X509 CRL-----${'\n'.repeat(16 * 1024 * 1024)}`;
    const costly: readonly (readonly [
      what: string,
      content: string,
      limits: CrlThreadLimits,
      failures: RegExp | undefined,
    ])[] = [
      ['by lists without end', unsigned(20_000), { patience: 8_000, heapMegabytes: 512 }, undefined],
      [
        'so that the thread ends',
        bomb(),
        { patience: 30_000, heapMegabytes: 64 },
        /^reading it failed, at .*b\.pem: .*memory/,
      ],
    ];
    for (const [what, content, limits, failure] of costly)
      it(`${what}: is faulty, and all others count`, async (t) => {
        const dir = folder();
        writeFileSync(join(dir, 'a.crl'), crlOf(ca, { number: 1 }));
        writeFileSync(join(dir, 'b.pem'), crlOf(slow, { number: 2 }));
        const world = around([ca.certificate, slow.certificate]);
        const files = new CrlThread(limits);
        t.after(() => files.close());
        const feed = new CrlFeed({ path: dir }, { ...world, threads: { ...world.threads, files } });
        t.after(() => feed.close());
        await feed.start();
        assert.deepEqual(numbers(feed), [1, 2], feed.state.lastError);
        writeFileSync(join(dir, 'a.crl'), crlOf(ca, { number: 3 }));
        writeFileSync(join(dir, 'b.pem'), content);
        // Larger, and behind it.
        writeFileSync(join(dir, 'c.pem'), `${pem(partition(5, { number: 5 }))}${'-'.repeat(content.length)}`);
        await feed.start();
        for (let i = 0; i < 2 && failure !== undefined; i++) {
          assert.match(feed.state.lastError ?? '', failure);
          await feed.start();
        }
        assert.equal(feed.state.lastError, undefined);
        assert.deepEqual(numbers(feed).toSorted(), [2, 3, 5]);
        assert.match(
          feed.state.faults.join('\n'),
          /b\.pem (has 20000 lists, and only|takes more of the time)/,
        );
        // It is left out from now on, and keeps its last good list.
        writeFileSync(join(dir, 'a.crl'), crlOf(ca, { number: 4 }));
        await feed.start();
        assert.deepEqual([feed.state.lastError, numbers(feed).toSorted()], [undefined, [2, 4, 5]]);
        assert.match(feed.state.faults.join('\n'), /b\.pem takes more of the time or memory/);
      });
  });

  const links: readonly (readonly [what: string, to: string, fault: RegExp])[] = [
    ['to itself', 'odd.crl', /ELOOP/],
    ['to a name that is too long', 'x'.repeat(300), /ENAMETOOLONG/],
    ['below a file', 'good.crl/x', /ENOTDIR/],
    ['to nowhere', 'nowhere', /does not exist/],
  ];
  for (const [what, to, fault] of links)
    it(`a folder with a link ${what}: is faulty, and all others count`, async () => {
      const dir = folder();
      writeFileSync(join(dir, 'good.crl'), crlOf(ca, { number: 1 }));
      const odd = join(dir, 'odd.crl');
      symlinkSync(to, odd);
      const { crls, faults, faulty, state } = await read({ path: dir, known: undefined });
      assert.deepEqual([crls.map(({ crl }) => crl.cRLNumber), faulty], [[1n], [odd]]);
      assert.match(faults.join('\n'), fault);
      rmSync(odd);
      writeFileSync(odd, crlOf(stranger));
      assert.notEqual((await read({ path: dir, known: state })).state, state);
    });

  describe('a list of one of many CAs of one name that there is no time to try', () => {
    const named = Array.from({ length: 6 }, () => authorityOf('CA', entity('CA', generateEc('P-521'))));
    const known = [ca, ...named].map(({ certificate }) => certificate);
    const revoked = Array.from({ length: 60_000 }, (_, i) => (0x100000 + i).toString(16));
    const late = crlOf(named.at(-1)!, { number: 2, revoked });
    const fault = /there was no time to try more/;

    it('of a folder: is not remembered as read, and left out as what takes too long', async () => {
      const dir = folder();
      writeFileSync(join(dir, 'a.crl'), crlOf(ca, { number: 1 }));
      writeFileSync(join(dir, 'b.crl'), late);
      // Larger, so that it has a quarter of the time.
      for (const name of ['c', 'd', 'e']) writeFileSync(join(dir, name), Buffer.alloc(late.length + 1, '-'));
      const weak = () => defaultPolicy.weakAlgorithms;
      for (let patience = 100; ; patience *= 2) {
        assert.ok(patience < 60_000, 'there is time always');
        const thread = new CrlThread({ patience, heapMegabytes: 512 });
        const read = (state?: string) => thread.read({ path: dir, known: state }, known, weak);
        try {
          const first = await read().catch(() => undefined);
          if (first === undefined || !fault.test(first.faults.join())) continue;
          const next = await read(first.state);
          assert.match(next?.faults.join() ?? '', /b\.crl takes more of the time/);
          assert.equal(await read(next!.state), undefined);
          return;
        } finally {
          await thread.close();
        }
      }
    });

    it('of a URL: is asked for whole', async () => {
      const world = around([ca.certificate]);
      const { crls } = (await world.threads.configured.read([crlOf(ca)], known, world.weakAlgorithmsOf))!;
      let isLate = true;
      const read = () => Promise.resolve({ crls, faults: [], unused: [], faulty: [], isLate, state: '' });
      const configured = Object.assign(new CrlThread(), { read });
      const conditions: unknown[] = [];
      const server = await webServer(({ headers }, response) => {
        conditions.push(headers['if-none-match']);
        response.setHeader('etag', '"1"').end('bundle');
      });
      const feed = new CrlFeed(
        { url: server.url, reach: 'anywhere' },
        { ...world, threads: { ...world.threads, configured } },
      );
      await feed.start();
      isLate = false;
      await feed.start();
      await feed.start();
      assert.deepEqual([feed.state.lastError, conditions], [undefined, [undefined, undefined, '"1"']]);
      await feed.close();
    });
  });

  it('lists with long extensions have 4 MiB of them together, and no more', async () => {
    const extensions = [extension('1.2.3', Buffer.alloc(16_000))];
    const { crls, faults } = await read([
      Buffer.from(Array.from({ length: 300 }, (_, i) => pem(partition(i, { extensions }))).join('')),
    ]);
    const heads = crls.map(({ crl }) => crl.head);
    assert.equal(crls.length, Math.floor((4 * 1024 * 1024) / heads[0]!));
    assert.match(faults[0]!, /more than 4194304 bytes in them that are no entries/);
  });
});

it('what a server sends is put together in pieces, between which all else goes on', async () => {
  const sent = new Uint8Array(96 * 1024 * 1024).fill(7);
  const server = await webServer(sending(sent));
  const pieces = Array.from({ length: 1_536 }, () => Buffer.alloc(65_536, 7));
  const whole = await longestTurn(async () => void Buffer.concat(pieces));
  const signal = AbortSignal.timeout(60_000);
  const longest = await longestTurn(async () => {
    const got = await fetchBytes(server.url, { accept: '*/*', maxBytes: maxCrlBytes, signal });
    assert.equal(got.length, sent.length);
  });
  assert.ok(longest < whole / 2, `${longest} µs at once, of ${whole}`);
});

describe('the copy on disk', () => {
  const crl = crlOf(ca, { number: 4, revoked: ['0102'] });
  const down: Answer = (request) => request.socket.destroy();

  /** A process: reads once, and ends. */
  async function run(dir: string, server: Awaited<ReturnType<typeof webServer>>) {
    const cache = new RevocationCache(dir);
    const world = around([ca.certificate], { cache });
    const feed = new CrlFeed({ url: `${server.url}/crl?secret=1`, reach: 'anywhere' }, world);
    await feed.start();
    await cache.close();
    await feed.close();
    return { feed, world, lines: world.events.flatMap(feedLines).map(({ message }) => message) };
  }
  const copyIn = (dir: string): string => join(dir, readdirSync(dir)[0]!);

  it('counts after a restart, while its source is down', async () => {
    const dir = folder();
    const server = await webServer((_, response) => response.writeHead(200, { etag: '"4"' }).end(crl));
    await run(dir, server);
    assert.equal(readdirSync(dir).length, 1);
    assert.doesNotMatch(readFileSync(copyIn(dir), 'latin1'), /secret/);
    server.answer = down;
    const { feed, world } = await run(dir, server);
    assert.deepEqual(numbers(feed), [4]);
    assert.notEqual(
      feed.latest![0]!.crl.revoked.find(ca.certificate.subject.key, Uint8Array.of(1, 2)),
      undefined,
    );
    assert.partialDeepStrictEqual(world.events, [{ kind: 'failed', keepsLastGood: true }]);
    server.answer = sending(crlOf(ca, { number: 3 }));
    assert.deepEqual(
      numbers((await run(dir, server)).feed),
      [4],
      'no older one takes its place, then either',
    );
    server.answer = (request, response) =>
      request.headers['if-none-match'] === '"4"' ? response.writeHead(304).end() : response.end('changed');
    assert.partialDeepStrictEqual((await run(dir, server)).world.events, [{ kind: 'read', changed: false }]);
  });

  it('is as good as new where its source says that nothing changed', async () => {
    const dir = folder();
    const cache = new RevocationCache(dir);
    const server = await webServer((request, response) =>
      response.writeHead(request.headers['if-none-match'] === '"4"' ? 304 : 200, { etag: '"4"' }).end(crl),
    );
    const world = around([ca.certificate], { cache });
    const address = { url: `${server.url}/crl`, reach: 'anywhere' } as const;
    const followed = new CrlFeed({ ...address, owners: () => [ownerIn('CA')] }, world);
    const configured = new CrlFeed(address, world);
    const read = async (feed: CrlFeed): Promise<string> => {
      await feed.start();
      await cache.close();
      return readFileSync(copyIn(dir), 'latin1').split('\n', 1)[0]!;
    };
    const first = await read(followed);
    utimesSync(copyIn(dir), 1, 1);
    assert.equal(await read(followed), first);
    assert.ok(statSync(copyIn(dir)).mtimeMs > 1_000, 'it is the longest untouched no more');
    rmSync(copyIn(dir));
    await read(followed);
    assert.equal((await cache.read(`crl ${address.url}`, () => {}))?.notes.etag, '"4"', 'put back');
    assert.doesNotMatch(first, /"of":"configuration"/);
    assert.match(await read(configured), /"of":"configuration"/, 'as one that the configuration names');
    await Promise.all([followed, configured].map((feed) => feed.close()));
  });

  const forged = crlOf(forger, { number: 99 });
  const spoilt: readonly (readonly [what: string, spoil: (file: string) => void, reason: RegExp])[] = [
    ['cut off', (file) => truncateSync(file, 300), /is cut off or was changed$/],
    ['empty', (file) => truncateSync(file, 0), /is no copy of ours$/],
    ['something else', (file) => writeFileSync(file, '{"lengths":[1e99]}\nx'), /is no copy of ours$/],
    [
      'changed in one place',
      (file) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 100]! ^= 1;
        writeFileSync(file, bytes);
      },
      /is cut off or was changed$/,
    ],
    [
      'a pipe, which has no end',
      (file) => {
        rmSync(file);
        execFileSync('mkfifo', [file]);
      },
      /is no file$/,
    ],
    [
      'a link, whatever it leads to',
      (file) => {
        renameSync(file, `${file}.elsewhere`);
        symlinkSync(`${file}.elsewhere`, file);
        after(() => rmSync(`${file}.elsewhere`, { force: true }));
      },
      /ELOOP/,
    ],
    [
      'made by somebody who may write there, and can not sign',
      (file) => {
        const [head = ''] = readFileSync(file, 'latin1').split('\n', 1);
        const facts = { ...JSON.parse(head), lengths: [forged.length], sha256: hash('sha256', forged) };
        writeFileSync(file, Buffer.concat([Buffer.from(`${JSON.stringify(facts)}\n`), forged]));
      },
      /is a CRL of CN=CA, and the CRL is not signed by the key of/,
    ],
  ];
  for (const [what, spoil, reason] of spoilt)
    it(`${what}: is thrown away, and told`, async () => {
      const dir = folder();
      const server = await webServer(sending(crl));
      await run(dir, server);
      spoil(copyIn(dir));
      server.answer = down;
      const { feed, world, lines } = await run(dir, server);
      assert.equal(feed.latest, undefined);
      const [first] = world.events;
      assert.ok(first?.kind === 'thrown-away');
      assert.match(first.reason, reason);
      assert.deepEqual(
        readdirSync(dir).filter((name) => name.endsWith('.revocation')),
        [],
      );
      assert.deepEqual(lines, [
        'threw away a copy on disk that is no good',
        "can't read a list of revoked certificates, and there is none yet: revocation_unknown for those it is about, unless another source knows; trying on",
      ]);
    });

  it('that counts only later, by a clock that is behind: stays, which is told once, and counts once the clock is right', async (t) => {
    const dir = folder();
    const server = await webServer(sending(crl));
    await run(dir, server);
    server.answer = down;
    const world = around([ca.certificate], { cache: new RevocationCache(dir) });
    const feed = new CrlFeed({ url: `${server.url}/crl?secret=1`, reach: 'anywhere' }, world);
    after(() => feed.close());
    const { now } = Date;
    const clock = t.mock.method(Date, 'now', () => now() - 2 * hour);
    await feed.start();
    await feed.start();
    assert.equal(feed.state.readAt, undefined);
    const told = world.events.filter(({ kind }) => kind === 'not-yet');
    assert.equal(told.length, 1);
    assert.match(
      JSON.stringify(told),
      /the CRL of CN=CA number 4 of .* counts only from then on; is the clock right\?/,
    );
    clock.mock.restore();
    await feed.start();
    assert.deepEqual(numbers(feed), [4]);
  });

  it('of another source is not taken', async () => {
    const dir = folder();
    const [one, other] = [await webServer(sending(crl)), await webServer(down)];
    await run(dir, one);
    renameSync(copyIn(dir), join(dir, `${hash('sha256', `crl ${other.url}/crl?secret=1`)}.revocation`));
    const [first] = (await run(dir, other)).world.events;
    assert.ok(first?.kind === 'thrown-away');
    assert.match(first.reason, /is the copy of another source$/);
  });

  const unwritable: readonly (readonly [what: string, dir: () => string, reason: RegExp])[] = [
    ['a file where its folder should be', () => join(fileIn(folder()), 'cache'), /ENOTDIR|EEXIST/],
    ['a place that takes nothing', () => '/proc/mtls-enforcer', /ENOENT|EACCES/],
    // For root, too, who may write where others may not.
    ['a folder that is read-only', () => '/proc/self/fdinfo', /ENOENT|EACCES|EPERM/],
  ];
  for (const [what, dir, reason] of unwritable)
    it(`${what}: is told once, and all else goes on`, async () => {
      const server = await webServer(sending(crl));
      const cache = new RevocationCache(dir());
      const world = around([ca.certificate], { cache });
      const feed = new CrlFeed({ url: server.url, reach: 'anywhere' }, world);
      for (const number of [5, 6]) {
        server.answer = sending(crlOf(ca, { number }));
        await feed.start();
        await cache.close();
        assert.deepEqual(numbers(feed), [number]);
      }
      const told = world.events.filter(({ kind }) => kind === 'not-kept');
      assert.equal(told.length, 1);
      assert.match((told[0] as { reason: string }).reason, reason);
      await feed.close();
    });

  it('is written through no link that somebody laid there', async () => {
    const [dir, other] = [folder(), fileIn(folder())];
    const server = await webServer(sending(crl));
    const name = `${hash('sha256', `crl ${server.url}/crl?secret=1`)}.revocation`;
    symlinkSync(other, join(dir, `${name}.${process.pid}.new`));
    await run(dir, server);
    assert.equal(readFileSync(other, 'utf8'), '');
    assert.deepEqual(readdirSync(dir), [name]);
  });

  it('on a disk that hangs keeps no source from being asked, and counts once it is there', async () => {
    const disk = Promise.withResolvers<undefined>();
    class Hanging extends RevocationCache {
      override async read(...of: Parameters<RevocationCache['read']>) {
        await disk.promise;
        return super.read(...of);
      }
    }
    const dir = folder();
    const server = await webServer(sending(crl));
    await run(dir, server);
    server.answer = down;
    const world = around([ca.certificate], { cache: new Hanging(dir) });
    const feed = new CrlFeed({ url: `${server.url}/crl?secret=1`, reach: 'anywhere' }, world, {
      within: 1_000,
    });
    await feed.start();
    assert.partialDeepStrictEqual(world.events, [{ kind: 'failed', keepsLastGood: false }]);
    disk.resolve(undefined);
    while (feed.latest === undefined) await new Promise(setImmediate);
    assert.deepEqual(numbers(feed), [4]);
    assert.equal(world.changes, 1);
    await feed.close();
  });

  it('of a large list is written and read in pieces, between which all else goes on', async () => {
    const cache = new RevocationCache(folder());
    const fail = (trouble: unknown): void => assert.fail(JSON.stringify(trouble));
    const parts = [new Uint8Array(64 * 1024 * 1024).fill(7), Uint8Array.of(1)];
    const whole = await longestTurn(async () => hash('sha256', parts[0]!));
    const writing = await longestTurn(() => cache.write('large', { notes: {}, parts }, fail));
    let kept: Kept | undefined;
    const reading = await longestTurn(async () => {
      kept = await cache.read('large', fail);
    });
    assert.ok(Math.max(writing, reading) < whole / 2, `${writing}, ${reading} µs at once, of ${whole}`);
    assert.deepEqual(
      kept?.parts.map((part) => hash('sha256', part)),
      parts.map((part) => hash('sha256', part)),
    );
  });

  it('takes no more room than it may: the longest untouched go first', async () => {
    const dir = folder();
    const cache = new RevocationCache(dir, { bytes: 1_000_000, files: 2 });
    const fail = (trouble: unknown): void => assert.fail(JSON.stringify(trouble));
    const parts = [Uint8Array.of(1)];
    // Looked after at the first write, and then from time to time.
    for (let i = 0; i < 64; i++) await cache.write(`${i}`, { notes: {}, parts }, fail);
    for (const name of readdirSync(dir)) utimesSync(join(dir, name), 1, 1);
    await cache.write('64', { notes: {}, parts }, fail);
    assert.equal(readdirSync(dir).length, 2);
    assert.deepEqual((await cache.read('64', fail))?.parts, parts);
  });
});

function fileIn(dir: string): string {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  return file;
}

/** Processor time in µs, which others on the machine don't change. */
async function longestTurn(task: () => Promise<unknown>): Promise<number> {
  let [longest, isOver] = [0, false];
  const watch = async (): Promise<void> => {
    while (!isOver) {
      const before = process.threadCpuUsage();
      await new Promise(setImmediate);
      const { user, system } = process.threadCpuUsage(before);
      longest = Math.max(longest, user + system);
    }
  };
  const watching = watch();
  await task();
  isOver = true;
  await watching;
  return longest;
}
