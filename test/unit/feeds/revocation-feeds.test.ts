import assert from 'node:assert/strict';
import { after, describe, it, test } from 'node:test';
import type { FeedEvent } from '../../../src/feeds/feed-event.ts';
import { RevocationFeeds, type RevocationSettings } from '../../../src/feeds/revocation-feeds.ts';
import type { Certificate } from '../../../src/pki/certificate/certificate.ts';
import { createEffort } from '../../../src/pki/path/effort.ts';
import { defaultPolicy } from '../../../src/pki/path/path-options.ts';
import { validatePath } from '../../../src/pki/path/path-validation.ts';
import { createTrustStore } from '../../../src/pki/path/trust-store.ts';
import { crlUrlsOf, ocspUrlsOf } from '../../../src/pki/revocation/certificate-urls.ts';
import { readCrl } from '../../../src/pki/revocation/crl.ts';
import { writeOcspRequest } from '../../../src/pki/revocation/ocsp-request.ts';
import type { RevocationSources } from '../../../src/pki/revocation/revocation-sources.ts';
import { byCrls } from '../../../src/pki/revocation/revocation-state.ts';
import { heldBy } from '../../support/held-memory.ts';
import { bytes, explicit, extension, implicit, integer, octets, oid, sequence } from '../pki/der-writer.ts';
import { certify, entity, generateEc, ca as isCa, validity } from '../pki/forge.ts';
import { scope } from '../pki/revocation/crl-forge.ts';
import { certId, forgeOcsp, good, revoked } from '../pki/revocation/ocsp-forge.ts';
import { twinOf, withSecondKey } from '../pki/second-key.ts';
import {
  type Answer,
  authorityOf,
  crlOf,
  hour,
  ownerIn,
  webServer,
  wholeSecond,
} from './revocation-world.ts';

const ca = authorityOf('CA');
const uri = (url: string): Uint8Array => implicit(6, Buffer.from(url));
const crlPoints = (...urls: readonly string[]): Uint8Array =>
  extension('2.5.29.31', sequence(...urls.map((url) => sequence(explicit(0, explicit(0, uri(url)))))));
const access = (...urls: readonly string[]): Uint8Array =>
  extension(
    '1.3.6.1.5.5.7.1.1',
    sequence(...urls.map((url) => sequence(oid('1.3.6.1.5.5.7.48.1'), uri(url)))),
  );
const pem = (der: Uint8Array): string =>
  `-----BEGIN X509 CRL-----\n${Buffer.from(der).toString('base64')}\n-----END X509 CRL-----\n`;
const uniqueScope = (n: number): Uint8Array => scope(explicit(0, explicit(0, uri(`http://a/${n}`))));
const large = extension('1.2.3.4', octets(new Uint8Array(50_000)));
const clientOf = (...list: readonly Uint8Array[]): Certificate => certify(ca.who, entity('Client'), list);

const sourcesOf = (more: Partial<RevocationSources> = {}): RevocationSources => ({
  kinds: ['crl', 'ocsp'],
  crlUrls: [],
  crlPaths: [],
  ocspResponder: undefined,
  ocspResponderCertificates: [],
  nonce: false,
  followCertificateUrls: false,
  allowedHosts: [],
  freshness: { clockSkew: 60_000, maxAge: Infinity, staleGrace: 0 },
  ...more,
});
const settingsOf = (sources: RevocationSources): RevocationSettings => ({
  sources: [sources],
  sourcesOf: (_, { subject }) => (subject.key === ca.certificate.subject.key ? sources : undefined),
  cacheDir: undefined,
  signers: [ca.certificate],
  turnOf: () => 0,
  ownersOf: ({ sha256 }) => [ownerIn(sha256)],
  weakAlgorithmsOf: () => defaultPolicy.weakAlgorithms,
  ahead: [],
  timeout: 2_000,
  refresh: hour,
  clockSkew: 60_000,
});

function feedsOf(
  most?: ConstructorParameters<typeof RevocationFeeds>[3],
  times: ConstructorParameters<typeof RevocationFeeds>[2] = {},
) {
  const events: FeedEvent[] = [];
  const heard: (() => void)[] = [];
  const feeds = new RevocationFeeds(
    (event) => {
      events.push(event);
      for (const one of heard.splice(0)) one();
    },
    {},
    times,
    most,
  );
  after(() => feeds.close());
  const event = async (count: number): Promise<readonly FeedEvent[]> => {
    while (events.length < count) await new Promise<void>((next) => heard.push(next));
    return events;
  };
  return { feeds, event, events };
}

/** Reads of this configuration are over, and it is in force. */
async function inForce(feeds: RevocationFeeds, settings: RevocationSettings): Promise<void> {
  await feeds.prepare(settings, 20_000);
  feeds.takeOver(settings);
}

const sending =
  (bytes: Uint8Array): Answer =>
  (_, response) =>
    response.end(bytes);

describe('what certificates say of where to ask', () => {
  const rows: readonly (readonly [what: string, urls: readonly string[], followed: readonly string[]])[] = [
    ['http and https', ['http://a.test/1', 'https://a.test/2'], ['http://a.test/1', 'https://a.test/2']],
    ['no LDAP, no file, no text', ['ldap://a.test/cn=x', 'file:///etc/passwd', 'a.test/crl', ''], []],
    ['none with a password', ['http://user:password@a.test/'], []],
    ['each once', ['http://a.test/1', 'HTTP://A.test/1'], ['http://a.test/1']],
    [
      'no more than four',
      [1, 2, 3, 4, 5, 6].map((n) => `http://a.test/${n}`),
      [1, 2, 3, 4].map((n) => `http://a.test/${n}`),
    ],
    ['none that is longer than a URL', [`http://a.test/${'x'.repeat(2_100)}`], []],
  ];
  for (const [what, urls, expected] of rows)
    it(what, () => {
      assert.deepEqual(crlUrlsOf(clientOf(crlPoints(...urls))), expected);
      assert.deepEqual(ocspUrlsOf(clientOf(access(...urls))), expected);
    });
});

describe('sources that certificates name', () => {
  type Row = readonly [what: string, sources: Partial<RevocationSources>, asked: boolean, reason?: RegExp];
  const rows: readonly Row[] = [
    ['are not asked unless that is switched on', {}, false],
    [
      'are asked on hosts that are listed, wherever they are',
      { followCertificateUrls: true, allowedHosts: ['127.0.0.1'] },
      true,
    ],
    [
      'are not asked on hosts that are not',
      { followCertificateUrls: true, allowedHosts: ['crl.test'] },
      false,
    ],
    [
      'are asked at public addresses only where none is listed',
      { followCertificateUrls: true },
      false,
      /^127\.0\.0\.1 is no public address, and nobody listed the host$/,
    ],
    [
      'are not asked by a policy of CRLs if they are responders',
      { followCertificateUrls: true, allowedHosts: ['127.0.0.1'], kinds: [] },
      false,
    ],
  ];
  for (const [what, more, isAsked, reason] of rows)
    it(what, async () => {
      const certificate = () => clientOf(crlPoints(`${server.url}/crl`), access(`${server.url}/ocsp`));
      const server = await webServer((request, response) =>
        response.end(
          request.url === '/crl'
            ? crlOf(ca, { number: 1 })
            : forgeOcsp(ca.who, {
                responses: [
                  {
                    id: certId(ca.who, leaf),
                    thisUpdate: Date.now() - hour,
                    nextUpdate: Date.now() + hour,
                    status: good,
                  },
                ],
              }),
        ),
      );
      const leaf = certificate();
      const { feeds, event, events } = feedsOf();
      await inForce(feeds, settingsOf(sourcesOf(more)));
      feeds.want(leaf, ca.certificate, ca.certificate);
      feeds.want(leaf, ca.certificate, ca.certificate);
      if (isAsked || reason !== undefined) await event(2);
      assert.equal(feeds.crls.get(ca.certificate.subject.key)?.length, isAsked ? 1 : undefined);
      assert.deepEqual(
        feeds.answersAbout(leaf, ca.certificate).map(({ status }) => status),
        isAsked ? ['good'] : [],
      );
      assert.equal(server.asked.length, isAsked ? 2 : 0, 'once each, however often it is wanted');
      if (reason !== undefined)
        for (const one of events) assert.match(one.kind === 'failed' ? one.reason : '', reason);
    });

  it('of a certificate below another CA are not asked', async () => {
    const server = await webServer(sending(crlOf(ca)));
    const { feeds, events } = feedsOf();
    await inForce(feeds, settingsOf(sourcesOf({ followCertificateUrls: true, allowedHosts: ['127.0.0.1'] })));
    const other = authorityOf('Other');
    feeds.want(clientOf(crlPoints(server.url)), other.certificate, other.certificate);
    assert.deepEqual([feeds.states, events], [[], []]);
  });
});

describe('what a responder said of a certificate', () => {
  const leaf = clientOf();
  const again = certify(ca.who, ca.who, [isCa()]);
  const another = authorityOf('CA');
  const serialNumber = integer(BigInt(`0x${leaf.serialNumber}`));
  type Row = readonly [what: string, certificate: Certificate, issuer: Certificate, isKnown: boolean];
  const rows: readonly Row[] = [
    ['with its ECDSA signature turned round', twinOf(leaf), ca.certificate, true],
    ['below another certificate of its CA’s key', leaf, again, true],
    ['of another serial number', clientOf(), ca.certificate, false],
    [
      'of a CA of the same name that has another key',
      certify(another.who, entity('Client'), [], { serialNumber }),
      another.certificate,
      false,
    ],
  ];
  for (const [what, certificate, issuer, isKnown] of rows)
    it(`is ${isKnown ? '' : 'not '}known of one ${what}`, async () => {
      const id = certId(ca.who, leaf);
      const single = { id, thisUpdate: Date.now() - hour, nextUpdate: Date.now() + hour, status: revoked() };
      const server = await webServer(sending(forgeOcsp(ca.who, { responses: [single] })));
      const { feeds, event } = feedsOf();
      await inForce(feeds, settingsOf(sourcesOf({ ocspResponder: server.url })));
      feeds.want(leaf, ca.certificate, ca.certificate);
      await event(1);
      feeds.want(certificate, issuer, issuer);
      const told = (of: Certificate, by: Certificate): readonly string[] =>
        feeds.answersAbout(of, by).map(({ status }) => status);
      assert.deepEqual(told(certificate, issuer), isKnown ? ['revoked'] : []);
      assert.equal(feeds.isAwaited(certificate, issuer), !isKnown);
      assert.deepEqual(told(leaf, ca.certificate), ['revoked']);
    });
});

describe('more than there is room for', () => {
  const few = { urls: 2, certificates: 2, issuers: 1 };
  const [one, two, three] = ['one', 'two', 'three'].map((cn) => certify(ca.who, entity(cn))) as [
    Certificate,
    Certificate,
    Certificate,
  ];

  it('certificates: who names four responders takes up four places', async () => {
    const { feeds } = feedsOf({ certificates: 5 });
    await inForce(feeds, settingsOf(sourcesOf({ followCertificateUrls: true })));
    const urls = (...numbers: readonly number[]): readonly string[] =>
      numbers.map((n) => `http://127.0.0.1/${n}`);
    const leaves = [urls(1), urls(2), urls(3, 4, 5, 6)].map((all) => clientOf(access(...all)));
    for (const leaf of leaves) feeds.want(leaf, ca.certificate, ca.certificate);
    assert.deepEqual(
      leaves.map((leaf) => feeds.isAwaited(leaf, ca.certificate)),
      [false, true, true],
    );
  });

  it('certificates: of what is asked about no more is kept than is asked, and of large answers what they say', async () => {
    const answers = new Map<string | undefined, Uint8Array>();
    const padding = Array.from({ length: 4 }, () => clientOf(large));
    const server = await webServer(({ url }, response) =>
      response.end(
        forgeOcsp(ca.who, {
          responses: [
            {
              id: answers.get(url)!,
              thisUpdate: Date.now() - hour,
              nextUpdate: Date.now() + hour,
              status: good,
            },
          ],
          certificates: padding,
        }),
      ),
    );
    const { feeds, event } = feedsOf();
    const count = 40;
    const want = (n: number): void => {
      const issuer = certify(ca.who, { ...ca.who, name: `CA ${n}` }, [isCa(), large]);
      const leaf = certify({ ...ca.who, name: `CA ${n}` }, entity(`${n}`), [large]);
      const request = Buffer.from(writeOcspRequest(leaf, issuer)).toString('base64');
      answers.set(`/${encodeURIComponent(request)}`, certId(ca.who, leaf));
      feeds.want(leaf, issuer, ca.certificate);
    };
    const sources = sourcesOf({ ocspResponder: server.url, kinds: ['ocsp'] });
    await inForce(feeds, { ...settingsOf(sources), timeout: 20_000 });
    const held = await heldBy(async () => {
      for (let n = 0; n < count; n++) want(n);
      await event(count);
      return feeds;
    });
    assert.deepEqual(
      feeds.states.map(({ lastError, readAt }) => [lastError, readAt !== undefined]),
      Array.from({ length: count }, () => [undefined, true]),
    );
    assert.ok(held < count * 100_000, `${held} bytes`);
  });

  it('certificates: a long answer that says revoked takes up the room of several, once it is there', {
    timeout: 20_000,
  }, async () => {
    const leaves = [clientOf(), clientOf()];
    const responses = leaves.map((leaf) => ({
      id: certId(ca.who, leaf),
      thisUpdate: Date.now() - hour,
      nextUpdate: Date.now() + hour,
      status: revoked(),
    }));
    const long = forgeOcsp(ca.who, { responses, certificates: [clientOf(large)] });
    const server = await webServer(sending(long));
    const { feeds, event } = feedsOf({ certificates: Math.ceil(long.length / 4_096) + 2 });
    await inForce(feeds, settingsOf(sourcesOf({ ocspResponder: server.url })));
    for (const leaf of leaves) feeds.want(leaf, ca.certificate, ca.certificate);
    await event(1);
    while (feeds.states.length > 1) await new Promise(setImmediate);
  });

  it('certificates: of a responder that nobody asks any more not even the name is kept', async () => {
    const { feeds } = feedsOf({ certificates: 1 });
    await inForce(feeds, settingsOf(sourcesOf({ followCertificateUrls: true, kinds: ['ocsp'] })));
    const held = await heldBy(() => {
      for (let n = 0; n < 500; n++) {
        const leaf = clientOf(access(`http://127.0.0.1/${'x'.repeat(2_000)}${n}`));
        feeds.want(leaf, ca.certificate, ca.certificate);
      }
      return feeds;
    });
    assert.ok(held < 500 * 2_000, `${held} bytes`);
  });

  it('certificates: the longest unwanted makes room, what was said of it is known no more, and it is asked about anew', async () => {
    const answered = [one, two, three].map((leaf) => ({
      id: certId(ca.who, leaf),
      thisUpdate: Date.now() - hour,
      nextUpdate: Date.now() + hour,
      status: good,
    }));
    const server = await webServer(
      sending(forgeOcsp(ca.who, { responses: answered, producedAt: Date.now() - hour })),
    );
    const { feeds, event } = feedsOf(few);
    await inForce(feeds, settingsOf(sourcesOf({ ocspResponder: server.url })));
    const want = (leaf: Certificate): void => feeds.want(leaf, ca.certificate, ca.certificate);
    const known = (): readonly number[] =>
      [one, two, three].map((leaf) => feeds.answersAbout(leaf, ca.certificate).length);
    for (const leaf of [one, two, one]) want(leaf);
    await event(2);
    assert.deepEqual(known(), [1, 1, 0]);
    const before = feeds.version;
    want(three);
    assert.notEqual(feeds.version, before, 'so that no verdict of before is remembered');
    assert.deepEqual(known(), [1, 0, 0]);
    assert.equal(feeds.isAwaited(three, ca.certificate), true);
    await event(3);
    want(two);
    await event(4);
    assert.deepEqual(known(), [0, 1, 1]);
    assert.equal(feeds.states.length, 2);
  });

  it('CAs that come along: a large one takes up the place of several', async () => {
    const { feeds } = feedsOf({ issuers: 100 });
    await inForce(feeds, settingsOf(sourcesOf({ kinds: ['crl'] })));
    const held = await heldBy(() => {
      for (let n = 0; n < 60; n++)
        feeds.want(
          clientOf(),
          certify(ca.who, { ...ca.who, name: `CA ${n}` }, [isCa(), large]),
          ca.certificate,
        );
      return feeds;
    });
    assert.ok(held < 1_500_000, `${held} bytes`);
  });

  it('URLs that certificates name: the same; those of the configuration stay', async () => {
    const server = await webServer((request, response) => {
      const number = Number(request.url!.slice(1));
      response.end(crlOf(ca, { number, extensions: [scopeOf(request.url!)] }));
    });
    const scopeOf = (path: string): Uint8Array =>
      scope(explicit(0, explicit(0, implicit(6, Buffer.from(`${server.url}${path}`)))));
    const { feeds, event } = feedsOf(few);
    const follow = { followCertificateUrls: true, allowedHosts: ['127.0.0.1'], kinds: ['crl'] as const };
    await inForce(feeds, settingsOf(sourcesOf({ ...follow, crlUrls: [`${server.url}/9`] })));
    const want = (n: number): void =>
      feeds.want(clientOf(crlPoints(`${server.url}/${n}`)), ca.certificate, ca.certificate);
    const known = (): readonly number[] =>
      (feeds.crls.get(ca.certificate.subject.key) ?? []).map(({ cRLNumber }) => Number(cRLNumber)).toSorted();
    want(1);
    await event(2);
    want(2);
    await event(3);
    want(1);
    want(3);
    await event(4);
    assert.deepEqual(known(), [1, 3, 9]);
    assert.deepEqual(server.asked, ['GET /9', 'GET /1', 'GET /2', 'GET /3']);
  });
});

describe('what is brought under one trust anchor crowds out nothing of another', () => {
  const [a, b] = [authorityOf('A'), authorityOf('B')];
  const of = (more: Partial<RevocationSources>): RevocationSettings => {
    const sources = sourcesOf({ kinds: ['crl'], ...more });
    return {
      ...settingsOf(sources),
      sourcesOf: () => sources,
      signers: [a.certificate, b.certificate],
    };
  };
  const subB = entity('Sub B');
  const ofB = certify(b.who, subB, [isCa()]);
  const key = ofB.subject.key;
  const leaf = certify(subB, entity('Client'));

  for (const when of ['before', 'after'] as const)
    it(`CAs of its own, named as a CA of the other: the CRL of that one is known, though it came ${when} them`, {
      timeout: 20_000,
    }, async () => {
      const server = await webServer(sending(crlOf({ who: subB, certificate: ofB })));
      const { feeds, event } = feedsOf({ urls: 9, certificates: 9, issuers: 90 }, { onDemand: 1, retry: 1 });
      await inForce(feeds, of({ crlUrls: [server.url] }));
      if (when === 'before') feeds.want(leaf, ofB, b.certificate);
      for (let n = 0; n < 100; n++) {
        const who = entity('Sub B');
        feeds.want(certify(who, entity('Client')), certify(a.who, who, [isCa()]), a.certificate);
      }
      if (when === 'after') feeds.want(leaf, ofB, b.certificate);
      for (let count = 1; !feeds.crls.has(key); count++) await event(count);
      assert.equal(feeds.crls.get(key)!.length, 1);
    });

  it('nor do a hundred CAs of that name in a file that others write', { timeout: 20_000 }, async () => {
    const server = await webServer(sending(crlOf({ who: subB, certificate: ofB })));
    const { feeds, event } = feedsOf({ urls: 9, certificates: 9, issuers: 9 }, { onDemand: 1, retry: 1 });
    const fakes = Array.from({ length: 100 }, () => certify(a.who, entity('Sub B'), [isCa()]));
    await inForce(feeds, {
      ...of({ crlUrls: [server.url] }),
      // And that CA itself behind them: whoever wrote the file knew it.
      signers: [...fakes, ofB, a.certificate, b.certificate],
      turnOf: (signer) => [...fakes, ofB].indexOf(signer) + 1,
    });
    feeds.want(leaf, ofB, b.certificate);
    for (let count = 1; !feeds.crls.has(key); count++) await event(count);
    assert.equal(feeds.crls.get(key)!.length, 1);
  });

  const today = { validity: validity(wholeSecond(Date.now() - hour), wholeSecond(Date.now() + hour)) };
  const bToday = certify(b.who, b.who, [isCa()], today);
  const listed = certify(b.who, entity('Revoked'), [], today);
  const list = crlOf(b, { number: 1, revoked: [listed.serialNumber] });
  const fake = entity('B');
  const ofFake = certify(a.who, fake, [isCa()]);
  /** A key that fits the signature of this very list, reckoned from it. */
  const twin = certify(a.who, withSecondKey(readCrl(list), b.who), [isCa()]);
  const rows: readonly (readonly [what: string, signers: readonly Certificate[]])[] = [
    ['CRLs in the name of its CA', [ofFake]],
    ['and a key that fits the signature of that CA’s own list', [twin, ofFake]],
  ];
  for (const [what, signers] of rows)
    it(`${what}: its clients are judged by the lists that its own key signed, and the others cost them nothing`, async () => {
      // 127 scopes: the bits of seven reasons.
      const masks = Array.from({ length: 127 }, (_, n) => Math.log2((n + 1) & -(n + 1)) * 256 + n + 1);
      const scopes = masks.map((mask) => scope(implicit(3, bytes(mask.toString(16).padStart(4, '0')))));
      const lists = scopes.map((one) =>
        crlOf({ who: fake, certificate: ofFake }, { number: 1_000_000, extensions: [one] }),
      );
      const server = await webServer(sending(Buffer.from([list, ...lists].map(pem).join(''))));
      const { feeds } = feedsOf();
      await inForce(feeds, { ...of({ crlUrls: [server.url] }), signers: [...signers, bToday] });
      assert.equal(feeds.crls.get(b.certificate.subject.key)?.length, 128);
      const judged = (leaf: Certificate): string => {
        const effort = createEffort();
        const verdict = validatePath(leaf, {
          trustStore: createTrustStore({ anchors: [{ kind: 'ca', certificate: bToday }] }),
          intermediates: signers,
          now: Date.now(),
          revocation: { version: 1, crls: feeds.crls, policyOf: () => byCrls('refuse') },
          effort,
        });
        assert.ok(effort.revocation.signatureChecks < 5, `${effort.revocation.signatureChecks}`);
        return verdict.valid ? 'valid' : verdict.code;
      };
      assert.deepEqual(
        [judged(certify(b.who, entity('Client'), [], today)), judged(listed)],
        ['valid', 'certificate_revoked'],
      );
    });

  it('URLs: what the other followed stays', async () => {
    const server = await webServer(sending(crlOf(b)));
    const { feeds, event } = feedsOf({ urls: 3, certificates: 9, issuers: 9 });
    await inForce(feeds, of({ followCertificateUrls: true, allowedHosts: ['127.0.0.1'] }));
    const points = (path: string) => [crlPoints(`${server.url}/${path}`)];
    feeds.want(certify(b.who, entity('Client'), points('b')), b.certificate, b.certificate);
    await event(1);
    for (let n = 0; n < 10; n++)
      feeds.want(certify(a.who, entity('Client'), points(`a${n}`)), a.certificate, a.certificate);
    assert.deepEqual([feeds.crls.get(b.certificate.subject.key)?.length, feeds.states.length], [1, 3]);
  });

  it('nor do ten CAs, each of another API of one entry', async () => {
    const server = await webServer((request, response) =>
      response.end(crlOf(b, { extensions: [uniqueScope(Number(request.url!.at(-1)))] })),
    );
    const { feeds, event } = feedsOf({ urls: 4, certificates: 9, issuers: 9 });
    await inForce(feeds, {
      ...of({ followCertificateUrls: true, allowedHosts: ['127.0.0.1'] }),
      ownersOf: ({ sha256 }) => [ownerIn(sha256 === b.certificate.sha256 ? 'B' : `entry/${sha256}`)],
    });
    const points = (path: string) => [crlPoints(`${server.url}/${path}`)];
    for (const path of ['b1', 'b2'])
      feeds.want(certify(b.who, entity('Client'), points(path)), b.certificate, b.certificate);
    await event(2);
    for (let n = 0; n < 10; n++) {
      const { who, certificate } = authorityOf(`A ${n}`);
      feeds.want(certify(who, entity('Client'), points(`a${n}`)), certificate, certificate);
    }
    assert.deepEqual([feeds.crls.get(b.certificate.subject.key)?.length, feeds.states.length], [2, 4]);
  });
});

test('a CA that has new certificates without end keeps no client of another waiting for their responder', {
  timeout: 20_000,
}, async () => {
  const [busy, quiet] = [authorityOf('Busy'), authorityOf('Quiet')];
  const held: (() => unknown)[] = [];
  const server = await webServer((_, response) => held.push(() => response.writeHead(500).end()));
  const sources = sourcesOf({ kinds: ['ocsp'], ocspResponder: `${server.url}/` });
  const { feeds } = feedsOf();
  await inForce(feeds, { ...settingsOf(sources), sourcesOf: () => sources });
  const want = ({ who, certificate }: typeof ca): Certificate => {
    const leaf = certify(who, entity('Client'));
    feeds.want(leaf, certificate, certificate);
    return leaf;
  };
  for (let i = 0; i < 20; i++) want(busy);
  const leaf = want(quiet);
  const request = Buffer.from(writeOcspRequest(leaf, quiet.certificate)).toString('base64');
  const isAsked = (): boolean => server.asked.some((one) => decodeURIComponent(one).includes(request));
  while (!isAsked()) {
    held.shift()?.();
    await new Promise(setImmediate);
  }
  assert.ok(server.asked.length <= 8, `${server.asked.length} were asked about before`);
});

test('what is asked about ahead leaves turns to Checks, however long it takes to find who issued it', async () => {
  let turns = 0;
  const seen: number[] = [];
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  const ahead = {
    *[Symbol.iterator]() {
      for (let i = 0; i < 5; i++) {
        seen.push(turns);
        const end = performance.now() + 10;
        while (performance.now() < end);
        yield { certificate: clientOf(), issuer: undefined };
      }
      resolve();
    },
  };
  const count = (): void => {
    turns++;
    if (seen.length < 5) setImmediate(count);
  };
  setImmediate(count);
  await inForce(feedsOf().feeds, { ...settingsOf(sourcesOf()), ahead });
  await isOver;
  assert.equal(new Set(seen).size, 5);
});

describe('the bytes of lists that certificates name', () => {
  const [a, b] = [authorityOf('A'), authorityOf('B')];
  const room = 4 * 64 * 1024;
  async function follow(listOf: (n: number) => Uint8Array, most = room) {
    const server = await webServer((request, response) =>
      response.end(request.url === '/b' ? crlOf(b) : listOf(Number(request.url!.slice(2)))),
    );
    const { feeds, event, events } = feedsOf({ bytes: most });
    const sources = sourcesOf({ followCertificateUrls: true, allowedHosts: ['127.0.0.1'] });
    await inForce(feeds, {
      ...settingsOf(sources),
      sourcesOf: () => sources,
      signers: [a.certificate, b.certificate],
    });
    const points = (path: string) => [crlPoints(`${server.url}/${path}`)];
    feeds.want(certify(b.who, entity('Client'), points('b')), b.certificate, b.certificate);
    await event(1);
    for (let n = 0; n < 6; n++) {
      const before = events.filter(({ kind }) => kind === 'read').length;
      feeds.want(certify(a.who, entity('Client'), points(`a${n}`)), a.certificate, a.certificate);
      while (events.filter(({ kind }) => kind === 'read').length === before) await event(events.length + 1);
    }
    const of = ({ certificate }: typeof a) => feeds.crls.get(certificate.subject.key)?.length;
    return { feeds, of, told: events.filter(({ kind }) => kind === 'failed') };
  }

  it('are bounded: who has most gives way, which is told once', async () => {
    const { feeds, of, told } = await follow((n) =>
      crlOf(a, { revoked: [`0${n + 1}`], extensions: [uniqueScope(n)] }),
    );
    assert.deepEqual([of(a), of(b), feeds.states.length], [2, 1, 3]);
    assert.equal(told.length, 1);
    assert.match((told[0] as { reason: string }).reason, /write its URL into crlUrls if it is to stay$/);
  });

  it('are those of one, where all have the same', async () => {
    const list = crlOf(a, { revoked: ['01'] });
    const { feeds, of, told } = await follow(() => list);
    assert.deepEqual([of(a), of(b), feeds.states.length, told], [1, 1, 7, []]);
  });

  it('and each place where one of them stands: a bundle of many costs room at each URL that sends it', async () => {
    const bundle = Buffer.from(
      [0, 1, 2].map((n) => pem(crlOf(a, { extensions: [uniqueScope(n)] }))).join(''),
    );
    const { feeds, of, told } = await follow(() => bundle, 300_000);
    assert.deepEqual([of(a), of(b), feeds.states.length, told.length], [3, 1, 3, 1]);
  });
});

it('lists are put together when one of them is another, not at each answer of a responder', async () => {
  const server = await webServer((request, response) =>
    request.url === '/crl' ? response.end(crlOf(ca)) : response.writeHead(500).end(),
  );
  const { feeds, event } = feedsOf();
  await inForce(
    feeds,
    settingsOf(sourcesOf({ crlUrls: [`${server.url}/crl`], ocspResponder: `${server.url}/` })),
  );
  const { version, crls } = feeds;
  feeds.want(clientOf(), ca.certificate, ca.certificate);
  await event(2);
  assert.notEqual(feeds.version, version);
  assert.equal(feeds.crls, crls);
});

describe('a configuration', () => {
  it('that is not in force yet changes nothing of what is known', async () => {
    const [one, two] = [
      await webServer(sending(crlOf(ca, { number: 1 }))),
      await webServer(sending(crlOf(ca, { number: 2 }))),
    ];
    const { feeds } = feedsOf();
    await inForce(feeds, settingsOf(sourcesOf({ crlUrls: [one.url] })));
    const known = feeds.crls.get(ca.certificate.subject.key)!;
    assert.equal(known.length, 1);
    await feeds.prepare(settingsOf(sourcesOf({ crlUrls: [two.url] })), 20_000);
    assert.equal(two.asked.length, 1);
    assert.deepEqual(feeds.crls.get(ca.certificate.subject.key), known);
    assert.equal(feeds.states.length, 1);
  });

  const other = authorityOf('Other', entity('Other', generateEc('brainpoolP256r1')));
  const both = { signers: [ca.certificate, other.certificate] };
  const brainpool = { ...defaultPolicy.weakAlgorithms, brainpool: true };
  const lenient = { weakAlgorithmsOf: () => brainpool };
  type Row = readonly [
    what: string,
    before: Partial<RevocationSettings>,
    then: Partial<RevocationSettings>,
    isSentAlong?: boolean,
  ];
  const rows: readonly Row[] = [
    ['adds a CA', lenient, { ...lenient, ...both }],
    ['adds a CA while a client sends another one along', lenient, { ...lenient, ...both }, true],
    ['adds a CA that is treated with leniency', {}, { ...lenient, ...both }],
    ['begins to treat a CA with leniency', both, { ...lenient, ...both }],
  ];
  for (const [what, first, then, isSentAlong] of rows)
    it(`that ${what} has that CA's list from the start, also where it lies in a bundle that is read already`, async () => {
      const bundle = [ca, other].map((of) => pem(crlOf(of)));
      const { promise: isAsked, resolve: ask } = Promise.withResolvers<() => void>();
      const answer: Answer = ({ headers }, response) =>
        headers['if-none-match'] === undefined
          ? response.writeHead(200, { etag: '"1"' }).end(bundle.join(''))
          : response.writeHead(304).end();
      const server = await webServer(answer);
      const { feeds } = feedsOf();
      const settings = settingsOf(sourcesOf({ kinds: ['crl'], crlUrls: [server.url] }));
      await inForce(feeds, { ...settings, ...first });
      assert.deepEqual([...feeds.crls.keys()], [ca.certificate.subject.key]);
      server.answer = (...asked) => ask(() => answer(...asked));
      const coming = { ...settings, ...then };
      const prepared = feeds.prepare(coming, 20_000);
      const send = await isAsked;
      const sub = entity('Sub');
      if (isSentAlong)
        feeds.want(certify(sub, entity('Client')), certify(ca.who, sub, [isCa()]), ca.certificate);
      send();
      await prepared;
      feeds.takeOver(coming);
      assert.deepEqual(
        [...feeds.crls.keys()],
        both.signers.map(({ subject }) => subject.key),
      );
    });

  it('that adds no CA asks nobody before it is in force, whatever CAs clients send along', async () => {
    const server = await webServer(sending(crlOf(ca)));
    const { feeds } = feedsOf();
    const settings = settingsOf(sourcesOf({ kinds: ['crl'], crlUrls: [server.url] }));
    await inForce(feeds, settings);
    const sub = entity('Sub');
    feeds.want(certify(sub, entity('Client')), certify(ca.who, sub, [isCa()]), ca.certificate);
    await feeds.prepare({ ...settings }, 20_000);
    assert.deepEqual(server.asked, ['GET /']);
  });

  it('that comes into force ends what it does not name, and with it what that said', async () => {
    const server = await webServer(sending(crlOf(ca, { number: 1 })));
    const { feeds } = feedsOf();
    await inForce(feeds, settingsOf(sourcesOf({ crlUrls: [server.url] })));
    const before = feeds.version;
    await inForce(feeds, settingsOf(sourcesOf()));
    assert.notEqual(feeds.version, before);
    assert.deepEqual([feeds.crls.size, feeds.states], [0, []]);
  });

  for (const [what, certificates] of [
    ['', []],
    [', also where it is long, with certificates of 50 KB', [clientOf(large)]],
  ] as const)
    it(`with another policy keeps that responders said revoked, judged anew${what}`, {
      timeout: 20_000,
    }, async () => {
      const leaf = clientOf();
      const response = {
        id: certId(ca.who, leaf),
        thisUpdate: Date.now() - hour,
        nextUpdate: Date.now() + hour,
        status: revoked(),
      };
      const server = await webServer(sending(forgeOcsp(ca.who, { responses: [response], certificates })));
      const { feeds, event } = feedsOf();
      const sources = sourcesOf({ ocspResponder: server.url });
      await inForce(feeds, settingsOf(sources));
      feeds.want(leaf, ca.certificate, ca.certificate);
      await event(1);
      assert.deepEqual(
        feeds.answersAbout(leaf, ca.certificate).map(({ status }) => status),
        ['revoked'],
      );
      server.answer = () => {};
      const freshness = { ...sources.freshness, clockSkew: 30_000 };
      await inForce(feeds, settingsOf({ ...sources, freshness }));
      feeds.want(leaf, ca.certificate, ca.certificate);
      while (feeds.answersAbout(leaf, ca.certificate).length === 0) await new Promise(setImmediate);
      assert.deepEqual(
        feeds.answersAbout(leaf, ca.certificate).map(({ status }) => status),
        ['revoked'],
      );
    });

  it('of two trusted CAs above one issuer, each with a responder of its own, ends neither by the other', {
    timeout: 20_000,
  }, async () => {
    const leaf = clientOf();
    const saying = (status: Uint8Array): Answer =>
      sending(
        forgeOcsp(ca.who, {
          responses: [
            {
              id: certId(ca.who, leaf),
              thisUpdate: Date.now() - hour,
              nextUpdate: Date.now() + hour,
              status,
            },
          ],
        }),
      );
    const [own, above] = [await webServer(saying(good)), await webServer(saying(revoked()))];
    const root = authorityOf('Root').certificate;
    const [ofOwn, ofRoot] = [own, above].map(({ url }) => sourcesOf({ ocspResponder: url })) as [
      RevocationSources,
      RevocationSources,
    ];
    const both = (): RevocationSettings => ({
      ...settingsOf(ofOwn),
      sources: [ofOwn, ofRoot],
      sourcesOf: (_, anchor) => (anchor === root ? ofRoot : ofOwn),
    });
    const { feeds, event } = feedsOf();
    const told = (anchor: Certificate): string => {
      feeds.want(leaf, ca.certificate, anchor);
      return feeds
        .answersAbout(leaf, ca.certificate)
        .map(({ status }) => status)
        .join();
    };
    await inForce(feeds, both());
    assert.deepEqual([told(ca.certificate), told(root), told(ca.certificate)], ['', '', '']);
    await event(2);
    for (const server of [own, above]) server.answer = () => {};
    const { version } = feeds;
    assert.deepEqual([told(ca.certificate), told(root), told(ca.certificate)], ['good', 'revoked', 'good']);
    assert.equal(feeds.version, version, 'or no verdict could be remembered');
    await inForce(feeds, both());
    assert.deepEqual([told(ca.certificate), told(root)], ['good', 'revoked'], 'after a reload, too');
    await inForce(feeds, settingsOf(ofOwn));
    assert.deepEqual([told(ca.certificate), [...feeds.ocspStates()].length], ['good', 1]);
  });

  it('a source that hangs keeps none of the others waiting', async () => {
    const hung = await webServer(() => {});
    const server = await webServer(sending(crlOf(ca, { number: 1 })));
    const { feeds, event } = feedsOf();
    const many = Array.from({ length: 20 }, (_, n) => `${hung.url}/${n}`);
    const settings = settingsOf(sourcesOf({ crlUrls: [...many, server.url] }));
    const prepared = feeds.prepare(settings, 20_000);
    const [first] = await event(1);
    assert.equal(first?.kind, 'read');
    assert.ok(hung.asked.length <= 4, 'and is itself asked by no more than four at a time');
    await feeds.close();
    await prepared;
  });
});
