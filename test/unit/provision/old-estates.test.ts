import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { type Certificate, readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { twinFingerprints } from '../../../src/pki/certificate/ecdsa-twin.ts';
import { verifySignature } from '../../../src/pki/certificate/signature.ts';
import { load, outcome } from '../../support/enforcer.ts';
import { bits, bytes, integer, oid, sequence } from '../pki/der-writer.ts';
import { ca, certify, type Entity, entity, extKeyUsage, generateEc, type Scheme } from '../pki/forge.ts';

/** What is taken where somebody wrote that it is, for all or for one CA alone, and nowhere else. */

const pem = ({ der }: Certificate): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
const rsaWith = (last: number, hash: string): Scheme => ({
  algorithm: sequence(oid(`1.2.840.113549.1.1.${last}`), bytes('0500')),
  hash,
});
const [sha1, sha256] = [rsaWith(5, 'sha1'), rsaWith(11, 'sha256')];
const [short, long] = [rsa(1024), rsa(2048)];

type Estate = {
  readonly ca: Entity;
  readonly leaf: Certificate;
  readonly refusal: string;
  readonly key: string;
};

/** Two CAs of each kind: one that is meant, and one that is not. */
const estates: Readonly<Record<string, (name: string) => Estate>> = {
  'a CA whose RSA key is short': (name) => {
    const ca = entity(name, short, sha256);
    return {
      ca,
      leaf: certify(ca, entity('leaf')),
      refusal: 'issuer_key_too_weak',
      key: 'minRsaBits = 1024',
    };
  },
  'a client whose RSA key is short': (name) => {
    const ca = entity(name);
    const leaf = certify(ca, entity('leaf', short));
    return { ca, leaf, refusal: 'key_too_weak', key: 'minRsaBits = 1024' };
  },
  'a signature with SHA-1': (name) => {
    const ca = entity(name, long, sha1);
    return { ca, leaf: certify(ca, entity('leaf')), refusal: 'signature_algorithm_weak', key: 'sha1 = true' };
  },
  'a certificate for any purpose': (name) => {
    const ca = entity(name);
    const leaf = certify(ca, entity('leaf'), [extKeyUsage('2.5.29.37.0')]);
    return { ca, leaf, refusal: 'extended_key_usage_not_client', key: 'anyExtendedKeyUsage = true' };
  },
  'a client on brainpoolP256r1': (name) => onCurve(name, 'brainpoolP256r1', 'brainpool = true'),
  'a client on brainpoolP384r1': (name) => onCurve(name, 'brainpoolP384r1', 'brainpool = true'),
  'a client on brainpoolP512r1': (name) => onCurve(name, 'brainpoolP512r1', 'brainpool = true'),
  'a client on secp256k1': (name) => onCurve(name, 'secp256k1', 'secp256k1 = true'),
  'a CA on brainpoolP256r1': (name) => {
    const ca = entity(name, generateEc('brainpoolP256r1'));
    return {
      ca,
      leaf: certify(ca, entity('leaf')),
      refusal: 'issuer_key_unsupported',
      key: 'brainpool = true',
    };
  },
};

function onCurve(name: string, curve: string, key: string): Estate {
  const ca = entity(name);
  return { ca, leaf: certify(ca, entity('leaf', generateEc(curve))), refusal: 'key_unsupported', key };
}

const client = (alias: string, more = ''): string => `[[clients]]\nalias = "${alias}"\n${more}`;
const api = (aliases: readonly string[]): string =>
  `[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ${JSON.stringify(aliases)}\n`;
const parts = (leaf: Certificate) => ({ path: '/a', certificate: encodeURIComponent(pem(leaf)) });

for (const [sentence, make] of Object.entries(estates)) {
  const [meant, other] = [make('Old CA'), make('Another old CA')];
  const files = {
    'old.pem': pem(certify(meant.ca, meant.ca, [ca()])),
    'other.pem': pem(certify(other.ca, other.ca, [ca()])),
  };
  const { key, refusal } = meant;
  const clients = (more = ''): string =>
    client('old', `caFile = "old.pem"\n${more}`) +
    client('other', 'caFile = "other.pem"\n') +
    api(['old', 'other']);

  test(`${sentence}: refused unless ${key} is written, and warned about if it is`, async () => {
    const strict = load(clients(), files);
    assert.equal(await outcome(parts(meant.leaf), strict.snapshot), refusal);
    assert.deepEqual(strict.warnings, []);
    const lenient = load(`[enforcer.security.certificates]\n${key}\n${clients()}`, files);
    assert.equal(await outcome(parts(meant.leaf), lenient.snapshot), 'old');
    assert.equal(await outcome(parts(other.leaf), lenient.snapshot), 'other');
    assert.deepEqual(
      lenient.warnings.map((warning) => warning.key),
      [`enforcer.security.certificates.${key.split(' ')[0]}`],
    );
  });

  test(`${sentence}: for the sake of one CA alone, what another issued stays refused`, async () => {
    const loaded = load(clients(`certificates = { ${key} }\n`), files);
    for (const how of ['first', 'second', 'remembered', 'still'])
      assert.equal(await outcome(parts(meant.leaf), loaded.snapshot), 'old', how);
    assert.equal(await outcome(parts(other.leaf), loaded.snapshot), refusal);
    assert.deepEqual(
      loaded.warnings.map((warning) => warning.key),
      [`clients[0].certificates.${key.split(' ')[0]}`],
    );
  });
}

test('under one CA that is trusted, leniency is for what the CA below it issued, not for that CA itself', async () => {
  const root = entity('Root', long, sha1);
  const sub = entity('Sub', rsa(2048), sha256);
  const files = {
    'root.pem': pem(certify(root, root, [ca()])),
    'sub.pem': pem(certify(root, sub, [ca()])),
  };
  const toml = `[router.downstream.tls]\ntrustedCertPath = "root.pem"\n${client('sub', 'caFile = "sub.pem"\ncertificates = { sha1 = true }\n')}${api(['sub'])}`;
  const { snapshot } = load(toml, files);
  assert.equal(await outcome(parts(certify(sub, entity('leaf'))), snapshot), 'signature_algorithm_weak');
});

test('a CA that is treated with leniency lends it to no other trusted CA, by certifying that one', async () => {
  const [old, strict] = [entity('Old'), entity('Strict')];
  const [oldCa, strictCa, bridge] = [old, strict, strict].map((subject, i) =>
    certify(i === 1 ? strict : old, subject, [ca()]),
  );
  const files = {
    'old.pem': pem(oldCa!),
    'strict.pem': pem(strictCa!),
    'all.pem': pem(oldCa!) + pem(strictCa!),
  };
  const made = (more: string, aliases: readonly string[]) =>
    load(
      `${client('old', 'caFile = "old.pem"\ncertificates = { anyExtendedKeyUsage = true }\n')}${client('strict', `caFile = "strict.pem"\n${more}`)}[router.downstream.tls]\ntrustedCertPath = "all.pem"\n${api(aliases)}`,
      files,
    ).snapshot;
  const snapshot = made('', ['strict']);
  const chain = (...certificates: readonly Certificate[]): string =>
    certificates.map((one) => encodeURIComponent(pem(one))).join('');
  const askOf = (which: typeof snapshot, leaf: Certificate, ...more: readonly Certificate[]) => {
    const value = `Hash=${leaf.sha256};Cert="${chain(leaf)}";Chain="${chain(leaf, ...more)}"`;
    const headers = [['x-forwarded-client-cert', value]] as const;
    return outcome({ ...parts(leaf), headers }, which);
  };
  const ask = (...given: readonly [Certificate, ...Certificate[]]) => askOf(snapshot, ...given);
  const any = certify(strict, entity('leaf'), [extKeyUsage('2.5.29.37.0')]);
  const plain = certify(strict, entity('leaf'));
  assert.equal(await ask(plain), 'strict');
  assert.equal(await ask(plain, bridge!), 'strict');
  assert.equal(await ask(any), 'extended_key_usage_not_client');
  assert.equal(await ask(any, bridge!), 'certificate_not_bound');
  const disabled = made('disabled = true\n', ['old']);
  assert.equal(await askOf(disabled, any, bridge!), 'alias_disabled', 'nor a way around');
});

test('a pinned certificate is held to what is written for all', async () => {
  const issuer = entity('CA');
  const leaf = certify(issuer, entity('leaf', generateEc('secp256k1')));
  const files = { 'leaf.pem': pem(leaf), 'ca.pem': pem(certify(issuer, issuer, [ca()])) };
  const clients =
    client('exact', 'file = "leaf.pem"\n') +
    client('ca', 'caFile = "ca.pem"\ncertificates = { secp256k1 = true }\n') +
    api(['exact', 'ca']);
  assert.equal(await outcome(parts(leaf), load(clients, files).snapshot), 'key_unsupported');
  const all = load(`[enforcer.security.certificates]\nsecp256k1 = true\n${clients}`, files);
  assert.equal(await outcome(parts(leaf), all.snapshot), 'exact');
  assert.ok(!all.warnings.some(({ message }) => message.includes('every request with it is refused')));
});

const orders: Readonly<Record<string, bigint>> = {
  secp256k1: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  brainpoolP256r1: 0xa9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7n,
  brainpoolP384r1:
    0x8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565n,
  brainpoolP512r1:
    0xaadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069n,
};

test('a signature on these curves turned round (r, n - s) is as good, and known for what it is', () => {
  for (const [curve, order] of Object.entries(orders)) {
    const issuer = entity('CA', generateEc(curve));
    const { der, tbs, signatureAlgorithm, sha256, signature } = certify(issuer, entity('leaf'));
    const rLength = signature[signature[1] === 0x81 ? 4 : 3]!;
    const rAt = signature[1] === 0x81 ? 5 : 4;
    const s = BigInt(`0x${Buffer.from(signature.subarray(rAt + rLength + 2)).toString('hex')}`);
    const turned = sequence(
      integer(BigInt(`0x${Buffer.from(signature.subarray(rAt, rAt + rLength)).toString('hex')}`)),
      integer(order - s),
    );
    const twin = readCertificate(sequence(tbs, signatureAlgorithm.der, bits(turned)));
    const anchor = certify(issuer, issuer, [ca()]);
    assert.equal(verifySignature(twin, anchor.subjectPublicKey), true, curve);
    assert.notEqual(twin.sha256, sha256);
    assert.ok(twinFingerprints(readCertificate(der)).includes(twin.sha256), curve);
  }
});

test('certificates beside anything but a CA file is an error that says what to write', () => {
  const leaf = pem(certify(entity('CA'), entity('leaf')));
  assert.throws(
    () =>
      load(client('x', 'file = "leaf.pem"\ncertificates = { sha1 = true }\n') + api(['x']), {
        'leaf.pem': leaf,
      }),
    /clients\[0\]\.certificates: found where there is no caFile; .* write caFile = "…", or \[enforcer\.security\.certificates\]/,
  );
  for (const value of ['512', '9000', '2048.5'])
    assert.throws(
      () => load(`[enforcer.security.certificates]\nminRsaBits = ${value}\n`, {}),
      /minRsaBits: .*write a whole number from 1024 to 8192/,
    );
});

test('less than what goes for all can not be asked of one CA: it would be asked of the others, or of nobody', () => {
  const files = Object.fromEntries(
    [entity('Strict'), entity('Other')].map((one) => [`${one.name}.pem`, pem(certify(one, one, [ca()]))]),
  );
  const written = (own: string, all = ''): string =>
    `[enforcer.security.certificates]\n${all}\n${client('strict', `caFile = "Strict.pem"\ncertificates = { ${own} }\n`)}${client('other', 'caFile = "Other.pem"\n')}${api(['strict', 'other'])}`;
  for (const [own, all] of [
    ['minRsaBits = 2049'],
    ['minRsaBits = 2048', 'minRsaBits = 1024'],
    ...['sha1', 'anyExtendedKeyUsage', 'brainpool', 'secp256k1'].map((key) => [
      `${key} = false`,
      `${key} = true`,
    ]),
  ] as const)
    assert.throws(
      () => load(written(own!, all), files),
      new RegExp(`clients\\[0\\]\\.certificates\\.${own!.split(' ')[0]}: found .* beside a CA only more`),
      own,
    );
  for (const own of ['minRsaBits = 2048', 'sha1 = false', 'brainpool = false, secp256k1 = false'])
    load(written(own), files);
  load(written('minRsaBits = 4096', 'minRsaBits = 4096'), files);
});
