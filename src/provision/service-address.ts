import type { Problem } from '../config/problem.ts';
import { authService } from '../config/schema/enforcer.ts';
import { FileProblem, readText } from '../documents/files.ts';
import { parseToml, TomlSyntaxError } from '../documents/toml.ts';
import { createFindings } from './findings.ts';
import { readService, type ServiceSettings } from './service.ts';

/**
 * Where the service of a configuration listens, and nothing else of it: whoever asks whether it is well must not be told
 * that a certificate file is away, which the running service does not need.
 */
export function readServiceAddress(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): ServiceSettings | readonly Problem[] {
  try {
    const { value, lineOf } = parseToml(readText(file));
    const enforcer = (value.enforcer ?? {}) as Readonly<Record<string, unknown>>;
    const written = JSON.stringify(enforcer.authService ?? {}).replace(
      /\$env\{([^}]*)\}/g,
      (whole, name: string) => JSON.stringify(env[name] ?? whole).slice(1, -1),
    );
    const parsed = authService.safeParse(JSON.parse(written));
    if (!parsed.success)
      return parsed.error.issues.map(({ path, message }) => ({
        file,
        line: lineOf(['enforcer', 'authService', ...path]),
        key: ['enforcer', 'authService', ...path].join('.'),
        message,
      }));
    const findings = createFindings(file, lineOf);
    const service = readService({ enforcer: { authService: parsed.data } }, findings);
    return findings.errors.length > 0 ? findings.errors : service;
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof TomlSyntaxError)) throw error;
    const line = error instanceof TomlSyntaxError ? error.line : 1;
    return [{ file, line, key: '', message: error.message }];
  }
}
