import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Serving, Signal } from '../../../src/service/serve.ts';
import { supervise } from '../../../src/service/supervisor.ts';

const serving: Serving = {
  log: { level: 'error', format: 'text' },
  drainsWithinSeconds: 0,
  metrics: undefined,
};

/** What each start of a worker comes to: it serves, ends with this exit code or by this signal, or there is no process. */
type Starts = readonly ('serves' | number | 'SIGKILL' | 'ENOMEM')[];

/** A process that is none. */
function child(start: Starts[number] | undefined): ChildProcess {
  if (start === 'ENOMEM') throw new Error('spawn ENOMEM');
  const events = new EventEmitter();
  setImmediate(() => {
    if (start === 'serves') events.emit('message', serving);
    else events.emit('exit', ...(typeof start === 'number' ? [start, null] : [null, 'SIGKILL']));
  });
  const kill = (signal: string): boolean => {
    setImmediate(() => events.emit('exit', null, signal));
    return true;
  };
  return Object.assign(events, { pid: 1, kill }) as unknown as ChildProcess;
}

const table: readonly {
  readonly name: string;
  readonly starts: readonly [Starts, Starts];
  /** It ends by itself, with this; else once both serve, and 0. */
  readonly code: number;
  readonly started: readonly [number, number];
}[] = [
  { name: 'both serve', starts: [['serves'], ['serves']], code: 0, started: [1, 1] },
  { name: 'the first has a faulty configuration', starts: [[78], []], code: 78, started: [1, 0] },
  { name: 'the first has a fault of ours', starts: [[70], []], code: 70, started: [1, 0] },
  { name: "the second can't listen", starts: [['serves'], [69]], code: 69, started: [1, 1] },
  {
    name: 'the second reads a file that is just being written: the first goes on',
    starts: [['serves'], [78, 'serves']],
    code: 0,
    started: [1, 2],
  },
  {
    name: 'the second is killed for want of memory: the first goes on',
    starts: [['serves'], ['SIGKILL', 'serves']],
    code: 0,
    started: [1, 2],
  },
  {
    name: 'there is no memory for the first',
    starts: [['ENOMEM'], []],
    code: 71,
    started: [1, 0],
  },
  {
    name: 'there is no memory for the second: the first goes on',
    starts: [['serves'], ['ENOMEM', 'serves']],
    code: 0,
    started: [1, 2],
  },
];

for (const { name, starts, code, started } of table)
  test(`first starts: ${name}`, async () => {
    const counts = [0, 0];
    let signal = (_: Signal): void => {};
    const result = await supervise({
      workers: 2,
      onSignal: (handler) => {
        signal = handler;
      },
      spawn: (worker) => {
        const at = worker - 1;
        const made = child(starts[at]?.[counts[at]!++]);
        const isLast = worker === 2 && starts[1]?.[counts[at]! - 1] === 'serves';
        if (isLast) made.once('message', () => setImmediate(() => signal('SIGTERM')));
        return made;
      },
    });
    assert.equal(result, code);
    assert.deepEqual(counts, started);
  });
