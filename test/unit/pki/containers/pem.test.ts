import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PemError, parsePem } from '../../../../src/pki/containers/pem.ts';

const block = (label = 'CERTIFICATE', body = 'AQID') =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

const good: readonly (readonly [sentence: string, text: string, blocks: readonly string[]])[] = [
  ['nothing', '', []],
  ['one block', block(), ['CERTIFICATE 010203 at 1']],
  ['two blocks', block() + block('X509 CRL', 'AQ=='), ['CERTIFICATE 010203 at 1', 'X509 CRL 01 at 4']],
  ['text around', `Certificate:\n    Data:\n${block()}the end`, ['CERTIFICATE 010203 at 3']],
  ['carriage returns', block().replaceAll('\n', '\r\n'), ['CERTIFICATE 010203 at 1']],
  ['carriage returns alone', block().replaceAll('\n', '\r'), ['CERTIFICATE 010203 at 1']],
  ['spaces at line ends', block().replaceAll('\n', ' \t\n'), ['CERTIFICATE 010203 at 1']],
  ['no line end at the end', block().trimEnd(), ['CERTIFICATE 010203 at 1']],
  ['lines of any length', block('A', 'AQ\nID'), ['A 010203 at 1']],
  ['spaces inside a line', block('A', 'AQ ID'), ['A 010203 at 1']],
  ['all on one line', block().replaceAll('\n', ' '), ['CERTIFICATE 010203 at 1']],
  [
    'line ends written out',
    (block() + block('A')).replaceAll('\n', '\\n'),
    ['CERTIFICATE 010203 at 1', 'A 010203 at 1'],
  ],
  ['Windows line ends written out', block().replaceAll('\n', '\\r\\n'), ['CERTIFICATE 010203 at 1']],
  [
    'an END and a BEGIN on one line',
    block().trimEnd() + block('A'),
    ['CERTIFICATE 010203 at 1', 'A 010203 at 3'],
  ],
  ['indented', `a:\n${block().replaceAll(/^/gm, '    ')}`, ['CERTIFICATE 010203 at 2']],
  ['indented with tabs, and quoted', `"${block().replaceAll('\n', '\n\t')}"`, ['CERTIFICATE 010203 at 1']],
  [
    'rulers',
    `----------\n${block()}-----\n---------- Acme CA ----------\n${block('A')}-----x`,
    ['CERTIFICATE 010203 at 2', 'A 010203 at 7'],
  ],
  ['an END without BEGIN is text', 'AQID\n-----END A-----\n', []],
  ['four dashes are text', '-----BEGIN A----\n', []],
  ['lower case is text', '-----begin A-----\n', []],
  [
    'a BEGIN within a sentence is text',
    `It has -----BEGIN A----- in it\n${block()}`,
    ['CERTIFICATE 010203 at 2'],
  ],
  ['a byte order mark before text', `\ufefftext\n${block()}`, ['CERTIFICATE 010203 at 2']],
  ['a byte order mark before the block', `\ufeff${block()}`, ['CERTIFICATE 010203 at 1']],
];

for (const [sentence, text, blocks] of good) {
  test(sentence, () => {
    const read = parsePem(text).map(
      ({ label, decode, line }) => `${label} ${Buffer.from(decode()).toString('hex')} at ${line}`,
    );
    assert.deepEqual(read, blocks);
  });
}

const bad: readonly (readonly [sentence: string, text: string, code: string, line: number])[] = [
  ['no END', '\n-----BEGIN A-----\nAQID\n', 'pem_end_missing', 2],
  ['another label at the END', '-----BEGIN A-----\nAQID\n-----END B-----\n', 'pem_labels_differ', 3],
  ['four dashes at the END', '-----BEGIN A-----\nAQID\n-----END A----\n', 'pem_boundary_malformed', 3],
  ['a ruler inside', '-----BEGIN A-----\nAQID\n----------\n-----END A-----\n', 'pem_boundary_malformed', 3],
  ['a written-out line end that is none', block('A', 'AQID\\t'), 'pem_body_not_base64', 1],
  ['a BEGIN inside', `-----BEGIN A-----\n${block()}`, 'pem_begin_inside_block', 2],
  ['an empty block', '-----BEGIN A-----\n-----END A-----\n', 'pem_body_empty', 1],
  ['a header in the block', block('A', 'Proc-Type: 4,ENCRYPTED\n\nAQID'), 'pem_body_not_base64', 1],
  ['base64 without its padding', block('A', 'AQ'), 'pem_body_not_base64', 1],
  ['base64 with bits to spare', block('A', 'AR=='), 'pem_body_not_base64', 1],
  ['padding inside', block('A', 'AQ==\nAQID'), 'pem_body_not_base64', 1],
  ['base64url', block('A', '-_-_'), 'pem_body_not_base64', 1],
];

for (const [sentence, text, code, line] of bad) {
  test(`${sentence}: ${code}`, () => {
    assert.throws(
      () => parsePem(text).map(({ decode }) => decode()),
      (error) => error instanceof PemError && error.code === code && error.line === line,
    );
  });
}

test('what is not used need not be base64', () => {
  const key = block('RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID');
  assert.deepEqual(
    parsePem(block() + key).map(({ label }) => label),
    ['CERTIFICATE', 'RSA PRIVATE KEY'],
  );
});
