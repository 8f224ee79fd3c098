import type { Api } from './apis/api.ts';
import { findApi, isAnotherApi } from './apis/api-index.ts';
import { findAsked, readOtherwise } from './apis/asked.ts';
import { type Bound, bind, type Unbound } from './apis/binding.ts';
import { isMadeForAnother, madeForKey } from './apis/made-for.ts';
import type { Operation } from './apis/operations.ts';
import { otherReading, pathAmbiguity } from './apis/request-path.ts';
import type { Client, Security } from './apis/security.ts';
import { Attached } from './attached.ts';
import type { Attributes } from './attributes.ts';
import { describeAbsence } from './client-certificate/absence.ts';
import type { Presented, PresentedChain } from './client-certificate/presented.ts';
import { readPresented } from './client-certificate/source.ts';
import type { Admission, ApiName, Decision, Denial, DenialCode, VerifiedClient } from './decision.ts';
import { judgeAccessToken, type TokenVerdict } from './oauth2/access-token.ts';
import { noToken, readBearerToken, type SentToken } from './oauth2/bearer-token.ts';
import type { Possession } from './oauth2/confirmation.ts';
import type { TokenFailure } from './oauth2/token-failures.ts';
import { type Certificate, CertificateError } from './pki/certificate/certificate.ts';
import { createEffort, type Notes } from './pki/path/effort.ts';
import type { Snapshot } from './snapshot.ts';
import { after, type Soon } from './soon.ts';
import { type CertificateVerdict, isBeyondTokens, type Reason, weigh } from './weighing.ts';

/** What `decide` finds on its way, in order, as far as it gets. */
export type Step =
  | { readonly kind: 'api'; readonly api: Api }
  | { readonly kind: 'asked'; readonly asked: Api | Operation }
  | { readonly kind: 'presented'; readonly presented: PresentedCertificate }
  /** `notes`: empty where the verdict was remembered. */
  | { readonly kind: 'bound'; readonly result: Bound | Unbound; readonly notes: Notes }
  | { readonly kind: 'certificate'; readonly verdict: CertificateVerdict }
  | { readonly kind: 'token'; readonly verdict: TokenVerdict };

/** For whoever explains a decision. It is told, and changes nothing. */
type Trace = (step: Step) => void;

/**
 * The life of one request. Pure but for what the snapshot remembers: a path once found valid for a certificate that had
 * come before is valid until something in it ends, also where a later request leaves out its intermediates; and a token's
 * signature is checked once.
 *
 * @param now milliseconds since the epoch
 * @returns a Promise only where a token's signature is checked for the first time
 */
export function decide(
  attributes: Attributes,
  snapshot: Snapshot,
  now: number,
  trace?: Trace,
): Soon<Decision> {
  const ambiguity = pathAmbiguity(attributes.http.path);
  if (ambiguity !== undefined) return deny('path_ambiguous', `the path has ${ambiguity}`);

  const api = findApi(attributes, snapshot.apis);
  if (api === undefined)
    return deny('api_not_found', 'no API has this host and base path, or the route names none');
  const reading = otherReading(attributes.http.path);
  if (isAnotherApi(attributes, reading, api, snapshot.apis))
    return deny('path_ambiguous', 'once decoded, the path is of another API', api);
  trace?.({ kind: 'api', api });
  if (api.fault !== undefined) return deny('api_misconfigured', api.fault, api);
  if (isMadeForAnother(attributes.contextExtensions.get(madeForKey), api.madeFor))
    return deny('route_mismatch', "Envoy's route was made for another's API of this name", api);
  const asked = findAsked(api, attributes);
  if (typeof asked === 'string') return deny(asked, 'of the operations that the API lists', api);
  const other = readOtherwise(attributes, reading, snapshot.apis, { api, asked });
  if (other !== undefined)
    return deny(
      'path_ambiguous',
      `as some read it (decoded, in lower case, without extension), the path is of ${other}`,
      api,
    );
  trace?.({ kind: 'asked', asked });
  const { security } = asked;
  const operation = 'path' in asked ? asked.path : undefined;

  const circumstances = { snapshot, now, trace };
  const evidence = new Evidence(attributes, security, circumstances);
  const certificate = judgeCertificate(evidence, security, circumstances);
  trace?.({ kind: 'certificate', verdict: certificate });
  // A refusal that no token can mend is given without looking at one.
  const token = isBeyondTokens(security, certificate) ? noToken : judgeToken(evidence, security, now);
  return after(token, (token) => {
    trace?.({ kind: 'token', verdict: token });
    const denied = weigh(security, certificate, token);
    if (denied === undefined) return admission(api, certificate, token, evidence, operation);
    const scopes = security.tokens && { scopes: security.tokens.scopes };
    return {
      ...deny(denied.code, detailOf(denied), api, leafOf(certificate)),
      ...scopes,
      certificateFrom: evidence.certificateFrom,
      operation,
    };
  });
}

export type PresentedCertificate =
  | Exclude<Presented, PresentedChain>
  | { readonly kind: 'unreadable'; readonly error: CertificateError }
  | {
      readonly kind: 'certificate';
      readonly leaf: Certificate;
      readonly intermediates: readonly Uint8Array[];
    };

type Circumstances = {
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly trace: Trace | undefined;
};

/** What came with a request to prove who sends it: read once, and only where somebody asks. Nothing of it is judged. */
class Evidence {
  readonly token: SentToken | TokenFailure;
  readonly #attributes: Attributes;
  readonly #security: Security;
  readonly #circumstances: Circumstances;
  #presented: PresentedCertificate | undefined;
  #certificateFrom: PresentedChain['source'] | undefined;

  constructor(attributes: Attributes, security: Security, circumstances: Circumstances) {
    this.#attributes = attributes;
    this.#security = security;
    this.#circumstances = circumstances;
    const { tokenHeader } = circumstances.snapshot.answers;
    // Of an API that has nothing to do with tokens, the header is its backend's.
    this.token = security.tokens === undefined ? noToken : readBearerToken(attributes, tokenHeader);
  }

  get certificate(): PresentedCertificate {
    if (this.#presented === undefined) {
      const presented = this.#read();
      this.#circumstances.trace?.({ kind: 'presented', presented });
      this.#presented = presented;
    }
    return this.#presented;
  }

  /** Of the certificate that was looked at so far. */
  get certificateFrom(): PresentedChain['source'] | undefined {
    return this.#certificateFrom;
  }

  /** What came in place of a certificate, for the log. */
  explainAbsence(): string {
    const presented = this.certificate;
    const header = presented.kind === 'none' ? presented.header : undefined;
    return describeAbsence(this.#attributes, this.#security.sources, header);
  }

  #read(): PresentedCertificate {
    const { snapshot, now } = this.#circumstances;
    const presented = readPresented(this.#attributes, this.#security.sources, now);
    if (presented.kind !== 'chain') return presented;
    this.#certificateFrom = presented.source;
    const leaf = snapshot.certificates.read(presented.leaf);
    if (leaf instanceof CertificateError) return { kind: 'unreadable', error: leaf };
    return { kind: 'certificate', leaf, intermediates: presented.intermediates };
  }
}

/** Which of the API's clients the certificate is, if one came. */
function judgeCertificate(
  evidence: Evidence,
  { mutualSsl, clients }: Security,
  { snapshot, now, trace }: Circumstances,
): CertificateVerdict {
  const { certificates, everyone, revocation, searchLimit, rejectUntrustedHeader } = snapshot;
  if (mutualSsl === 'off') return { kind: 'none' };
  const presented = evidence.certificate;
  if (presented.kind === 'none') return absent(evidence);
  if (presented.kind === 'error') {
    const { code, detail } = presented;
    // Where none is needed, a stranger's header is worth as much as no header.
    return code === 'header_sender_untrusted' && mutualSsl === 'optional' && !rejectUntrustedHeader
      ? absent(evidence)
      : { kind: 'wrong', code, detail };
  }
  if (presented.kind === 'unreadable') {
    const { code, detail } = presented.error;
    return { kind: 'wrong', code, detail };
  }
  const { leaf } = presented;
  const intermediates = certificates.offered(presented.intermediates);
  const notes: Notes | undefined = trace && { tried: [], statuses: [] };
  const effort = createEffort(searchLimit, notes);
  const result = bind({ leaf, intermediates, now, revocation, effort }, clients, everyone);
  if (notes !== undefined) trace?.({ kind: 'bound', result, notes });
  if (!result.isBound) return { kind: 'wrong', certificate: leaf, ...result };
  return { kind: 'verified', client: verifiedAs(result.client, leaf, result.path) };
}

const absent = (evidence: Evidence): CertificateVerdict => ({
  kind: 'none',
  explain: () => evidence.explainAbsence(),
});

/** By the path: the same object at each request, by which an answer is found again. */
const verified = new Attached<readonly Certificate[], VerifiedClient>();
function verifiedAs(
  { alias, isOwn, tier }: Client,
  leaf: Certificate,
  path: readonly Certificate[],
): VerifiedClient {
  const known = verified.get(path);
  const isIt =
    known !== undefined &&
    known.certificate === leaf &&
    known.alias === alias &&
    known.isOwn === isOwn &&
    known.tier === tier;
  if (isIt) return known;
  const intermediates = path.slice(1).map(({ der }) => der);
  const client = { alias, isOwn, tier, certificate: leaf, intermediates };
  verified.set(path, client);
  return client;
}

function judgeToken(
  evidence: Evidence,
  { applicationSecurity, tokens }: Security,
  now: number,
): Soon<TokenVerdict> {
  if (applicationSecurity === 'off' || tokens === undefined) return noToken;
  return judgeAccessToken(evidence.token, tokens, () => possessionOf(evidence.certificate), now);
}

function possessionOf(presented: PresentedCertificate): Possession {
  switch (presented.kind) {
    case 'none':
      return presented;
    case 'error':
      return { kind: 'unreadable', detail: presented.detail };
    case 'unreadable':
      return { kind: 'unreadable', detail: presented.error.detail };
    case 'certificate': {
      const { sha256, notBefore, notAfter } = presented.leaf;
      return { kind: 'certificate', sha256, notBefore, notAfter };
    }
  }
}

function admission(
  api: Api,
  certificate: CertificateVerdict,
  token: TokenVerdict,
  evidence: Evidence,
  operation: string | undefined,
): Admission {
  const admission: { -readonly [field in keyof Admission]: Admission[field] } = {
    outcome: 'allow',
    api: nameOf(api),
    tokenHeader: tokenHeaderState(token, evidence),
    certificateFrom: evidence.certificateFrom,
    operation,
  };
  if (certificate.kind === 'verified') admission.client = certificate.client;
  if (token.kind === 'verified') admission.token = token.token;
  return admission;
}

/** Of an API that has to do with tokens, none reaches the backend unverified; what is no token (Basic) is its own. */
function tokenHeaderState(verdict: TokenVerdict, { token }: Evidence): Admission['tokenHeader'] {
  if (verdict.kind === 'verified') return 'verified';
  return 'kind' in token && token.kind === 'none' ? 'untouched' : 'unverified';
}

const detailOf = ({ detail, explain }: Reason): string => {
  const more = explain?.();
  return more === undefined ? detail : `${detail}: ${more}`;
};

/** The same object at each request, by which an answer is found again. */
const names = new WeakMap<Api, ApiName>();
function nameOf(api: Api): ApiName {
  let known = names.get(api);
  if (known === undefined) {
    const { name, version, basePath, errorFormat, operations } = api;
    known = { name, version, basePath, errorFormat, hasOperations: operations !== undefined };
    names.set(api, known);
  }
  return known;
}

const leafOf = (verdict: CertificateVerdict): Certificate | undefined =>
  verdict.kind === 'wrong' ? verdict.certificate : undefined;

const deny = (code: DenialCode, detail: string, api?: Api, certificate?: Certificate): Denial => ({
  outcome: 'deny',
  code,
  detail,
  ...(api && { api: nameOf(api) }),
  ...(certificate && { certificate }),
});
