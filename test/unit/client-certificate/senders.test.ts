import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseNetwork,
  sendersOverlap,
  sentFrom,
  trustedSenders,
} from '../../../src/client-certificate/senders.ts';

const networks: readonly [text: string, network: string | undefined][] = [
  ['10.0.0.0/8', '10.0.0.0/8 ipv4'],
  ['192.0.2.7', '192.0.2.7/32 ipv4'],
  ['0.0.0.0/0', '0.0.0.0/0 ipv4'],
  ['::/0', '::/0 ipv6'],
  ['2001:db8::/32', '2001:db8::/32 ipv6'],
  ['::1', '::1/128 ipv6'],
  ['::ffff:10.0.0.0/104', '10.0.0.0/8 ipv4'],
  ['::FFFF:10.0.0.1', '10.0.0.1/32 ipv4'],
  ['::ffff:0a00:0001', '10.0.0.1/32 ipv4'],
  ['::ffff:0:0/95', undefined],
  ['10.0.0.0/33', undefined],
  ['10.0.0.0/08', undefined],
  ['10.0.0.0/', undefined],
  ['10.0.0.0/8/8', undefined],
  ['10.0.0.0/-1', undefined],
  ['10.0.0/8', undefined],
  ['010.0.0.1', undefined],
  ['fe80::1%eth0', undefined],
  ['localhost', undefined],
  ['', undefined],
];

for (const [text, expected] of networks) {
  test(`"${text}" is ${expected ?? 'no network'}`, () => {
    const network = parseNetwork(text);
    assert.equal(network && `${network.address}/${network.prefix} ${network.family}`, expected);
  });
}

const fits: readonly [senders: readonly string[], address: string | undefined, fits: boolean][] = [
  [['10.0.0.0/8'], '10.255.255.255', true],
  [['10.0.0.0/8'], '11.0.0.0', false],
  [['10.1.2.3/8'], '10.9.9.9', true],
  [['10.0.0.0/8'], '::ffff:10.1.1.1', true],
  [['10.0.0.0/8'], '::ffff:a01:101', true],
  [['10.0.0.0/8'], '0:0:0:0:0:ffff:10.1.1.1', false],
  [['::/0'], '10.1.1.1', false],
  [['::/0'], '::ffff:10.1.1.1', false],
  [['0.0.0.0/0'], '::1', false],
  [['fe80::/10'], 'fe80::1%eth0', true],
  [['2001:db8::/32'], '2001:0DB8:0::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['192.0.2.1', '::1'], '::1', true],
  [['0.0.0.0/0', '::/0'], undefined, false],
  [['0.0.0.0/0', '::/0'], 'pipe', false],
  [['0.0.0.0/0', '::/0'], '', false],
  [['alias:10.0.0.1'], '10.0.0.1', false],
  [[], '10.0.0.1', false],
];

for (const [senders, address, expected] of fits) {
  test(`${address} is ${expected ? '' : 'not '}one of ${JSON.stringify(senders)}`, () => {
    assert.equal(sentFrom(trustedSenders(senders), address), expected);
  });
}

const overlaps: readonly [a: readonly string[], b: readonly string[], overlap: boolean][] = [
  [['10.0.0.0/8'], ['10.20.0.0/16'], true],
  [['10.20.0.0/16'], ['10.0.0.0/8'], true],
  [['10.20.0.0/16'], ['10.21.0.0/16'], false],
  [['10.20.0.1/16'], ['10.20.9.9'], true],
  [['::ffff:10.0.0.0/104'], ['10.1.1.1'], true],
  [['0.0.0.0/0'], ['::/0'], false],
  [['alias:a', '10.0.0.1'], ['alias:a'], true],
  [['alias:a'], ['alias:A'], false],
  [['alias:a'], ['10.0.0.1'], false],
];

for (const [a, b, expected] of overlaps) {
  test(`${JSON.stringify(a)} and ${JSON.stringify(b)} ${expected ? 'overlap' : 'are apart'}`, () => {
    assert.equal(sendersOverlap(trustedSenders(a), trustedSenders(b)), expected);
    assert.equal(sendersOverlap(trustedSenders(b), trustedSenders(a)), expected);
  });
}

test('what is neither address, range nor alias is our own bug by then', () => {
  assert.throws(() => trustedSenders(['example.com']), TypeError);
});
