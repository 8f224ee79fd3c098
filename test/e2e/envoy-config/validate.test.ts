import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { envoyCiphers } from '../../../src/config/schema/ciphers.ts';
import { writeEnvoyConfig } from '../../../src/envoy-config/bootstrap.ts';
import { validateEnvoyConfig } from '../../support/envoy.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { configOf, newAuthority, serverCertificate } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'validate-'));
  const ca = await newAuthority('CN=CA');
  const { certificatePem, privateKeyPem } = await serverCertificate(ca);
  for (const [name, text] of Object.entries({
    'a.pem': certificatePem,
    'a.key': privateKeyPem,
    'ca.pem': ca.pem,
  }))
    writeFileSync(join(folder, name), text);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const router = `[router.keystore]
certPath = "a.pem"
keyPath = "a.key"
[router.upstream.tls]
trustedCertPath = "ca.pem"
`;
const api = (fields: string) => `[[apis]]\nmutualSSL = "off"\n${fields}\n`;
const orders = api('name = "orders"\nversion = "1"\nbasePath = "/orders"\nbackend = "https://backend.test"');
const named = (name: string) =>
  api(
    `name = ${JSON.stringify(name)}\nversion = ${JSON.stringify(name)}\nbasePath = "/x"\nbackend = "https://h/${encodeURIComponent(name)}"`,
  );

const configs: Readonly<Record<string, string>> = {
  'no API at all': router,
  'an API': router + orders,
  'a plain listener': `[router]\nlistenerPort = 9090\n${router}${orders}`,
  'IPv6 everywhere': `[router]\nsecuredListenerHost = "::"\nlistenerHost = "::1"\nlistenerPort = 9090\n${router}
[enforcer.authService]\naddress = "::1"\n${api('name = "a"\nversion = "1"\nbasePath = "/"\nhosts = ["::1"]\nbackend = "https://[::1]:9443"')}`,
  'an enforcer by name': `${router}[enforcer.authService]\naddress = "enforcer.test"\nplaintext = true\n${orders}`,
  'the oldest and the newest TLS': `${router}minimumProtocolVersion = "TLS1_0"\n[router.downstream.tls]\nminimumProtocolVersion = "TLS1_0"\nmaximumProtocolVersion = "TLS1_1"\n${orders}`,
  ciphers: `${router}ciphers = "ECDHE-RSA-AES128-GCM-SHA256, ECDHE-ECDSA-AES256-GCM-SHA384"\n[router.downstream.tls]\nciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"\n${orders}`,
  'every cipher suite that we take': `${router}[router.downstream.tls]\nciphers = "${envoyCiphers.join(',')}"\n${orders}`,
  'groups of cipher suites': `${router}[router.downstream.tls]\nciphers = "[${envoyCiphers[0]}|${envoyCiphers[4]}], HIGH, ALL"\n${orders}`,
  'no CORS': `${router}[router.cors]\nenabled = false\n${orders}`,
  'CORS with everything': `${router}[router.cors]\nallowOrigins = ["*", "https://a.test", "https://*.b.test(["]\nallowCredentials = true\nexposeHeaders = ["x-a", "x-b"]\n${orders}`,
  'CORS with nothing': `${router}[router.cors]\nallowOrigins = []\nallowMethods = []\nallowHeaders = []\n${orders}`,
  'identity headers under other names, and off': `${router}[enforcer.answers]\naliasHeader = "X.Alias+|$^"\ntierHeader = ""\nsha256Header = ""\nsubjectHeader = ""\n${orders}`,
  'no identity headers': `${router}[enforcer.answers]\naliasHeader = ""\ntierHeader = ""\nsha256Header = ""\nsubjectHeader = ""\n${orders}`,
  'names that YAML, JSON or a format would take for something else':
    router +
    [
      'off',
      '1e3',
      '~',
      'null',
      '0x10',
      '- a',
      '#',
      '%REQ(x)%',
      '"\'\n\t',
      '{{',
      '\u2028é😀',
      '1_000',
      '2026-01-01',
      '!!binary',
      '&a *a',
    ]
      .map((name, i) => named(name).replace('"/x"', `"/x${i}"`))
      .join(''),
  'all signs a base path may have':
    router + api(`name = "a"\nversion = "1"\nbasePath = "/-._~!$&'()+,=:@/x"\nbackend = "https://h"`),
  'a base path of one sign':
    router + api('name = "a"\nversion = "1"\nbasePath = "/a"\nbackend = "https://h"'),
  'a very long base path':
    router + api(`name = "a"\nversion = "1"\nbasePath = "${'/segment'.repeat(100)}"\nbackend = "https://h"`),
  'many hosts':
    router +
    api(
      'name = "a"\nversion = "1"\nbasePath = "/"\nhosts = ["*", "A.test", "a.test", "*.test", "*.a.test", "10.0.0.1"]\nbackend = "http://h"',
    ),
  'tiers of every kind': `${router}${orders}${[
    'name = "Gold"',
    'name = "off"\nrequests = 4294967295\nper = "second"\nburst = 1\nkey = "certificate"',
    'name = "%REQ(x)% \\u2028é"\nrequests = 1\nper = "day"\nkey = "api"\nstopOnQuotaReach = false',
  ]
    .map((tier) => `[[tiers]]\n${tier}\n`)
    .join('')}`,
  'tiers counted by a service': `${router}${orders}[[tiers]]\nname = "Gold"\n[router.rateLimit]\nservice = "127.0.0.1:8081"\n`,
  'header sources': `${router}[enforcer.security.mutualSSL]\noutboundHeader = "X-Out"\noutboundChainHeader = "X-Out-Chain"\n[[enforcer.security.mutualSSL.sources]]\nformat = "rfc9440"\nheader = "my.header"\ntrustedSenders = ["10.0.0.0/8"]\n${orders}`,
};
for (const [name, toml] of Object.entries(configs)) {
  test(`Envoy takes it: ${name}`, { skip }, async () => {
    writeFileSync(
      join(folder, 'envoy.yaml'),
      writeEnvoyConfig(configOf(toml), { resolvePath: (path) => path }),
    );
    assert.equal(await validateEnvoyConfig({ path: envoy!.path, config: 'envoy.yaml', folder }), undefined);
  });
}

test('Envoy would say so if it did not take it', { skip }, async () => {
  const text = writeEnvoyConfig(configOf(router), { resolvePath: (path) => path });
  writeFileSync(join(folder, 'envoy.yaml'), text.replace('normalize_path', 'normalise_path'));
  assert.match(
    (await validateEnvoyConfig({ path: envoy!.path, config: 'envoy.yaml', folder })) ?? '',
    /normalise_path/,
  );
});
