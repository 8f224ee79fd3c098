import type { Problem } from '../config/problem.ts';
import { authService } from '../config/schema/enforcer.ts';
import { FileProblem, readText } from '../documents/files.ts';
import { parseToml } from '../documents/toml.ts';
import { createFindings } from './findings.ts';
import { readService, type ServiceSettings } from './service.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Where the service of a configuration listens, as far as the file still says it: whoever asks whether a service is well
 * must not be told that the file is broken by now, or that a certificate is away, which the running service does not need.
 * Of a file that is no TOML any more, the table itself is read; where there is none, the defaults count.
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
  const written = readAuthService(file, env, tell);
  const parsed = authService.safeParse(written);
  for (const { path, message } of parsed.error?.issues ?? [])
    tell(1, ['enforcer', 'authService', ...path].join('.'), message);
  const settings = parsed.data ?? authService.parse({});
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

type Tell = (line: number, key: string, message: string) => void;

function readAuthService(file: string, env: Env, tell: Tell): Readonly<Record<string, unknown>> {
  try {
    const text = readText(file);
    try {
      return tableOf(text, env);
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      tell(error.line, '', error.message);
      return tableOf(/^[ \t]*\[enforcer\.authService\][^[]*/m.exec(text)?.[0] ?? '', env);
    }
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    if (error.line === 1) tell(1, '', error.message);
    return {};
  }
}

/** @throws FileProblem: no TOML */
function tableOf(text: string, env: Env): Readonly<Record<string, unknown>> {
  const enforcer = parseToml(text).value.enforcer as Readonly<Record<string, unknown>> | undefined;
  const written = JSON.stringify(enforcer?.authService ?? {}).replace(
    /\$env\{([^}]*)\}/g,
    (whole, name: string) => JSON.stringify(env[name] ?? whole).slice(1, -1),
  );
  return JSON.parse(written) as Readonly<Record<string, unknown>>;
}
