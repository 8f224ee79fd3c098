import type { ErrorFormat } from './apis/api.ts';
import {
  type PresentedChain,
  type PresentedErrorCode,
  presentedErrors,
} from './client-certificate/presented.ts';
import type { AccessToken } from './oauth2/claims.ts';
import { type BearerError, type TokenFailureCode, tokenFailures } from './oauth2/token-failures.ts';
import type { Certificate } from './pki/certificate/certificate.ts';
import { type PathFailureCode, pathFailures } from './pki/path/failures.ts';

/** What the enforcer answers. Only `ext-authz/check-response.ts` turns it into a CheckResponse. */
export type Decision = Admission | Denial;

export type ApiName = {
  readonly name: string;
  readonly version: string;
  readonly basePath: string;
  readonly errorFormat: ErrorFormat;
  /** Its requests are judged by their methods. */
  readonly hasOperations: boolean;
};

/** Who the client is by its certificate, verified. */
export type VerifiedClient = {
  readonly alias: string;
  /** An API's own: another's of this alias may be somebody else. */
  readonly isOwn: boolean;
  readonly tier: string | undefined;
  readonly certificate: Certificate;
  /** DER of the verified path's certificates between leaf and trust anchor, the leaf's issuer first. */
  readonly intermediates: readonly Uint8Array[];
};

/** What is told of a decision, whatever it is, and sent to nobody. */
type Circumstances = {
  /** Where the certificate came from that was looked at; absent: none came, or none was asked for. */
  readonly certificateFrom?: PresentedChain['source'] | undefined;
  /** Path template of the operation that was found, as it is written; absent: the API lists none. */
  readonly operation?: string | undefined;
};

export type Admission = Circumstances & {
  readonly outcome: 'allow';
  readonly api: ApiName;
  /** Absent where the API does not ask for a certificate, or may go without and none came. */
  readonly client?: VerifiedClient;
  /** Absent where none is asked for, or it may be left out and none came that is right. */
  readonly token?: AccessToken;
  /** What the header holds in which access tokens come. untouched: it is the backend's own. */
  readonly tokenHeader: 'untouched' | 'verified' | 'unverified';
};

export type Denial = Circumstances & {
  readonly outcome: 'deny';
  readonly code: DenialCode;
  /** For the log only, never for the client. May quote the certificate, never a header's value. */
  readonly detail: string;
  readonly api?: ApiName;
  /** As far as it could be read; not verified. */
  readonly certificate?: Certificate;
  /** That an access token needs here. */
  readonly scopes?: readonly string[];
};

type OwnDenialCode =
  | 'api_not_found'
  | 'operation_not_found'
  | 'method_not_allowed'
  | 'path_ambiguous'
  | 'certificate_missing'
  | 'certificate_not_bound'
  | 'alias_disabled'
  | 'alias_not_current'
  | 'credentials_missing'
  | 'tier_limit_exceeded'
  | 'api_misconfigured'
  | 'route_mismatch'
  | 'internal_error';

/** One code a cause, stable: clients, dashboards and alerts go by it. */
export type DenialCode = OwnDenialCode | PresentedErrorCode | PathFailureCode | TokenFailureCode;

export type DenialRow = {
  /** HTTP status for the client. */
  readonly status: 400 | 401 | 403 | 404 | 405 | 429;
  /** The number in the body: WSO2's, where it has one. */
  readonly number: '900900' | '900901' | '900902' | '900908' | '900804' | '400' | '404' | '405' | '429';
  /** Whose turn it is. info: the client's. warn: the sender's or the operator's. error: ours. */
  readonly level: 'info' | 'warn' | 'error';
  /** What the client and the documentation read: fixed text. */
  readonly sentence: string;
  /** What the answer asks for (WWW-Authenticate). */
  readonly challenges: readonly Challenge[];
};

/** mutual-ssl: Choreo Connect's. bearer: RFC 6750 section 3; without an error where no token came. */
type Challenge = { readonly scheme: 'mutual-ssl' } | BearerChallenge;
export type BearerChallenge = { readonly scheme: 'bearer'; readonly error: BearerError | undefined };

const mutualSsl: Challenge = { scheme: 'mutual-ssl' };

const own: Record<
  OwnDenialCode,
  Omit<DenialRow, 'challenges'> & { readonly challenges?: readonly Challenge[] }
> = {
  api_not_found: {
    status: 404,
    number: '404',
    level: 'info',
    sentence: 'No API answers at this host and path.',
  },
  operation_not_found: {
    status: 404,
    number: '404',
    level: 'info',
    sentence: 'The API has nothing at this path.',
  },
  method_not_allowed: {
    status: 405,
    number: '405',
    level: 'info',
    sentence: 'The API does not take this method at this path.',
  },
  path_ambiguous: {
    status: 400,
    number: '400',
    level: 'info',
    sentence:
      'The path can be read in more than one way: send it in the case that the API is documented in, without dot segments, encoded slashes, backslashes, control characters, empty segments and broken escapes.',
  },
  certificate_missing: {
    status: 401,
    number: '900901',
    level: 'info',
    sentence: 'This API needs a client certificate, and none was sent.',
  },
  certificate_not_bound: {
    status: 401,
    number: '900901',
    level: 'info',
    sentence: 'The certificate is valid, but it is not one of those that may call this API.',
  },
  alias_disabled: {
    status: 401,
    number: '900901',
    level: 'info',
    sentence: 'The certificate belongs to a client that is switched off.',
  },
  alias_not_current: {
    status: 401,
    number: '900901',
    level: 'info',
    sentence: 'The certificate belongs to a client whose time has not come or is over.',
  },
  credentials_missing: {
    status: 401,
    number: '900902',
    level: 'info',
    sentence: 'This API needs a client certificate or an access token, and neither was sent.',
    challenges: [mutualSsl, { scheme: 'bearer', error: undefined }],
  },
  // Envoy's to say, by what `envoy-config` writes: it counts, we don't. WSO2's number for a subscription's limit, which
  // the tier of a certificate is there.
  tier_limit_exceeded: {
    status: 429,
    number: '900804',
    level: 'info',
    sentence: 'The client has used up what its tier allows for now: try again after what Retry-After says.',
  },
  api_misconfigured: {
    status: 401,
    number: '900900',
    level: 'error',
    sentence: 'The definition of this API is faulty, so that nobody is admitted.',
  },
  route_mismatch: {
    status: 404,
    number: '404',
    level: 'warn',
    sentence: 'This API is just being replaced by another one: try again in a moment.',
  },
  internal_error: {
    status: 401,
    number: '900900',
    level: 'error',
    sentence: 'The request could not be judged because of a fault in the enforcer.',
  },
};

const fromRoom =
  (level: DenialRow['level']) =>
  (row: { readonly sentence: string }): DenialRow => ({
    status: 401,
    number: '900901',
    level,
    sentence: row.sentence,
    challenges: [mutualSsl],
  });

const fromToken = ({ sentence, error, level }: (typeof tokenFailures)[TokenFailureCode]): DenialRow => ({
  status: error === 'insufficient_scope' ? 403 : 401,
  number: error === 'insufficient_scope' ? '900908' : error === undefined ? '900902' : '900901',
  level,
  sentence,
  challenges: [{ scheme: 'bearer', error }],
});

/** No fault of the client's, who may try again; the operator should know that somebody floods him. */
const limited = ({ sentence }: { readonly sentence: string }): DenialRow => ({
  status: 429,
  number: '429',
  level: 'warn',
  sentence,
  challenges: [],
});

/** THE table of denials. What has no row here can't be said. */
export const denials: Readonly<Record<DenialCode, DenialRow>> = {
  ...mapRows(own, (row) => ({ challenges: row.status === 401 ? [mutualSsl] : [], ...row })),
  ...mapRows(presentedErrors, fromRoom('warn')),
  ...mapRows(pathFailures, fromRoom('info')),
  certificate_search_limited: limited(pathFailures.certificate_search_limited),
  ...mapRows(tokenFailures, fromToken),
  token_checks_limited: limited(tokenFailures.token_checks_limited),
};

function mapRows<Code extends string, Row>(
  rows: Readonly<Record<Code, Row>>,
  map: (row: Row) => DenialRow,
): Record<Code, DenialRow> {
  return Object.fromEntries(Object.entries<Row>(rows).map(([code, row]) => [code, map(row)])) as Record<
    Code,
    DenialRow
  >;
}
