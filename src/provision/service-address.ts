import { advice } from '../config/advice.ts';
import type { Path, Problem } from '../config/problem.ts';
import type { Env } from '../config/read-config.ts';
import { authService } from '../config/schema/enforcer.ts';
import { decodeText, FileProblem, readBytes } from '../documents/files.ts';
import { slipOf } from '../documents/near.ts';
import { parseToml } from '../documents/toml.ts';
import { createFindings } from './findings.ts';
import type { KeyPair } from './key-pair.ts';
import { readOwnPair, readService, type ServiceSettings } from './service.ts';

/**
 * Where the service of a configuration listens, as far as the file still says it: whoever asks whether a service is well
 * must not be told that the file is broken by now, or that a certificate is away, which the running service does not need.
 * Of a file that is no TOML any more, the table's lines are read; of a table that has something wrong in it, the rest; a
 * key that is misspelt is what it is a slip of, since the service runs with what stood there before. Where there is
 * nothing, the defaults count.
 */
export function readServiceAddress(
  file: string,
  env: Env,
): {
  readonly service: ServiceSettings;
  /** How many processes share the work. */
  readonly workers: number;
  readonly problems: readonly Problem[];
  /** What Envoy shows to a service that asks for a certificate; or why it is not to be had, for whoever is refused. */
  readonly envoys: KeyPair | string;
} {
  const problems: Problem[] = [];
  const tell = (line: number, key: string, message: string): void =>
    void problems.push({ file, line, key, message });
  const tables = readTables(file, env, tell);
  const written = meant(tables('enforcer', 'authService'), Object.keys(authService.parse({})), (key, slip) =>
    tell(1, `enforcer.authService.${key}`, `unknown key; did you mean "${slip}"?`),
  );
  const settings = withoutFaults(written, (path, message) =>
    tell(1, ['enforcer', 'authService', ...path].join('.'), message),
  );
  const findings = createFindings(file, () => 1);
  const service = readService(
    { enforcer: { authService: settings } },
    (path) => Object.hasOwn(written, String(path.at(-1))),
    findings,
  );
  problems.push(...findings.errors);
  const isNowhere = service.tcp === undefined && service.socket === undefined;
  return {
    service: isNowhere ? { ...service, ...defaults } : service,
    workers: settings.workers,
    problems,
    envoys: envoysPair(tables('router', 'enforcer'), file),
  };
}

function envoysPair({ certPath, keyPath }: Table, file: string): KeyPair | string {
  if (typeof certPath !== 'string' || typeof keyPath !== 'string')
    return 'write the one that Envoy has as [router.enforcer] certPath and keyPath';
  const findings = createFindings(file, () => 1);
  const pair = readOwnPair(['router', 'enforcer'], { certPath, keyPath }, findings);
  return pair ?? findings.errors.map(({ key, message }) => `${key}: ${message}`).join('; ');
}

const { address, port } = authService.parse({});
const defaults = { tcp: { address, port, tls: undefined }, socket: undefined };

type Table = Readonly<Record<string, unknown>>;

/** Slips by what they are slips of. */
function meant(written: Table, known: readonly string[], tell: (key: string, slip: string) => void): Table {
  return Object.fromEntries(
    Object.entries(written).map(([key, value]) => {
      const slip = known.includes(key) ? undefined : slipOf(key, known);
      if (slip === undefined || Object.hasOwn(written, slip)) return [key, value];
      tell(key, slip);
      return [slip, value];
    }),
  );
}

/** With the defaults of keys that have something wrong. */
function withoutFaults(
  written: Table,
  tell: (path: Path, message: string) => void,
): ReturnType<typeof authService.parse> {
  const { data, error } = authService.safeParse(written);
  if (data !== undefined) return data;
  const faulty = new Set<PropertyKey>();
  for (const issue of error.issues) {
    tell(issue.path, advice(issue));
    for (const key of issue.code === 'unrecognized_keys' ? issue.keys : issue.path.slice(0, 1))
      faulty.add(key);
  }
  return authService.parse(Object.fromEntries(Object.entries(written).filter(([key]) => !faulty.has(key))));
}

type Tell = (line: number, key: string, message: string) => void;

/** What is written in a table of a table. */
type Tables = (outer: string, inner: string) => Table;

function readTables(file: string, env: Env, tell: Tell): Tables {
  let text = '';
  try {
    const bytes = readBytes(file);
    // Of UTF-16 what is left without its zeros: keys and addresses are ASCII.
    text = bytes.toString('latin1').replaceAll('\0', '');
    return tablesOf(decodeText(bytes), env);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    tell(error.line, '', error.message);
  }
  return (outer, inner) => {
    const lines = linesOf(text, outer, inner).map((line) => {
      try {
        return tablesOf(line, env)(outer, inner);
      } catch (error) {
        if (!(error instanceof FileProblem)) throw error;
        return {};
      }
    });
    return Object.assign({}, ...lines.toReversed());
  };
}

/** Line by line what is the table's in a file that is no TOML, each as a document of its own. */
function linesOf(text: string, outer: string, inner: string): readonly string[] {
  const heading = /^[^\w"'\n]*\[/;
  const own = new RegExp(`\\[\\s*["']?${outer}["']?\\s*\\.\\s*["']?${inner}["']?\\s*\\]`);
  const dotted = new RegExp(`^\\s*${outer}\\b`);
  let isOwn = false;
  return text.split(/\r\n|\n|\r/).flatMap((line) => {
    if (heading.test(line)) {
      isOwn = own.test(line);
      return [];
    }
    return isOwn ? [`[${outer}.${inner}]\n${line}`] : dotted.test(line) ? [line] : [];
  });
}

/** @throws FileProblem: no TOML */
function tablesOf(text: string, env: Env): Tables {
  const whole = parseToml(text).value as Readonly<Record<string, Table | undefined>>;
  return (outer, inner) => {
    const { [inner]: table = {} } = meant(whole[outer] ?? {}, [inner], () => {});
    const written = JSON.stringify(table).replace(/\$env\{([^}]*)\}/g, (all, name: string) =>
      JSON.stringify(env[name] ?? all).slice(1, -1),
    );
    const read: unknown = JSON.parse(written);
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Table) : {};
  };
}
