import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { dynamicEnvoyFiles } from '../../../src/envoy-config/dynamic.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';

// Another listeners.json has Envoy replace its listener: open connections end, and all tiers' buckets are full again.

const root = mkdtempSync(join(tmpdir(), 'foreign-files-'));
after(() => rmSync(root, { recursive: true }));
const examples = resolve(import.meta.dirname, '../../../examples');
const kinds = ['api-manager', 'apk', 'bijira', 'choreo-connect', 'microgateway'] as const;
const { pem } = await selfSigned({ subject: 'CN=mine' });

function put(name: string, text: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}
beforeEach(() => {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  for (const kind of kinds) mkdirSync(join(root, kind));
});

const entries = kinds.map(
  (kind) =>
    `[[definitions]]\nkind = "${kind}"\npath = "${kind}"\nhome = "${kind}"\ntrustedSenders = ["10.0.0.1"]\n`,
);
const own = (more: string, router = ''): string =>
  `[router]\ndynamicFolder = "envoy"\nlistenerPort = 9090\n${router}\n[[tiers]]\nname = "Platinum"\nrequests = 3\nper = "day"\n${more}${entries.join('')}`;

function load(toml: string): Provisioned {
  put('config.toml', toml);
  const loaded = loadConfig(join(root, 'config.toml'), {}, now);
  assert.ok(!isProblems(loaded), isProblems(loaded) ? loaded.map(problemLine).join('\n') : '');
  return loaded;
}
function filesOf({ config, ownApis, tiers }: Provisioned): ReadonlyMap<string, string> {
  const options = { ownApis, tiers, enforcer: config.router.enforcer, resolvePath: (path: string) => path };
  return dynamicEnvoyFiles(config, options, '/envoy');
}

/** An API project of Choreo Connect, with one client. */
function project(
  more = '',
  { tier = 'Gold', name = 'mine', scheme = 'mutualssl, mutualssl_mandatory' } = {},
) {
  const folder = `choreo-connect/${name}`;
  put(
    `${folder}/api.yaml`,
    `type: api\nversion: v4\ndata:\n  name: ${name}\n  version: "1.0"\n  context: /${name}\n  securityScheme: [${scheme}]\n${more}`,
  );
  put(
    `${folder}/Client-certificates/client_certificates.yaml`,
    `- alias: mine\n  certificate: a.crt\n  tierName: ${tier}\n`,
  );
  put(`${folder}/Client-certificates/a.crt`, pem);
}
const backend = (url: string): string =>
  `  endpointConfig:\n    endpoint_type: http\n    production_endpoints:\n      url: ${url}\n`;
const mutualSsl = (header: string): string =>
  `[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "${header}"\n`;

const published: readonly [words: string, publish: () => void][] = [
  ...['10PerMin', 'Gold', 'gold', 'Unlimited', 'Platinum', 'a/b'].map((tier): [string, () => void] => [
    `a client with the tier ${tier}`,
    () => project('', { tier }),
  ]),
  [
    'clients with tiers in another order',
    () => {
      project('', { tier: 'Silver' });
      project('', { tier: 'Bronze', name: 'a' });
    },
  ],
  ['a backend', () => project(backend('https://b.test/x'))],
  ['one in clear text', () => project(backend('http://b.test:81'))],
  ['one for WebSockets', () => project(backend('wss://b.test'))],
  [
    'a host',
    () => {
      project();
      put(
        'choreo-connect/mine/deployment_environments.yaml',
        'type: deployment_environments\nversion: v4\ndata:\n  - displayOnDevportal: true\n    deploymentEnvironment: Default\n    deploymentVhost: mine.test\n',
      );
    },
  ],
  ['an API for tokens', () => project('', { scheme: 'oauth2' })],
  ['one that is open', () => project('', { scheme: 'api_key' })],
  ['one of two schemes', () => project('', { scheme: 'oauth2, mutualssl' })],
  ['operations', () => project('  operations:\n    - target: /x\n      verb: GET\n')],
  ['what can’t be read', () => put('choreo-connect/mine/api.yaml', 'data: [\n')],
  [
    'an issuer',
    () => {
      project();
      put(
        'choreo-connect/config.toml',
        '[[enforcer.security.tokenService]]\nname = "theirs"\nissuer = "https://theirs"\njwksURL = "https://theirs/jwks"\n',
      );
    },
  ],
  ...[
    ['some product has', 'X-SSL-Client-Cert'],
    ['WSO2’s own examples have', 'X-SSL-CERT'],
    ['nobody has', 'X-API-Key'],
    ['nobody has, long', Array.from({ length: 32 }, () => 'a').join('-')],
  ].map(([who, header]): [string, () => void] => [
    `a certificate header that ${who}`,
    () => {
      project();
      put('choreo-connect/config.toml', mutualSsl(header!));
    },
  ]),
  ...kinds.map((kind): [string, () => void] => [
    `the example for ${kind}`,
    () => cpSync(join(examples, kind), join(root, kind), { recursive: true }),
  ]),
];

for (const limits of ['', '[router.rateLimit]\nservice = "127.0.0.1:1"\n'])
  for (const [words, publish] of published)
    test(`only routes and backends change with what is published${limits && ', where a service counts'}: ${words}`, () => {
      const before = filesOf(load(own(limits)));
      publish();
      const after = filesOf(load(own(limits)));
      for (const [name, text] of after)
        if (!/^(clusters|backend-|routes-)/.test(name)) assert.equal(text, before.get(name), name);
      assert.notEqual(after.get('routes-secured.json'), before.get('routes-secured.json'), 'read at all');
    });

test('a certificate header that config.toml names as well is taken from a foreign file', () => {
  project();
  put('choreo-connect/config.toml', mutualSsl('X-My-Id'));
  const naming = own('[enforcer.security.mutualSSL]\ncertificateHeader = "x-my-id"\n');
  const named = load(naming);
  assert.ok(named.config.apis.some(({ sources }) => sources?.some(({ header }) => header === 'X-My-Id')));
  rmSync(join(root, 'choreo-connect/config.toml'));
  assert.equal(filesOf(load(naming)).get('listeners.json'), filesOf(named).get('listeners.json'));
});
