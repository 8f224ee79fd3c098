import type { Problem } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Definitions } from './definitions.ts';
import { settleHosts } from './hosts.ts';
import { firstStates, goodOf, type LastGood, type State } from './last-good.ts';
import { settlePlaces } from './places.ts';
import type { Sliced } from './slices.ts';

type Settled = { readonly states: State[]; readonly problems: readonly Problem[] };
type Settling = {
  /** Of entries that are gone. */
  readonly gone: readonly State[];
  readonly own: Config['apis'];
  readonly before: LastGood;
  /** See `mostRepeatedRoutes`. */
  readonly room?: number;
};

/** Readings of the same files that are looked ahead: hardly any need two. */
const mostTurns = 8;

/**
 * Who has which place, and routes for which hosts. Who was there before comes first, so that where not all find room the
 * same files, read again, might come to something else, and to the first again. So they are, until nothing changes.
 */
export function* settle(definitions: readonly Definitions[], settling: Settling): Sliced<Settled> {
  const turns: { readonly settled: Settled; readonly good: LastGood }[] = [];
  let { before } = settling;
  for (;;) {
    const { hasRoom, ...settled } = yield* settleFrom(definitions, { ...settling, before });
    if (hasRoom || turns.length === mostTurns) return settled;
    const good = yield* goodOf(settled.states, before.services, definitions, before);
    if (areSame(good, before)) return settled;
    const first = turns.findIndex((turn) => areSame(turn.good, good));
    // Wherever they begin, they come to the same one of those that follow each other for ever.
    if (first !== -1)
      return turns.slice(first).reduce((a, b) => (textOf(a.good) < textOf(b.good) ? a : b)).settled;
    turns.push({ settled, good });
    before = good;
  }
}

const areSame = ({ apis: a }: LastGood, { apis: b }: LastGood): boolean =>
  a.size === b.size && [...a.keys()].every((key) => b.has(key));

const textOf = ({ apis }: LastGood): string => [...apis.keys()].sort().join('\n');

function* settleFrom(
  definitions: readonly Definitions[],
  settling: Settling,
): Sliced<Settled & { readonly hasRoom: boolean }> {
  const first = yield* settleOnce(definitions, settling);
  const crowding = new Map(
    first.states.flatMap(({ isCrowding, key, problems }) => (isCrowding ? [[key, problems]] : [])),
  );
  if (crowding.size === 0) return { ...first, hasRoom: true };
  // A fault as any other: what its file said last counts, where that was another. Whom this leaves no room is refused.
  const faulty = definitions.map((each) => ({
    ...each,
    apis: each.apis.map((foreign) => ({
      ...foreign,
      problems: [...foreign.problems, ...(crowding.get(foreign.key) ?? [])],
    })),
  }));
  const second = yield* settleOnce(faulty, settling);
  const told = new Set(first.problems.map(({ file }) => file));
  return {
    hasRoom: false,
    states: second.states,
    problems: [...first.problems, ...second.problems.filter(({ file }) => !told.has(file))],
  };
}

function* settleOnce(
  definitions: readonly Definitions[],
  { gone, own, before, room }: Settling,
): Sliced<Settled> {
  const listed: (readonly State[])[] = [];
  for (const each of definitions) listed.push(yield* firstStates(each, before));
  const found = [...listed.flat(), ...gone];
  yield;
  const placed = yield* settlePlaces(found, before);
  yield;
  const { states, problems } = yield* settleHosts(placed.states, own, before, room);
  yield;
  return { states, problems: [...placed.problems, ...problems] };
}
