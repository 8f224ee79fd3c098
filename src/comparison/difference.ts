import type { Api } from '../apis/api.ts';
import type { Operation } from '../apis/operations.ts';
import { clientsOf } from '../apis/security.ts';
import { type DenialCode, denials } from '../decision.ts';
import { decide } from '../enforcer.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Change, narrowing, widening } from './change.ts';
import { type Place, placesOf } from './places.ts';
import { securityChanges } from './security.ts';

/** One change, and all places where it is; an API all of whose places changed so stands there once, as a whole. */
export type Difference = Change & { readonly places: readonly Pick<Place, 'api' | 'operation'>[] };

/**
 * What two snapshots decide differently, place by place; what is decided alike is no difference, however it is written.
 * Nothing that lets somebody in is left out. What is said to widen may yet let in nobody, where something else, which
 * only a request shows, keeps him out.
 *
 * @param now milliseconds since the epoch: who is out of date is nobody's gain
 */
export function differences(before: Snapshot, after: Snapshot, now: number): readonly Difference[] {
  const found = new Map<string, { readonly change: Change; readonly places: Place[] }>();
  /** Places of an API where somebody may get in, in either. */
  const total = new Map<string, number>();
  /** Most places of an API ask for the same. */
  const known = new Map<unknown, Map<unknown, readonly Change[]>>();
  for (const place of placesOf(before, after)) {
    const [old, young] = [answerAt(place, before, now), answerAt(place, after, now)];
    if ('asked' in old || 'asked' in young) total.set(place.api, (total.get(place.api) ?? 0) + 1);
    const here = known.get(keyOf(old)) ?? new Map<unknown, readonly Change[]>();
    known.set(keyOf(old), here);
    const changes = here.get(keyOf(young)) ?? changesBetween(old, young, { before, after, now });
    here.set(keyOf(young), changes);
    for (const change of changes) {
      const key = JSON.stringify(change);
      const same = found.get(key) ?? { change, places: [] };
      same.places.push(place);
      found.set(key, same);
    }
  }
  return [...found.values()].map(({ change, places }) => ({ ...change, places: wholeApis(places, total) }));
}

function wholeApis(
  places: readonly Place[],
  total: ReadonlyMap<string, number>,
): readonly Pick<Place, 'api' | 'operation'>[] {
  const byApi = [...Map.groupBy(places, ({ api }) => api)];
  return byApi.flatMap<Pick<Place, 'api' | 'operation'>>(([api, some]) =>
    some.length === total.get(api) ? [{ api, operation: undefined }] : some,
  );
}

/** What is asked for, or why nobody gets there. */
type Answer = { readonly asked: Api | Operation } | { readonly closed: DenialCode };

const keyOf = (answer: Answer): unknown => ('closed' in answer ? answer.closed : answer.asked.security);

/** As `decide` finds it, of a request that brings nothing. */
function answerAt({ attributes }: Place, snapshot: Snapshot, now: number): Answer {
  let answer: Answer | undefined;
  const decision = decide(attributes, snapshot, now, (step) => {
    if (step.kind === 'asked') answer = { asked: step.asked };
  });
  if (answer !== undefined) return answer;
  // Where nothing is asked for, nobody was waited for.
  return { closed: 'code' in decision ? decision.code : 'internal_error' };
}

function changesBetween(
  old: Answer,
  young: Answer,
  { before, after, now }: { readonly before: Snapshot; readonly after: Snapshot; readonly now: number },
): readonly Change[] {
  if ('closed' in old && 'closed' in young)
    return old.closed === young.closed ? [] : [narrowing(`nobody: ${old.closed} -> ${young.closed}`)];
  if ('closed' in old)
    return 'asked' in young
      ? [widening(`new (was ${denials[old.closed].status}): ${whoText(young.asked)}`)]
      : [];
  if ('closed' in young) return [narrowing(`no more (${young.closed}): ${whoText(old.asked)}`)];
  return securityChanges(
    { security: old.asked.security, snapshot: before, now },
    { security: young.asked.security, snapshot: after, now },
  );
}

/** With which factors, and who. */
function whoText({ security }: Api | Operation): string {
  const { mutualSsl, applicationSecurity, clients } = security;
  if (mutualSsl === 'off' && applicationSecurity === 'off') return 'everybody, with nothing';
  const aliases = [...new Set(clientsOf(clients).map(({ alias }) => `"${alias}"`))];
  const shown =
    aliases.slice(0, 5).join(', ') + (aliases.length > 5 ? ` and ${aliases.length - 5} more` : '');
  const factors = [
    ...(mutualSsl === 'off' ? [] : [`certificate ${mutualSsl} (${shown || 'nobody'})`]),
    ...(applicationSecurity === 'off' ? [] : [`access token ${applicationSecurity}`]),
  ];
  return factors.join(', ');
}
