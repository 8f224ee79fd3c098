import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/**
 * A large value from one thread to another, in parts: taken out of its message as a whole, what ten thousand APIs say
 * would keep the thread that decides busy for hundreds of milliseconds.
 */
type Part = { readonly key: string } & (
  | { readonly list: readonly unknown[] }
  | { readonly map: readonly (readonly [unknown, unknown])[] }
  | { readonly value: unknown }
);

const size = 250;

/** Lists and maps that are fields of `value` go in parts; all else as it is. */
export function sendInParts(value: Readonly<Record<string, unknown>>, port: MessagePort): void {
  const send = (part: Part): void => port.postMessage(part);
  for (const [key, field] of Object.entries(value)) {
    if (Array.isArray(field)) for (const list of slices(field as unknown[])) send({ key, list });
    else if (field instanceof Map) for (const map of slices([...field])) send({ key, map });
    else send({ key, value: field });
  }
}

/** All parts that were sent, put together, with time for others between. */
export async function receiveParts(port: MessagePort): Promise<unknown> {
  const value: Record<string, unknown> = {};
  const lists = new Map<string, unknown[]>();
  const maps = new Map<string, Map<unknown, unknown>>();
  for (;;) {
    const received = receiveMessageOnPort(port) as { readonly message: Part } | undefined;
    if (received === undefined) return { ...value, ...Object.fromEntries([...lists, ...maps]) };
    const part = received.message;
    if ('list' in part) entryOf(lists, part.key, () => []).push(...part.list);
    else if ('map' in part) {
      const map = entryOf(maps, part.key, () => new Map());
      for (const [key, inner] of part.map) map.set(key, inner);
    } else value[part.key] = part.value;
    await new Promise((resume) => setImmediate(resume));
  }
}

/** At least one, so that what is empty is there. */
function* slices<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from === 0 || from < all.length; from += size) yield all.slice(from, from + size);
}

function entryOf<T>(all: Map<string, T>, key: string, make: () => T): T {
  const there = all.get(key) ?? make();
  all.set(key, there);
  return there;
}
