import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GeneralName } from '../../../../src/pki/certificate/general-name.ts';
import { readName } from '../../../../src/pki/certificate/name.ts';
import { readWhole } from '../../../../src/pki/der/der.ts';
import { comparisonOf, prepareBase } from '../../../../src/pki/path/name-matching.ts';
import { bytes, name } from '../der-writer.ts';

type Answer = boolean | 'unsupported';
type Side = 'permitted' | 'excluded';

const compare = (name: GeneralName, base: GeneralName, side: Side): Answer =>
  comparisonOf(name)(prepareBase(base), side);

const strings = (
  form: 'dNSName' | 'rfc822Name' | 'uniformResourceIdentifier',
  rows: readonly (readonly [value: string, base: string, permitted: Answer, excluded?: Answer])[],
): void => {
  for (const [value, base, permitted, excluded = permitted] of rows) {
    test(`${form} ${value} under ${base || 'nothing'}: ${permitted} where permitted, ${excluded} where excluded`, () => {
      assert.equal(compare({ form, value }, { form, value: base }, 'permitted'), permitted);
      assert.equal(compare({ form, value }, { form, value: base }, 'excluded'), excluded);
    });
  }
};

strings('dNSName', [
  ['example.com', 'example.com', true],
  ['EXAMPLE.com', 'example.COM', true],
  ['a.b.example.com', 'example.com', true],
  ['badexample.com', 'example.com', false],
  ['example.com', 'a.example.com', false],
  ['example.com', '', true],
  ['com', 'example.com', false],
  ['under_score.example.com', 'example.com', true],
  ['example.com.', 'example.com', 'unsupported'],
  ['exa mple.com', 'com', 'unsupported'],
  ['', 'example.com', 'unsupported'],
  ['a..example.com', 'example.com', 'unsupported'],
  ['example.com', '.example.com', 'unsupported'],
  ['example.com', '*.example.com', 'unsupported'],
  ['*.example.com', 'example.com', true],
  ['*.example.com', 'a.example.com', false, true],
  ['*.example.com', 'a.b.example.com', false, true],
  ['*.example.com', 'other.com', false],
  ['*.com', 'example.com', false, true],
  ['a.*.example.com', 'example.com', 'unsupported'],
  ['*', 'example.com', 'unsupported'],
]);

strings('rfc822Name', [
  ['a@example.com', 'a@example.com', true],
  ['a@EXAMPLE.com', 'a@example.COM', true],
  ['A@example.com', 'a@example.com', false],
  ['a@example.com', 'example.com', true],
  ['a@b.example.com', 'example.com', false],
  ['a@b.example.com', '.example.com', true],
  ['a@example.com', '.example.com', false],
  ['a@example.com', '', true],
  ['*@example.com', '*@example.com', true],
  ['user@example.com', '*@example.com', false],
  ['"a b"@example.com', 'example.com', true],
  ['"a@evil.com"@example.com', 'evil.com', false],
  ['a@b@example.com', 'example.com', 'unsupported'],
  ['example.com', 'example.com', 'unsupported'],
  ['@example.com', 'example.com', 'unsupported'],
  ['a@', 'example.com', 'unsupported'],
  ['a@example.com', 'a@b@c', 'unsupported'],
  ['a@[192.0.2.1]', 'example.com', 'unsupported'],
]);

strings('uniformResourceIdentifier', [
  ['https://example.com/a', 'example.com', true],
  ['https://EXAMPLE.com', 'example.com', true],
  ['https://user:word@example.com:8443/a?b#c', 'example.com', true],
  ['https://a.example.com/', 'example.com', false],
  ['https://a.example.com/', '.example.com', true],
  ['https://example.com/', '.example.com', false],
  ['https://evil.com/@example.com', 'example.com', false],
  ['https://evil.com#@example.com', 'example.com', false],
  ['https://evil.com?@example.com', 'example.com', false],
  ['spiffe://example.org/ns/a', 'example.org', true],
  ['https://192.0.2.1/', 'example.com', 'unsupported'],
  ['https://[::1]/', 'example.com', 'unsupported'],
  ['urn:uuid:1', 'example.com', 'unsupported'],
  ['mailto:a@example.com', 'example.com', 'unsupported'],
  ['https:///a', 'example.com', 'unsupported'],
  ['example.com', 'example.com', 'unsupported'],
]);

const addresses: readonly (readonly [address: string, range: string, answer: Answer])[] = [
  ['c0000201', 'c0000200 ffffff00', true],
  ['c0000301', 'c0000200 ffffff00', false],
  ['c0000201', 'c0000201 ffffffff', true],
  ['c0000202', 'c0000201 ffffffff', false],
  ['01020304', '00000000 00000000', true],
  ['c0000201', `${'00'.repeat(16)} ${'00'.repeat(16)}`, false],
  [`20010db8${'00'.repeat(12)}`, `20010db8${'00'.repeat(12)} ffffffff${'00'.repeat(12)}`, true],
  [`20010db9${'00'.repeat(12)}`, `20010db8${'00'.repeat(12)} ffffffff${'00'.repeat(12)}`, false],
  ['c0000201', 'c0000200 ff00ff00', 'unsupported'],
  ['c0000201', 'c0000200 fffffd00', 'unsupported'],
  ['c0000201', 'c0000200', 'unsupported'],
  ['c0000201', 'c0000200ff ffffff00ff', 'unsupported'],
];

for (const [address, range, answer] of addresses) {
  test(`the address ${address} in ${range}: ${answer}`, () => {
    const ip = (hex: string): GeneralName => ({ form: 'iPAddress', octets: bytes(hex) });
    assert.equal(compare(ip(address), ip(range), 'permitted'), answer);
  });
}

const directory = (...rdns: string[]): GeneralName => ({
  form: 'directoryName',
  name: readName(readWhole(name(...rdns), 0x30, 'Name')),
});

const names: readonly (readonly [name: string[], base: string[], answer: boolean])[] = [
  [['C=DE', 'O=a', 'CN=b'], ['C=DE', 'O=a'], true],
  [['C=de', 'O=A'], ['C=DE', 'O=a'], true],
  [['C=DE', 'O=ab'], ['C=DE', 'O=a'], false],
  [['C=DE'], ['C=DE', 'O=a'], false],
  [['O=a', 'C=DE'], ['C=DE', 'O=a'], false],
  [['C=DE'], [], true],
];

for (const [one, base, answer] of names) {
  test(`${one.join('/')} under ${base.join('/') || 'any name'}: ${answer}`, () =>
    assert.equal(compare(directory(...one), directory(...base), 'permitted'), answer));
}

test('forms that are not understood are told so', () => {
  for (const form of ['otherName', 'x400Address', 'ediPartyName', 'registeredID'] as const) {
    const one: GeneralName = { form, der: bytes('8800') };
    assert.equal(compare(one, one, 'permitted'), 'unsupported');
  }
});
