import { advice } from '../config/advice.ts';
import type { Problem } from '../config/problem.ts';
import { authService } from '../config/schema/enforcer.ts';
import { decodeText, FileProblem, readBytes } from '../documents/files.ts';
import { slipOf } from '../documents/near.ts';
import { parseToml } from '../documents/toml.ts';
import { createFindings } from './findings.ts';
import { readService, type ServiceSettings } from './service.ts';

type Env = Readonly<Record<string, string | undefined>>;

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
} {
  const problems: Problem[] = [];
  const tell = (line: number, key: string, message: string): void =>
    void problems.push({ file, line, key, message });
  const written = meant(readAuthService(file, env, tell), Object.keys(authService.parse({})), (key, slip) =>
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
  return { service: isNowhere ? { ...service, ...defaults } : service, workers: settings.workers, problems };
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
  tell: (path: readonly PropertyKey[], message: string) => void,
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

function readAuthService(file: string, env: Env, tell: Tell): Table {
  let text = '';
  try {
    const bytes = readBytes(file);
    // Of UTF-16 what is left without its zeros: keys and addresses are ASCII.
    text = bytes.toString('latin1').replaceAll('\0', '');
    return tableOf(decodeText(bytes), env);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    tell(error.line, '', error.message);
  }
  const tables = linesOf(text).map((line) => {
    try {
      return tableOf(line, env);
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      return {};
    }
  });
  return Object.assign({}, ...tables.toReversed());
}

/** Line by line what is the table's in a file that is no TOML, each as a document of its own. */
function linesOf(text: string): readonly string[] {
  const heading = /^[^\w"'\n]*\[/;
  const own = /\[\s*["']?enforcer["']?\s*\.\s*["']?authService["']?\s*\]/;
  let isOwn = false;
  return text.split(/\r\n|\n|\r/).flatMap((line) => {
    if (heading.test(line)) {
      isOwn = own.test(line);
      return [];
    }
    return isOwn ? [`[enforcer.authService]\n${line}`] : /^\s*enforcer\b/.test(line) ? [line] : [];
  });
}

/** @throws FileProblem: no TOML */
function tableOf(text: string, env: Env): Table {
  const { enforcer } = parseToml(text).value as { readonly enforcer?: Table };
  const { authService: table = {} } = meant(enforcer ?? {}, ['authService'], () => {});
  const written = JSON.stringify(table).replace(/\$env\{([^}]*)\}/g, (whole, name: string) =>
    JSON.stringify(env[name] ?? whole).slice(1, -1),
  );
  const read: unknown = JSON.parse(written);
  return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Table) : {};
}
