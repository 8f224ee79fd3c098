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
  ['a byte order mark before text', `\ufefftext\n${block()}`, ['CERTIFICATE 010203 at 2']],
  ['a byte order mark before the block', `\ufeff${block()}`, ['CERTIFICATE 010203 at 1']],
];

for (const [sentence, text, blocks] of good) {
  test(sentence, () => {
    const read = parsePem(text).map(
      ({ label, der, line }) => `${label} ${Buffer.from(der).toString('hex')} at ${line}`,
    );
    assert.deepEqual(read, blocks);
  });
}

const bad: readonly (readonly [sentence: string, text: string, code: string, line: number])[] = [
  ['no END', '\n-----BEGIN A-----\nAQID\n', 'pem_end_missing', 2],
  ['no BEGIN', 'AQID\n-----END A-----\n', 'pem_end_without_begin', 2],
  ['another label at the END', '-----BEGIN A-----\nAQID\n-----END B-----\n', 'pem_labels_differ', 3],
  ['a BEGIN inside', `-----BEGIN A-----\n${block()}`, 'pem_begin_inside_block', 2],
  ['an empty block', '-----BEGIN A-----\n-----END A-----\n', 'pem_body_empty', 1],
  ['a header in the block', block('A', 'Proc-Type: 4,ENCRYPTED\n\nAQID'), 'pem_body_not_base64', 1],
  ['base64 without its padding', block('A', 'AQ'), 'pem_body_not_base64', 1],
  ['base64 with bits to spare', block('A', 'AR=='), 'pem_body_not_base64', 1],
  ['padding inside', block('A', 'AQ==\nAQID'), 'pem_body_not_base64', 1],
  ['base64url', block('A', '-_-_'), 'pem_body_not_base64', 1],
  ['spaces inside a line', block('A', 'AQ ID'), 'pem_body_not_base64', 1],
  ['four dashes', '-----BEGIN A----\n', 'pem_boundary_malformed', 1],
  ['all on one line', block().replaceAll('\n', ' '), 'pem_boundary_malformed', 1],
  ['a label in lower case in the wrong place', '-----begin A-----\n', 'pem_boundary_malformed', 1],
];

for (const [sentence, text, code, line] of bad) {
  test(`${sentence}: ${code}`, () => {
    assert.throws(
      () => parsePem(text),
      (error) => error instanceof PemError && error.code === code && error.line === line,
    );
  });
}
