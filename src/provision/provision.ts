import { relative } from 'node:path';
import { eachOnce, type Problem } from '../config/problem.ts';
import type { ConfigText } from '../config/read-config.ts';
import type { Config } from '../config/schema/config.ts';
import { type Built, build, type Circumstances, type ForeignFiles } from './build.ts';
import { type Definitions, type Entry, entriesOf } from './definitions.ts';
import { createFindings, type ForeignFindings } from './findings.ts';
import {
  goneTo,
  goodOf,
  isUnread,
  knownServices,
  type LastGood,
  merge,
  nothingYet,
  type State,
  setBack,
} from './last-good.ts';
import { type OwnConfig, resolver } from './own-config.ts';
import { settle } from './settle.ts';
import type { Sliced } from './slices.ts';

/** A configuration that is good, with all that came of it. */
export type Provisioned = Built & {
  readonly config: Config;
  /** How many of its APIs are config.toml's own, the first ones. */
  readonly ownApis: number;
  /** Of the others, those whose hosts are too many for routes of their own in Envoy: they admit nobody. */
  readonly crowding: ReadonlySet<Config['apis'][number]>;
  readonly foreignFiles: ForeignFiles;
  readonly warnings: readonly Problem[];
  /** What is wrong with foreign files: their APIs are in their last good state, or admit nobody; all else is in force. */
  readonly problems: readonly Problem[];
  readonly good: LastGood;
  /** Tables and keys that are not ours. */
  readonly ignored: readonly string[];
  /** Where things stand in config.toml. */
  readonly text: Pick<ConfigText, 'lineOf' | 'isWritten'>;
};

export type ProvisionCircumstances = Circumstances & {
  /** What was in force before: foreign APIs fall back on it. */
  readonly before?: Pick<Provisioned, 'good' | 'certificates'> | undefined;
};

/**
 * What a configuration and the files that it names mean, all of which were read before: nothing is read here, and
 * nothing outside is changed. All of it is good, or everything that is wrong with config.toml is told at once.
 *
 * Builds it, and builds it again without what turns out to be wrong with an API of a foreign file: that one is set back
 * to its last good state, or keeps its place and admits nobody. Each turn takes at least one out, so that it ends.
 *
 * @param definitions what the files of its `[[definitions]]` say, as far as they are read
 */
export function* provision(
  own: OwnConfig,
  definitions: readonly Definitions[],
  circumstances: ProvisionCircumstances,
): Sliced<{ readonly ok: Provisioned } | { readonly problems: readonly Problem[] }> {
  const before = circumstances.before?.good ?? nothingYet;
  const entries = entriesOf(own.config, resolver(own.file));
  const services = new Map(definitions.map((each) => [each.id, knownServices(each, before)]));
  const named = new Set(entries.map(({ id }) => id));
  const read = new Set(definitions.map(({ id }) => id));
  const unread = definitions.filter((each) => isUnread(each, before)).map(({ path }) => path);
  const gone = goneTo(
    () => unread[0] ?? entries.find(({ id }) => !read.has(id))?.path,
    definitions.flatMap(({ apis }) => apis),
    before,
    ({ entry }) => !named.has(entry),
  );
  yield;
  const { states, problems: settling } = yield* settle(definitions, { gone, own: own.config.apis, before });
  const problems: Problem[] = [
    ...definitions.flatMap((each) => each.problems),
    ...definitions.flatMap(({ apis }) => apis.flatMap((foreign) => foreign.problems)),
    ...settling,
  ];
  const ownApis = own.config.apis.length;
  for (;;) {
    const config = yield* merge(own.config, states, entries);
    const foreignFiles = yield* filesOf(states, config.apis.slice(ownApis), own, entries);
    const foreign: ForeignFindings = {
      originOf: (index) => states[index - ownApis]?.origin,
      errors: new Map(),
    };
    const findings = createFindings(own.file, own.lineOf, own.files, foreign);
    const built = yield* build({ ...own, config }, states, services, {
      ...circumstances,
      findings,
      entries,
      foreignFiles,
      unread,
    });
    yield;
    // A place that another API has is no news for one that admits nobody.
    const wrong = [...foreign.errors].filter(([index]) => states[index - ownApis]?.state !== 'faulty');
    if (wrong.length === 0) {
      if (findings.errors.length > 0)
        return { problems: findings.errors.toSorted((a, b) => a.line - b.line) };
      problems.push(...built.problems);
      const warnings = [
        ...own.warnings,
        ...findings.warnings,
        ...definitions.flatMap((each) => each.warnings),
      ];
      yield;
      const good = yield* goodOf(states, services, definitions, before);
      return {
        ok: {
          ...built,
          warnings: eachOnce(warnings),
          config,
          ownApis,
          crowding: new Set(config.apis.slice(ownApis).filter((_, i) => states[i]!.isCrowding)),
          foreignFiles,
          problems: eachOnce(problems),
          good,
          ignored: own.ignored,
          text: own,
        },
      };
    }
    for (const [index, errors] of wrong) {
      problems.push(...errors);
      const state = states[index - ownApis]!;
      // What was good before and is not now can't be built beside the rest any more.
      states[index - ownApis] = setBack(state, state.state === 'good' ? before : nothingYet, errors);
    }
  }
}

/** By its entry's path as it is written, so that it is the same wherever config.toml lies. */
function* filesOf(
  states: readonly State[],
  apis: Config['apis'],
  { config: { definitions } }: OwnConfig,
  entries: readonly Entry[],
): Sliced<ForeignFiles> {
  const pathsOf = new Map(entries.map(({ id, path }, i) => [id, { path, written: definitions[i]!.path }]));
  const files = new Map<Config['apis'][number], string>();
  for (const [i, { entry, origin }] of states.entries()) {
    yield;
    // Of an entry that is gone nothing has routes but what leads nowhere.
    const { path, written } = pathsOf.get(entry) ?? { path: '', written: '' };
    files.set(apis[i]!, JSON.stringify([written, relative(path, origin.file)]));
  }
  return files;
}
