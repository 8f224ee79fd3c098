import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { readName } from '../../../../src/pki/certificate/name.ts';
import { readWhole } from '../../../../src/pki/der/der.ts';
import { integerOctets } from '../../../../src/pki/der/der-values.ts';
import { readCrl } from '../../../../src/pki/revocation/crl.ts';
import { CrlError } from '../../../../src/pki/revocation/crl-error.ts';
import { now } from '../../../support/certificate-authority.ts';
import {
  boolean,
  bytes,
  der,
  explicit,
  extension,
  implicit,
  integer,
  name,
  oid,
  sequence,
  time,
} from '../der-writer.ts';
import { entity, nothing } from '../forge.ts';
import {
  type CrlParts,
  certificateIssuer,
  crlExtensions,
  crlNumber,
  deltaOf,
  entry,
  forgeCrlDer,
  reason,
  scope,
} from './crl-forge.ts';

const issuer = entity('CA');

function codeOf(bytes: Uint8Array): string {
  try {
    readCrl(bytes);
    return 'read';
  } catch (error) {
    assert.ok(error instanceof CrlError, String(error));
    return error.code;
  }
}

const withExtensions = (...list: readonly Uint8Array[]): Partial<CrlParts> => ({
  crlExtensions: crlExtensions(crlNumber(1), ...list),
});
const withEntries = (...list: readonly Uint8Array[]): Partial<CrlParts> => ({
  revokedCertificates: sequence(...list),
});
const keyOf = (cn: string): string => readName(readWhole(name(`CN=${cn}`), 0x30, 'name')).key;
const [long, lessLong] = [Buffer.alloc(16_384), Buffer.alloc(16_000)];
const namesOf = (count: number) =>
  explicit(
    0,
    explicit(0, Buffer.concat(Array.from({ length: count }, () => implicit(6, Buffer.from('http://a'))))),
  );
const issuedBy = (count: number, length: number) =>
  Array.from({ length: count }, (_, i) =>
    entry('01', certificateIssuer(explicit(4, name(`CN=${'a'.repeat(length)}${i}`)))),
  );
const flag = (n: number) => implicit(n, bytes('ff'));

const rows: readonly (readonly [sentence: string, parts: Partial<CrlParts>, code: string])[] = [
  ['a plain one', {}, 'read'],
  ['with entries', withEntries(entry('01'), entry('02', reason(1))), 'read'],
  ['with an empty list', withEntries(), 'read'],
  ['version 1', { version: nothing, crlExtensions: nothing }, 'read'],
  ['version 1 with extensions', { version: nothing }, 'crl_version_unsupported'],
  ['version 1, written out', { version: integer(0), crlExtensions: nothing }, 'crl_version_unsupported'],
  ['version 3', { version: integer(2) }, 'crl_version_unsupported'],
  ['two signature algorithms', { signature: sequence(oid('1.2.840.10045.4.3.3')) }, 'crl_algorithms_differ'],
  ['no issuer', { issuer: sequence() }, 'crl_issuer_empty'],
  ['no nextUpdate', { nextUpdate: nothing }, 'read'],
  ['no extensions', { crlExtensions: nothing }, 'read'],
  ['no cRLNumber', { crlExtensions: crlExtensions(deltaOf(1)) }, 'read'],
  ['a negative cRLNumber', { crlExtensions: crlExtensions(crlNumber(-1)) }, 'crl_extension_malformed'],
  ['a cRLNumber of 20 octets', { crlExtensions: crlExtensions(crlNumber(2n ** 160n - 1n)) }, 'read'],
  [
    'a critical cRLNumber',
    { crlExtensions: crlExtensions(extension('2.5.29.20', integer(1), true)) },
    'crl_critical_extension_unknown',
  ],
  ['an extension twice', withExtensions(crlNumber(2)), 'crl_extension_duplicate'],
  ['an unknown extension', withExtensions(extension('1.2.3', nothing)), 'read'],
  [
    'an unknown critical extension',
    withExtensions(extension('1.2.3', nothing, true)),
    'crl_critical_extension_unknown',
  ],
  ['an unknown extension of an entry', withEntries(entry('01', extension('1.2.3', nothing))), 'read'],
  [
    'an unknown critical extension of an entry',
    withEntries(entry('01', extension('1.2.3', nothing, true))),
    'crl_critical_extension_unknown',
  ],
  [
    'an extension of an entry twice',
    withEntries(entry('01', reason(1), reason(2))),
    'crl_extension_duplicate',
  ],
  [
    'a reason that is none',
    withEntries(entry('01', extension('2.5.29.21', integer(1)))),
    'crl_extension_malformed',
  ],
  [
    'a certificateIssuer without a name',
    withEntries(entry('01', certificateIssuer(implicit(2, Buffer.from('a'))))),
    'crl_extension_malformed',
  ],
  [
    'extensions that say nothing about status',
    withExtensions(
      extension('2.5.29.35', sequence(implicit(0, bytes('aa')))),
      extension(
        '2.5.29.46',
        sequence(sequence(explicit(0, explicit(0, implicit(6, Buffer.from('http://a')))))),
      ),
    ),
    'read',
  ],
  [
    'a freshestCRL that is none',
    withExtensions(extension('2.5.29.46', sequence())),
    'crl_extension_malformed',
  ],
  [
    'a date of invalidity',
    withEntries(entry('01', extension('2.5.29.24', der(0x18, Buffer.from('20260101000000Z'))))),
    'read',
  ],
  [
    'a date of invalidity that is none',
    withEntries(entry('01', extension('2.5.29.24', integer(1)))),
    'crl_extension_malformed',
  ],
  ['an empty scope', withExtensions(scope()), 'crl_extension_malformed'],
  [
    'a scope of user and of CA certificates',
    withExtensions(scope(flag(1), flag(2))),
    'crl_extension_malformed',
  ],
  [
    'a scope with fields in the wrong order',
    withExtensions(scope(flag(4), flag(1))),
    'crl_extension_malformed',
  ],
  [
    'a scope with a boolean that is neither',
    withExtensions(scope(implicit(1, bytes('01')))),
    'crl_extension_malformed',
  ],
  ['an entry that is long', withEntries(entry('01', extension('1.2.3', long))), 'crl_too_large'],
  ['an entry that is not quite as long', withEntries(entry('01', extension('1.2.3', lessLong))), 'read'],
  ['a long extension', withExtensions(extension('1.2.3', long)), 'crl_too_large'],
  ['one that is not quite as long', withExtensions(extension('1.2.3', lessLong)), 'read'],
  ['a scope of 65 names', withExtensions(scope(namesOf(65))), 'crl_too_large'],
  ['a scope of 64 names', withExtensions(scope(namesOf(64))), 'read'],
  ['entries of 200 other issuers with long names', withEntries(...issuedBy(200, 6_000)), 'crl_too_large'],
  ['entries of 20,000 other issuers', withEntries(...issuedBy(20_000, 1)), 'read'],
  ['bytes after the end', { tail: boolean(true) }, 'crl_malformed'],
  ['a date that is none', { thisUpdate: der(0x17, Buffer.from('991301000000Z')) }, 'crl_malformed'],
];

for (const [sentence, parts, code] of rows) {
  test(`${sentence}: ${code}`, () => assert.equal(codeOf(forgeCrlDer(issuer, parts)), code));
}

test('an entry belongs to the issuer that was named last', () => {
  const other = explicit(4, name('CN=Other'));
  const read = readCrl(
    forgeCrlDer(issuer, withEntries(entry('01'), entry('02', certificateIssuer(other)), entry('03'))),
  );
  const at = (issuer: string, serial: string) =>
    read.revoked.find(keyOf(issuer), bytes(serial)) !== undefined;
  assert.deepEqual(
    [at('CA', '01'), at('CA', '02'), at('CA', '03'), at('Other', '01'), at('Other', '02'), at('Other', '03')],
    [true, false, false, false, true, true],
  );
});

/** Entries, the serial number that is looked up as hex, and of what is found the reason; 'none': nothing is. */
const lookups: readonly (readonly [
  sentence: string,
  entries: readonly Uint8Array[],
  serial: string,
  found: number | undefined | 'none',
])[] = [
  ['it says when, and where it says so, why', [entry('01', reason(4))], '01', 4],
  ['it need not say why', [entry('01')], '01', undefined],
  [
    'listed twice, it is revoked unless all say otherwise',
    [entry('01', reason(8)), entry('01', reason(1))],
    '01',
    1,
  ],
  ['whichever comes first', [entry('01', reason(1)), entry('01', reason(8))], '01', 1],
  ['removed twice, it is removed', [entry('01', reason(8)), entry('01', reason(8))], '01', 8],
  ['a negative one', [sequence(integer(-5), time(now))], 'fb', undefined],
  ['and no positive one of its octets', [sequence(integer(-5), time(now))], '00fb', 'none'],
  ['one with a zero before', [entry('80')], '0080', undefined],
  ['of 20 octets and that zero', [entry('ff'.repeat(20))], `00${'ff'.repeat(20)}`, undefined],
  ['zero', [entry('00')], '00', undefined],
  [
    'one that is longer than any may be takes no harm',
    [entry('11'.repeat(100)), entry('01')],
    '01',
    undefined,
  ],
  ['its beginning is another', [entry('11'.repeat(22))], '11'.repeat(21), 'none'],
  ['its end, too', [entry('0102')], '02', 'none'],
  [
    'an entry that is long itself',
    [entry('01', extension('1.2.3', new Uint8Array(200)), reason(1))],
    '01',
    1,
  ],
];
for (const [sentence, entries, serial, found] of lookups)
  test(`a serial number is found in its own bytes: ${sentence}`, () => {
    const { revoked } = readCrl(forgeCrlDer(issuer, withEntries(...entries)));
    const at = revoked.find(keyOf('CA'), bytes(serial));
    assert.equal(at === undefined ? 'none' : revoked.at(at).reasonCode, found);
    assert.equal(revoked.find(keyOf('Other'), bytes(serial)), undefined, 'nor of another issuer');
  });

test('every one of many is found, and nothing beside', () => {
  const all = Array.from({ length: 5_000 }, (_, i) =>
    hash('sha256', `${i}`)
      .slice(0, 2 * (1 + (i % 16)))
      .padStart(8, '4'),
  );
  const listed = new Set(all.filter((_, i) => i % 2 === 0));
  const { revoked } = readCrl(forgeCrlDer(issuer, withEntries(...[...listed].map((one) => entry(one)))));
  assert.equal(revoked.count, listed.size);
  for (const one of all) {
    const octets = integerOctets(readWhole(integer(BigInt(`0x${one}`)), 0x02, 'serial'));
    assert.equal(revoked.find(keyOf('CA'), octets) !== undefined, listed.has(one), one);
  }
});

test('bytes that are none', () => {
  for (const some of ['', '30', '3000', '308000', '300330010', 'ff'.repeat(40)]) {
    assert.equal(codeOf(bytes(some)), 'crl_malformed');
  }
});
