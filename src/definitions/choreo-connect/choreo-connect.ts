import { basename, dirname, join, resolve } from 'node:path';
import { Cursor, type Findings } from '../../documents/cursor.ts';
import { attempt } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseForeignToml } from '../../documents/toml.ts';
import { issuerKeysProblem, textIn } from '../issuer-keys.ts';
import {
  adviceFor,
  type DefinedApi,
  type DefinedTokenService,
  type Definition,
  type DefinitionEntry,
  filesOf,
  outboundAdvice,
  type WrittenSource,
} from '../written.ts';
import { readProjectApi } from '../wso2-project/project-api.ts';
import { eachProject, findProjects } from '../wso2-project/project-files.ts';

/** Choreo Connect: API projects (folders or archives of `apictl`), and the issuers of its config.toml. */
export function readChoreoConnect(entry: DefinitionEntry): Definition {
  const files = filesOf(entry);
  const projects = findProjects(entry.path, files);
  const found: Findings = { problems: [...projects.problems], warnings: [] };
  const apis: DefinedApi[] = [];
  for (const project of eachProject(projects, files, found.problems)) {
    const read = readProjectApi(project, entry, 'choreo-connect');
    apis.push(...read.apis);
    // Of an API that is refused anyhow its problems are enough to read.
    if (read.apis.every((api) => api.problems.length === 0))
      found.warnings.push(...read.warnings, ...(read.nobody === undefined ? [] : [read.nobody]));
  }
  const file = confAmong(projects.others, entry, found.warnings);
  const { tokenServices, sources, lost } = file === undefined ? nothing : readConf(file, entry, found);
  if (apis.length === 0 && found.problems.length === 0 && tokenServices.length === 0)
    found.problems.push({
      file: entry.path,
      line: 1,
      key: '',
      message: 'has no API project in it; it needs a folder (or archive) with an api.yaml',
    });
  return { apis: apis.map((api) => withSources(api, sources, lost)), tokenServices, ...found };
}

/** The one at the top: what lies deeper is a project's, or somebody else's, and must not speak for all. */
function confAmong(
  others: readonly string[],
  { path }: DefinitionEntry,
  warnings: Problem[],
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
const withSources = (
  api: DefinedApi,
  sources: readonly WrittenSource[] | undefined,
  lost: readonly Problem[],
): DefinedApi =>
  api.written.mutualSSL === 'off'
    ? api
    : {
        ...api,
        problems: [...api.problems, ...lost],
        written: { ...api.written, ...(sources && { sources }) },
      };

type Conf = {
  readonly tokenServices: readonly DefinedTokenService[];
  readonly sources: readonly WrittenSource[] | undefined;
  /** What makes all APIs doubtful that ask for a certificate: another header than is meant would be any client's own. */
  readonly lost: readonly Problem[];
};

const nothing: Conf = { tokenServices: [], sources: undefined, lost: [] };

/** What of its config.toml concerns clients: issuers, and how a certificate comes. */
function readConf(file: string, entry: DefinitionEntry, found: Findings): Conf {
  const toml = attempt(file, found, () => parseForeignToml(filesOf(entry).text(file)));
  if (toml === undefined) return nothing;
  const whole = Cursor.of(file, toml, found);
  const enforcer = whole.get('enforcer');
  const security = enforcer.get('security');
  const lost: Findings = { problems: [], warnings: found.warnings };
  whole.into(lost).noSlips(['enforcer']);
  enforcer.into(lost).noSlips(['security']);
  security.into(lost).noSlips(['mutualSSL', 'tokenService']);
  const mutualSSL = security.get('mutualSSL').into(lost);
  const sources = mutualSSL.isWritten ? sourcesOf(mutualSSL, entry) : undefined;
  found.problems.push(...lost.problems);
  return {
    tokenServices: security.get('tokenService').list().flatMap(readIssuer),
    sources,
    lost: lost.problems,
  };
}

/** `[enforcer.security.mutualSSL]`: the handshake's certificate, or the header's, from those who may send it. */
function sourcesOf(mutualSSL: Cursor, entry: DefinitionEntry): readonly WrittenSource[] {
  const { trustedSenders } = entry;
  if (!mutualSSL.isTable) mutualSSL.error(`found ${mutualSSL.found}; write [enforcer.security.mutualSSL]`);
  mutualSSL.noSlips(mutualSslKeys);
  const outbound = mutualSSL.get('enableOutboundCertificateHeader');
  if (outbound.value === true) outbound.warn(outboundAdvice);
  const validation = mutualSSL.get('enableClientValidation');
  if (validation.flag() !== false) return [{ format: 'peer' }];
  if (trustedSenders === undefined) {
    validation.warn(`certificates come in a header there, ${adviceFor(entry).trustedSenders}`);
    return [{ format: 'peer' }];
  }
  const header = mutualSSL.get('certificateHeader').text('"X-SSL-CERT"') ?? 'X-WSO2-CLIENT-CERTIFICATE';
  const format = mutualSSL.get('clientCertificateEncode').flag() === true ? 'percent-pem' : 'auto';
  return [{ format, header, trustedSenders }];
}

const mutualSslKeys = [
  'certificateHeader',
  'enableClientValidation',
  'clientCertificateEncode',
  'enableOutboundCertificateHeader',
];

const issuerKeys = [
  'name',
  'issuer',
  'certificateAlias',
  'jwksURL',
  'validateSubscription',
  'consumerKeyClaim',
  'certificateFilePath',
  'claimMapping',
];

/** One of `[[enforcer.security.tokenService]]`. What opens nothing is left out, and told. */
function readIssuer(at: Cursor): readonly DefinedTokenService[] {
  const [name, issuer] = [textIn(at, 'name'), textIn(at, 'issuer')];
  const [jwksURL, certificate] = [textIn(at, 'jwksURL'), textIn(at, 'certificateFilePath')];
  if (issuer === undefined && name !== undefined) {
    at.warn('has no issuer, as Choreo Connect has it for API keys, which are not taken here; it is left out');
    return [];
  }
  if (name === undefined || issuer === undefined || (jwksURL ?? certificate) === undefined) {
    at.error('needs name and issuer, and jwksURL or certificateFilePath; its tokens are refused');
    return [];
  }
  const wrong = issuerKeysProblem(at, issuerKeys);
  if (wrong !== undefined) {
    at.error(wrong);
    return [];
  }
  const claim = textIn(at, 'consumerKeyClaim');
  const claimMapping = at
    .get('claimMapping')
    .list()
    .flatMap((mapping) => {
      const [remoteClaim, localClaim] = [textIn(mapping, 'remoteClaim'), textIn(mapping, 'localClaim')];
      return remoteClaim === undefined || localClaim === undefined ? [] : [{ remoteClaim, localClaim }];
    });
  return [
    {
      origin: { file: at.file, line: at.line },
      written: {
        name,
        issuer,
        ...(jwksURL !== undefined && { jwksURL }),
        ...(certificate !== undefined && { certificateFilePath: resolve(dirname(at.file), certificate) }),
        ...(claim !== undefined && { consumerKeyClaim: claim }),
        ...(at.get('validateSubscription').value === true && { validateSubscription: true }),
        ...(claimMapping.length > 0 && { claimMapping }),
        tokenTypes: ['at+jwt', 'JWT', 'none'],
      },
    },
  ];
}
