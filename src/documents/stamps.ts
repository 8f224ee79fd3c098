import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * What each path had when it was read. Another file under that name, another content, another link to it: another stamp.
 * Neither time alone would do (`cp -p` keeps one), nor size and time (two writes within a second).
 */
export type Stamps = ReadonlyMap<string, string>;

const nothing = '';

const stampFrom = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ');

export function stampOf(path: string): string {
  try {
    return stampFrom(statSync(path, { bigint: true }));
  } catch {
    return nothing;
  }
}

/** Of how many files at a time the system is asked. */
const atOnce = 64;

/** As they are now, without keeping anybody waiting. */
export async function stampsNow(paths: Iterable<string>): Promise<Stamps> {
  const stamps = new Map<string, string>();
  const left = paths[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = left.next(); !next.done; next = left.next()) {
      const path = next.value;
      stamps.set(path, await stat(path, { bigint: true }).then(stampFrom, () => nothing));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return stamps;
}

export const areSame = (some: Stamps, others: Stamps): boolean =>
  some.size === others.size && [...some].every(([path, stamp]) => others.get(path) === stamp);
