import type { Config } from '../config/schema/config.ts';
import { isTable, type Table } from '../config/tables.ts';
import type { Sliced } from '../provision/slices.ts';

/** A configuration with the APIs of foreign files in it, and what the files hold that config.toml names. */
export type Written = {
  readonly config: Config;
  /** By the path as it is written in config.toml; undefined: it could not be read. */
  readonly bytesOf: (path: string) => Uint8Array | undefined;
};

type Client = Config['clients'][number];
type Api = Config['apis'][number];

/** What is different, in words for the log: names of aliases, APIs and settings, never a value that may be secret. */
export function* describeChanges(before: Written, after: Written): Sliced<readonly string[]> {
  const clients = yield* clientChanges(before, after);
  const apis = yield* apiChanges(before.config, after.config);
  return [...clients, ...apis, ...settingChanges(before, after)];
}

function* clientChanges(before: Written, after: Written): Sliced<readonly string[]> {
  const [old, now] = [yield* clientsOf(before.config), yield* clientsOf(after.config)];
  // Thousands of aliases may name one file.
  const compared = new Map<string, boolean>();
  const hasSameContent = (path: string | undefined): boolean => {
    if (path === undefined) return true;
    const isSame = compared.get(path) ?? equal(before.bytesOf(path), after.bytesOf(path));
    compared.set(path, isSame);
    return isSame;
  };
  // A number for each content.
  const numbers = new Map<string, number>();
  const [certificateBefore, certificateNow] = [certificates(before, numbers), certificates(after, numbers)];
  const found: Record<'certificates' | 'files' | 'off' | 'on' | 'changed', string[]> = {
    certificates: [],
    files: [],
    off: [],
    on: [],
    changed: [],
  };
  for (const [alias, clients] of now) {
    yield;
    const others = old.get(alias);
    if (others === undefined) continue;
    const isSame =
      same(clients, others) &&
      clients.every(({ file, caFile }) => hasSameContent(file) && hasSameContent(caFile));
    if (isSame) continue;
    const [isOff, wasOff] = [clients, others].map((all) => all.every(({ disabled }) => disabled));
    if (isOff !== wasOff) found[isOff ? 'off' : 'on'].push(alias);
    else if (!same(clients.map(withoutCertificate), others.map(withoutCertificate)))
      found.changed.push(alias);
    else if (!same(clients.map(certificateNow), others.map(certificateBefore)))
      found.certificates.push(alias);
    else found[same(clients.map(datesOf), others.map(datesOf)) ? 'files' : 'changed'].push(alias);
  }
  return [
    ...named('aliases added', yield* missingIn(now, old)),
    ...named('aliases removed', yield* missingIn(old, now)),
    ...named('aliases with other certificates', found.certificates),
    ...named('aliases with the same certificates from elsewhere', found.files),
    ...named('aliases switched off', found.off),
    ...named('aliases switched on', found.on),
    ...named('aliases changed', found.changed),
  ];
}

const clientsOf = ({ clients }: Config) => grouped<Client>(clients, ({ alias }) => alias);

/** All of an entry but what says which certificates, and when. */
function withoutCertificate(client: Client): Partial<Client> {
  const { file, pem, caFile, caPem, fingerprints, spki, notBefore, notAfter, ...others } = client;
  return others;
}

const datesOf = ({ notBefore, notAfter }: Client): unknown => [notBefore, notAfter];

/** What says which certificates a client has, wherever it stands. Thousands of aliases may name one file. */
function certificates({ bytesOf }: Written, numbers: Map<string, number>): (client: Client) => unknown {
  const read = new Map<string, number>();
  const numberOf = (text: string): number => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
  const numberIn = (path: string): number => {
    const number = read.get(path) ?? numberOf(Buffer.from(bytesOf(path) ?? []).toString('latin1'));
    read.set(path, number);
    return number;
  };
  const contentOf = (path: string | undefined, text: string | undefined): number | undefined =>
    path === undefined ? (text === undefined ? undefined : numberOf(text)) : numberIn(path);
  return ({ file, pem, caFile, caPem, fingerprints, spki }) => [
    contentOf(file, pem),
    contentOf(caFile, caPem),
    fingerprints,
    spki,
  ];
}

function* apiChanges(before: Config, after: Config): Sliced<readonly string[]> {
  const nameOf = ({ name, version }: Api): string => `${name}:${version}`;
  const [old, now] = [yield* grouped(before.apis, nameOf), yield* grouped(after.apis, nameOf)];
  const changed: string[] = [];
  for (const [name, apis] of now) {
    yield;
    const others = old.get(name);
    if (others !== undefined && !same(apis, others)) changed.push(name);
  }
  return [
    ...named('APIs added', yield* missingIn(now, old)),
    ...named('APIs removed', yield* missingIn(old, now)),
    ...named('APIs changed', changed),
  ];
}

/** Of the tables that stand once, the keys that differ, or the content of the file that one names. */
function settingChanges(before: Written, after: Written): readonly string[] {
  const settings = ({ enforcer, router, definitions }: Config): Table => ({ enforcer, router, definitions });
  return named('settings', [
    ...differences(settings(before.config), settings(after.config), [before, after]),
  ]);
}

function* differences(
  before: unknown,
  after: unknown,
  [old, now]: readonly [Written, Written],
  path = '',
): Generator<string> {
  if (isTable(before) && isTable(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      yield* differences(before[key], after[key], [old, now], path === '' ? key : `${path}.${key}`);
  } else if (!same(before, after)) {
    yield typeof after === 'boolean' ? `${path} = ${after}` : path;
  } else if (typeof after === 'string' && !equal(old.bytesOf(after), now.bytesOf(after))) {
    yield `the content of ${path}`;
  }
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

const equal = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && Buffer.compare(one, other) === 0);

function* grouped<T>(
  all: readonly T[],
  nameOf: (one: T) => string,
): Sliced<ReadonlyMap<string, readonly T[]>> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    yield;
    const name = nameOf(one);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [one]);
    else group.push(one);
  }
  return groups;
}

function* missingIn(
  some: ReadonlyMap<string, unknown>,
  others: ReadonlyMap<string, unknown>,
): Sliced<readonly string[]> {
  const missing: string[] = [];
  for (const name of some.keys()) {
    yield;
    if (!others.has(name)) missing.push(name);
  }
  return missing;
}

/** A line has an end, whatever was changed. */
const atMost = 20;

const named = (what: string, names: readonly string[]): readonly string[] => {
  if (names.length === 0) return [];
  const more = names.length > atMost ? ` and ${names.length - atMost} more` : '';
  return [`${what}: ${names.slice(0, atMost).join(', ')}${more}`];
};
