import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { realEnvoy } from '../../support/real-envoy.ts';
import { type Gateway, startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const api = `
[[apis]]
name = "pets"
version = "1"
basePath = "/pets"
mutualSSL = "mandatory"
backend = "https://BACKEND"
`;
const lines: Readonly<Record<string, string>> = {
  standard: '',
  listed:
    'allowOrigins = ["https://app.test", "https://*.apps.test"]\nallowCredentials = true\nexposeHeaders = ["x-mtls-reason"]',
  'all with credentials': 'allowCredentials = true',
  off: 'enabled = false',
};
const gateways = new Map<string, Gateway>();
before(async () => {
  if (!envoy) return;
  await Promise.all(
    Object.entries(lines).map(async ([name, cors]) => {
      const gateway = await startGateway(envoy.path, { toml: `[router.cors]\n${cors}\n${api}` });
      gateway.authz.script = () => ({ allow: false, status: 401, reason: 'certificate_missing' });
      gateways.set(name, gateway);
    }),
  );
});
after(() => Promise.all([...gateways.values()].map((gateway) => gateway.stop())));

const table: readonly [cors: string, origin: string, allowed: boolean, credentials: boolean, why: string][] =
  [
    ['standard', 'https://anybody.test', true, false, 'all origins, without credentials'],
    ['listed', 'https://app.test', true, true, 'a listed one'],
    ['listed', 'https://a.b.apps.test', true, true, 'one that fits a star'],
    ['listed', 'https://app.test.evil.test', false, false, 'one that only begins so'],
    ['listed', 'https://evil.test/.apps.test', false, false, 'a star is part of a host name'],
    ['listed', 'https://aXapps.test', false, false, 'a dot is a dot'],
    ['listed', 'null', false, false, 'no origin at all'],
    ['all with credentials', 'https://evil.test', true, false, 'all origins never get credentials'],
    ['off', 'https://anybody.test', false, false, 'nobody'],
  ];
for (const [name, origin, allowed, credentials, why] of table) {
  test(`cors ${name}, origin ${origin}: ${why}`, { skip }, async () => {
    const gateway = gateways.get(name)!;
    gateway.authz.asked.length = 0;
    const preflight = await gateway.send({
      method: 'OPTIONS',
      path: '/pets/1',
      headers: [
        ['origin', origin],
        ['access-control-request-method', 'PUT'],
      ],
    });
    assert.equal(preflight.status, allowed ? 200 : 401);
    assert.equal(preflight.headers['access-control-allow-origin'], allowed ? origin : undefined);
    assert.equal(preflight.headers['access-control-allow-credentials'], credentials ? 'true' : undefined);
    assert.equal(gateway.authz.asked.length, allowed ? 0 : 1, 'a pre-flight needs no certificate');
    if (allowed) assert.match(String(preflight.headers['access-control-allow-methods']), /PUT/);

    const actual = await gateway.send({ path: '/pets/1', headers: [['origin', origin]] });
    assert.equal(actual.status, 401, 'the request itself does');
    assert.equal(actual.headers['access-control-allow-origin'], allowed ? origin : undefined);
    const exposed = allowed ? 'x-mtls-reason,x-request-id' : undefined;
    assert.equal(actual.headers['access-control-expose-headers'], exposed, 'a script reads why');
    assert.equal(gateway.backend.seen.length, 0);
  });
}

test('an OPTIONS that is no pre-flight is a request like any', { skip }, async () => {
  const { status } = await gateways.get('standard')!.send({ method: 'OPTIONS', path: '/pets/1' });
  assert.equal(status, 401);
});
