import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOwnConfig } from '../../../src/provision/own-config.ts';
import type { EntryReading, ReadingProcess } from '../../../src/provision/reading-process.ts';
import { ForeignFiles } from '../../../src/service/foreign-files.ts';

const config = '[[definitions]]\nkind = "apk"\npath = "apis"\n';
const files = { text: () => config, bytes: () => Buffer.from(config) };

test('what a reading told last counts also where another takes its place while its process ends', async () => {
  const read = readOwnConfig('/config.toml', {}, files as never);
  assert.ok('ok' in read, JSON.stringify(read));
  const own = read.ok;
  const ended: boolean[] = [];
  const foreign = new ForeignFiles({
    onNews: () => {},
    onEnd: ({ hasNews }) => ended.push(hasNews),
    onPassing: () => {},
    onFault: (error) => assert.fail(error),
  });
  const reading = (digest: string): EntryReading => ({
    definitions: { id: '', path: '', apis: [], services: [], problems: [], warnings: [] },
    read: new Map(),
    mayPass: false,
    digest,
    source: undefined,
    remembered: undefined,
  });
  /** A process that answers and ends when it is told to. */
  const reader = () => {
    const [answer, end] = [Promise.withResolvers<EntryReading>(), Promise.withResolvers<void>()];
    const process = { isEnded: false, entry: () => answer.promise, close: () => end.promise };
    return { process: process as unknown as ReadingProcess, answer, end };
  };
  const begin = ({ process }: ReturnType<typeof reader>) => foreign.begin(own, new Map(), process, 'disk', 0);
  const [first, second] = [reader(), reader()];
  const one = await begin(first);
  foreign.takeIn(one);
  const other = await begin(second);
  foreign.definitions(own, other, false);
  first.answer.resolve(reading('changed'));
  await new Promise((resume) => setImmediate(resume));
  foreign.takeIn(other);
  first.end.resolve();
  second.answer.resolve(reading('changed'));
  second.end.resolve();
  await other.done;
  assert.deepEqual(ended, [true]);
});
