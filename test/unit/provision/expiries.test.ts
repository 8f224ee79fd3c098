import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { JwksFeed } from '../../../src/feeds/jwks.ts';
import { readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import { expiryFamilies } from '../../../src/service/expiry-metrics.ts';
import { createAuthority } from '../../support/certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'expiries-'));
after(() => rmSync(folder, { recursive: true }));

const ca = await createAuthority({ subject: 'CN=Own CA' });
const balancer = await ca.issue({ subject: 'CN=balancer', extendedKeyUsage: 'client' });
const [idp, idpInline, key, fetched] = [
  await ca.issue({ subject: 'CN=idp' }),
  await ca.issue({ subject: 'CN=idp inline' }),
  await ca.issue({ subject: 'CN=key' }),
  await ca.issue({ subject: 'CN=fetched key' }),
];
const jwkOf = (der: Uint8Array) => ({
  ...new X509Certificate(der).publicKey.export({ format: 'jwk' }),
  kid: 'k',
  x5c: [Buffer.from(der).toString('base64')],
});
for (const [name, content] of [
  ['ca.pem', ca.pem],
  ['balancer.pem', balancer.pem],
  ['idp.pem', idp.pem],
  ['keys.json', JSON.stringify({ keys: [jwkOf(key.der)] })],
] as const)
  writeFileSync(join(folder, name), content);
const file = join(folder, 'config.toml');
writeFileSync(
  file,
  `[enforcer.security.mutualSSL]
senderCaPath = "ca.pem"
trustedSenders = ["alias:balancer"]
[[enforcer.security.mutualSSL.senders]]
alias = "balancer"
file = "balancer.pem"
[[enforcer.security.mutualSSL.senders]]
alias = "balancers"
caFile = "ca.pem"
[[enforcer.security.tokenService]]
name = "IdP"
issuer = "https://idp.example"
certificateFilePath = "idp.pem"
[[enforcer.security.tokenService]]
name = "Inline"
issuer = "https://inline.example"
certificatePem = '''
${idpInline.pem}'''
[[enforcer.security.tokenService]]
name = "Keys"
issuer = "https://keys.example"
jwksPath = "keys.json"
`,
);

test('load balancers, token issuers and their keys end one day, each told once, and by its own name', () => {
  const loaded = loadConfig(file, {}, Date.now());
  assert.ok(!isProblems(loaded), JSON.stringify(loaded));
  const feed = { jwks: () => [key, fetched, fetched].map(({ der }) => jwkOf(der)) } as unknown as JwksFeed;
  const [family] = expiryFamilies({ expiries: loaded.expiries, feeds: [feed] }, []);
  const told = (kind: string, alias: string, der: Uint8Array) => {
    const { sha256, notAfter } = readCertificate(der);
    return { labels: { kind, alias, sha256 }, value: notAfter / 1000 };
  };
  assert.deepEqual(
    [...family!.samples()],
    [
      told('sender', 'balancer', balancer.der),
      told('sender-ca', 'balancers', ca.der),
      told('sender-ca', '', ca.der),
      told('issuer', 'IdP', idp.der),
      told('issuer', 'Inline', idpInline.der),
      told('jwks-key', '', key.der),
      told('jwks-key', '', fetched.der),
    ],
  );
});
