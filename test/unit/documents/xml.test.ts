import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileProblem } from '../../../src/documents/files.ts';
import { readXml } from '../../../src/documents/xml.ts';

const wrong: readonly [sentence: string, text: string, line: number, message: RegExp][] = [
  ['no XML', '<a>\n<b></a>', 2, /^is no XML: /],
  [
    'a DOCTYPE',
    '<?xml version="1.0"?>\n<!DOCTYPE a []>\n<a/>',
    2,
    /^has a DOCTYPE, which is not read; take it out$/,
  ],
  ['an entity of its own', '<a>\n&b;</a>', 2, /^is no XML: undefined entity/],
  ['too deep', '<a>'.repeat(200), 1, /^is nested more than 100 deep$/],
  ['too many elements', `<a>\n${'<b/>'.repeat(60_000)}</a>`, 2, /^has more than 50000 elements/],
  [
    'more than a file may have',
    `<a>${' '.repeat(2 * 1024 * 1024)}</a>`,
    1,
    /^has more than 2097152 characters/,
  ],
  ['nothing', '', 1, /^has no element$|^is no XML/],
];
for (const [sentence, text, line, message] of wrong) {
  test(`refused: ${sentence}`, () =>
    assert.throws(
      () => readXml(text),
      (error: FileProblem) => {
        assert.match(error.message, message);
        assert.equal(error.line, line);
        return true;
      },
    ));
}
