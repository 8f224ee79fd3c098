import { type Problem, problemLine } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { type Definitions, type ForeignApi, type ForeignService, placeholder } from './definitions.ts';

/** What foreign files said when they were last good. */
export type LastGood = {
  /** By what an API is known by. */
  readonly apis: ReadonlyMap<string, Omit<ForeignApi, 'problems'>>;
  /** Those that never were: their places stay taken where it can't be read any more whether they are there. */
  readonly faulty: ReadonlyMap<string, State>;
  /** By their entry. */
  readonly services: ReadonlyMap<string, readonly ForeignService[]>;
  /** Entries of which it is known which files there are. */
  readonly listed: ReadonlySet<string>;
};

export const nothingYet: LastGood = {
  apis: new Map(),
  faulty: new Map(),
  services: new Map(),
  listed: new Set(),
};

const isListed = ({ path, problems }: Definitions): boolean => !problems.some(({ file }) => file === path);

/** Nobody knows what its files claim, now or before. */
export const isUnread = (definitions: Definitions, before: LastGood): boolean =>
  !isListed(definitions) && !before.listed.has(definitions.id);

/** good: as it was read just now. last-good: as it was read before. faulty: it keeps its place and admits nobody. */
export type State = ForeignApi & { readonly state: 'good' | 'last-good' | 'faulty'; readonly fault?: string };

/**
 * Each by itself. But of a file that is broken as a whole, or in which one stands that can't even be told which it is,
 * nobody knows what it would have said: what it said last and says no more is as it was. And of a path at which
 * something is wrong (an empty folder, one that is away for the moment) nobody knows which files there would be.
 */
export function firstStates({ id, apis, path, problems }: Definitions, before: LastGood): State[] {
  const isLost = (foreign: ForeignApi): boolean =>
    foreign.problems.length > 0 && !before.apis.has(foreign.key);
  const broken = new Set([
    ...problems.map(({ file }) => file),
    ...apis.filter(isLost).map(({ origin }) => origin.file),
  ]);
  const known = new Set(apis.map(({ key }) => key));
  const isMissing = ({ key, entry, origin }: Pick<ForeignApi, 'key' | 'entry' | 'origin'>): boolean =>
    entry === id && (broken.has(path) || broken.has(origin.file)) && !known.has(key);
  const missing = [...before.apis.values()].filter(isMissing);
  const restored = new Set(missing.map(({ origin }) => origin.file));
  const states = apis.flatMap((foreign): State[] => {
    if (foreign.problems.length === 0) return [{ ...foreign, state: 'good' }];
    return isLost(foreign) && restored.has(foreign.origin.file)
      ? []
      : [setBack(foreign, before, foreign.problems)];
  });
  return [
    ...states,
    ...missing.map((good) => ({ ...good, problems: [], state: 'last-good' as const })),
    ...[...before.faulty.values()].filter(isMissing),
  ];
}

/** The same for issuers of access tokens. */
export function knownServices(
  { id, services, path, problems }: Definitions,
  before: LastGood,
): readonly ForeignService[] {
  const broken = new Set(problems.map(({ file }) => file));
  const said = new Set(services.map(({ service }) => service.issuer));
  const missing = (before.services.get(id) ?? []).filter(
    ({ service, origin }) => (broken.has(path) || broken.has(origin.file)) && !said.has(service.issuer),
  );
  return [...services, ...missing];
}

export function setBack(foreign: ForeignApi, before: LastGood, problems: readonly Problem[]): State {
  const good = before.apis.get(foreign.key);
  if (good !== undefined) return { ...foreign, ...good, state: 'last-good' };
  const [first] = problems;
  const fault = first === undefined ? 'its definition is faulty' : problemLine(first);
  return { ...foreign, api: placeholder(foreign.api), state: 'faulty', fault };
}

/** config.toml's APIs, and behind them those of foreign files. */
export const merge = (config: Config, states: readonly State[]): Config => ({
  ...config,
  apis: [...config.apis, ...states.map(({ api }) => api)],
});

/** What is good now, to fall back on. */
export const goodOf = (
  states: readonly State[],
  services: ReadonlyMap<string, readonly ForeignService[]>,
  definitions: readonly Definitions[],
  before: LastGood,
): LastGood => ({
  listed: new Set(
    definitions.filter((each) => isListed(each) || before.listed.has(each.id)).map(({ id }) => id),
  ),
  apis: new Map(
    states.flatMap(({ state, key, api, origin, entry }) =>
      state === 'faulty' ? [] : [[key, { key, api, origin, entry }] as const],
    ),
  ),
  faulty: new Map(
    states.flatMap((each) =>
      each.state === 'faulty' ? [[each.key, { ...each, problems: [] }] as const] : [],
    ),
  ),
  services,
});
