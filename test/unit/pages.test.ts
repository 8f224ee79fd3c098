import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root });
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** As GitHub makes them. */
const anchors = (text: string): readonly string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );

test('there are some', () => assert.ok(pages.includes('README.md') && pages.length > 30));

for (const page of pages) {
  const text = read(page);
  const prose = text.replaceAll(/^```.*?^```/gms, '');

  test(`${page}: what it links to is there`, () => {
    for (const [, link] of prose.matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)) {
      const [file, anchor] = link!.split('#');
      const target = file === '' ? page : join(dirname(page), file!);
      assert.ok(existsSync(join(root, target)), link);
      if (anchor !== undefined) assert.ok(anchors(read(target)).includes(anchor), link);
    }
  });

  test(`${page}: no number of a list that the reader does not have`, () => {
    assert.doesNotMatch(prose, /weakness(?:es)? \d|\(\d+(?:, \d+)*\) \|/);
  });

  test(`${page}: an Envoy is started so that another one on the same host does not keep it from it`, () => {
    for (const [line] of text.matchAll(/.*envoy -c .*/g)) assert.match(line, /--disable-hot-restart/);
  });
}
