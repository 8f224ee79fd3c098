import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { readConfig } from '../../../src/config/read-config.ts';
import { dynamicEnvoyFiles, keepSecret, withClustersOfBefore } from '../../../src/envoy-config/dynamic.ts';

const toml = `[router]
listenerPort = 9090
[router.downstream.tls]
verifyInHandshake = true
trustedCertPath = "clients.pem"
[router.enforcer]
certPath = "envoy.pem"
keyPath = "envoy.key"
[enforcer.authService]
certPath = "enforcer.pem"
keyPath = "enforcer.key"
clientCaPath = "envoys.pem"
[[apis]]
name = "a"
version = "1"
basePath = "/a"
mutualSSL = "off"
backend = "https://backend.test/"
`;

function filesOf(text: string): ReadonlyMap<string, string> {
  const read = readConfig(text, 'config.toml', {});
  assert.ok('config' in read, JSON.stringify(read));
  const { config } = read;
  const options = { enforcer: config.router.enforcer, resolvePath: (path: string) => `/etc/${path}` };
  return dynamicEnvoyFiles(config, options, '/envoy');
}

test('the rate limit service is trusted by its own CA, not by that of backends', () => {
  const files = filesOf(
    `${toml}[router.rateLimit]\nservice = "limits.test:1"\ntrustedCertPath = "limits.pem"\n[[tiers]]\nname = "Gold"\n`,
  );
  const caIn = (name: string): unknown =>
    JSON.parse(files.get(name)!).resources[0].validation_context.trusted_ca.filename;
  assert.equal(caIn('rate-limit-ca.json'), '/etc/limits.pem');
  assert.equal(caIn('backend-ca.json'), '/etc//etc/ssl/certs/ca-certificates.crt');
});

test('a secret may be named twice, and never be two', () => {
  const ca = (filename: string) => ({ validation_context: { trusted_ca: { filename } } });
  const secrets = new Map([['backend-ca', ca('a.pem')]]);
  keepSecret(secrets, 'backend-ca', ca('a.pem'));
  assert.throws(() => keepSecret(secrets, 'backend-ca', ca('b.pem')), /two secrets of Envoy .* backend-ca$/);
  assert.deepEqual([...secrets], [['backend-ca', ca('a.pem')]]);
});

test('each in a file of its own, behind all that it names', () => {
  assert.deepEqual(
    [...filesOf(toml).keys()],
    [
      'router-certificate.json',
      'client-ca.json',
      'backend-ca.json',
      'enforcer-client-certificate.json',
      'enforcer-ca.json',
      'clusters.json',
      'routes-secured.json',
      'routes-plain.json',
      'listeners.json',
      'envoy.yaml',
    ],
  );
});

test('a certificate is named by its secret alone, so that it can be renewed', () => {
  for (const [name, text] of filesOf(toml)) {
    const isSecret = /-(certificate|ca)\.json$/.test(name);
    assert.equal(text.includes('filename'), isSecret, name);
  }
});

test('whom the other side must be stays beside the CA', () => {
  const clusters = filesOf(toml).get('clusters.json')!;
  assert.match(clusters, /"combined_validation_context"[\s\S]*"exact": "backend.test"/);
  const listeners = filesOf(toml).get('listeners.json')!;
  assert.match(listeners, /"suppress_client_ca_list": true/);
});

test('the enforcer is in the bootstrap, and no backend is', () => {
  const { static_resources, dynamic_resources } = parse(filesOf(toml).get('envoy.yaml')!);
  assert.deepEqual(
    static_resources.clusters.map(({ name }: { name: string }) => name),
    ['enforcer'],
  );
  assert.equal(static_resources.listeners, undefined);
  assert.equal(dynamic_resources.cds_config.path_config_source.path, '/envoy/clusters.json');
});

const clusters = (...names: string[]): string =>
  JSON.stringify({ resources: names.map((name) => ({ name, at: names.length })) });
const namesIn = (text: string): readonly string[] =>
  JSON.parse(text).resources.map(({ name }: { name: string }) => name);

for (const [sentence, now, before, expected] of [
  ['one that is new', clusters('a', 'b'), clusters('a'), ['a', 'b']],
  ['one that is gone', clusters('b'), clusters('a', 'b'), ['b', 'a']],
  ['half a file', clusters('b'), '{"resources": [', ['b']],
  ["somebody else's", clusters('b'), 'null', ['b']],
] as const)
  test(`clusters with those of before: ${sentence}`, () => {
    assert.deepEqual(namesIn(withClustersOfBefore(now, before, () => false).text), expected);
  });
