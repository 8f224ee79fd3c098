import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import { writeEnvoyConfig } from '../../../src/envoy-config/bootstrap.ts';
import { createFindings } from '../../../src/provision/findings.ts';
import { checkRouterFiles, routerFiles } from '../../../src/provision/router-files.ts';
import { createAuthority, now } from '../../support/certificate-authority.ts';
import { validateEnvoyConfig } from '../../support/envoy.ts';
import { realEnvoy } from '../../support/real-envoy.ts';

const { envoy, skip } = await realEnvoy();
const folder = mkdtempSync(join(tmpdir(), 'router-files-'));
after(() => rmSync(folder, { recursive: true }));

const ca = await createAuthority({ subject: 'CN=CA' });
const inter = await createAuthority({ subject: 'CN=Intermediate', parent: ca });
const router = { subject: 'CN=router', subjectAltNames: ['localhost'], extendedKeyUsage: 'server' } as const;
const leaf = await inter.issue(router);
const other = await ca.issue({ subject: 'CN=other' });
const weak = await ca.issue({ ...router, keyAlgorithm: 'RSA-1024' });
const rsa = await ca.issue({ ...router, keyAlgorithm: 'RSA-2048' });
const p521 = await ca.issue({ ...router, keyAlgorithm: 'P-521' });
const ed25519 = await ca.issue({ ...router, keyAlgorithm: 'Ed25519' });
const sha1Ca = await createAuthority({ subject: 'CN=Old CA', keyAlgorithm: 'RSA-2048-SHA-1' });
const sha1 = await sha1Ca.issue(router);
const day = 24 * 60 * 60 * 1000;
const expired = await ca.issue({
  ...router,
  notBefore: new Date(now - 9 * day),
  notAfter: new Date(now - day),
});
const early = await ca.issue({ ...router, notBefore: new Date(now + day) });
const soon = await ca.issue({ ...router, notAfter: new Date(now + 29 * day) });
const later = await ca.issue({ ...router, notAfter: new Date(now + 31 * day) });
const forClients = await ca.issue({ ...router, extendedKeyUsage: 'client' });
const noSignatures = await ca.issue({ ...router, keyUsage: ['keyAgreement'] });
const rsaForNoSignatures = await ca.issue({ ...router, keyAlgorithm: 'RSA-2048', keyUsage: ['keyCertSign'] });
const ed25519ForNoSignatures = await ca.issue({
  ...router,
  keyAlgorithm: 'Ed25519',
  keyUsage: ['keyCertSign'],
});
const expiredCa = await createAuthority({ subject: 'CN=Expired CA', notAfter: new Date(now - day) });
const endingCa = await createAuthority({ subject: 'CN=Ending CA', notAfter: new Date(now + day) });

/** Certificate and key of a kind that only OpenSSL makes. */
function ofKind(...key: readonly string[]): readonly [pem: string, privateKeyPem: string] {
  const openssl = (...args: readonly string[]): string =>
    execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  openssl('genpkey', ...key, '-out', 'odd.key');
  return [
    openssl('req', '-x509', '-key', 'odd.key', '-subj', '/CN=router', '-days', '3650'),
    readFileSync(join(folder, 'odd.key'), 'utf8'),
  ];
}
const L = leaf.pem;
const I = inter.pem;
const K = leaf.privateKeyPem;
const key = createPrivateKey(K);
const passphrase = { cipher: 'aes-256-cbc', passphrase: 'secret' };
const encrypted = key.export({ type: 'pkcs8', format: 'pem', ...passphrase }) as string;
const encryptedSec1 = key.export({ type: 'sec1', format: 'pem', ...passphrase }) as string;
const sec1 = key.export({ type: 'sec1', format: 'pem' }) as string;
const publicKey = createPublicKey(K).export({ type: 'spki', format: 'pem' }) as string;
const der = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^\n]*\n?/g, ''), 'base64');
const dropLine = (pem: string): string => pem.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n');
const relabelled = (label: string): string => L.replaceAll('CERTIFICATE', label);

type File = string | Buffer | 'a folder' | undefined;
const place = (name: string, content: File): void => {
  rmSync(join(folder, name), { recursive: true, force: true });
  if (content === 'a folder') mkdirSync(join(folder, name));
  else if (content !== undefined) writeFileSync(join(folder, name), content);
};

/** What Envoy says of the bootstrap, and what we say. */
async function judge(toml: string) {
  const file = join(folder, 'config.toml');
  const read = readConfig(toml, file, {});
  assert.ok('config' in read, JSON.stringify(read));
  const findings = createFindings(file, read.lineOf);
  checkRouterFiles(read.config, findings, now);
  const { enforcer } = read.config.router;
  writeFileSync(
    join(folder, 'envoy.yaml'),
    writeEnvoyConfig(read.config, { resolvePath: (path) => path, enforcer }),
  );
  const said = (problems: typeof findings.errors) =>
    problems.map((problem) => problemLine({ ...problem, file: 'config.toml' }));
  return {
    envoy: await validateEnvoyConfig({ path: envoy!.path, config: 'envoy.yaml', folder }),
    errors: said(findings.errors),
    warnings: said(findings.warnings),
  };
}

type Expected = {
  readonly error?: RegExp;
  readonly warning?: RegExp /** Envoy starts, and no client gets in. */;
  readonly envoyTakesIt?: true;
};
function hold(
  judged: Awaited<ReturnType<typeof judge>>,
  { error, warning, envoyTakesIt }: Expected,
  isMissing: boolean,
) {
  const context = JSON.stringify(judged, null, 1);
  for (const [found, wanted] of [
    [judged.errors, error],
    [judged.warnings, warning],
  ] as const) {
    assert.equal(found.length > 0, wanted !== undefined, context);
    if (wanted !== undefined) assert.match(found.join('\n'), wanted, context);
  }
  if (judged.envoy !== undefined)
    assert.ok(judged.errors.length > 0 || isMissing, `Envoy refuses what is good to us: ${context}`);
  if (error !== undefined && !envoyTakesIt)
    assert.ok(judged.envoy !== undefined, `Envoy takes what we refuse: ${context}`);
}

const certificate = (text: string) => ({
  error: new RegExp(`^config\\.toml:2: router\\.keystore\\.certPath: found "router\\.pem", which ${text}`),
});
const privateKey = (text: string) => ({
  error: new RegExp(`^config\\.toml:3: router\\.keystore\\.keyPath: found "router\\.key", which ${text}`),
});
const warned = (text: string) => ({ warning: new RegExp(`found "router\\.(pem|key)", which ${text}`) });
const takenBy = { envoyTakesIt: true } as const;

const pairs: readonly [why: string, certPath: File, keyPath: File, expected?: Expected][] = [
  ['the leaf alone', L, K],
  ['the leaf and who issued it', L + I, K],
  ['the root as well', L + I + ca.pem, K],
  ['an RSA key', rsa.pem, rsa.privateKeyPem],
  ['a P-521 key', p521.pem, p521.privateKeyPem],
  ['an Ed25519 key', ed25519.pem, ed25519.privateKeyPem],
  ['a SEC1 key', L, sec1],
  [
    'a SEC1 key behind its parameters',
    L,
    `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1}`,
  ],
  ['line ends of Windows', L.replaceAll('\n', '\r\n'), K.replaceAll('\n', '\r\n')],
  ['text around the blocks', `Subject: CN=router\n${L}# more\n${I}end\n`, `# key\n${K}end\n`],
  ['one file for all', K + L + I, K + L + I],
  ['a label of old', relabelled('X509 CERTIFICATE'), K],
  ['no certificate', undefined, K, warned('does not exist here')],
  ['no key', L, undefined, warned('does not exist here')],
  ['a folder for a certificate', 'a folder', K, certificate('is a folder')],
  ['a folder for a key', L, 'a folder', privateKey('is a folder')],
  [
    'the two swapped',
    K,
    L,
    certificate('has a private key in it and no certificate, as keyPath has a certificate: swap the two'),
  ],
  [
    'the key of another certificate',
    L,
    other.privateKeyPem,
    privateKey('is not the key of the certificate in certPath'),
  ],
  ['the key behind another one', L, other.privateKeyPem + K, privateKey('is not the key')],
  [
    'the wrong order of the chain',
    I + L,
    K,
    privateKey('is the key of certificate 2 of certPath, and Envoy takes the first'),
  ],
  ['a key with a password', L, encrypted, privateKey('is protected by a password')],
  ['a key with a password, in its old form', L, encryptedSec1, privateKey('is protected by a password')],
  ['an empty certificate', '', K, certificate('is empty; it needs a certificate')],
  ['an empty key', L, ' \n', privateKey('is empty; it needs a private key')],
  ['a text for a certificate', 'hello\n', K, certificate('has no certificate in it; it needs')],
  ['a text for a key', L, 'hello\n', privateKey('has no private key in it; it needs')],
  ['a certificate in DER', der(L), K, certificate('is binary')],
  ['a key in DER', L, der(K), privateKey('is binary')],
  ['a certificate with a byte order mark', `\ufeff${L}`, K, certificate('begins with a byte order mark')],
  ['a chain with a byte order mark', `\ufeff${L}${I}`, K, certificate('begins with a byte order mark')],
  ['a key with a byte order mark', L, `\ufeff${K}`, privateKey('begins with a byte order mark')],
  ['a certificate in UTF-16', Buffer.from(`\ufeff${L}`, 'utf16le'), K, certificate('is UTF-16')],
  ['an indented certificate', L.replace(/^/gm, '  '), K, certificate('has a line -----BEGIN')],
  ['an indented key', L, K.replace(/^/gm, '  '), privateKey('has a line -----BEGIN')],
  ['a cut certificate', L.slice(0, -60), K, certificate("has a certificate that can't be read")],
  ['a certificate without its end', L.slice(0, -30), K, certificate("has a certificate that can't be read")],
  ['a chain that breaks off', L + I.slice(0, -30), K, certificate("has a certificate that can't be read")],
  ['a chain that lacks a line', L + dropLine(I), K, certificate("has a certificate that can't be read")],
  [
    'a key that lacks a line',
    L,
    dropLine(rsa.privateKeyPem),
    privateKey("has a private key that can't be read"),
  ],
  ['PKCS#7', relabelled('PKCS7'), K, certificate('has no certificate in it, but a PKCS7')],
  [
    'a request',
    relabelled('CERTIFICATE REQUEST'),
    K,
    certificate('has no certificate in it, but a CERTIFICATE REQUEST'),
  ],
  ['a public key for a private one', L, publicKey, privateKey('has no private key in it, but a PUBLIC KEY')],
  [
    'a key for RSASSA-PSS alone',
    ...ofKind('-algorithm', 'RSA-PSS'),
    certificate('has a key of the kind rsa-pss'),
  ],
  ['an Ed448 key', ...ofKind('-algorithm', 'ED448'), certificate('has a key of the kind ed448')],
  [
    'an RSA key with a large exponent',
    ...ofKind('-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_pubexp:${2 ** 35 + 1}`),
    certificate('has an RSA key whose exponent'),
  ],
  [
    'a curve that is written out',
    ...ofKind('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'),
    certificate('has a key with explicit curve parameters'),
  ],
  ['a weak RSA key', weak.pem, weak.privateKeyPem, certificate('has an RSA key of 1024 bits')],
  [
    'a certificate that is for no signatures',
    noSignatures.pem,
    noSignatures.privateKeyPem,
    certificate('is not for signatures'),
  ],
  [
    'an RSA certificate that is for no signatures, with which Envoy starts',
    rsaForNoSignatures.pem,
    rsaForNoSignatures.privateKeyPem,
    warned('is not for signatures'),
  ],
  [
    'an Ed25519 certificate that is for no signatures, with which Envoy starts',
    ed25519ForNoSignatures.pem,
    ed25519ForNoSignatures.privateKeyPem,
    warned('is not for signatures'),
  ],
  [
    'an expired certificate',
    expired.pem,
    expired.privateKeyPem,
    { ...certificate('expired on 2026-05-31'), ...takenBy },
  ],
  [
    'one that is not yet valid',
    early.pem,
    early.privateKeyPem,
    { ...certificate('is not valid before 2026-06-02'), ...takenBy },
  ],
  [
    'one for clients',
    forClients.pem,
    forClients.privateKeyPem,
    { ...certificate('is not for TLS servers'), ...takenBy },
  ],
  ['one that ends within 30 days', soon.pem, soon.privateKeyPem, warned('expires on 2026-06-30')],
  ['one that ends after that', later.pem, later.privateKeyPem],
  ['one signed with SHA-1', sha1.pem, sha1.privateKeyPem, warned('is signed with sha1With')],
  [
    'a chain whose issuers are out of order',
    L + ca.pem + I,
    K,
    warned('has as certificate 2 one that did not issue the one before it'),
  ],
  ['a stranger in the chain', L + other.pem, K, warned('has as certificate 2 one')],
];
for (const [why, certPath, keyPath, expected = {}] of pairs) {
  test(`the router's certificate: ${why}: what Envoy refuses is an error with its line and what to do`, {
    skip,
  }, async () => {
    place('router.pem', certPath);
    place('router.key', keyPath);
    const judged = await judge('[router.keystore]\ncertPath = "router.pem"\nkeyPath = "router.key"\n');
    hold(judged, expected, certPath === undefined || keyPath === undefined);
  });
}

const bundleError = (text: string) => ({
  error: new RegExp(
    `^config\\.toml:5: router\\.upstream\\.tls\\.trustedCertPath: found "cas\\.pem", which ${text}`,
  ),
});
const crl = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';
const bundles: readonly [why: string, bundle: File, expected?: Expected][] = [
  ['one CA', ca.pem],
  ['several, one of them expired', ca.pem + expiredCa.pem],
  ['a leaf', L],
  ['text around', `# CA\n${ca.pem}# end\n`],
  ['not there', undefined, { warning: /found "cas\.pem", which does not exist here/ }],
  ['a folder', 'a folder', bundleError('is a folder')],
  ['empty', '', bundleError('is empty')],
  ['a text', 'hello\n', bundleError('has no certificate in it')],
  ['in DER', der(ca.pem), bundleError('is binary')],
  ['with a byte order mark', `\ufeff${ca.pem}`, bundleError('begins with a byte order mark')],
  [
    'a second one that lacks a line',
    ca.pem + dropLine(I),
    bundleError("has a certificate that can't be read"),
  ],
  [
    'a second one without its end',
    ca.pem + I.slice(0, -30),
    bundleError("has a certificate that can't be read"),
  ],
  ['a key alone', K, bundleError('has no certificate in it, but a PRIVATE KEY')],
  ['a key beside', ca.pem + K, { warning: /has a private key in it; take it out/ }],
  [
    'a broken list of revoked certificates beside',
    ca.pem + crl,
    bundleError("has a list of revoked certificates that can't be read"),
  ],
  [
    'all expired',
    expiredCa.pem,
    { ...bundleError('has no certificate that is valid: the last one expired on 2026-05-31'), ...takenBy },
  ],
  ['all soon expired', endingCa.pem, { warning: /has no certificate that is valid after 2026-06-02/ }],
];
for (const [why, bundle, expected = {}] of bundles) {
  test(`the backends' CAs: ${why}: what Envoy refuses is an error with its line and what to do`, {
    skip,
  }, async () => {
    place('router.pem', L);
    place('router.key', K);
    place('cas.pem', bundle);
    const judged = await judge(
      '[router.keystore]\ncertPath = "router.pem"\nkeyPath = "router.key"\n[router.upstream.tls]\ntrustedCertPath = "cas.pem"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\nbackend = "https://backend.test"\n',
    );
    hold(judged, expected, bundle === undefined);
  });
}

for (const [whose, trusted] of [
  ['its CA', 'trustedCertPath = "enforcer-ca.pem"\n'],
  ['itself', ''],
]) {
  test(`every file that the bootstrap names is judged, the enforcer trusted by ${whose}`, () => {
    const read = readConfig(
      `[router.keystore]
certPath = "router.pem"
keyPath = "router.key"
[router.enforcer]
certPath = "envoy.pem"
keyPath = "envoy.key"
${trusted}[router.rateLimit]
service = "limits.test:8081"
trustedCertPath = "limits-ca.pem"
certPath = "limits.pem"
keyPath = "limits.key"
[[tiers]]
name = "Gold"
[router.downstream.tls]
verifyInHandshake = true
trustedCertPath = "clients.pem"
[router.upstream.tls]
trustedCertPath = "backends.pem"
[enforcer.authService]
certPath = "enforcer.pem"
keyPath = "enforcer.key"
[[apis]]
name = "a"
version = "1"
basePath = "/a"
mutualSSL = "off"
backend = "https://backend.test"
`,
      'config.toml',
      {},
    );
    assert.ok('config' in read, JSON.stringify(read));
    const { enforcer } = read.config.router;
    const yaml = writeEnvoyConfig(read.config, { resolvePath: (path) => path, enforcer });
    const named = new Set([...yaml.matchAll(/filename: "?([^\s"]+)/g)].map(([, name]) => name));
    const { pairs, bundles } = routerFiles(read.config);
    const judged = [
      ...pairs.flatMap(({ certPath, keyPath }) => [certPath, keyPath]),
      ...bundles.map(({ path }) => path),
    ];
    assert.deepEqual(judged.toSorted(), [...named].toSorted());
  });
}
