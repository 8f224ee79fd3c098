import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/**
 * Foreign files, headers and servers have text of any length in them, and a pattern that tries each place of it from each
 * place of it takes minutes for what is read in a moment. So each literal of ours is tried on long texts of little.
 */
const src = fileURLToPath(new URL('../../src/', import.meta.url));
/** A literal where an expression may begin. */
const literal =
  /(?<=[=(,:[!&|?{;\s]|return )\/(?![/*])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([dgimsuvy]*)/g;

const patterns = new Map<string, { readonly pattern: RegExp; readonly at: string }>();
for (const file of globSync('**/*.ts', { cwd: src })) {
  const text = readFileSync(src + file, 'utf8');
  for (const { 0: whole, 1: source = '', 2: flags = '', index } of text.matchAll(literal)) {
    const at = `${file}:${text.slice(0, index).split('\n').length}`;
    try {
      patterns.set(whole, { pattern: new RegExp(source, flags.replace('g', '')), at });
    } catch {
      // In a comment, or a division.
    }
  }
}

const letters = [...`aA01-_.:/@ \n=,;"'{}[]()<>*%#?&+\\|~!\t\r$`];
const pairs = [
  'a:',
  'a.',
  'a/',
  'a ',
  'a,',
  'a=',
  'a-',
  '{}',
  '%2',
  ' \n',
  'a@',
  '1.',
  '"\\',
  '<a',
  'a{',
  '*/',
  'a"',
  '\na',
  '#\n',
];
const frames = [
  ['', ''],
  ['', '\0'],
  ['a', ' @'],
  ['https://', ' \0'],
  ['"', '\n'],
  ['/', '!'],
  ['<!--', 'x'],
  ['{', 'x'],
] as const;
const length = 24_000;
/** Milliseconds: where it takes the square of the length, several times that; else a thousandth of it. */
const longest = 100;

function timeOf(pattern: RegExp, text: string): number {
  const began = performance.now();
  pattern.lastIndex = 0;
  pattern.test(text);
  return performance.now() - began;
}

test('no pattern of ours takes the square of a text’s length', () => {
  assert.ok(patterns.size > 200);
  for (const [source, { pattern, at }] of patterns)
    for (const filling of [...letters, ...pairs])
      for (const [before, after] of frames) {
        const text = before + filling.repeat(length / filling.length) + after;
        // What is lost to other processes is none of the pattern's.
        if ([0, 1, 2].every(() => timeOf(pattern, text) > longest))
          assert.fail(`${at}: ${source} on ${JSON.stringify(before + filling)}…${JSON.stringify(after)}`);
      }
});
