import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { formatName } from '../../../src/pki/certificate/name.ts';
import { listValue, messageValue, nameValue, subjectValue } from '../../../src/upstream/field-value.ts';
import { selfSigned } from '../../support/certificate-authority.ts';

const names: readonly [text: string, value: string][] = [
  ['admin', 'admin'],
  ['admin ', 'admin\\20'],
  [' admin', '\\20admin'],
  ['  admin  ', '\\20 admin \\20'],
  [' ', '\\20'],
  ['\tadmin', '\\09admin'],
  ['a b', 'a b'],
  ['él', '\\C3\\A9l'],
  ['\\C3\\A9l', '\\5CC3\\5CA9l'],
  ['DOMAIN\\user', 'DOMAIN\\5Cuser'],
  ['a\u00a0', 'a\\C2\\A0'],
  ['a\r\nset-cookie: x', 'a\\0D\\0Aset-cookie: x'],
];
for (const [text, value] of names)
  test(`the name ${JSON.stringify(text)} as a header`, () => assert.equal(nameValue(text), value));

const lists: readonly [names: readonly string[], value: string][] = [
  [['orders:read', 'orders:write'], 'orders:read orders:write'],
  [['orders:read orders:write'], 'orders:read\\20orders:write'],
  [['orders:read\\20orders:write'], 'orders:read\\5C20orders:write'],
  [[], ''],
];
for (const [list, value] of lists)
  test(`the list ${JSON.stringify(list)} as a header`, () => assert.equal(listValue(list), value));

/** The way back: where there is one, no two texts are one value. */
const read = (value: string): string =>
  Buffer.from(
    value.replace(/\\([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString();

describe('any text whatever', () => {
  const text = fc.string({ unit: 'grapheme' });
  const odd = fc.oneof(
    text,
    fc.string({ unit: fc.constantFrom(' ', '\\', '2', '0', 'C', 'é', '\n', '\0', ',', '"') }),
  );
  it('is a value that no HTTP peer changes, and that can be read back', () => {
    fc.assert(
      fc.property(odd, (name) => {
        const value = nameValue(name);
        assert.match(value, /^$|^[\x21-\x7E]([\x20-\x7E]*[\x21-\x7E])?$/);
        assert.equal(read(value), name);
      }),
    );
  });
  it('is one element of a list', () => {
    fc.assert(
      fc.property(fc.array(odd.filter(Boolean)), (list) => {
        const value = listValue(list);
        assert.match(value, /^[\x20-\x7E]*$/);
        assert.deepEqual(value === '' ? [] : value.split(' ').map(read), list);
      }),
    );
  });
  it('as a message ends no line, and is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (message) => {
        const value = messageValue(message);
        return /^[\x20-\x7E]*$/.test(value) && value.length <= 1024;
      }),
    );
  });
});

test('subjects that differ in a space at the end, or in what looks like an escape, differ as headers', async () => {
  const headerOf = async (subject: string): Promise<string> =>
    subjectValue(formatName(readCertificate((await selfSigned({ subject })).der).subject));
  assert.equal(await headerOf('O=Org\\ , CN=bob'), 'CN=bob,O=Org\\20');
  const values = await Promise.all(
    ['CN=bob', 'CN=bob\\ ', 'CN=\\ bob', 'CN=Zoë', 'CN=Zo\\\\C3\\\\AB'].map(headerOf),
  );
  assert.equal(new Set(values).size, values.length, values.join(' | '));
  for (const value of values) assert.match(value, /^[\x21-\x7E]([\x20-\x7E]*[\x21-\x7E])?$/);
});
