import { Cursor, type Findings, noFindings } from '../../documents/cursor.ts';
import { attempt } from '../../documents/files.ts';
import { slipOf } from '../../documents/near.ts';
import { type Problem, shown } from '../../documents/problem.ts';
import type { DefinedApi, DefinitionEntry, WrittenApi } from '../written.ts';
import { valueIn, withoutOuterSlashes } from './broken-text.ts';
import { type ApiOperation, type OpenApi, readOpenApi, usable, writeOperations } from './openapi.ts';
import { checkMutualSsl } from './openapi-security.ts';
import { clientsOf } from './project-clients.ts';
import { documentOf, firstOf, namedLike } from './project-document.ts';
import type { Project } from './project-files.ts';
import { checkSecurityKeys, type SecurityKeys } from './security-keys.ts';
import { type Asked, readSchemes } from './wso2-security.ts';

const mainFiles = ['', 'Meta-information/'].flatMap((folder) =>
  ['api.yaml', 'api.yml', 'api.json'].map((name) => folder + name),
);

export type ProjectApi = {
  /** At its place, and at the one without a version where it is the default version. */
  readonly apis: readonly DefinedApi[];
  readonly warnings: readonly Problem[];
  /** To be warned about where nobody else names its clients: it asks for a certificate, and the project has none. */
  readonly nobody: Problem | undefined;
};

/** One exported API: `api.yaml`, `Definitions/`, `Client-certificates/`, `deployment_environments.yaml`. */
export function readProjectApi(
  project: Project,
  entry: DefinitionEntry,
  errorFormat: NonNullable<WrittenApi['errorFormat']>,
): ProjectApi {
  const found = noFindings();
  const main = mainFiles.find((name) => project.names.includes(name)) ?? 'api.yaml';
  const whole = documentOf(project, main, found);
  const origin = { file: project.wholeOf(main), line: 1 };
  if (whole === undefined) {
    const place = placeIn(project, main);
    const written = {
      ...place,
      mutualSSL: 'mandatory',
      applicationSecurity: 'mandatory',
      errorFormat,
    } as const;
    const lost: DefinedApi = { origin, problems: found.problems, notes: [], written };
    return { apis: [lost], warnings: [], nobody: undefined };
  }
  // apictl's form has everything below `data`, an older one at the top.
  const data = whole.get('data').isWritten ? whole.get('data') : whole;
  if (!data.isTable) data.error(`found ${data.found}; write a table`);
  data.noSlips(['operations', 'type', 'isDefaultVersion']);
  const id = data.get('id').isTable ? data.get('id') : data;
  const name = firstOf(id.get('name'), id.get('apiName')).neededText('"Petstore"') ?? 'unknown';
  const version = firstOf(id.get('version'), id.get('apiVersion')).version('"1.0.5"');
  const context = data.get('context').neededText('"/petstore"') ?? '';
  const scheme = firstOf(data.get('securityScheme'), data.get('apiSecurity'));
  const asked = askedBy(whole, data, scheme);
  const definition = definitionOf(project, found);
  const operations = agreed(definition, asked);
  const clients = clientsOf(project, { name, version: version ?? '0' }, found);
  const hosts = hostsOf(project, found);
  const backend = entry.backend ?? endpointIn(data.get('endpointConfig')) ?? definition?.backend;
  const api: DefinedApi = {
    origin,
    problems: found.problems,
    notes: [...asked.notes, ...(definition?.notes ?? [])],
    written: {
      name,
      version: version ?? '0',
      // Where the version is not known, whatever it is.
      basePath: placeOf(context, version ?? ''),
      ...(hosts.length > 0 && { hosts }),
      mutualSSL: asked.mutualSSL,
      ...(asked.mutualSSL !== 'off' && { clients, optionalCertificate: 'ignore-wrong' as const }),
      applicationSecurity: asked.applicationSecurity,
      ...(asked.applicationSecurity !== 'off' && scopesOf(data, definition, found)),
      ...(definition !== undefined && { operations: writeOperations(operations, asked.applicationSecurity) }),
      errorFormat,
      ...(backend !== undefined && { backend }),
    },
  };
  // What can't be read may mean that: both places are claimed, and refused.
  const isDefault = data.get('isDefaultVersion').flag() ?? data.get('isDefaultVersion').isWritten;
  const second =
    isDefault && version !== undefined ? placeWithoutVersion(context, version) : api.written.basePath;
  return {
    apis:
      second === api.written.basePath
        ? [api]
        : [api, { ...api, written: { ...api.written, basePath: second } }],
    warnings: found.warnings,
    nobody:
      asked.mutualSSL === 'mandatory' && clients.length === 0
        ? scheme.problem(
            'asks for a certificate, and no client has one in Client-certificates: nobody is admitted; upload some',
          )
        : undefined,
  };
}

/** An API whose file can't be read keeps the place that can be found in its text. */
function placeIn(project: Project, main: string): Pick<WrittenApi, 'name' | 'version' | 'basePath'> {
  const text = attempt(main, noFindings(), () => project.read(main)) ?? '';
  const find = (key: string): string | undefined => valueIn(text, key)?.split(/\s/, 1)[0];
  const [version, context] = [find('version'), find('context')];
  return {
    name: find('name') ?? 'unknown',
    version: version ?? '0',
    // Without one it has no place that could be kept; '/' would be another's.
    basePath: context === undefined ? '' : placeOf(context, version ?? ''),
  };
}

const schemeKeys: SecurityKeys = {
  known: ['securityScheme', 'apiSecurity'],
  suspicious: /^(?!endpoint).*(?:secur|mutual|mtls)/i,
  harmless: [],
};

/** What api.yaml asks for. Above `data` nothing of it is read. */
function askedBy(whole: Cursor, data: Cursor, scheme: Cursor): Asked {
  checkSecurityKeys(data, schemeKeys);
  if (data !== whole) {
    checkSecurityKeys(whole, schemeKeys);
    for (const key of schemeKeys.known)
      if (whole.get(key).value !== undefined) whole.get(key).error('stands beside data; write it into data');
  }
  const schemes = schemesOf(scheme);
  const asked = isEitherOf(data, schemes) ? eitherOf : readSchemes(schemes);
  if (asked.problem !== undefined) scheme.error(asked.problem);
  for (const warning of asked.warnings) scheme.warn(warning);
  return asked;
}

/** A list, or a text with commas between (API Manager's `apiSecurity`). */
const schemesOf = (at: Cursor): readonly string[] =>
  typeof at.value === 'string'
    ? at.value
        .split(',')
        .map((scheme) => scheme.trim())
        .filter(Boolean)
    : at.texts('"oauth2"');

/**
 * API Manager before its security schemes had markers (`apiSecurity`): OAuth2 and mutual SSL both chosen means that
 * either admits.
 */
const isEitherOf = (data: Cursor, schemes: readonly string[]): boolean => {
  const names = schemes.map((scheme) => scheme.toLowerCase());
  return (
    data.get('securityScheme').value === undefined &&
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

/** undefined: there is none, and all below the base path is the API. */
function definitionOf(project: Project, found: Findings): OpenApi | undefined {
  const isDefinition = /^(Definitions|Meta-information)\/(swagger|openapi|asyncapi)\.(ya?ml|json)$/i;
  const name = namedLike(project, isDefinition);
  const other = project.names.find((one) => one !== name && isDefinition.test(one));
  if (name !== undefined && other !== undefined)
    found.problems.push({
      file: project.wholeOf(other),
      line: 1,
      key: '',
      message: `is a second definition beside ${name}, and may ask for something else; keep one of them`,
    });
  const document = name === undefined ? undefined : documentOf(project, name, found);
  return document && readOpenApi(document);
}

/** Where api.yaml and the definition differ over a token, the stricter counts; what is switched off is off. */
function agreed(
  definition: OpenApi | undefined,
  { mutualSSL, applicationSecurity }: Asked,
): readonly ApiOperation[] {
  const operations = (definition?.operations ?? []).map((operation) =>
    operation.token === 'optional' ? { ...operation, token: undefined } : operation,
  );
  const stricter = operations.find(({ token }) => token === 'mandatory' && token !== applicationSecurity);
  stricter?.at
    .get('x-wso2-application-security')
    .warn(
      `asks for a token, which is ${applicationSecurity} by the API’s securityScheme: the stricter counts`,
    );
  checkMutualSsl(
    definition?.mutualSsl ?? [],
    mutualSSL,
    'write mutualssl and mutualssl_mandatory into the API’s securityScheme',
  );
  return operations;
}

/**
 * Of operations that api.yaml alone has: GraphQL's fields go to one path, and which is asked for stands in the body,
 * which nobody reads here. What any of them needs counts for all. Where there is a definition that alone counts, as for
 * API Manager, which reads it last, and Choreo Connect, which reads no scopes elsewhere.
 */
function scopesOf(
  data: Cursor,
  definition: OpenApi | undefined,
  found: Findings,
): Pick<WrittenApi, 'scopes' | 'scopesMatch'> {
  const isInDefinition = definition !== undefined && !isGraphQl(data.get('type'));
  const operations = data.get('operations').into(isInDefinition ? noFindings() : found);
  const sets = operations.list().map((operation) => {
    if (!operation.isTable) operation.error(`found ${operation.found}; write a table`);
    operation.noSlips(['scopes']);
    return operation.get('scopes').texts('"orders:read"').toSorted();
  });
  const scopes = [...new Set(sets.flat())].sort();
  if (isInDefinition) {
    const asked = new Set(definition.operations.flatMap((operation) => operation.scopes));
    const other = scopes.find((scope) => !asked.has(scope));
    if (other !== undefined)
      data
        .get('operations')
        .warn(`asks for the scope ${shown(other)}, and the definition does not: the definition counts`);
    return {};
  }
  const asking = new Set(sets.filter((set) => set.length > 0).map((set) => JSON.stringify(set)));
  return scopes.length === 0 ? {} : { scopes, scopesMatch: asking.size > 1 ? 'all' : 'any' };
}

function isGraphQl(type: Cursor): boolean {
  const written = String(type.value);
  if (written.toUpperCase() === 'GRAPHQL') return true;
  if (slipOf(written, ['GRAPHQL']) !== undefined) type.error(`found ${type.found}; did you mean "GRAPHQL"?`);
  return false;
}

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

function hostsOf(project: Project, found: Findings): readonly string[] {
  const name = namedLike(project, /^deployment_environments\.ya?ml$/);
  const whole = name === undefined ? undefined : documentOf(project, name, found);
  whole?.noSlips(['data']);
  const hosts = whole
    ?.get('data')
    .list()
    .map((element) => {
      element.noSlips(['deploymentVhost']);
      return element.get('deploymentVhost').text('"localhost"');
    });
  return [...new Set(hosts)].filter((host) => host !== undefined);
}

/** A table, or JSON in a text; a URL, or a list of them. */
function endpointIn(at: Cursor): string | undefined {
  const table = typeof at.value === 'string' ? jsonIn(at.value) : at;
  const [first] = firstOf(table.get('production_endpoints'), table.get('productionEndpoints')).each();
  if (first === undefined) return undefined;
  const { value } = first.isTable ? firstOf(first.get('url'), first.get('endpoint')) : first;
  return typeof value === 'string' ? usable(value) : undefined;
}

/** What is none says nothing. */
function jsonIn(text: string): Cursor {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  return Cursor.of('', { value, lineOf: () => 1 }, noFindings());
}
