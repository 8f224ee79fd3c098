import { admit } from './apis/admission.ts';
import type { Api, BoundClients } from './apis/api.ts';
import { findApi } from './apis/api-index.ts';
import { findOperation, type OperationFailure } from './apis/operations.ts';
import { pathAmbiguity } from './apis/request-path.ts';
import type { Attributes } from './attributes.ts';
import type { PresentedChain } from './client-certificate/presented.ts';
import { readPresented } from './client-certificate/source.ts';
import type { Admission, Decision, Denial, DenialCode } from './decision.ts';
import { type Certificate, CertificateError } from './pki/certificate.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * The life of one request. Pure but for what the snapshot remembers: a path once found valid is valid until something
 * in it ends, also where a later request leaves out its intermediates.
 *
 * @param now milliseconds since the epoch
 */
export function decide(attributes: Attributes, snapshot: Snapshot, now: number): Decision {
  const ambiguity = pathAmbiguity(attributes.http.path);
  if (ambiguity !== undefined) return deny('path_ambiguous', `the path has ${ambiguity}`);

  const api = findApi(attributes, snapshot.apis);
  if (api === undefined)
    return deny('api_not_found', 'no API has this host and base path, or the route names none');
  const target = findTarget(api, attributes);
  if (typeof target === 'string') return deny(target, 'of the operations that the API lists', api);
  const { mutualSsl } = target;
  if (mutualSsl === 'off') return allow(api);

  const presented = readPresented(attributes, snapshot.sources, now);
  switch (presented.kind) {
    case 'chain':
      return judge(api, target.clients, presented, snapshot, now);
    case 'none':
      return mutualSsl === 'optional' ? allow(api) : deny('certificate_missing', 'no certificate came', api);
    case 'error':
      // Where none is needed, a stranger's header is worth as much as no header.
      return presented.code === 'header_sender_untrusted' &&
        mutualSsl === 'optional' &&
        !snapshot.rejectUntrustedHeader
        ? allow(api)
        : deny(presented.code, presented.detail, api);
  }
}

/** The operation, where the API lists any, else the API as a whole: each has its own security. */
function findTarget(api: Api, { http }: Attributes): Pick<Api, 'mutualSsl' | 'clients'> | OperationFailure {
  if (api.operations === undefined) return api;
  const path = http.path.split('?', 1)[0]!;
  const below = path.slice(api.basePath.length);
  // The route named the API, and its path is another: no operation of it can be meant.
  if (!path.startsWith(api.basePath) || !(below === '' || below.startsWith('/')))
    return 'operation_not_found';
  const found = findOperation(api.operations, http.method, below);
  return found === 'operation_not_found' && api.servesUnlisted ? api : found;
}

/** A certificate came: from here on it must be right, even where none was needed. */
function judge(
  api: Api,
  clients: BoundClients,
  presented: PresentedChain,
  snapshot: Snapshot,
  now: number,
): Decision {
  const leaf = snapshot.certificates.read(presented.leaf);
  if (leaf instanceof CertificateError) return deny(leaf.code, leaf.detail, api);
  const intermediates = snapshot.certificates.readable(presented.intermediates);
  const result = admit(clients, leaf, intermediates, snapshot.everyone, now);
  if (!result.admitted) return deny(result.code, result.detail, api, leaf);
  const { alias, tier } = result.client;
  const between = result.path.slice(1).map(({ der }) => der);
  return { ...allow(api), client: { alias, tier, certificate: leaf, intermediates: between } };
}

const allow = (api: Api): Admission => ({ outcome: 'allow', api: { name: api.name, version: api.version } });

const deny = (code: DenialCode, detail: string, api?: Api, certificate?: Certificate): Denial => ({
  outcome: 'deny',
  code,
  detail,
  ...(api && { api: { name: api.name, version: api.version } }),
  ...(certificate && { certificate }),
});
