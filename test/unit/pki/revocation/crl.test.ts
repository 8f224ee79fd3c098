import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readName } from '../../../../src/pki/certificate/name.ts';
import { readWhole } from '../../../../src/pki/der/der.ts';
import { readCrl } from '../../../../src/pki/revocation/crl.ts';
import { CrlError } from '../../../../src/pki/revocation/crl-error.ts';
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
  const at = (issuer: string, serial: string) => read.revoked.find(keyOf(issuer), serial) !== undefined;
  assert.deepEqual(
    [at('CA', '01'), at('CA', '02'), at('CA', '03'), at('Other', '01'), at('Other', '02'), at('Other', '03')],
    [true, false, false, false, true, true],
  );
});

test('bytes that are none', () => {
  for (const some of ['', '30', '3000', '308000', '300330010', 'ff'.repeat(40)]) {
    assert.equal(codeOf(bytes(some)), 'crl_malformed');
  }
});
