import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import type { Format } from '../../../src/observability/exposition.ts';
import type { Piece } from '../../../src/service/paced.ts';
import { answerScrapes } from '../../../src/service/scrapes.ts';

const piece = { name: 'm', head: '', text: 'm 1\n' };

/** A worker's channel, and what it was sent. */
function channel(pieces: (format: Format) => AsyncIterable<Piece>) {
  const sent: unknown[] = [];
  const emitter = new EventEmitter();
  const send = (message: unknown, done: () => void): boolean => {
    sent.push(message);
    emitter.emit('sent', message);
    done();
    return true;
  };
  answerScrapes(Object.assign(emitter, { send }) as unknown as NodeJS.Process, pieces);
  return { emitter, sent };
}

test('a worker answers each question by its own number, and nothing else', async () => {
  const { emitter, sent } = channel(async function* () {
    yield piece;
  });
  for (const message of [null, 'scrape', {}, { kind: 'other' }]) emitter.emit('message', message);
  emitter.emit('message', { kind: 'scrape', id: 7 });
  await once(emitter, 'sent');
  await once(emitter, 'sent');
  assert.deepEqual(sent, [
    { kind: 'scraped', id: 7, piece },
    { kind: 'scraped-all', id: 7 },
  ]);
});

test('a worker writes as it is asked to; of an older supervisor that knows of no formats, as before', async () => {
  const asked: Format[] = [];
  const { emitter } = channel(async function* (format) {
    asked.push(format);
    yield piece;
  });
  for (const format of ['openmetrics', 'text', undefined]) {
    emitter.emit('message', { kind: 'scrape', id: 1, format });
    await once(emitter, 'sent');
    await once(emitter, 'sent');
  }
  assert.deepEqual(asked, ['openmetrics', 'text', 'text']);
});

test('a fault in what it counts is no whole answer, and ends no worker', async () => {
  let isBroken = true;
  const { emitter, sent } = channel(async function* () {
    yield piece;
    if (isBroken) throw new Error('a fault of ours');
  });
  emitter.emit('message', { kind: 'scrape', id: 1 });
  await once(emitter, 'sent');
  isBroken = false;
  emitter.emit('message', { kind: 'scrape', id: 2 });
  while (!sent.some((message) => (message as { kind: string }).kind === 'scraped-all'))
    await once(emitter, 'sent');
  assert.deepEqual(
    sent.filter((message) => (message as { kind: string }).kind === 'scraped-all'),
    [{ kind: 'scraped-all', id: 2 }],
  );
});
