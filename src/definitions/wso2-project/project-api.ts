import { FileProblem } from '../../documents/files.ts';
import { readYaml, YamlProblem } from '../../documents/yaml.ts';
import { certificatesIn, clientsIn, pemOf, withoutIssuers } from '../pem-clients.ts';
import {
  below,
  documentPlace,
  elementsAt,
  flagAt,
  isTable,
  neededText,
  type Place,
  type Problems,
  problemAt,
  shown,
  textAt,
  textsAt,
  versionAt,
} from '../place.ts';
import type {
  DefinedApi,
  DefinitionEntry,
  DefinitionProblem,
  WrittenApi,
  WrittenClient,
} from '../written.ts';
import { valueIn, withoutOuterSlashes } from './broken-text.ts';
import { type ApiOperation, type OpenApi, readOpenApi, usable, writeOperations } from './openapi.ts';
import { checkMutualSsl } from './openapi-security.ts';
import type { Project } from './project-files.ts';
import { checkSecurityKeys, type SecurityKeys } from './security-keys.ts';
import { type Asked, readSchemes } from './wso2-security.ts';

const mainFiles = ['', 'Meta-information/'].flatMap((folder) =>
  ['api.yaml', 'api.yml', 'api.json'].map((name) => folder + name),
);

const schemeKeys: SecurityKeys = {
  known: ['securityScheme', 'apiSecurity'],
  suspicious: /^(?!endpoint).*(?:secur|mutual|mtls)/i,
  harmless: [],
};

/** Above `data` nothing of it is read. */
function checkMisplaced(whole: Place, problems: Problems): void {
  for (const key of schemeKeys.known) {
    const place = below(whole, key);
    if (place.value !== undefined) problems.push(problemAt(place, 'stands beside data; write it into data'));
  }
  checkSecurityKeys(whole, schemeKeys, problems);
}

export type ProjectApi = {
  /** At its place, and at the one without a version where it is the default version. */
  readonly apis: readonly DefinedApi[];
  readonly warnings: readonly DefinitionProblem[];
  /** To be warned about where nobody else names its clients: it asks for a certificate, and the project has none. */
  readonly nobody: DefinitionProblem | undefined;
};

/** One exported API: `api.yaml`, `Definitions/`, `Client-certificates/`, `deployment_environments.yaml`. */
export function readProjectApi(
  project: Project,
  entry: DefinitionEntry,
  errorFormat: NonNullable<WrittenApi['errorFormat']>,
): ProjectApi {
  const problems: Problems = [];
  const warnings: DefinitionProblem[] = [];
  const main = mainFiles.find((name) => project.names.includes(name)) ?? 'api.yaml';
  const whole = documentOf(project, main, problems);
  // apictl's form has everything below `data`, an older one at the top.
  const data = whole && (isTable(below(whole, 'data').value) ? below(whole, 'data') : whole);
  const origin = { file: project.wholeOf(main), line: 1 };
  if (data === undefined)
    return { apis: [lost(project, main, origin, problems, errorFormat)], warnings, nobody: undefined };

  const id = isTable(below(data, 'id').value) ? below(data, 'id') : data;
  const name =
    neededText(firstOf(below(id, 'name'), below(id, 'apiName')), problems, '"Petstore"') ?? 'unknown';
  const version =
    versionAt(firstOf(below(id, 'version'), below(id, 'apiVersion')), problems, '"1.0.5"') ?? '0';
  const context = neededText(below(data, 'context'), problems, '"/petstore"') ?? '';
  checkSecurityKeys(data, schemeKeys, problems);
  if (data !== whole) checkMisplaced(whole!, problems);
  const schemePlace = firstOf(below(data, 'securityScheme'), below(data, 'apiSecurity'));
  const schemes = schemesOf(schemePlace, problems);
  const asked = isEitherOf(data, schemes) ? eitherOf : readSchemes(schemes);
  if (asked.problem !== undefined) problems.push(problemAt(schemePlace, asked.problem));
  warnings.push(...asked.warnings.map((text) => problemAt(schemePlace, text)));
  const openApi = definitionOf(project, problems);
  const operations = notLaxer(openApi?.operations ?? []);
  const stricter = operations.find(
    ({ token }) => token === 'mandatory' && token !== asked.applicationSecurity,
  );
  if (stricter !== undefined)
    warnings.push(
      problemAt(
        below(stricter.place, 'x-wso2-application-security'),
        `asks for a token, which is ${asked.applicationSecurity} by the API’s securityScheme: the stricter counts`,
      ),
    );
  checkMutualSsl(
    openApi?.mutualSsl ?? [],
    asked.mutualSSL,
    'write mutualssl and mutualssl_mandatory into the API’s securityScheme',
    { problems, warnings },
  );
  const clients = clientsOf(project, name, version, problems, warnings);
  const hosts = hostsOf(project, problems);
  const backend = entry.backend ?? endpointIn(below(data, 'endpointConfig')) ?? openApi?.backend;
  const isDefault = flagAt(below(data, 'isDefaultVersion'), problems) === true;
  const api: DefinedApi = {
    origin,
    problems,
    notes: [...asked.notes, ...(openApi?.notes ?? [])],
    written: {
      name,
      version,
      basePath: placeOf(context, version),
      ...(hosts.length > 0 && { hosts }),
      mutualSSL: asked.mutualSSL,
      ...(asked.mutualSSL !== 'off' && { clients, optionalCertificate: 'ignore-wrong' as const }),
      applicationSecurity: asked.applicationSecurity,
      ...(openApi !== undefined && { operations: writeOperations(operations, asked.applicationSecurity) }),
      errorFormat,
      ...(backend !== undefined && { backend }),
    },
  };
  const unversioned = isDefault ? placeWithoutVersion(context, version) : api.written.basePath;
  return {
    apis:
      unversioned === api.written.basePath
        ? [api]
        : [api, { ...api, written: { ...api.written, basePath: unversioned } }],
    warnings: [...warnings, ...(openApi?.warnings ?? [])],
    nobody:
      asked.mutualSSL === 'mandatory' && clients.length === 0
        ? problemAt(
            schemePlace,
            'asks for a certificate, and no client has one in Client-certificates: nobody is admitted; upload some',
          )
        : undefined,
  };
}

/** An API whose file can't be read keeps the place that can be found in its text. */
function lost(
  project: Project,
  main: string,
  origin: DefinedApi['origin'],
  problems: Problems,
  errorFormat: NonNullable<WrittenApi['errorFormat']>,
): DefinedApi {
  const text = tryRead(project, main) ?? '';
  const find = (key: string): string | undefined => valueIn(text, key)?.split(/\s/, 1)[0];
  const version = find('version');
  const context = find('context');
  return {
    origin,
    problems,
    notes: [],
    written: {
      name: find('name') ?? 'unknown',
      version: version ?? '0',
      // Without one it has no place that could be kept; '/' would be another's.
      basePath: context === undefined ? '' : placeOf(context, version ?? ''),
      mutualSSL: 'mandatory',
      applicationSecurity: 'mandatory',
      errorFormat,
    },
  };
}

/** Where api.yaml and the definition differ over a token, the stricter counts; what is switched off is off. */
const notLaxer = (operations: readonly ApiOperation[]): readonly ApiOperation[] =>
  operations.map((operation) =>
    operation.token === 'optional' ? { ...operation, token: undefined } : operation,
  );

/**
 * API Manager before its security schemes had markers (`apiSecurity`): OAuth2 and mutual SSL both chosen means that
 * either admits.
 */
const isEitherOf = (data: Place, schemes: readonly string[]): boolean => {
  const names = schemes.map((scheme) => scheme.toLowerCase());
  return (
    below(data, 'securityScheme').value === undefined &&
    names.includes('mutualssl') &&
    names.includes('oauth2') &&
    !names.some((name) => name.endsWith('_mandatory'))
  );
};

const eitherOf: Asked = {
  mutualSSL: 'optional',
  applicationSecurity: 'optional',
  notes: [{ key: 'mutualSSL', text: 'both are chosen in the file: either admits' }],
  warnings: [],
  problem: undefined,
};

/** `/ctx` and version, unless the context has it, by template or in full. */
function placeOf(context: string, version: string): string {
  const path = `/${withoutOuterSlashes(context)}`;
  if (path.includes('{version}')) return path.replaceAll('{version}', version);
  return version === '' || path.endsWith(`/${version}`) ? path : `${path === '/' ? '' : path}/${version}`;
}

/** The default version's second place. */
function placeWithoutVersion(context: string, version: string): string {
  const segments = withoutOuterSlashes(context).split('/');
  const kept = context.includes('{version}')
    ? segments.filter((segment) => segment !== '{version}')
    : segments.filter((segment, i) => segment !== version || i !== segments.length - 1);
  return `/${kept.join('/')}`;
}

const firstOf = (...places: readonly Place[]): Place =>
  places.find(({ value }) => value !== undefined) ?? places[0]!;

/** A list, or a text with commas between (API Manager's `apiSecurity`). */
const schemesOf = (place: Place, problems: Problems): readonly string[] =>
  typeof place.value === 'string'
    ? place.value
        .split(',')
        .map((scheme) => scheme.trim())
        .filter(Boolean)
    : textsAt(place, problems, '"oauth2"');

function tryRead(project: Project, name: string): string | undefined {
  try {
    return project.read(name);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return undefined;
  }
}

/** undefined: not there, or not readable, which is reported. */
function documentOf(project: Project, name: string, problems: Problems): Place | undefined {
  const file = project.shown(name);
  try {
    const text = project.read(name);
    if (text === undefined) return undefined;
    const [document] = readYaml(text);
    if (document !== undefined && (isTable(document.value) || Array.isArray(document.value)))
      return documentPlace(file, document);
    problems.push({
      file,
      line: 1,
      key: '',
      message: `found ${shown(document?.value)}; it needs to be a table`,
    });
  } catch (error) {
    if (!(error instanceof YamlProblem || error instanceof FileProblem)) throw error;
    const line = error instanceof YamlProblem ? error.line : 1;
    problems.push({ file, line, key: '', message: error.message });
  }
  return undefined;
}

/** undefined: there is none, and all below the base path is the API. */
function definitionOf(project: Project, problems: Problems): OpenApi | undefined {
  const name = project.names.find((file) =>
    /^(Definitions|Meta-information)\/(swagger|asyncapi)\.(ya?ml|json)$/i.test(file),
  );
  if (name === undefined) return undefined;
  const document = documentOf(project, name, problems);
  return document && readOpenApi(document, problems);
}

function clientsOf(
  project: Project,
  name: string,
  version: string,
  problems: Problems,
  warnings: DefinitionProblem[],
): readonly WrittenClient[] {
  const listed = project.names.find((file) =>
    /^(Client-certificates|Meta-information)\/client_certificates\.(ya?ml|json)$/i.test(file),
  );
  if (listed === undefined) return [];
  const folder = listed.slice(0, listed.lastIndexOf('/') + 1);
  const whole = documentOf(project, listed, problems);
  if (whole === undefined) return [];
  const seen = new Map<string, string>();
  const entries = Array.isArray(whole.value) ? whole : below(whole, 'data');
  return elementsAt(entries, problems).flatMap((element) => {
    const alias = neededText(below(element, 'alias'), problems, '"acme"');
    const file = neededText(below(element, 'certificate'), problems, '"acme.crt"');
    const tier = textAt(below(element, 'tierName'), problems, '"Gold"');
    if (alias === undefined || file === undefined) return [];
    const named = otherApi(below(element, 'apiIdentifier'), name, version);
    if (named !== undefined && warnings.every(({ key }) => !key.endsWith('apiIdentifier')))
      warnings.push(
        problemAt(
          below(element, 'apiIdentifier'),
          `is of ${named}, and this project is "${name}" ${version}: "${alias}", and whoever else lies in it, counts here all the same`,
        ),
      );
    const other = seen.get(alias.toLowerCase());
    seen.set(alias.toLowerCase(), alias);
    if (other !== undefined) {
      problems.push(
        problemAt(
          below(element, 'alias'),
          `found "${alias}" beside "${other}"; aliases are compared without case, so rename one`,
        ),
      );
      return [];
    }
    return certificate(project, `${folder}${file}`, file, alias, below(element, 'certificate'), problems).map(
      (client) => ({ ...client, ...(tier !== undefined && { tier }) }),
    );
  });
}

/** What lies in a project is its client, as for its own products; an API that got a new version keeps the old lists. */
function otherApi(identifier: Place, name: string, version: string): string | undefined {
  const ownName = firstOf(below(identifier, 'apiName'), below(identifier, 'name')).value ?? name;
  const at = below(identifier, 'version');
  const ownVersion = at.value === undefined ? version : (at.document.textOf(at.path) ?? String(at.value));
  return ownName === name && ownVersion === version ? undefined : `${shown(ownName)} ${ownVersion}`;
}

function certificate(
  project: Project,
  path: string,
  file: string,
  alias: string,
  place: Place,
  problems: Problems,
): readonly WrittenClient[] {
  // Older archives have the certificate itself in the list.
  if (file.includes('-----BEGIN')) return clientsIn(file, alias, place, problems).slice(0, 1);
  if (file.includes('/') || file.includes('\\')) {
    problems.push(problemAt(place, `found ${shown(file)}; write the name of a file beside this one`));
    return [];
  }
  let content: Uint8Array | undefined;
  try {
    content = project.readBytes(path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    problems.push(problemAt(place, `found ${shown(file)}, which ${error.message}`));
    return [];
  }
  if (content === undefined) {
    problems.push(problemAt(place, `found ${shown(file)}, which is not beside this file; put it there`));
    return [];
  }
  const found = certificatesIn(content);
  if (typeof found === 'string') {
    problems.push(problemAt(place, found));
    return [];
  }
  const ders = withoutIssuers(found);
  if (ders.length > 1)
    problems.push(
      problemAt(
        place,
        `${shown(file)} has ${ders.length} certificates where one belongs; write each into its own file`,
      ),
    );
  return [{ alias, pem: pemOf(ders[0]!) }];
}

function hostsOf(project: Project, problems: Problems): readonly string[] {
  const name = project.names.find((file) => /^deployment_environments\.ya?ml$/.test(file));
  const whole = name === undefined ? undefined : documentOf(project, name, problems);
  if (whole === undefined) return [];
  const hosts = elementsAt(below(whole, 'data'), problems).flatMap((element) => {
    const host = textAt(below(element, 'deploymentVhost'), problems, '"localhost"');
    return host === undefined ? [] : [host];
  });
  return [...new Set(hosts)];
}

/** A table, or JSON in a text; a URL, or a list of them. */
function endpointIn(place: Place): string | undefined {
  let { value } = place;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  if (!isTable(value)) return undefined;
  const production: unknown = value.production_endpoints ?? value.productionEndpoints;
  const [first] = Array.isArray(production) ? (production as unknown[]) : [production];
  const url: unknown = isTable(first) ? (first.url ?? first.endpoint) : first;
  return typeof url === 'string' ? usable(url) : undefined;
}
