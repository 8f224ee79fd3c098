import { nearest, type Path, shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { TierKey, Unit } from '../config/schema/tier.ts';
import { readPolicyFile } from '../definitions/policy-file.ts';
import { publishedTiers } from '../definitions/published-tiers.ts';
import { decodeText } from '../documents/files.ts';
import type { Findings } from './findings.ts';
import type { Sliced } from './slices.ts';

/** What a tier allows each that is counted apart. */
export type Tier = {
  readonly name: string;
  /** undefined: no limit. */
  readonly limit: Limit | undefined;
};

export type Limit = {
  readonly requests: number;
  readonly per: Unit;
  /** So many at once. */
  readonly burst: number;
  readonly key: TierKey;
  /** false: beyond the limit requests go on, and are only told of. */
  readonly stopOnQuotaReach: boolean;
};

type Written = Config['tiers'][number];
/**
 * The tiers that `[[tiers]]` writes, those of the policy files that it names, and where there are foreign files, all of
 * WSO2's, used or not: each name by the first of these. Else who publishes an API would change Envoy's listener by the
 * tier of his own client, and everybody's limits would begin anew. Other names are warned about once `[[tiers]]` is used.
 *
 * @param foreignFrom index of the first API of a foreign file
 */
export function* readTiers(config: Config, foreignFrom: number, findings: Findings): Sliced<readonly Tier[]> {
  config.tiers.forEach((written, i) => {
    checkTier(written, ['tiers', i], findings);
    checkName(config.tiers, i, findings);
    if (config.router.rateLimit !== undefined && written.burst !== undefined)
      findings.warn(
        ['tiers', i, 'burst'],
        'the service of [router.rateLimit] counts in fixed windows and knows no burst, so that it does not count; leave it out',
      );
  });
  const used = yield* usedTiers(config, foreignFrom);
  const published = (config.definitions.length === 0 ? [] : [...publishedTiers.keys()]).map(
    (name): Found => ({ name, limit: limitOf({ name }), at: used.get(name)?.at ?? nowhere }),
  );
  const files = config.tiers.flatMap((written, i) => tiersOfFile(written, ['tiers', i, 'file'], findings));
  const own = config.tiers.flatMap((written, i) =>
    ownTiers({ tiers: [written] }).map((tier) => ({ ...tier, at: ['tiers', i, 'name'] })),
  );
  const found = new Map([...published, ...files.toReversed(), ...own].map((tier) => [tier.name, tier]));
  const tiers = [...found.values()].map(({ name, limit }) => ({ name, limit }));
  for (const tier of published)
    if (found.get(tier.name) === tier && used.get(tier.name)?.isForeign === false)
      warnAboutPublished(tier, findings);
  warnAboutCase(
    [...found.values()].filter(({ at }) => at !== nowhere),
    findings,
  );
  warnAboutNumber(tiers, config, findings);
  if (config.tiers.length > 0) warnAboutUndefined([...found.keys()], used, findings);
  return tiers;
}

type Found = Tier & { readonly at: Path };

/** No client has it. */
const nowhere: Path = [];

/** Those that config.toml itself writes, numbers and all. */
export const ownTiers = ({ tiers }: Pick<Config, 'tiers'>): readonly Tier[] =>
  tiers.flatMap(({ name, ...written }) =>
    name === undefined ? [] : [{ name, limit: limitOf({ name, ...written }) }],
  );

function limitOf({
  name,
  requests = publishedTiers.get(name)?.requests,
  per = publishedTiers.get(name)?.per ?? 'minute',
  burst = requests,
  key = 'alias',
  stopOnQuotaReach = true,
}: Partial<Written> & { readonly name: string }): Limit | undefined {
  return requests === undefined || burst === undefined
    ? undefined
    : { requests, per, burst, key, stopOnQuotaReach };
}

function tiersOfFile(
  { file, key, stopOnQuotaReach }: Written,
  path: Path,
  findings: Findings,
): readonly Found[] {
  const read =
    file &&
    findings.file(path, file, (content) => readPolicyFile(findings.resolve(file), decodeText(content)));
  if (!read) return [];
  for (const { line, key: where, message } of read.problems)
    findings.error(
      path,
      `found ${shown(file)}, where in line ${line} ${where === '' ? 'it' : where} ${message}`,
    );
  for (const warning of read.warnings) findings.warnElsewhere(warning);
  return read.tiers.map(({ name, limit, ...policy }) => ({
    name,
    at: path,
    limit: limit && { ...limit, key, stopOnQuotaReach: stopOnQuotaReach ?? policy.stopOnQuotaReach },
  }));
}

function checkTier({ name, file, requests, per, burst }: Written, at: Path, findings: Findings): void {
  const [number] = Object.entries({ requests, per, burst }).find(([, value]) => value !== undefined) ?? [];
  if (name === undefined && file === undefined)
    findings.error([...at, 'name'], 'missing; write a name, for example "Gold", or a file with policies');
  else if (file !== undefined && (name !== undefined || number !== undefined))
    findings.error(
      [...at, name === undefined ? number! : 'name'],
      `found beside file, which says it; write an entry of its own for what is to be otherwise`,
    );
  else if (name === undefined || requests !== undefined) return;
  else if (!publishedTiers.has(name))
    findings.error(
      [...at, 'requests'],
      `missing; write how many requests "${name}" allows, for example requests = 5000 (only ${[...publishedTiers.keys()].join(', ')} have a number of WSO2’s)`,
    );
  else if (number !== undefined)
    findings.error(
      [...at, number],
      'found without requests, which it belongs to; write requests, or leave it out for WSO2’s numbers',
    );
}

/** A client of one would have the other's limit in some people's eyes, and none in Envoy's. */
function checkName(tiers: readonly Written[], i: number, findings: Findings): void {
  const { name } = tiers[i]!;
  const other = tiers
    .slice(0, i)
    .find((before) => name !== undefined && before.name?.toLowerCase() === name.toLowerCase())?.name;
  if (other !== undefined)
    findings.error(
      ['tiers', i, 'name'],
      `found "${name}", ${name === other ? 'which an entry before has' : `beside "${other}", of another case`}; write another name, or one entry`,
    );
}

/** The same where not both are written here: files and WSO2 call theirs as they like. */
function warnAboutCase(found: readonly Found[], findings: Findings): void {
  const seen = new Map<string, Found>();
  for (const tier of found) {
    const { name, at } = tier;
    const other = seen.get(name.toLowerCase());
    seen.set(name.toLowerCase(), tier);
    const isWritten = (one: Found): boolean => one.at.at(-1) === 'name';
    if (other === undefined || (isWritten(other) && isWritten(tier))) continue;
    findings.warn(
      at,
      `found "${name}", beside "${other.name}", of another case: each has a limit of its own, and clients are told apart by case; write one of them`,
    );
  }
}

/** So many cost a request some 0.1 ms of Envoy's CPU, and 10,000 of them 11 ms (docs/performance.md). */
const manyTiers = 100;

function warnAboutNumber(tiers: readonly Tier[], { router }: Config, findings: Findings): void {
  const limited = tiers.filter(({ limit }) => limit !== undefined).length;
  if (limited > manyTiers && router.rateLimit === undefined)
    findings.warn(
      ['tiers'],
      `found ${limited} tiers with a limit, each of which Envoy looks at for every request; write fewer, or [router.rateLimit], whose service finds the one that counts`,
    );
}

type Used = {
  readonly name: string;
  /** Its first client: one of config.toml, if any. */
  readonly at: Path;
  readonly isForeign: boolean;
};

function* usedTiers(config: Config, foreignFrom: number): Sliced<ReadonlyMap<string, Used>> {
  const used = new Map<string, Used>();
  function* gather(clients: Config['clients'], at: Path, isForeign: boolean): Sliced<void> {
    for (const [i, { tier }] of clients.entries()) {
      yield;
      if (tier !== undefined && !used.has(tier))
        used.set(tier, { name: tier, at: [...at, i, 'tier'], isForeign });
    }
  }
  yield* gather(config.clients, ['clients'], false);
  for (const [i, api] of config.apis.entries()) {
    yield;
    const isForeign = i >= foreignFrom;
    yield* gather(api.clients, ['apis', i, 'clients'], isForeign);
    for (const [j, { clients = [] }] of api.operations.entries())
      yield* gather(clients, ['apis', i, 'operations', j, 'clients'], isForeign);
  }
  return used;
}

/** What is there for foreign files may not change unheard what config.toml's own clients are allowed. */
function warnAboutPublished(tier: Found, findings: Findings): void {
  if (tier.limit === undefined) return;
  findings.warn(
    tier.at,
    `found "${tier.name}", which no [[tiers]] has: beside [[definitions]], WSO2’s number counts for it (${tierLine(tier)}); write a [[tiers]] with name = "${tier.name}" and your number, or another name here`,
  );
}

function warnAboutUndefined(
  names: readonly string[],
  used: ReadonlyMap<string, Used>,
  findings: Findings,
): void {
  for (const { name, at } of used.values()) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    findings.warn(
      at,
      `found "${name}", which no [[tiers]] has: its requests have no limit; write ${near === undefined ? '' : `"${near}", or `}a [[tiers]] with name = "${name}"`,
    );
  }
}

/** For people: `Gold: 5000 a minute for each alias`. */
export function tierLine({ name, limit }: Tier): string {
  if (limit === undefined) return `${name}: no limit`;
  const { requests, per, burst, key, stopOnQuotaReach } = limit;
  return [
    `${name}: ${requests} a ${per} for each ${key === 'api' ? 'alias at each API' : key}`,
    ...(burst === requests ? [] : [`${burst} at once`]),
    ...(stopOnQuotaReach ? [] : ['only told']),
  ].join(', ');
}
