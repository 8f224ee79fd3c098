import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readEscapedPem } from '../../../../src/client-certificate/formats/escaped-pem.ts';
import { readPem, writePem } from '../../../../src/client-certificate/formats/pem-text.ts';
import { percentDecode, readPercentPem } from '../../../../src/client-certificate/formats/percent.ts';
import { defaultLimits } from '../../../../src/client-certificate/formats/reading.ts';
import { intermediate, leaf, root } from '../samples.ts';

const escaped = (...ders: readonly Uint8Array[]): string => encodeURIComponent(ders.map(writePem).join(''));

/** One step after another. */
const inSteps = (text: string) => {
  const pem = percentDecode(text);
  return pem === undefined ? undefined : readPem(pem, '\n', defaultLimits, 'the header');
};

/** What it reads, the steps read; what it does not read, they may. */
function agrees(text: string): boolean {
  const read = readEscapedPem(text, defaultLimits.certificates);
  const steps = inSteps(text);
  // Of lengths it knows nothing.
  if (read !== undefined && steps?.kind === 'error' && steps.code !== 'header_coding_invalid')
    assert.deepEqual(readPercentPem(text, defaultLimits), steps);
  else if (read !== undefined)
    assert.deepEqual({ kind: 'certificates', ders: read.map((der) => Buffer.from(der)) }, steps);
  return read !== undefined;
}

test('what Envoy and nginx write is read at once, of any length, certificate after certificate', () => {
  for (const ders of [[leaf], [leaf, intermediate], [leaf, intermediate, root]])
    assert.ok(agrees(escaped(...ders)));
  for (let length = 1; length < 200; length++) assert.ok(agrees(escaped(Buffer.alloc(length, 0xfb))));
});

test('base64 may have its + / = unescaped, as load balancers write it', () => {
  const bare = escaped(leaf).replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '=');
  assert.ok(agrees(bare));
});

const rows: readonly (readonly [what: string, text: string])[] = [
  ['nothing', ''],
  ['no certificate', 'x'],
  ['a block with nothing in it', '-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----%0A'],
  ['its end is missing', escaped(leaf).slice(0, -40)],
  ['the last line end is missing', escaped(leaf).slice(0, -3)],
  ['lower-case escapes', escaped(leaf).replaceAll('%0A', '%0a')],
  ['carriage returns', escaped(leaf).replaceAll('%0A', '%0D%0A')],
  ['bare spaces', escaped(leaf).replaceAll('%20', ' ')],
  ['other PEM', escaped(leaf).replaceAll('CERTIFICATE', 'PUBLIC%20KEY')],
  ['text before', `x${escaped(leaf)}`],
  ['text behind', `${escaped(leaf)}x`],
  ['an escape that is cut off', escaped(leaf).replace(/.{2}(?=-----END)/, '%0')],
  ['more than may be', escaped(...Array.from({ length: defaultLimits.certificates + 1 }, () => leaf))],
  ['a character beyond Latin-1', escaped(leaf).replace('M', '\u014d')],
  ['an escape with one', escaped(leaf).replace('%0A', '%\u0000\u3041')],
];
for (const [what, text] of rows)
  test(`${what}: left to the steps`, () => {
    assert.equal(agrees(text), false);
  });

test('a long text in another way of writing is left to the steps without being copied', (t) => {
  const copied = t.mock.method(Buffer, 'from');
  for (const character of ['A', '%', '\u00e9', '\u3041', '\ud800'])
    assert.equal(readEscapedPem(character.repeat(150_000), defaultLimits.certificates), undefined);
  assert.equal(copied.mock.callCount(), 0);
});

test('whatever is changed in it, it reads what the steps read or leaves it to them', () => {
  const pieces = [
    'A',
    '/',
    '+',
    '=',
    '%',
    '%3D',
    '%3D%3D',
    '%0A',
    '%2B',
    '%2f',
    '-',
    '\u3041',
    ' ',
    '%00',
    '%C3%A9',
  ];
  const change = fc.record({
    at: fc.nat(),
    length: fc.nat({ max: 3 }),
    by: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })),
  });
  let read = 0;
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 120 }),
      fc.array(change, { maxLength: 3 }),
      (bytes, changes) => {
        let text = escaped(bytes);
        for (const { at, length, by } of changes) {
          const from = at % (text.length + 1);
          text = text.slice(0, from) + by + text.slice(from + length);
        }
        if (agrees(text)) read++;
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(read > 500, `${read} of 3000 were read at once`);
});
