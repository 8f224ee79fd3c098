import {
  below,
  elementsAt,
  knownKeysAt,
  lineOf,
  neededText,
  notEmptyAt,
  type Place,
  type Problems,
  problemAt,
  textAt,
  textsAt,
  versionAt,
} from '../place.ts';
import type {
  DefinedApi,
  DefinitionEntry,
  DefinitionProblem,
  WrittenApi,
  WrittenOperation,
} from '../written.ts';
import { type Policies, readPolicies } from './policies.ts';

/** One API proxy of the list. */
export function readBijiraApi(
  place: Place,
  entry: DefinitionEntry,
  warnings: DefinitionProblem[],
): DefinedApi {
  const problems: Problems = [];
  const doubts: DefinitionProblem[] = [];
  knownKeysAt(place, ['name', 'version', 'basePath', 'hosts', 'endpoint', 'policies', 'resources'], problems);
  const name = neededText(below(place, 'name'), problems, '"Reading List"') ?? 'unknown';
  const version = versionAt(below(place, 'version'), problems, '"v1.0"') ?? '0';
  const basePath = neededText(below(place, 'basePath'), problems, '"/reading-list/v1.0"') ?? '';
  const hosts = textsAt(below(place, 'hosts'), problems, '"api.example.com"');
  const endpoint = textAt(below(place, 'endpoint'), problems, '"https://reading-list.internal"');
  notEmptyAt(place, 'policies', problems);
  notEmptyAt(place, 'resources', problems);
  const own = readPolicies(below(place, 'policies'), problems, doubts);
  const resources = elementsAt(below(place, 'resources'), problems).map((resource) =>
    readResource(resource, own, problems, doubts),
  );
  if (own === undefined && resources.length === 0) problems.push(nothingAttached(below(place, 'policies')));
  const whole = own === undefined ? undefined : settle(own);
  const usesCertificates =
    (whole?.mutualSSL ?? 'off') !== 'off' || resources.some(({ settled }) => settled.mutualSSL !== 'off');
  if (whole !== undefined && isOpen(whole)) doubts.push(open(below(place, 'policies')));
  if (problems.length === 0) warnings.push(...doubts);
  const backend = entry.backend ?? endpoint;
  return {
    origin: { file: place.file, line: lineOf(place) },
    problems,
    notes: [
      ...(whole?.notes ?? []).map((text) => ({ key: 'mutualSSL', text })),
      ...resources.flatMap(({ settled }, i) =>
        settled.notes.map((text) => ({ key: `operations[${i}].mutualSSL`, text })),
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
        (resources.some(({ settled }) => settled.applicationSecurity !== 'off') ? 'mandatory' : 'off'),
      ...(resources.length > 0 && {
        operations: resources.map(({ written }) => written),
        unlistedOperations: whole === undefined ? 'deny' : 'api',
      }),
      errorFormat: 'bijira',
      ...(backend !== undefined && { backend }),
    },
  };
}

const sourceOf = ({ trustedSenders }: DefinitionEntry) =>
  trustedSenders === undefined
    ? { format: 'peer' }
    : { format: 'bijira', header: 'x-client-cert-x509', trustedSenders };

type Settled = Required<Pick<WrittenApi, 'mutualSSL' | 'applicationSecurity' | 'clients'>> & {
  readonly notes: readonly string[];
};

/** The only security that there is can't be optional: that would leave the API open. */
function settle({ mtls, oauth2, notes }: Policies): Settled {
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

type Resource = { readonly written: WrittenOperation; readonly settled: Settled };

/** A resource with its own policies, and its API's: both run there. */
function readResource(
  place: Place,
  ofApi: Policies | undefined,
  problems: Problems,
  warnings: DefinitionProblem[],
): Resource {
  knownKeysAt(place, ['path', 'methods', 'policies'], problems);
  notEmptyAt(place, 'policies', problems);
  const path = neededText(below(place, 'path'), problems, '"/books/{id}"') ?? '/';
  const methods = textsAt(below(place, 'methods'), problems, '"GET"').map((method) => method.toUpperCase());
  if (Array.isArray(below(place, 'methods').value) && methods.length === 0)
    problems.push(problemAt(below(place, 'methods'), 'is empty; write the methods, or leave it out for all'));
  const list = below(place, 'policies');
  const own = readPolicies(list, problems, warnings);
  if (own === undefined && ofApi === undefined) problems.push(nothingAttached(list));
  const settled = settle(join(own, ofApi, list, problems));
  if (isOpen(settled) && (own !== undefined || ofApi === undefined)) warnings.push(open(list));
  return {
    settled,
    written: {
      path,
      ...(methods.length > 0 && { methods: [...new Set(methods)] }),
      mutualSSL: settled.mutualSSL,
      ...(own?.mtls !== undefined && { clients: settled.clients }),
      applicationSecurity: settled.applicationSecurity,
    },
  };
}

const nobody: Policies = { mtls: undefined, oauth2: false, notes: [] };

/** One certificate would have to fit two policies: that nobody can mean unless they are the same. */
function join(own: Policies = nobody, ofApi: Policies = nobody, list: Place, problems: Problems): Policies {
  const fits = JSON.stringify(own.mtls?.clients) === JSON.stringify(ofApi.mtls?.clients);
  if (own.mtls !== undefined && ofApi.mtls !== undefined && !fits)
    problems.push(
      problemAt(
        list,
        'has an MTLS Authenticator with another certificate than its API’s, and both would be asked; attach it to one of them',
      ),
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

const isOpen = ({ mutualSSL, applicationSecurity }: Settled): boolean =>
  mutualSSL === 'off' && applicationSecurity === 'off';

const open = (list: Place): DefinitionProblem =>
  problemAt(list, 'has neither OAuth2 nor MTLS Authenticator: it is open to everybody');

const nothingAttached = (list: Place): DefinitionProblem =>
  problemAt(
    list,
    'is missing; write the policies that are attached, or policies: [] if it is open on purpose',
  );
