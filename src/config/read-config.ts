import type { z } from 'zod';
import { linesIn, parseToml, type TomlFile, type TomlLines, TomlSyntaxError } from '../documents/toml.ts';
import { advice, misplacedKey, unknownKey, unknownTable, writtenTwice } from './advice.ts';
import { choreoConnectOnly, isChoreoConnectFile } from './choreo-connect-keys.ts';
import { keyText, nearest, type Path, type Problem, shown } from './problem.ts';
import { type Config, configSchema, configShape } from './schema/config.ts';
import { isTable, removeKeys, type Table, valueAt } from './tables.ts';

export type ConfigText = {
  readonly config: Config;
  /** Line of a key, for what is only found out later. */
  readonly lineOf: TomlFile['lineOf'];
  readonly isWritten: TomlFile['isWritten'];
  /** What both look up, as data. */
  readonly lines: ConfigLines;
  /** Tables and keys that are Choreo Connect's alone, for one line in the log. */
  readonly ignored: readonly string[];
  /** Tables that nobody knows: a newer Choreo Connect's, or one of ours in another place. */
  readonly warnings: readonly Problem[];
};

type ConfigLines = {
  readonly toml: TomlLines;
  /** Where the token services stand that were kept, if some were left out. */
  readonly services?: readonly number[] | undefined;
};

/** Where `$env{NAME}` in a value is looked up. */
export type Env = Readonly<Record<string, string | undefined>>;

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
};
const shape = configShape as JsonSchema;

/**
 * The text of config.toml as Config, or everything that is wrong with it, all at once.
 *
 * @param file name for the messages
 */
export function readConfig(text: string, file: string, env: Env): ConfigText | readonly Problem[] {
  const { problems, withoutFaults } = interpret(text, file, env);
  return problems.length > 0 ? problems.toSorted((a, b) => a.line - b.line) : withoutFaults()!;
}

/**
 * A faulty configuration without the keys that are at fault, for telling what else is wrong and for nothing else.
 * undefined: nothing can be said without them.
 */
export const readRest = (text: string, file: string, env: Env): ConfigText | undefined =>
  interpret(text, file, env).withoutFaults();

function interpret(
  text: string,
  file: string,
  env: Env,
): { readonly problems: readonly Problem[]; readonly withoutFaults: () => ConfigText | undefined } {
  let toml: TomlFile;
  try {
    toml = parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    const what = error.repeated === undefined ? error.message : writtenTwice(error.repeated);
    const problem = { file, line: error.line, key: '', message: `not TOML: ${what}` };
    return { problems: [problem], withoutFaults: () => undefined };
  }
  const problems: Problem[] = [];
  const ignored: string[] = [];
  const warnings: Problem[] = [];
  const problem = (path: Path, message: string): void => {
    problems.push({ file, line: toml.lineOf(path), key: keyText(path), message });
  };
  const ours = withoutForeign(toml.value, [], shape, (path, isKnown, value) => {
    const misplaced = isKnown ? undefined : misplacedKey(path, value);
    if (isKnown) ignored.push(path.join('.'));
    else if (misplaced !== undefined) problem(misplaced.path, misplaced.message);
    else warnings.push({ file, line: toml.lineOf(path), key: keyText(path), message: unknownTable(path) });
  });
  const services = isChoreoConnectFile(ignored) ? withIssuers(ours) : undefined;
  for (const path of services?.leftOut ?? [])
    warnings.push({ file, line: toml.lineOf(path), key: keyText(path), message: noIssuer });
  const writtenAt = placesOf(services?.kept);
  const report = (path: Path, message: string): void => problem(writtenAt(path), message);
  const filledIn = withEnvironment(ours, env, [], report) as Table;
  const result = configSchema.safeParse(filledIn);
  const issues = result.error?.issues ?? [];
  // By what is written: what the environment has filled in may be a secret.
  for (const issue of issues) describeIssue(issue, ours, report);
  const faulty = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path],
  );
  return {
    problems,
    withoutFaults: () => {
      const config =
        result.data ?? (removeKeys(filledIn, faulty) ? configSchema.safeParse(filledIn).data : undefined);
      return (
        config && {
          config,
          ...linesOf({ toml: toml.lines, services: services?.kept }),
          ignored,
          warnings: warnings.sort((a, b) => a.line - b.line),
        }
      );
    },
  };
}

const noIssuer =
  'has no issuer, as Choreo Connect has it for API keys, which are not taken here; it is left out';

export const linesOf = (
  lines: ConfigLines,
): { readonly lines: ConfigLines } & Pick<ConfigText, 'lineOf' | 'isWritten'> => ({
  ...linesIn(lines.toml, placesOf(lines.services)),
  lines,
});

const tokenServices = ['enforcer', 'security', 'tokenService'];

/** Choreo Connect's file has token services without an issuer. */
function withIssuers(ours: Table): {
  readonly leftOut: readonly Path[];
  /** Of each that is kept the index that it is written at. */
  readonly kept: readonly number[];
} {
  const security = valueAt(ours, tokenServices.slice(0, -1)) as Record<string, unknown> | undefined;
  const services: unknown[] = Array.isArray(security?.tokenService) ? security.tokenService : [];
  // Misspelt, it is an error as everywhere.
  const hasIssuer = (service: unknown): boolean =>
    !isTable(service) || Object.keys(service).some((key) => nearest(key, ['issuer']) !== undefined);
  const kept = [...services.keys()].filter((i) => hasIssuer(services[i]));
  if (security !== undefined && services.length > 0) security.tokenService = kept.map((i) => services[i]);
  const leftOut = [...services.keys()]
    .filter((i) => !hasIssuer(services[i]))
    .map((i) => [...tokenServices, i]);
  return { leftOut, kept };
}

/** Where that stands in the file which now has this path: those behind one that was left out have moved. */
const placesOf =
  (kept?: readonly number[]) =>
  (path: Path): Path => {
    const index = path[tokenServices.length];
    const isBelow = typeof index === 'number' && tokenServices.every((name, i) => path[i] === name);
    return isBelow && kept?.[index] !== undefined ? path.with(tokenServices.length, kept[index]) : path;
  };

/** Leaves out what Choreo Connect documents and we don't use, and whole tables that nobody knows. */
function withoutForeign(
  table: Table,
  path: readonly string[],
  known: JsonSchema,
  leftOut: (path: readonly string[], isKnown: boolean, value: unknown) => void,
): Table {
  // Without a prototype `__proto__` is a key like any other, and unknown.
  const kept: Record<string, unknown> = Object.create(null);
  const names = Object.keys(known.properties ?? {});
  for (const [key, value] of Object.entries(table)) {
    const at = [...path, key];
    const child = known.properties?.[key];
    if (child?.properties !== undefined && isTable(value)) {
      kept[key] = withoutForeign(value, at, child, leftOut);
    } else if (child === undefined && choreoConnectOnly[path.join('.')]?.includes(key)) {
      leftOut(at, true, value);
    } else if (child === undefined && path.length > 0 && mayBeNewer(key, value, names)) {
      leftOut(at, false, value);
    } else {
      kept[key] = value;
    }
  }
  return kept;
}

/** A table under `router` or `enforcer` may be a newer Choreo Connect's, unless it looks like one of ours misspelt. */
function mayBeNewer(key: string, value: unknown, known: readonly string[]): boolean {
  const tables = isTable(value) || (Array.isArray(value) && value.length > 0 && value.every(isTable));
  return tables && nearest(key, known) === undefined;
}

/**
 * Replaces `$env{NAME}` as Choreo Connect does, anywhere in a text.
 *
 * @param path is the same list all the way down: of most values nobody wants to know where they stand
 */
function withEnvironment(
  value: unknown,
  env: Env,
  path: PropertyKey[],
  report: (path: Path, message: string) => void,
): unknown {
  if (typeof value === 'string') {
    if (!value.includes('$env{')) return value;
    return value.replace(/\$env\{([^}]*)\}/g, (whole, name: string) => {
      const found = Object.hasOwn(env, name) ? env[name] : undefined;
      if (found === undefined)
        report([...path], `the environment variable ${name} is not set; set it, or write the value`);
      return found ?? whole;
    });
  }
  const below = (key: PropertyKey, inner: unknown): unknown => {
    path.push(key);
    const filledIn = withEnvironment(inner, env, path, report);
    path.pop();
    return filledIn;
  };
  // Most tables have none: they stay as they are.
  if (Array.isArray(value)) {
    const filledIn = value.map((inner, i) => below(i, inner));
    return filledIn.some((inner, i) => inner !== value[i]) ? filledIn : value;
  }
  if (!isTable(value)) return value;
  let table: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    const filledIn = below(key, value[key]);
    if (filledIn === value[key]) continue;
    table ??= Object.assign(Object.create(null) as Record<string, unknown>, value);
    table[key] = filledIn;
  }
  return table ?? value;
}

/** zod's issue in the words of an operator: what was found, what to write. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  ours: unknown,
  report: (path: Path, message: string) => void,
): void {
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const path = [...issue.path, key];
      report(path, unknownKey(path, valueAt(ours, path)));
    }
    return;
  }
  const found = valueAt(ours, issue.path);
  report(
    issue.path,
    found === undefined ? `missing; ${advice(issue)}` : `found ${shown(found)}; ${advice(issue)}`,
  );
}
