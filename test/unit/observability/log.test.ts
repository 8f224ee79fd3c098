import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { createLog, type LogSettings } from '../../../src/observability/log.ts';

/** A reader that takes nothing before it is told to. */
function stuckReader() {
  const lines: string[] = [];
  let release = (): void => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const output = new Writable({
    decodeStrings: false,
    write: (line: string, _, done) => {
      lines.push(line);
      void until.then(() => done());
    },
  });
  return { output, lines, release };
}

function written(settings: LogSettings, fields: Record<string, string>): string {
  const lines: string[] = [];
  const output = new Writable({
    decodeStrings: false,
    write: (line: string, _, done) => {
      lines.push(line);
      done();
    },
  });
  createLog(settings, output).info('denied', fields);
  return lines.join('');
}

const unseen: readonly [what: string, character: string, escaped: string][] = [
  ['a line break', '\n', '\\n'],
  ['a carriage return', '\r', '\\r'],
  ['the sequence that moves a cursor, of seven bits', '\u001b', '\\u001b'],
  ['and of eight bits (C1)', '\u009b', '\\u009b'],
  ['a next line (C1)', '\u0085', '\\u0085'],
  ['text turned round', '\u202e', '\\u202e'],
  ['a line separator', '\u2028', '\\u2028'],
  ['a paragraph separator', '\u2029', '\\u2029'],
  ['a zero-width space', '\u200b', '\\u200b'],
  ['a delete', '\u007f', '\\u007f'],
  ['a tag beyond the first plane', '\u{e0041}', '\\udb40\\udc41'],
];
for (const format of ['text', 'json'] as const) {
  for (const [what, character, escaped] of unseen) {
    test(`${what} stands escaped in a log as ${format}, and a reader of JSON gets it back`, () => {
      const line = written({ level: 'info', format }, { iss: `a ${character}b` });
      assert.ok(line.includes(`"a ${escaped}b"`), line);
      assert.equal(line.indexOf('\n'), line.length - 1);
      if (format === 'json') assert.equal(JSON.parse(line).iss, `a ${character}b`);
    });
  }
}

test('a log that nobody reads keeps 4 MiB, drops the rest, and tells how many lines once it is read again', async () => {
  const { output, lines, release } = stuckReader();
  const log = createLog({ level: 'info', format: 'json' }, output);
  const count = 20_000;
  for (let i = 0; i < count; i++) log.info('denied', { path: 'x'.repeat(500) });
  assert.ok(output.writableLength <= 4 * 1024 * 1024, `${output.writableLength}`);
  assert.ok(output.writableLength > 3 * 1024 * 1024, 'a reader that is slow for a moment loses nothing');
  const drained = once(output, 'drain');
  release();
  await drained;
  const { level, message, lines: dropped } = JSON.parse(lines.at(-1)!);
  assert.deepEqual(
    [level, message],
    ['warn', 'lines of this log were dropped: they were not read fast enough'],
  );
  assert.equal(lines.length - 1 + dropped, count);
  log.info('after', {});
  assert.equal(JSON.parse(lines.at(-1)!).message, 'after');
});
