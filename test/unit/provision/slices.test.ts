import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '../../../src/documents/files.ts';
import { JwksFeeds } from '../../../src/feeds/jwks.ts';
import { placeholder } from '../../../src/provision/definitions.ts';
import { apisByDomain } from '../../../src/provision/hosts.ts';
import { readOwnConfig } from '../../../src/provision/own-config.ts';
import { provision } from '../../../src/provision/provision.ts';
import { now } from '../../support/certificate-authority.ts';

/** How often Checks may be answered while a configuration of so many clients and APIs, on so many hosts, is built. */
function pauses(clients: number, apis: number, hosts = 1): number {
  const named = JSON.stringify(Array.from({ length: hosts }, (_, i) => `h${i}.test`));
  const text = [
    ...Array.from(
      { length: clients },
      (_, i) => `[[clients]]\nalias = "c${i}"\nfingerprints = ["${i.toString(16).padStart(64, '0')}"]\n`,
    ),
    ...Array.from(
      { length: apis },
      (_, i) =>
        `[[apis]]\nname = "a${i}"\nversion = "1"\nbasePath = "/a${i}"\naliases = ["c0"]\nhosts = ${named}\n`,
    ),
  ].join('');
  const files = { text: () => text, bytes: () => Buffer.from(text), list: () => [] } satisfies Files;
  const own = readOwnConfig('config.toml', {}, files);
  assert.ok('ok' in own, JSON.stringify(own));
  const work = provision(own.ok, [], { now, jwksFeeds: new JwksFeeds(() => {}) });
  for (let count = 0; ; count++) {
    const step = work.next();
    if (!step.done) continue;
    assert.ok('ok' in step.value);
    return count;
  }
}

test('nothing that is done for each client or API is done for all of them in one go', () => {
  const few = pauses(10, 10);
  // Its alias compared, read, measured, pinned, made ready, grouped, asked whether foreign files have it, for its tier, and
  // when its certificate ends.
  assert.equal(pauses(110, 10) - few, 9 * 100);
  // Its own clients read, built, given its place, and its clients asked for their tiers.
  assert.equal(pauses(10, 110) - few, 4 * 100);
});

test('nor for all hosts of an API of config.toml', () => {
  // Read, and given its place.
  assert.equal(pauses(10, 1, 101) - pauses(10, 1, 1), 2 * 100);
  const api = placeholder({ name: 'a', version: '1', basePath: '/a', hosts: ['a.test', 'b.test'] });
  // And once for each site of Envoy that they make.
  assert.equal([...apisByDomain([api])].length, 2 + 2, 'beside hosts of foreign files');
});
