import type { Problem } from '../config/problem.ts';
import { placesOf } from './apis.ts';
import { type LastGood, type State, setBack } from './last-good.ts';
import type { Sliced } from './slices.ts';

/**
 * Two APIs of foreign files that claim one host and base path. Who has the place keeps it, so that nobody takes it by a
 * file whose name sorts before; where neither had it nobody knows whose it is, and both are refused. (Those of
 * config.toml come before all foreign ones.)
 */
export function* settlePlaces(
  states: readonly State[],
  before: LastGood,
): Sliced<{ readonly states: State[]; readonly problems: readonly Problem[] }> {
  const claims = new Map<string, number[]>();
  for (const [i, { api }] of states.entries()) {
    yield;
    for (const place of placesOf(api)) {
      const claimants = claims.get(place);
      if (claimants === undefined) claims.set(place, [i]);
      else claimants.push(i);
    }
  }
  const settled = [...states];
  const problems: Problem[] = [];
  for (const [place, claimants] of claims) {
    yield;
    if (claimants.length === 1) continue;
    const [holder, ...others] = claimants.filter((i) => before.apis.has(states[i]!.key));
    for (const i of claimants) {
      if (i === holder && others.length === 0) continue;
      const state = states[i]!;
      // Where it is refused anyhow, that is no news.
      if (state.state === 'faulty') continue;
      const other =
        states[claimants.find((j) => j !== i && (holder === undefined || j === holder)) ?? holder!]!;
      const problem = { ...state.origin, key: 'basePath', message: taken(state, other, place, holder) };
      problems.push(problem);
      // The same one twice: its last good state is no secret, and the only one that is sure.
      settled[i] = setBack(state, i === holder ? before : { ...before, apis: new Map() }, [problem]);
    }
  }
  // An index gives a place to the first.
  settled.sort((a, b) => Number(a.state === 'faulty') - Number(b.state === 'faulty'));
  return { states: settled, problems };
}

function taken({ api }: State, other: State, place: string, holder: number | undefined): string {
  const whose = `"${other.api.name}" ${other.api.version} (${other.origin.file}:${other.origin.line})`;
  const end =
    holder === undefined ? 'does as well: nobody knows whose it is, and both are refused' : 'has already';
  return `"${api.name}" ${api.version} claims ${place}, which ${whose} ${end}; give one of them another basePath or host`;
}
