import { availableParallelism } from 'node:os';
import { maxWorkers } from '../config/worker.ts';
import { UsageError, type Values } from './command.ts';

/** How many processes share the work, whatever the configuration says. */
export const workersOption = { workers: { type: 'string' } } as const;

export const workersOf = ({ workers }: Values): number | undefined =>
  workers === 'auto'
    ? Math.min(availableParallelism(), maxWorkers)
    : numberOf('--workers', workers, ' or "auto"');

/** @throws UsageError: no number of a worker */
export function numberOf(option: string, value: Values[string], orElse = ''): number | undefined {
  if (value === undefined) return undefined;
  const number = /^[1-9]\d?$/.test(String(value)) ? Number(value) : Number.NaN;
  if (number <= maxWorkers) return number;
  throw new UsageError(`${option} needs a number from 1 to ${maxWorkers}${orElse}`);
}
