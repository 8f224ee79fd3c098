import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { writeRateLimitConfig } from '../../../src/envoy-config/ratelimit-service.ts';
import { ownTiers } from '../../../src/provision/tiers.ts';
import { nameValue } from '../../../src/upstream/field-value.ts';
import { patient } from '../../support/envoy.ts';
import { freePort } from '../../support/free-port.ts';
import { program } from '../../support/program.ts';
import { type RateLimitService, startRateLimitService } from '../../support/rate-limit-service.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { type Gateway, startGateway } from './gateway.ts';

const { envoy, skip: noEnvoy } = await realEnvoy();
const service = program('service_cmd', 'go install github.com/envoyproxy/ratelimit/src/service_cmd@latest');
const redis = program('redis-server', 'apt-get install redis-server');
const skip = noEnvoy || service.skip || redis.skip;

let gateway: Gateway;
let limits: RateLimitService;
before(async () => {
  if (skip !== false) return;
  const port = await freePort();
  gateway = await startGateway(envoy!.path, {
    editEnvoy: patient,
    toml: `[router.rateLimit]
service = "127.0.0.1:${port}"
failureMode = "deny"
[[tiers]]
name = "one"
requests = 1
per = "day"
[[tiers]]
name = "one_\\\\account_a"
requests = 1
per = "day"
[[tiers]]
name = "by API"
requests = 1
per = "day"
key = "api"
[[apis]]
name = "a"
version = "1"
basePath = "/a"
backend = "https://BACKEND"
`,
  });
  gateway.authz.script = ({ http }) => {
    const parts = http.path.split('/').map((part) => nameValue(decodeURIComponent(part)));
    const [, , tier = '', alias = '', api = '', version = ''] = parts;
    return { allow: true, metadata: { tier, account: alias, api, version, errorFormat: 'apk' } };
  };
  limits = await startRateLimitService(
    { service: service.found!, redis: redis.found! },
    port,
    writeRateLimitConfig(ownTiers(gateway.config)),
  );
});
after(async () => {
  await limits?.stop();
  await gateway?.stop();
});

const statusOf = async (...parts: readonly string[]): Promise<number> =>
  (await gateway.send({ path: `/a/${parts.map(encodeURIComponent).join('/')}` })).status;

/** The service joins what it counts by with `_`: names with `_` must not make one of two. */
const apart: readonly [words: string, one: readonly string[], other: readonly string[]][] = [
  ['an alias with the name of a key', ['by API', 'a_api_b', 'c', '1'], ['by API', 'a', 'b_api_c', '1']],
  ['the same as the service gets it', ['by API', 'a_\\api_b', 'c', '1'], ['by API', 'a', 'b_\\api_c', '1']],
  ['a version', ['by API', 'x', 'a', '1_version_2'], ['by API', 'x', 'a_version_1', '2']],
  ['a tier', ['one', 'a_\\account_b'], ['one_\\account_a', 'b']],
];
for (const [words, one, other] of apart)
  test(`counted apart: ${words}`, { skip }, async () => {
    assert.deepEqual([await statusOf(...one), await statusOf(...other)], [200, 200]);
    assert.equal(await statusOf(...one), 429);
  });
