import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { readDefinition } from '../../../src/definitions/readers.ts';
import { decodeText, diskWithin, FileProblem, filesAt, readBytes } from '../../../src/documents/files.ts';

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const encodings: readonly [
  sentence: string,
  bytes: Buffer,
  expected: string | [line: number, message: RegExp],
][] = [
  ['UTF-8', Buffer.from('name: Aufträge\n'), 'name: Aufträge\n'],
  ['UTF-8 with its mark', Buffer.from('\uFEFFa'), '\uFEFFa'],
  ['a replacement character that is written', Buffer.from('\uFFFD'), '\uFFFD'],
  ['nothing', Buffer.alloc(0), ''],
  ['one byte', Buffer.from('a'), 'a'],
  ['Latin-1', Buffer.from('a: 1\nname: Aufträge\n', 'latin1'), [2, /^is not UTF-8 .*save it as UTF-8$/]],
  ['Latin-1 in the last line', Buffer.from('a: 1\n\nä', 'latin1'), [3, /^is not UTF-8/]],
  ['UTF-8 that is cut off', Buffer.from('ä').subarray(0, 1), [1, /^is not UTF-8/]],
  ['UTF-16 with its mark', utf16('\uFEFFname: a'), [1, /^is UTF-16; save it as UTF-8$/]],
  ['UTF-16 the other way round', utf16('\uFEFFname: a').swap16(), [1, /^is UTF-16/]],
  ['UTF-16 without a mark', utf16('name: a'), [1, /^is UTF-16/]],
];
for (const [sentence, bytes, expected] of encodings) {
  test(`text: ${sentence}`, () => {
    if (typeof expected === 'string') assert.equal(decodeText(bytes), expected);
    else
      assert.throws(
        () => decodeText(bytes),
        (error: FileProblem) => error.line === expected[0] && expected[1].test(error.message),
      );
  });
}

const root = mkdtempSync(join(tmpdir(), 'links-'));
after(() => rmSync(root, { recursive: true }));
const [inside, outside] = [join(root, 'inside'), join(root, 'outside')];
for (const folder of [join(inside, '..data'), outside]) mkdirSync(folder, { recursive: true });
const secret = 'hunter2-very-secret';
for (const name of ['secret', 'secret.apk-conf', 'secret.yaml']) writeFileSync(join(outside, name), secret);
writeFileSync(join(inside, '..data', 'a.yaml'), 'a');
symlinkSync('..data/a.yaml', join(inside, 'a.yaml'));
symlinkSync(join(outside, 'secret'), join(inside, 'out.yaml'));
symlinkSync(inside, join(root, 'mounted'));

const listed = join(root, 'listed');
for (const folder of ['real', '..data/mounted', '.hidden', 'deep/er'])
  mkdirSync(join(listed, folder), { recursive: true });
for (const file of [
  'real/a.yaml',
  '..data/mounted/b.yaml',
  '..data/c.yaml',
  '.hidden/d.yaml',
  'deep/er/e.yaml',
  '.f.yaml',
])
  writeFileSync(join(listed, file), '');
for (const [link, to] of [
  ['c.yaml', '..data/c.yaml'],
  ['mounted', '..data/mounted'],
  ['current', 'real'],
  ['deep/up', '../deep'],
  ['out', outside],
  ['gone.yaml', '..data/gone.yaml'],
] as const)
  symlinkSync(to, join(listed, link));
for (const [sentence, path, files] of [
  [
    'a folder: as Kubernetes mounts it, each once, no way out, and links that lead nowhere',
    '',
    ['c.yaml', 'deep/er/e.yaml', 'gone.yaml', 'mounted/b.yaml', 'real/a.yaml'],
  ],
  ['a glob: no deeper than it says', '*.yaml', ['c.yaml', 'gone.yaml']],
  ['a glob of folders', '*/*.yaml', ['mounted/b.yaml', 'real/a.yaml']],
  ['a glob of a link alone', 'cur*/*.yaml', ['current/a.yaml']],
  ['a glob of any depth', '**/e.yaml', ['deep/er/e.yaml']],
  ['a glob of several', '{real,deep/er}/*.yaml', ['deep/er/e.yaml', 'real/a.yaml']],
  ['a hidden one, named', '.hidden/*.yaml', ['.hidden/d.yaml']],
] as const)
  test(`the files of ${sentence}`, () => {
    assert.deepEqual(
      filesAt(join(listed, path)).map((file) => relative(listed, file)),
      files,
    );
    assert.deepEqual(
      filesAt(relative('', join(listed, path))).map((file) => relative(listed, file)),
      files,
      'by a relative path',
    );
  });

/** What the system lacks for the moment, and gives at the next call. */
const lacking: readonly [method: 'readdirSync' | 'realpathSync' | 'openSync', at: string, code: string][] = [
  ['readdirSync', 'deep', 'EMFILE'],
  ['readdirSync', '', 'ENFILE'],
  ['realpathSync', 'mounted', 'EIO'],
  ['openSync', 'c.yaml', 'EMFILE'],
];
for (const [method, at, code] of lacking)
  test(`nothing is lost, and another try is worth it, where ${method} of "${at}" says ${code}`, (t) => {
    const whole = filesAt(listed);
    const plain = fs[method] as (...args: readonly unknown[]) => unknown;
    let isLacking = true;
    t.mock.method(fs, method, ((path: string, ...more: readonly unknown[]) => {
      if (path !== join(listed, at) || !isLacking) return plain(path, ...more);
      isLacking = false;
      throw Object.assign(new Error(code), { code });
    }) as never);
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    const problems: FileProblem[] = [];
    const noted = <T>(read: () => T): T | undefined => {
      try {
        return read();
      } catch (error) {
        assert.ok(error instanceof FileProblem);
        problems.push(error);
        return undefined;
      }
    };
    const found = noted(() => filesAt(listed)) ?? [];
    for (const file of found) if (!file.includes('gone')) noted(() => readBytes(file));
    assert.deepEqual(
      problems.map(({ mayPass }) => mayPass),
      [true],
    );
    assert.equal(isLacking, false);
    assert.deepEqual(filesAt(listed), whole);
  });

test('the files of what is not there', () => {
  for (const path of ['nothing', 'nothing/*.yaml', '*.json', 'c.yaml/x'])
    assert.throws(() => filesAt(join(listed, path)), /^FileProblem: names no file/);
});

const links: readonly [sentence: string, root: string, path: string, expected: string | RegExp][] = [
  ['as Kubernetes mounts files', inside, join(inside, 'a.yaml'), 'a'],
  [
    'out of the folder',
    inside,
    join(inside, 'out.yaml'),
    /^is a link that leads out of .*inside; put the file itself there$/,
  ],
  ['out of the folder of a glob', join(inside, '*.yaml'), join(inside, 'out.yaml'), /^is a link/],
  ['the folder itself', join(root, 'mounted'), join(root, 'mounted', 'a.yaml'), 'a'],
  ['out of a folder that is a link', join(root, 'mounted'), join(root, 'mounted', 'out.yaml'), /^is a link/],
  ['named one by one, it is meant', join(inside, 'out.yaml'), join(inside, 'out.yaml'), secret],
  ['elsewhere: no link, and whoever names it answers for it', inside, join(outside, 'secret'), secret],
];
for (const [sentence, within, path, expected] of links) {
  test(`a link ${sentence}`, () => {
    const read = () => diskWithin(within).text(path);
    if (typeof expected === 'string') assert.equal(read(), expected);
    else assert.throws(read, (error: FileProblem) => expected.test(error.message));
  });
}

for (const kind of ['apk', 'bijira', 'microgateway'] as const) {
  test(`${kind}: a link to a secret is told, and the secret is not`, () => {
    const entry = { kind, path: inside, trustedSenders: undefined, backend: undefined, home: undefined };
    const { problems, apis } = readDefinition(entry);
    const all = JSON.stringify([problems, apis]);
    assert.match(all, /out\.yaml.*is a link that leads out of/);
    assert.doesNotMatch(all, /hunter2/);
  });

  test(`${kind}: a file that holds a secret alone is told by its type`, () => {
    const { problems, apis } = readDefinition({
      kind,
      path: outside,
      trustedSenders: undefined,
      backend: undefined,
      home: undefined,
    });
    assert.ok(problems.length + apis.flatMap((api) => api.problems).length > 0);
    assert.doesNotMatch(JSON.stringify([problems, apis]), /hunter2/);
  });
}

for (const other of ['link', 'pipe'])
  test(`a file that its writer swaps for a ${other} while it is read: nothing from outside, and no wait without end`, () => {
    const swapped = join(root, `swapped-${other}`);
    mkdirSync(swapped);
    const path = join(swapped, 'a.yaml');
    for (const name of [path, join(swapped, 'file')]) writeFileSync(name, 'inside');
    symlinkSync(join(outside, 'secret'), join(swapped, 'link'));
    execFileSync('mkfifo', [join(swapped, 'pipe')]);
    const swapping = `import { linkSync, renameSync } from 'node:fs';
for (;;) for (const name of ['file', '${other}']) {
  linkSync('${swapped}/' + name, '${swapped}/next');
  renameSync('${swapped}/next', '${path}');
}`;
    const reading = `import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { diskWithin } from '${new URL('../../../src/documents/files.ts', import.meta.url)}';
await once(new Worker(new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(swapping)}`)})), 'online');
const { text } = diskWithin('${swapped}');
const found = new Set();
for (let i = 0; i < 20_000; i++)
  try {
    found.add(text('${path}'));
  } catch {}
console.log(JSON.stringify([...found]));
process.exit();`;
    const out = execFileSync(process.execPath, ['--input-type=module', '--eval', reading], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    assert.deepEqual(JSON.parse(out), ['inside']);
  });
