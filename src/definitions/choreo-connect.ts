import { basename, dirname, resolve } from 'node:path';
import { FileProblem, readText } from '../files.ts';
import { parseToml, TomlSyntaxError } from '../toml-file.ts';
import { readProjectApi } from './project-api.ts';
import { findProjects } from './project-files.ts';
import type {
  DefinedApi,
  Definition,
  DefinitionEntry,
  DefinitionProblem,
  WrittenTokenService,
} from './written.ts';

/** Choreo Connect: API projects (folders or archives of `apictl`), and the issuers of its config.toml. */
export function readChoreoConnect(entry: DefinitionEntry): Definition {
  const { projects, others, problems: unfound } = findProjects(entry.path);
  const problems: DefinitionProblem[] = [...unfound];
  const warnings: DefinitionProblem[] = [];
  const tokenServices: WrittenTokenService[] = [];
  const apis: DefinedApi[] = [];
  for (const project of projects) {
    const read = readProjectApi(project, entry, 'choreo-connect');
    apis.push(read.api);
    // Of an API that is refused anyhow its problems are enough to read.
    if (read.api.problems.length === 0) warnings.push(...read.warnings);
  }
  for (const file of others)
    if (/\.toml$/.test(basename(file))) tokenServices.push(...issuersOf(file, problems));
  if (apis.length === 0 && problems.length === 0 && tokenServices.length === 0)
    problems.push({
      file: entry.path,
      line: 1,
      key: '',
      message: 'has no API project in it; it needs a folder (or archive) with an api.yaml',
    });
  return { apis, tokenServices, problems, warnings };
}

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** `[[enforcer.security.tokenService]]` of its config.toml. */
function issuersOf(file: string, problems: DefinitionProblem[]): readonly WrittenTokenService[] {
  try {
    const { value, lineOf } = parseToml(readText(file));
    const security = isTable(value.enforcer) ? value.enforcer.security : undefined;
    const services = isTable(security) ? security.tokenService : undefined;
    return (Array.isArray(services) ? (services as unknown[]) : []).flatMap((service, i) => {
      const written = isTable(service) ? issuer(service, dirname(file)) : undefined;
      if (written !== undefined) return [written];
      problems.push({
        file,
        line: lineOf(['enforcer', 'security', 'tokenService', i]),
        key: `enforcer.security.tokenService[${i}]`,
        message: 'needs name and issuer, and jwksURL or certificateFilePath; its tokens are refused',
      });
      return [];
    });
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof TomlSyntaxError)) throw error;
    problems.push({
      file,
      line: error instanceof TomlSyntaxError ? error.line : 1,
      key: '',
      message: error.message,
    });
    return [];
  }
}

function issuer(service: Table, folder: string): WrittenTokenService | undefined {
  const [name, own, jwksURL] = [text(service.name), text(service.issuer), text(service.jwksURL)];
  const certificate = text(service.certificateFilePath);
  const claim = text(service.consumerKeyClaim);
  if (name === undefined || own === undefined || (jwksURL ?? certificate) === undefined) return undefined;
  const mappings = Array.isArray(service.claimMapping) ? (service.claimMapping as unknown[]) : [];
  return {
    name,
    issuer: own,
    ...(jwksURL !== undefined && { jwksURL }),
    ...(certificate !== undefined && { certificateFilePath: resolve(folder, certificate) }),
    ...(claim !== undefined && { consumerKeyClaim: claim }),
    ...(service.validateSubscription === true && { validateSubscription: true }),
    claimMapping: mappings.filter(isTable).flatMap((mapping) => {
      const [remoteClaim, localClaim] = [text(mapping.remoteClaim), text(mapping.localClaim)];
      return remoteClaim === undefined || localClaim === undefined ? [] : [{ remoteClaim, localClaim }];
    }),
    tokenTypes: ['at+jwt', 'JWT', 'none'],
  };
}
