import { basename, dirname, join, resolve } from 'node:path';
import { FileProblem } from '../../documents/files.ts';
import { parseToml, type TomlFile, TomlSyntaxError } from '../../documents/toml.ts';
import {
  adviceFor,
  type DefinedApi,
  type DefinedTokenService,
  type Definition,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
  type WrittenSource,
  type WrittenTokenService,
} from '../written.ts';
import { readProjectApi } from '../wso2-project/project-api.ts';
import { eachProject, findProjects } from '../wso2-project/project-files.ts';

/** Choreo Connect: API projects (folders or archives of `apictl`), and the issuers of its config.toml. */
export function readChoreoConnect(entry: DefinitionEntry): Definition {
  const files = filesOf(entry);
  const found = findProjects(entry.path, files);
  const problems: DefinitionProblem[] = [...found.problems];
  const warnings: DefinitionProblem[] = [];
  const apis: DefinedApi[] = [];
  for (const project of eachProject(found, files, problems)) {
    const read = readProjectApi(project, entry, 'choreo-connect');
    apis.push(...read.apis);
    // Of an API that is refused anyhow its problems are enough to read.
    if (read.apis.every((api) => api.problems.length === 0))
      warnings.push(...read.warnings, ...(read.nobody === undefined ? [] : [read.nobody]));
  }
  const conf = confAmong(found.others, entry, warnings);
  const { tokenServices, sources } =
    conf === undefined
      ? { tokenServices: [], sources: undefined }
      : readConf(conf, entry, problems, warnings);
  if (apis.length === 0 && problems.length === 0 && tokenServices.length === 0)
    problems.push({
      file: entry.path,
      line: 1,
      key: '',
      message: 'has no API project in it; it needs a folder (or archive) with an api.yaml',
    });
  return { apis: apis.map((api) => withSources(api, sources)), tokenServices, problems, warnings };
}

/** The one at the top: what lies deeper is a project's, or somebody else's, and must not speak for all. */
function confAmong(
  others: readonly string[],
  { path }: DefinitionEntry,
  warnings: DefinitionProblem[],
): string | undefined {
  const top = join(path, 'config.toml');
  if (others.includes(top)) return top;
  for (const file of others.filter((name) => basename(name) === 'config.toml'))
    warnings.push({
      file,
      line: 1,
      key: '',
      message: `is not read; the config.toml that counts lies at the top of the path, ${top}`,
    });
  return undefined;
}

/** Where its config.toml says that certificates come from; without one, where ours does. */
const withSources = (api: DefinedApi, sources: readonly WrittenSource[] | undefined): DefinedApi =>
  sources === undefined || api.written.mutualSSL === 'off'
    ? api
    : { ...api, written: { ...api.written, sources } };

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

type Conf = {
  readonly tokenServices: readonly DefinedTokenService[];
  readonly sources: readonly WrittenSource[] | undefined;
};

/** What of its config.toml concerns clients: issuers, and how a certificate comes. */
function readConf(
  file: string,
  entry: DefinitionEntry,
  problems: DefinitionProblem[],
  warnings: DefinitionProblem[],
): Conf {
  try {
    const toml = parseToml(filesOf(entry).text(file));
    const enforcer = isTable(toml.value.enforcer) ? toml.value.enforcer : {};
    const security = isTable(enforcer.security) ? enforcer.security : {};
    return {
      tokenServices: issuersOf(file, toml, security.tokenService, problems),
      sources: isTable(security.mutualSSL)
        ? sourcesOf(file, toml, security.mutualSSL, entry, warnings)
        : undefined,
    };
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof TomlSyntaxError)) throw error;
    const line = error instanceof TomlSyntaxError ? error.line : 1;
    problems.push({ file, line, key: '', message: error.message });
    return { tokenServices: [], sources: undefined };
  }
}

/** `[enforcer.security.mutualSSL]`: the handshake's certificate, or the header's, from those who may send it. */
function sourcesOf(
  file: string,
  { lineOf }: TomlFile,
  mutualSSL: Table,
  entry: DefinitionEntry,
  warnings: DefinitionProblem[],
): readonly WrittenSource[] {
  const { trustedSenders } = entry;
  const warn = (key: string, message: string): void => {
    const path = ['enforcer', 'security', 'mutualSSL', key];
    warnings.push({ file, line: lineOf(path), key: path.join('.'), message });
  };
  if (mutualSSL.enableOutboundCertificateHeader === true)
    warn(
      'enableOutboundCertificateHeader',
      'the backend gets a certificate header only with this key in our own config.toml; it is then the verified one',
    );
  if (mutualSSL.enableClientValidation !== false) return [{ format: 'peer' }];
  if (trustedSenders === undefined) {
    warn(
      'enableClientValidation',
      `certificates come in a header there, but nobody is trusted to send it: only certificates of TLS clients count; ${adviceFor(entry).trustedSenders}, your load balancer’s addresses`,
    );
    return [{ format: 'peer' }];
  }
  const header = text(mutualSSL.certificateHeader) ?? 'X-WSO2-CLIENT-CERTIFICATE';
  const format = mutualSSL.clientCertificateEncode === true ? 'percent-pem' : 'auto';
  return [{ format, header, trustedSenders }];
}

function issuersOf(
  file: string,
  { lineOf }: TomlFile,
  services: unknown,
  problems: DefinitionProblem[],
): readonly DefinedTokenService[] {
  return (Array.isArray(services) ? (services as unknown[]) : []).flatMap((service, i) => {
    const written = isTable(service) ? issuer(service, dirname(file)) : undefined;
    const origin = { file, line: lineOf(['enforcer', 'security', 'tokenService', i]) };
    if (written !== undefined) return [{ origin, written }];
    problems.push({
      ...origin,
      key: `enforcer.security.tokenService[${i}]`,
      message: 'needs name and issuer, and jwksURL or certificateFilePath; its tokens are refused',
    });
    return [];
  });
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
