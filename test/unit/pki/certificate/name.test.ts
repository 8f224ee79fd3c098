import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatName, type Name, named, readName } from '../../../../src/pki/certificate/name.ts';
import { readWhole } from '../../../../src/pki/der/der.ts';
import { heldBy } from '../../../support/held-memory.ts';
import { bytes, der, name, oid, printable, sequence, set, utf8 } from '../der-writer.ts';

const read = (encoded: Uint8Array): Name => readName(readWhole(encoded, 0x30, 'Name'));
const cn = (value: Uint8Array): Name => read(sequence(set(sequence(oid('2.5.4.3'), value))));
const bmp = (text: string) => der(0x1e, Buffer.from(text, 'utf16le').swap16());

const comparisons: readonly (readonly [sentence: string, a: Name, b: Name, same: boolean])[] = [
  ['case does not count', cn(utf8('Example CA')), cn(utf8('EXAMPLE ca')), true],
  ['the string type does not count', cn(utf8('Example')), cn(printable('Example')), true],
  ['nor BMPString', cn(utf8('Exämple')), cn(bmp('exämple')), true],
  ['spaces at the ends do not count', cn(utf8(' Example ')), cn(utf8('Example')), true],
  ['a run of spaces counts as one', cn(utf8('Example   CA')), cn(utf8('Example CA')), true],
  ['a missing space counts', cn(utf8('ExampleCA')), cn(utf8('Example CA')), false],
  ['an invisible character does not count', cn(utf8('Exa\u00admple')), cn(utf8('Example')), true],
  ['compatible forms are the same', cn(utf8('\uff21BC')), cn(utf8('abc')), true],
  ['composed and decomposed are the same', cn(utf8('e\u0301')), cn(utf8('\u00e9')), true],
  ['sharp s is two', cn(utf8('Straße')), cn(utf8('STRASSE')), true],
  ['letters that look alike are not the same', cn(utf8('\u0430')), cn(utf8('a')), false],
  ['a tab is a space', cn(utf8('a\tb')), cn(utf8('a b')), true],
  ['the attribute type counts', read(name('CN=a')), read(name('O=a')), false],
  ['the order of RDNs counts', read(name('CN=a', 'O=b')), read(name('O=b', 'CN=a')), false],
  [
    'two RDNs are not one with two attributes',
    read(name('CN=a', 'O=b')),
    multi('2.5.4.3=a', '2.5.4.10=b'),
    false,
  ],
  [
    'the order within an RDN does not count',
    multi('2.5.4.3=a', '2.5.4.10=b'),
    multi('2.5.4.10=b', '2.5.4.3=a'),
    true,
  ],
  ['a value can not spell the next RDN', read(name('CN=a,2.5.4.10=1:b')), read(name('CN=a', 'O=b')), false],
  [
    'other types are compared by their bytes',
    cn(der(0x03, bytes('00aa'))),
    cn(der(0x03, bytes('00bb'))),
    false,
  ],
  ['a prefix is not the whole', read(name('C=DE')), read(name('C=DE', 'O=b')), false],
];

function multi(...attributes: readonly string[]): Name {
  const parts = attributes.map((attribute) => {
    const [type, text] = attribute.split('=') as [string, string];
    return sequence(oid(type), utf8(text));
  });
  return read(sequence(set(...parts)));
}

for (const [sentence, a, b, same] of comparisons) {
  test(sentence, () => assert.equal(a.key === b.key, same, `${a.key} | ${b.key}`));
}

const formats: readonly (readonly [encoded: Name, text: string])[] = [
  [read(name('C=DE', 'O=Example, Inc.', 'CN=a+b')), 'CN=a\\+b,O=Example\\, Inc.,C=DE'],
  [cn(utf8(' #a ')), 'CN=\\ #a\\ '],
  [cn(utf8('#a')), 'CN=\\#a'],
  [cn(utf8(' ')), 'CN=\\ '],
  [cn(utf8('a\\"<>;')), 'CN=a\\\\\\"\\<\\>\\;'],
  [cn(utf8('a\nb\u0000')), 'CN=a\\0Ab\\00'],
  [cn(utf8('a\u202eb')), 'CN=a\\E2\\80\\AEb'],
  [cn(utf8('Lučić')), 'CN=Lučić'],
  [read(name('1.2.3.4=x')), '1.2.3.4=#0c0178'],
  [multi('2.5.4.3=a', '2.5.4.10=b'), 'CN=a+O=b'],
  [read(sequence()), ''],
];

for (const [encoded, text] of formats) {
  test(`a name is written ${JSON.stringify(text)}`, () => assert.equal(formatName(encoded), text));
}

/** RFC 4514 section 2.4, character by character. */
const escaped = (value: string): string =>
  [...value]
    .map((character, at, { length }) => {
      const isAtEnd = (at === 0 && ' #'.includes(character)) || (at === length - 1 && character === ' ');
      if (isAtEnd || '\\"+,;<>'.includes(character)) return `\\${character}`;
      if (!/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u.test(character)) return character;
      return [...Buffer.from(character)]
        .map((byte) => `\\${byte.toString(16).padStart(2, '0').toUpperCase()}`)
        .join('');
    })
    .join('');

test('any name is written as RFC 4514 has it, whatever stands in it, and alone or with others', () => {
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...' #"+,;<=>\\aZ-:?[]~\x7f\0é\u202e😀') }),
  );
  const rdns = fc.array(fc.array(value, { minLength: 1, maxLength: 3 }), { maxLength: 4 });
  fc.assert(
    fc.property(rdns, (values) => {
      const rdn = (one: readonly string[]) => set(...one.map((text) => sequence(oid('2.5.4.3'), utf8(text))));
      assert.equal(
        formatName(read(sequence(...values.map(rdn)))),
        values
          .map((one) => one.map((text) => `CN=${escaped(text)}`).join('+'))
          .reverse()
          .join(','),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('what is said of a long name is cut, and keeps no more of it in memory than it says', async () => {
  const said = (n: number): string =>
    `${named({ subject: cn(utf8(`${n} ${'x'.repeat(50_000)}`)) })} is revoked`;
  assert.equal(said(1).length, 200 + ' is revoked'.length);
  const held = await heldBy(() => Array.from({ length: 200 }, (_, n) => said(n)));
  assert.ok(held < 200 * 10_000, `${held} bytes`);
});
