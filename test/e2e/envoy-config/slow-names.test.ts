import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { realEnvoy } from '../../support/real-envoy.ts';
import { startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const api = (name: string, backend: string): string =>
  `[[apis]]\nname = "${name}"\nversion = "1"\nmutualSSL = "off"\nbasePath = "/${name}"\nbackend = "${backend}"\n`;

test('Envoy listens, whether or not a publisher’s name server gives an answer', { skip }, async (t) => {
  const silent = createSocket('udp4');
  silent.bind(0, '127.0.0.1');
  t.after(() => silent.close());
  await once(silent, 'listening');
  const { port } = silent.address();
  const asked = once(silent, 'message');

  const name = 'https://slow.publisher.test';
  const asksIt = (yaml: string): string => {
    const tree = parse(yaml);
    const [cluster] = tree.static_resources.clusters.filter((each: { name: string }) => each.name === name);
    cluster.typed_dns_resolver_config = {
      name: 'envoy.network.dns_resolver.cares',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
        resolvers: [{ socket_address: { address: '127.0.0.1', port_value: port } }],
      },
    };
    return stringify(tree);
  };
  const gateway = await startGateway(envoy!.path, {
    toml: api('own', 'https://BACKEND') + api('mine', name),
    foreign: 1,
    editEnvoy: asksIt,
  });
  t.after(() => gateway.stop());
  gateway.authz.script = () => ({ allow: true });

  await asked;
  assert.equal((await gateway.send({ path: '/own/x' })).status, 200);
  assert.equal((await gateway.send({ path: '/mine/x' })).status, 503);
  const given = await Promise.all(
    ['update_success', 'update_failure'].map((what) =>
      gateway.envoy.statistic(`cluster.slow_publisher_test_443.${what}`),
    ),
  );
  assert.deepEqual(given, [0, 0], 'nobody has given it up');
});
