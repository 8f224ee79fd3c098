import { type Cursor, type Findings, noFindings } from '../../documents/cursor.ts';
import type {
  DefinedApi,
  DefinitionEntry,
  WrittenApi,
  WrittenClient,
  WrittenOperation,
  WrittenSource,
} from '../written.ts';
import { type Policies, readPolicies } from './policies.ts';

/** One API proxy of the list. */
export function readBijiraApi(at: Cursor, entry: DefinitionEntry, { warnings }: Findings): DefinedApi {
  const found = noFindings();
  const api = at.into(found);
  api.known(['name', 'version', 'basePath', 'hosts', 'endpoint', 'policies', 'resources']);
  const name = api.get('name').neededText('"Reading List"') ?? 'unknown';
  const version = api.get('version').version('"v1.0"') ?? '0';
  const basePath = api.get('basePath').neededText('"/reading-list/v1.0"') ?? '';
  const hosts = api.get('hosts').texts('"api.example.com"');
  const endpoint = api.get('endpoint').text('"https://reading-list.internal"');
  api.notCutOff('policies', 'resources');
  const policies = api.get('policies');
  const own = readPolicies(policies);
  const resources = api
    .get('resources')
    .list()
    .map((resource) => readResource(resource, own));
  if (own === undefined && resources.length === 0) policies.error(nothingAttached);
  const whole = own === undefined ? undefined : securityOf(own);
  const usesCertificates =
    (whole?.mutualSSL ?? 'off') !== 'off' || resources.some(({ security }) => security.mutualSSL !== 'off');
  if (whole !== undefined && isOpen(whole)) policies.warn(isOpenToAll);
  if (found.problems.length === 0) warnings.push(...found.warnings);
  const backend = entry.backend ?? endpoint;
  return {
    origin: { file: at.file, line: at.line },
    problems: found.problems,
    notes: [
      ...(whole?.notes ?? []).map((text) => ({ key: 'mutualSSL', text })),
      ...resources.flatMap(({ security }, i) =>
        security.notes.map((text) => ({ key: `operations[${i}].mutualSSL`, text })),
      ),
    ],
    written: {
      name,
      version,
      basePath,
      ...(hosts.length > 0 && { hosts }),
      // Nothing is attached to the API as a whole: whatever its resources do not list is denied.
      mutualSSL: whole?.mutualSSL ?? (usesCertificates ? 'mandatory' : 'off'),
      ...(whole !== undefined && whole.mutualSSL !== 'off' && { clients: whole.clients }),
      ...(usesCertificates && { optionalCertificate: 'reject-wrong', sources: [sourceOf(entry)] }),
      applicationSecurity:
        whole?.applicationSecurity ??
        (resources.some(({ security }) => security.applicationSecurity !== 'off') ? 'mandatory' : 'off'),
      ...(resources.length > 0 && {
        operations: resources.map(({ written }) => written),
        unlistedOperations: whole === undefined ? 'deny' : 'api',
      }),
      errorFormat: 'bijira',
      ...(backend !== undefined && { backend }),
    },
  };
}

const sourceOf = ({ trustedSenders }: DefinitionEntry): WrittenSource =>
  trustedSenders === undefined
    ? { format: 'peer' }
    : { format: 'bijira', header: 'x-client-cert-x509', trustedSenders };

type Security = Required<Pick<WrittenApi, 'mutualSSL' | 'applicationSecurity' | 'clients'>> & {
  readonly notes: readonly string[];
};

/** The only security that there is can't be optional: that would leave the API open. */
function securityOf({ mtls, oauth2, notes }: Policies): Security {
  const applicationSecurity = oauth2 ? 'mandatory' : 'off';
  if (mtls === undefined) return { mutualSSL: 'off', applicationSecurity, clients: [], notes };
  const { isOptional, clients } = mtls;
  if (isOptional && oauth2) return { mutualSSL: 'optional', applicationSecurity, clients, notes };
  return {
    mutualSSL: 'mandatory',
    applicationSecurity,
    clients,
    notes: isOptional
      ? [...notes, 'Optional in the list; as the only security it would leave the API open']
      : notes,
  };
}

type Resource = { readonly written: WrittenOperation; readonly security: Security };

/** A resource with its own policies, and its API's: both run there. */
function readResource(at: Cursor, ofApi: Policies | undefined): Resource {
  at.known(['path', 'methods', 'policies']);
  at.notCutOff('policies');
  const path = at.get('path').neededText('"/books/{id}"') ?? '/';
  const methods = at
    .get('methods')
    .texts('"GET"')
    .map((method) => method.toUpperCase());
  if (at.get('methods').isList && methods.length === 0)
    at.get('methods').error('is empty; write the methods, or leave it out for all');
  const policies = at.get('policies');
  const own = readPolicies(policies);
  if (own === undefined && ofApi === undefined) policies.error(nothingAttached);
  const security = securityOf(join(policies, own, ofApi));
  if (isOpen(security) && (own !== undefined || ofApi === undefined)) policies.warn(isOpenToAll);
  return {
    security,
    written: {
      path,
      ...(methods.length > 0 && { methods: [...new Set(methods)] }),
      mutualSSL: security.mutualSSL,
      ...(own?.mtls !== undefined && { clients: security.clients }),
      applicationSecurity: security.applicationSecurity,
    },
  };
}

const nobody: Policies = { mtls: undefined, oauth2: false, notes: [] };

/** One certificate would have to fit two policies: that nobody can mean unless they are the same. */
function join(at: Cursor, own: Policies = nobody, ofApi: Policies = nobody): Policies {
  if (own.mtls !== undefined && ofApi.mtls !== undefined && !areEqual(own.mtls.clients, ofApi.mtls.clients))
    at.error(
      'has an MTLS Authenticator with another certificate than its API’s, and both would be asked; attach it to one of them',
    );
  const mtls = [own.mtls, ofApi.mtls].filter((policy) => policy !== undefined);
  return {
    mtls:
      mtls.length === 0
        ? undefined
        : { isOptional: mtls.every(({ isOptional }) => isOptional), clients: mtls[0]!.clients },
    oauth2: own.oauth2 || ofApi.oauth2,
    notes: own.notes,
  };
}

/** By number first: an API may have thousands, and as many resources. */
const areEqual = (own: readonly WrittenClient[], others: readonly WrittenClient[]): boolean =>
  own.length === others.length && JSON.stringify(own) === JSON.stringify(others);

const isOpen = ({ mutualSSL, applicationSecurity }: Security): boolean =>
  mutualSSL === 'off' && applicationSecurity === 'off';

const isOpenToAll = 'has neither OAuth2 nor MTLS Authenticator: it is open to everybody';

const nothingAttached =
  'is missing; write the policies that are attached, or policies: [] if it is open on purpose';
