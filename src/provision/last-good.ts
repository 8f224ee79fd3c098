import { type Problem, problemLine } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { isUnlisted } from '../documents/files.ts';
import { placesOf } from './apis.ts';
import {
  type Definitions,
  type Entry,
  type ForeignApi,
  type ForeignService,
  placeholder,
} from './definitions.ts';
import type { Sliced } from './slices.ts';

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
export type State = ForeignApi & {
  readonly state: 'good' | 'last-good' | 'faulty';
  readonly fault?: string;
  /** There is no room for its hosts. */
  readonly isCrowding?: boolean;
};

/**
 * Each by itself. But of a file that is broken as a whole, or in which one stands that can't even be told which it is,
 * nobody knows what it would have said: what it said last and says no more is as it was. And of a path at which
 * something is wrong (an empty folder, one that is away for the moment) nobody knows which files there would be.
 */
export function* firstStates(
  { id, apis, path, problems }: Definitions,
  before: LastGood,
): Sliced<readonly State[]> {
  const isLost = (foreign: ForeignApi): boolean =>
    foreign.problems.length > 0 && !before.apis.has(foreign.key);
  const isBroken = brokenAt(path, [
    ...problems.map(({ file }) => file),
    ...apis.filter(isLost).map(({ origin }) => origin.file),
  ]);
  yield;
  const known = new Set(apis.map(({ key }) => key));
  const isMissing = ({ key, entry, origin }: Pick<ForeignApi, 'key' | 'entry' | 'origin'>): boolean =>
    entry === id && isBroken(origin.file) && !known.has(key);
  yield;
  const missing = [...before.apis.values()].filter(isMissing);
  const restored = new Set(missing.map(({ origin }) => origin.file));
  const states: State[] = [];
  for (const foreign of apis) {
    yield;
    if (foreign.problems.length === 0) states.push({ ...foreign, state: 'good' });
    else if (!isLost(foreign) || !restored.has(foreign.origin.file))
      states.push(setBack(foreign, before, foreign.problems));
  }
  yield;
  return [
    ...states,
    ...missing.map((good) => ({ ...good, problems: [], state: 'last-good' as const })),
    ...[...before.faulty.values()].filter(isMissing),
    ...goneTo(
      () => newlyBroken({ id, problems }, before),
      apis,
      before,
      (each) => each.entry === id && !known.has(each.key) && !isMissing(each),
    ),
  ];
}

/** Whether nobody knows what a file would say now: it is broken as a whole, or a folder or the path that it is in. */
function brokenAt(path: string, files: readonly string[]): (file: string) => boolean {
  const broken = new Set(files);
  const folders = files.filter(isUnlisted);
  return (file) => broken.has(path) || broken.has(file) || folders.some((folder) => file.startsWith(folder));
}

/** A file, or folder, of which nobody knows anything, now or before. */
function newlyBroken(
  { id, problems }: Pick<Definitions, 'id' | 'problems'>,
  before: LastGood,
): string | undefined {
  const known = new Set(
    [...before.apis.values(), ...before.faulty.values()].flatMap(({ entry, origin }) =>
      entry === id ? [origin.file] : [],
    ),
  );
  const isKnown = (file: string): boolean =>
    known.has(file) || (isUnlisted(file) && [...known].some((each) => each.startsWith(file)));
  return problems.find(({ file }) => !isKnown(file))?.file;
}

/**
 * What is gone from where it was, and may now be in a place that nobody could read yet (an archive under another name,
 * the new path of an entry): it keeps its place, and admits nobody, until that is known, or another has the place.
 *
 * @param unreadAt where that is; undefined: all is known, and what is gone is gone
 */
export function goneTo(
  unreadAt: () => string | undefined,
  apis: readonly ForeignApi[],
  before: LastGood,
  isGone: (foreign: Pick<ForeignApi, 'entry' | 'key' | 'origin'>) => boolean,
): readonly State[] {
  const gone = [...before.apis.values(), ...before.faulty.values()].filter(isGone);
  const unread = gone.length === 0 ? undefined : unreadAt();
  if (unread === undefined) return [];
  const claimed = new Set(apis.flatMap(({ api }) => placesOf(api)));
  const fault = `it is gone from where it was, and may be in ${unread}, which could not be read yet`;
  return gone
    .filter(({ api }) => !placesOf(api).some((place) => claimed.has(place)))
    .map((each) => ({ ...each, api: placeholder(each.api), problems: [], state: 'faulty', fault }));
}

/** The same for issuers of access tokens. */
export function knownServices(
  { id, services, path, problems }: Definitions,
  before: LastGood,
): readonly ForeignService[] {
  const was = before.services.get(id) ?? [];
  const isBroken = brokenAt(
    path,
    problems.map(({ file }) => file),
  );
  const said = new Set(services.map(serviceKey));
  const missing = was.filter((each) => isBroken(each.origin.file) && !said.has(serviceKey(each)));
  return settleServices([...services, ...missing], was);
}

const serviceKey = ({ origin, service: { name, issuer } }: ForeignService): string =>
  JSON.stringify([origin.file, name, issuer]);

/** By what config.toml may name it. */
const wordsOf = ({ service: { name, issuer } }: ForeignService): ReadonlySet<string> =>
  new Set([name, issuer]);

/** Whatever its name, it takes the same tokens. */
const contentOf = ({ service: { name, ...others } }: ForeignService): string => JSON.stringify(others);

/**
 * Two files that name an issuer alike and differ in its keys: as with places, whose tokens were taken before stays, and
 * where neither's were, none is. Within one file its author's order counts.
 */
function settleServices(
  all: readonly ForeignService[],
  was: readonly ForeignService[],
): readonly ForeignService[] {
  const held = new Set(was.filter(({ fault }) => fault === undefined).map(serviceKey));
  const claims = new Map<string, Map<string, boolean>>();
  const seen = new Set<string>();
  for (const each of all)
    for (const word of wordsOf(each)) {
      const first = JSON.stringify([each.origin.file, word]);
      if (seen.has(first)) continue;
      seen.add(first);
      const content = contentOf(each);
      const claimants = claims.get(word) ?? new Map<string, boolean>();
      claims.set(word, claimants.set(content, claimants.get(content) === true || held.has(serviceKey(each))));
    }
  const winners = new Map(
    [...claims].map(([word, claimants]) => {
      const holders = claimants.size === 1 ? [...claimants] : [...claimants].filter(([, isHeld]) => isHeld);
      return [word, holders.length === 1 ? holders[0]![0] : undefined];
    }),
  );
  return all.map(({ fault: _, ...each }) => {
    const lost = [...wordsOf(each)].find((word) => winners.get(word) !== contentOf(each));
    if (lost === undefined || claims.get(lost)!.size === 1) return each;
    const end =
      winners.get(lost) === undefined
        ? 'nobody knows who is right, and none is taken'
        : 'the one that was there before stays';
    return {
      ...each,
      fault: `names the issuer ${JSON.stringify(lost)} with other keys than another file does: ${end}; leave one of them`,
    };
  });
}

export function setBack(foreign: ForeignApi, before: LastGood, problems: readonly Problem[]): State {
  const good = before.apis.get(foreign.key);
  if (good !== undefined) return { ...foreign, ...good, state: 'last-good' };
  const [first] = problems;
  const fault = first === undefined ? 'its definition is faulty' : problemLine(first);
  return { ...foreign, api: placeholder(foreign.api), state: 'faulty', fault };
}

/**
 * config.toml's APIs, and behind them those of foreign files, whenever they were read: who may send a certificate header
 * config.toml says now.
 */
export function* merge(config: Config, states: readonly State[], entries: readonly Entry[]): Sliced<Config> {
  const senders = new Map(entries.map(({ id, trustedSenders = [] }) => [id, new Set(trustedSenders)]));
  const apis = [...config.apis];
  for (const { api, entry } of states) {
    yield;
    apis.push(trusting(api, senders.get(entry) ?? new Set()));
  }
  return { ...config, apis };
}

function trusting(api: ForeignApi['api'], senders: ReadonlySet<string>): ForeignApi['api'] {
  const of = (sources: typeof api.sources): typeof api.sources =>
    sources?.flatMap((source) => {
      if (source.trustedSenders === undefined) return [source];
      const trustedSenders = source.trustedSenders.filter((sender) => senders.has(sender));
      return trustedSenders.length === 0 ? [] : [{ ...source, trustedSenders }];
    });
  return {
    ...api,
    sources: of(api.sources),
    operations: api.operations.map((operation) => ({ ...operation, sources: of(operation.sources) })),
  };
}

/** What is good now, to fall back on. */
export function* goodOf(
  states: readonly State[],
  services: ReadonlyMap<string, readonly ForeignService[]>,
  definitions: readonly Definitions[],
  before: LastGood,
): Sliced<LastGood> {
  const listed = definitions.filter((each) => isListed(each) || before.listed.has(each.id));
  const apis = new Map<string, Omit<ForeignApi, 'problems'>>();
  const faulty = new Map<string, State>();
  for (const each of states) {
    yield;
    const { state, key, api, origin, entry } = each;
    if (state === 'faulty') faulty.set(key, { ...each, problems: [] });
    else apis.set(key, { key, api, origin, entry });
  }
  return { listed: new Set(listed.map(({ id }) => id)), apis, faulty, services };
}
