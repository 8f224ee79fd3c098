import { admit } from './apis/admission.ts';
import type { Api } from './apis/api.ts';
import { findApi, isAnotherApi } from './apis/api-index.ts';
import { findOperation, type OperationFailure } from './apis/operations.ts';
import { pathAmbiguity } from './apis/request-path.ts';
import type { Security } from './apis/security.ts';
import type { Attributes } from './attributes.ts';
import { describeAbsence } from './client-certificate/absence.ts';
import { readPresented } from './client-certificate/source.ts';
import type { Admission, Client, Decision, Denial, DenialCode } from './decision.ts';
import { judgeAccessToken, type TokenVerdict } from './oauth2/access-token.ts';
import { readBearerToken } from './oauth2/bearer-token.ts';
import type { Possession } from './oauth2/confirmation.ts';
import { type Certificate, CertificateError } from './pki/certificate/certificate.ts';
import { createEffort } from './pki/path/effort.ts';
import type { Snapshot } from './snapshot.ts';
import { type CertificateVerdict, type Reason, weigh } from './weighing.ts';

/**
 * The life of one request. Pure but for what the snapshot remembers: a path once found valid is valid until something
 * in it ends, also where a later request leaves out its intermediates; and a token's signature is checked once.
 *
 * @param now milliseconds since the epoch
 */
export async function decide(attributes: Attributes, snapshot: Snapshot, now: number): Promise<Decision> {
  const ambiguity = pathAmbiguity(attributes.http.path);
  if (ambiguity !== undefined) return deny('path_ambiguous', `the path has ${ambiguity}`);

  const api = findApi(attributes, snapshot.apis);
  if (api === undefined)
    return deny('api_not_found', 'no API has this host and base path, or the route names none');
  if (isAnotherApi(attributes, snapshot.apis))
    return deny('path_ambiguous', 'once decoded, the path is of another API', api);
  if (api.fault !== undefined) return deny('api_misconfigured', api.fault, api);
  const security = findSecurity(api, attributes);
  if (typeof security === 'string') return deny(security, 'of the operations that the API lists', api);

  const certificate = judgeCertificate(attributes, security, snapshot, now);
  // A refusal that no token can change is given without looking at it.
  const refused = weigh(security, certificate, undefined);
  if (refused !== undefined) return deny(refused.code, detailOf(refused), api, leafOf(certificate));
  const token = await judgeToken(attributes, security, snapshot, now);
  const denied = weigh(security, certificate, token);
  if (denied !== undefined)
    return {
      ...deny(denied.code, detailOf(denied), api, leafOf(certificate)),
      ...(security.tokens && { scopes: security.tokens.scopes }),
    };
  return admission(api, certificate, token, tokenHeaderState(attributes, security, snapshot, token));
}

/** The operation's, where the API lists any, else that of the API as a whole. */
function findSecurity(api: Api, { http }: Attributes): Security | OperationFailure {
  if (api.operations === undefined) return api.security;
  const path = http.path.split('?', 1)[0]!;
  const below = path.slice(api.basePath.length);
  // The route named the API, and its path is another: no operation of it can be meant.
  if (!path.startsWith(api.basePath) || !(below === '' || below.startsWith('/')))
    return 'operation_not_found';
  const found = findOperation(api.operations, http.method, below);
  if (typeof found === 'object') return found.security;
  return found === 'operation_not_found' && api.servesUnlisted ? api.security : found;
}

/** Which of the API's clients the certificate is, if one came. */
function judgeCertificate(
  attributes: Attributes,
  { mutualSsl, sources, clients }: Security,
  snapshot: Snapshot,
  now: number,
): CertificateVerdict {
  if (mutualSsl === 'off') return { kind: 'none' };
  const presented = readPresented(attributes, sources, now);
  const explainAbsence = (): string => describeAbsence(attributes, sources);
  if (presented.kind === 'none') return { kind: 'none', explain: explainAbsence };
  if (presented.kind === 'error') {
    const { code, detail } = presented;
    // Where none is needed, a stranger's header is worth as much as no header.
    return code === 'header_sender_untrusted' && mutualSsl === 'optional' && !snapshot.rejectUntrustedHeader
      ? { kind: 'none', explain: explainAbsence }
      : { kind: 'wrong', code, detail };
  }
  const leaf = snapshot.certificates.read(presented.leaf);
  if (leaf instanceof CertificateError) return { kind: 'wrong', code: leaf.code, detail: leaf.detail };
  const intermediates = snapshot.certificates.readable(presented.intermediates);
  const { revocation, searchLimit, everyone } = snapshot;
  const effort = createEffort(searchLimit);
  const result = admit({ leaf, intermediates, now, revocation, effort }, clients, everyone);
  if (!result.admitted) return { kind: 'wrong', certificate: leaf, ...result };
  const { alias, tier } = result.client;
  const between = result.path.slice(1).map(({ der }) => der);
  return { kind: 'verified', client: { alias, tier, certificate: leaf, intermediates: between } };
}

async function judgeToken(
  attributes: Attributes,
  { applicationSecurity, tokens, sources }: Security,
  snapshot: Snapshot,
  now: number,
): Promise<TokenVerdict> {
  if (applicationSecurity === 'off' || tokens === undefined) return { kind: 'none' };
  const possession = (): Possession => {
    const presented = readPresented(attributes, sources, now);
    if (presented.kind === 'none') return presented;
    if (presented.kind === 'error') return { kind: 'unreadable', detail: presented.detail };
    const leaf = snapshot.certificates.read(presented.leaf);
    if (leaf instanceof CertificateError) return { kind: 'unreadable', detail: leaf.detail };
    return { kind: 'certificate', ...leaf };
  };
  return judgeAccessToken(attributes, snapshot.answers.tokenHeader, tokens, possession, now);
}

function admission(
  api: Api,
  certificate: CertificateVerdict,
  token: TokenVerdict,
  tokenHeader: Admission['tokenHeader'],
): Admission {
  const client: Client | undefined = certificate.kind === 'verified' ? certificate.client : undefined;
  return {
    outcome: 'allow',
    api: nameOf(api),
    ...(client && { client }),
    ...(token.kind === 'verified' && { token: token.token }),
    tokenHeader,
  };
}

/** Of an API that has to do with tokens, none reaches the backend unverified; what is no token (Basic) is its own. */
function tokenHeaderState(
  attributes: Attributes,
  { tokens }: Security,
  { answers }: Snapshot,
  token: TokenVerdict,
): Admission['tokenHeader'] {
  if (token.kind === 'verified') return 'verified';
  if (tokens === undefined) return 'untouched';
  const sent = readBearerToken(attributes, answers.tokenHeader);
  return 'kind' in sent && sent.kind === 'none' ? 'untouched' : 'unverified';
}

const detailOf = ({ detail, explain }: Reason): string => {
  const more = explain?.();
  return more === undefined ? detail : `${detail}: ${more}`;
};

const nameOf = ({ name, version, basePath, errorFormat }: Api) => ({ name, version, basePath, errorFormat });

const leafOf = (verdict: CertificateVerdict): Certificate | undefined =>
  verdict.kind === 'wrong' ? verdict.certificate : undefined;

const deny = (code: DenialCode, detail: string, api?: Api, certificate?: Certificate): Denial => ({
  outcome: 'deny',
  code,
  detail,
  ...(api && { api: nameOf(api) }),
  ...(certificate && { certificate }),
});
