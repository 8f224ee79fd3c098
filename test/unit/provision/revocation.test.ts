import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Certificate } from '../../../src/pki/certificate/certificate.ts';
import { formatName } from '../../../src/pki/certificate/name.ts';
import { PublicKey } from '../../../src/pki/certificate/public-key.ts';
import { createAuthority } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';

const authority = await createAuthority({ subject: 'CN=CA' });
const other = await createAuthority({ subject: 'CN=Other CA' });
const pinned = await authority.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const files = { 'ca.pem': authority.pem, 'other.pem': other.pem, 'acme.pem': pinned.pem };
const rest = `
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[clients]]
alias = "acme"
file = "acme.pem"
[[apis]]
name = "a"
version = "1"
basePath = "/a"
aliases = ["partners"]
`;
const table = (...lines: readonly string[]): string =>
  ['[enforcer.security.revocation]', ...lines, ''].join('\n');
const own = (...lines: readonly string[]): string =>
  ['[[enforcer.security.revocation.cas]]', ...lines, ''].join('\n');
const sender =
  '[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\ncaFile = "other.pem"\n[enforcer.security.mutualSSL]\ntrustedSenders = ["alias:lb"]\nenableClientValidation = false\n';
const loaded = (toml: string) => load(`${toml}${rest}`, files);

const key = 'enforcer.security.revocation';
const url = 'crlUrls = ["http://ca.test/ca.crl"]';
const ownCa = 'caFile = "ca.pem"';

describe('what is wrong with it', () => {
  const rows: readonly (readonly [what: string, toml: string, message: string])[] = [
    [
      'off beside a source',
      table('mode = "off"', url),
      `${key}.mode: found "off" beside sources, which nobody would look at; write "soft-fail" or "hard-fail", or leave the sources out`,
    ],
    [
      'off beside a source of a CA',
      table('mode = "off"') + own(ownCa, url),
      `${key}.mode: found "off" beside sources`,
    ],
    [
      'a CA that is off, with a source',
      table(url) + own(ownCa, 'mode = "off"', 'ocspResponder = "http://o.test/"'),
      `${key}.cas[0].mode: found "off" beside sources of this CA, which nobody would look at; leave one of them out`,
    ],
    [
      'no CA',
      table(url) + own('mode = "off"'),
      `${key}.cas[0]: names no CA, or two; write caFile = "…" or caPem = "…", one of them`,
    ],
    [
      'a file that is not there',
      table(url) + own('caFile = "none.pem"'),
      `${key}.cas[0].caFile: found "none.pem", which does not exist; write the path of a readable file`,
    ],
    [
      'another scheme',
      table('crlUrls = ["ldap://ca.test/"]'),
      'write an http:// or https:// URL without user and password, for example "http://crl.example.com/ca.crl"',
    ],
    [
      'a responder’s certificate that is not there',
      table('ocspResponder = "http://o.test/"', 'ocspResponderCertificate = "none.pem"'),
      `${key}.ocspResponderCertificate: found "none.pem"`,
    ],
    ['no source at all', table('sources = []'), 'write "crl", "ocsp" or both'],
    [
      'a host with a port',
      table('allowedHosts = ["crl.test:80"]'),
      'write a host name or address without port',
    ],
    ['a time that is too short', table('refresh = 1'), 'write whole seconds from 30 to 86400'],
    ['a key that does not exist', table('crlUrl = "http://a.test/"'), 'crlUrl'],
  ];
  for (const [what, toml, message] of rows)
    it(what, () =>
      assert.throws(
        () => loaded(toml),
        (error: Error) => error.message.includes(message) || assert.fail(error.message),
      ),
    );
});

const beside = (...lines: readonly string[]): string => ['', '[clients.revocation]', ...lines, ''].join('\n');
const partners = rest.replace('caFile = "ca.pem"\n', (found) => `${found}REVOCATION\n`);
const loadedBeside = (toml: string, lines: string) =>
  load(`${toml}${partners.replace('REVOCATION', lines)}`, files);

/** Another certificate, which says the same but for this. */
const otherwise = (certificate: Certificate, changes: Partial<Certificate>): Certificate =>
  Object.create(certificate, Object.getOwnPropertyDescriptors(changes)) as Certificate;

describe('beside the caFile of a client', () => {
  it('it goes for that CA', () => {
    const { revocation, snapshot } = loadedBeside('', beside(url));
    const [ca] = revocation!.signers;
    assert.deepEqual(revocation!.sourcesOf(ca!, ca!)?.crlUrls, ['http://ca.test/ca.crl']);
    assert.equal(snapshot.revocation!.policyOf(ca!, ca!)?.unknown, 'refuse');
    const foreign = otherwise(ca!, {
      subject: revocation!.signers[0]!.issuer,
      subjectPublicKey: other_(),
      sha256: 'another',
    });
    assert.equal(snapshot.revocation!.policyOf(foreign, foreign), undefined, 'and for no other');
    function other_() {
      return new PublicKey(Uint8Array.of(1), 'rsa', ca!.subjectPublicKey);
    }
  });

  const rows: readonly (readonly [what: string, toml: string, lines: string, message: string])[] = [
    [
      'other settings than those in cas are an error',
      own(ownCa, 'ocspResponder = "http://o.test/"'),
      beside(url),
      'clients[0].revocation: found for CN=CA, which has other settings in an entry before; write them once, or the same in both',
    ],
    [
      'off beside a source is an error',
      '',
      beside(url, 'mode = "off"'),
      'clients[0].revocation.mode: found "off" beside sources of this CA',
    ],
  ];
  for (const [what, toml, lines, message] of rows)
    it(what, () =>
      assert.throws(
        () => loadedBeside(toml, lines),
        (error: Error) => error.message.includes(message) || assert.fail(error.message),
      ),
    );

  it('the same as in cas is none', () => {
    assert.equal(loadedBeside(own(ownCa, url), beside(url)).revocation!.sources.length, 1);
  });

  it('beside the file of one certificate it is an error', () => {
    const toml = rest.replace('file = "acme.pem"\n', (found) => `${found}${beside(url)}\n`);
    assert.throws(
      () => load(toml, files),
      /clients\[1\]\.revocation: found where there is no caFile; it tells what goes for one CA: write caFile = "…", or \[enforcer\.security\.revocation\] for all/,
    );
  });
});

describe('what is worth a line', () => {
  const rows: readonly (readonly [what: string, toml: string, warnings: readonly RegExp[]])[] = [
    ['a source for all', table(url), []],
    ['URLs in certificates', table('followCertificateUrls = true'), []],
    [
      'a CA without a source',
      table('mode = "hard-fail"'),
      [
        /no source tells what CN=CA revoked, so all that it issued is refused \(revocation_source_missing\); write crlUrls, crlFiles or ocspResponder, or mode = "off" for this CA/,
      ],
    ],
    [
      'the same with soft-fail',
      table('mode = "soft-fail"'),
      [/so nothing that it issued is ever known to be revoked/],
    ],
    [
      'the CA of a load balancer without a source',
      table('mode = "hard-fail"') + own(ownCa, 'mode = "off"') + sender,
      [
        /no source tells what CN=Other CA revoked, so no load balancer whose certificate it issued is a trusted sender; write crlUrls, crlFiles or ocspResponder, or mode = "off" for this CA/,
      ],
    ],
    ['the same, and left out', table('mode = "hard-fail"') + own(ownCa, 'mode = "off"'), []],
    ['the same with a source of its own', own(ownCa, url), []],
    [
      'CRLs that are not looked at',
      table(url, 'sources = ["ocsp"]', 'ocspResponder = "http://o.test/"'),
      [/sources: found, and not used: crlUrls and crlFiles are written, and sources lacks "crl"; add it/],
    ],
    [
      'a grace that hard-fail has not',
      table(url, 'staleGrace = 60'),
      [/staleGrace: found, and not used: what is out of date counts only with mode = "soft-fail"/],
    ],
    [
      'hosts that nobody follows',
      table(url, 'allowedHosts = ["a.test"]'),
      [/allowedHosts: found, and not used/],
    ],
    [
      'an age below the time between fetches',
      table(url, 'maxAge = 60'),
      [/maxAge: found 60, less than refresh \(600\)/],
    ],
  ];
  for (const [what, toml, expected] of rows)
    it(what, () => {
      const lines = loaded(toml)
        .warnings.map(({ key, message }) => `${key}: ${message}`)
        .filter((line) => line.includes('revocation'));
      assert.equal(lines.length, expected.length, lines.join('\n'));
      expected.forEach((pattern, i) => void assert.match(lines[i]!, pattern));
    });
});

describe('what it comes to', () => {
  it('nothing where nothing is written, or off', () => {
    for (const toml of ['', table('mode = "off"'), table('clockSkew = 30')]) {
      const { revocation, snapshot } = loaded(toml);
      assert.deepEqual([revocation, snapshot.revocation], [undefined, undefined]);
    }
  });

  it('what one CA has of its own goes for what it issued, and what is below it', () => {
    const toml =
      table('mode = "soft-fail"', url) + own(ownCa, 'mode = "hard-fail"', 'ocspResponder = "http://o.test/"');
    const { revocation, snapshot } = loaded(toml);
    const ca = revocation!.signers[0]!;
    const foreign = otherwise(ca, { subject: pinnedName() });
    const { policyOf } = snapshot.revocation!;
    assert.equal(policyOf(ca, ca)?.unknown, 'refuse');
    assert.equal(policyOf(foreign, ca)?.unknown, 'refuse');
    assert.equal(policyOf(foreign, foreign)?.unknown, 'accept');
    assert.deepEqual(revocation!.sourcesOf(ca, ca)?.crlUrls, ['http://ca.test/ca.crl']);
    assert.equal(revocation!.sourcesOf(ca, ca)?.ocspResponder, 'http://o.test/');
    assert.equal(revocation!.sourcesOf(foreign, foreign)?.ocspResponder, undefined);
    function pinnedName() {
      return [...revocation!.ahead][0]!.certificate.subject;
    }
  });

  it('what a CA has of its own does not go for one that is trusted by itself and whose key it certified', () => {
    const toml =
      '[router.downstream.tls]\ntrustedCertPath = "both.pem"\n' +
      table(url) +
      own('caFile = "other.pem"', 'mode = "off"');
    const both = { ...files, 'both.pem': `${authority.pem}${other.pem}` };
    const { revocation, snapshot } = load(`${toml}${rest}`, both);
    const named = (cn: string) =>
      revocation!.signers.find(({ subject }) => formatName(subject) === `CN=${cn}`)!;
    const [ca, off] = [named('CA'), named('Other CA')];
    const crossCertified = otherwise(ca, { issuer: off.subject, sha256: 'another' });
    const below = otherwise(ca, { issuer: off.subject, subjectPublicKey: off.subjectPublicKey });
    const { policyOf } = snapshot.revocation!;
    assert.equal(policyOf(below, off), undefined);
    assert.equal(policyOf(crossCertified, off)?.unknown, 'refuse');
    assert.equal(policyOf(below, crossCertified, off)?.unknown, 'refuse');
    assert.deepEqual(revocation!.sourcesOf(crossCertified, off)?.crlUrls, ['http://ca.test/ca.crl']);
  });

  it('but it may be stricter than what is general, also below a CA that another alias trusts', () => {
    const toml =
      '[router.downstream.tls]\ntrustedCertPath = "both.pem"\n' +
      table('mode = "soft-fail"', url) +
      own('caFile = "other.pem"', 'mode = "hard-fail"', 'ocspResponder = "http://o.test/"');
    const both = { ...files, 'both.pem': `${authority.pem}${other.pem}` };
    const { revocation, snapshot } = load(`${toml}${rest}`, both);
    const named = (cn: string) =>
      revocation!.signers.find(({ subject }) => formatName(subject) === `CN=${cn}`)!;
    const path = [otherwise(named('CA'), { sha256: 'another' }), named('Other CA')] as const;
    assert.equal(snapshot.revocation!.policyOf(...path)?.unknown, 'refuse');
    assert.equal(revocation!.sourcesOf(...path)?.ocspResponder, 'http://o.test/');
  });

  it('hard-fail wherever there is a source, and clients that are at hand are asked about ahead', () => {
    const { revocation, snapshot } = loaded(table('ocspResponder = "http://o.test/"'));
    const [first] = revocation!.ahead;
    const { certificate, issuer } = first!;
    assert.ok(issuer !== undefined);
    assert.equal(snapshot.revocation!.policyOf(issuer, issuer)?.unknown, 'refuse');
    assert.deepEqual(Buffer.from(certificate.der), Buffer.from(pinned.der));
    assert.deepEqual([...loaded(table(url, 'sources = ["crl"]')).revocation!.ahead], []);
  });
});
