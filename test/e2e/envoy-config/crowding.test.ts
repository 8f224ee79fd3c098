import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { realEnvoy } from '../../support/real-envoy.ts';
import { type Gateway, startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const api = (name: string, basePath: string, hosts: readonly string[]): string => `[[apis]]
name = "${name}"
version = "1"
mutualSSL = "off"
basePath = "${basePath}"
hosts = ${JSON.stringify(hosts)}
backend = "https://BACKEND"
`;
const label = 'k'.repeat(60);
/** As long, and as many, as one regular expression of Envoy has. */
const many = Array.from({ length: 250 }, (_, i) => `h${i}.${label}.${label}.${label}.test`);

let gateway: Gateway;
before(async () => {
  if (!envoy) return;
  const foreign = [
    api('mine', '/own/p', ['mine.test', '*.Wild.test', '::1']),
    api('other', '/shop', ['other.test']),
    api('many', '/own/many', many),
  ];
  gateway = await startGateway(envoy.path, {
    toml: [api('own', '/own', ['*']), ...foreign].join(''),
    crowding: foreign.length,
  });
  gateway.authz.script = () => ({ allow: true });
});
after(() => gateway?.stop());

const table: readonly [host: string, path: string, status: number, why: string][] = [
  ['mine.test', '/own/p/x', 503, 'what has no room falls through to no shorter base path'],
  ['mine.test', '/own/p', 503, 'the base path itself'],
  ['MINE.Test', '/own/p/x', 503, 'in another case'],
  ['mine.test:8443', '/own/p/x', 503, 'with a port'],
  ['mine.test:000443', '/own/p/x', 503, 'with a port as only Envoy reads it'],
  ['mine.test.', '/own/p/x', 503, 'with a dot at its end'],
  ['Mine.test.:8443', '/own/p/x', 503, 'with all of them'],
  ['[::1]', '/own/p/x', 503, 'an address'],
  ['[::1]:8443', '/own/p/x', 503, 'an address with a port'],
  ['a.wild.test', '/own/p/x', 503, 'a wildcard'],
  ['A.b.wild.TEST.:1', '/own/p/x', 503, 'however deep'],
  ['mine.test', '/own/x', 200, 'what is beside it there is config.toml’s'],
  ['other.test', '/own/p/x', 200, 'and all of it at the host of another that has no room either'],
  ['other.test:8443', '/own/p/x', 200, 'with a port, too'],
  ['other.test', '/shop', 503, 'which has its own refused'],
  ['any.test', '/own/p/x', 200, 'and where nobody else is'],
  ['minextest', '/own/p/x', 200, 'a dot of a host is a dot'],
  ['wild.test', '/own/p/x', 200, 'a wildcard is not for no label'],
  [many[0]!, '/own/many', 503, 'the first of many hosts'],
  [many.at(-1)!, '/own/many', 503, 'the last of many hosts'],
  ['mine.test', '/own/many', 200, 'of which this is none'],
];
for (const [host, path, status, why] of table)
  for (const protocol of ['http/1.1', 'h2'] as const)
    test(`${protocol} ${host.slice(0, 40)}${path} -> ${status}: ${why}`, { skip }, async () => {
      const answer = await gateway.send({ host, path, protocol });
      assert.equal(answer.status, status, answer.body);
    });
