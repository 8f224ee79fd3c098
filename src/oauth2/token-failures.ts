/** RFC 6750 section 3.1; undefined: no token came, and no error is told (the same, section 3). */
export type BearerError = 'invalid_request' | 'invalid_token' | 'insufficient_scope';

type Row = {
  readonly sentence: string;
  readonly error: BearerError | undefined;
  /** Whose turn it is: the client's, or the operator's. */
  readonly level: 'info' | 'warn';
};

const invalid = (sentence: string, level: Row['level'] = 'info'): Row => ({
  sentence,
  error: 'invalid_token',
  level,
});

/** One code a cause; the sentence is fixed, for the client, and says what to put right. */
export const tokenFailures = {
  token_missing: {
    sentence: 'This API needs an access token, and none was sent.',
    error: undefined,
    level: 'info',
  },
  token_repeated: {
    sentence: 'The access token was sent more than once; send it once.',
    error: 'invalid_request',
    level: 'info',
  },
  token_malformed: invalid('The access token is not a JWT in compact form (RFC 7519).'),
  token_too_long: invalid('The access token is too long.'),
  token_member_repeated: invalid(
    'The access token says the same thing twice: a member of its JSON is repeated.',
  ),
  token_algorithm_refused: invalid(
    'The access token is signed by an algorithm that is not accepted, or not at all.',
  ),
  token_extension_refused: invalid(
    'The access token has critical header parameters, which are not understood.',
  ),
  token_type_refused: invalid('The JWT is of another type than an access token.'),
  token_issuer_unknown: invalid('The access token was issued by somebody whom this API does not accept.'),
  token_key_unknown: invalid('The access token is signed by a key that its issuer does not publish.'),
  token_keys_unavailable: invalid(
    "The issuer's keys could not be had yet, so that no token can be verified.",
    'warn',
  ),
  token_signature_invalid: invalid('The signature of the access token is wrong.'),
  token_checks_limited: {
    sentence: 'Too many unseen access tokens are being looked into at the moment. Try again in a second.',
    error: undefined,
    level: 'warn',
  },
  token_claims_malformed: invalid(
    'The access token lacks a claim that it must have, or has it in another form.',
  ),
  token_expired: invalid('The access token has expired.'),
  token_not_yet_valid: invalid('The access token is not valid yet.'),
  token_audience_wrong: invalid('The access token is meant for somebody else (aud).'),
  token_confirmation_malformed: invalid('The confirmation (cnf) of the access token can not be read.'),
  token_confirmation_unsupported: invalid(
    'The access token is bound to its client in another way than by certificate (cnf without x5t#S256).',
  ),
  token_unbound: invalid('This API needs an access token that is bound to a client certificate (RFC 8705).'),
  token_certificate_missing: invalid(
    'The access token is bound to a client certificate, and none was sent with it.',
  ),
  token_certificate_mismatch: invalid(
    'The access token is bound to another client certificate than the one sent.',
  ),
  token_certificate_unusable: invalid(
    'The access token is bound to a client certificate, and what was sent can not be read.',
  ),
  token_certificate_not_current: invalid(
    'The client certificate that the access token is bound to has expired, or is not valid yet.',
  ),
  token_client_refused: {
    sentence: 'The client of the access token may not call this API.',
    error: 'insufficient_scope',
    level: 'info',
  },
  token_scope_missing: {
    sentence: 'The access token lacks a scope that is needed here.',
    error: 'insufficient_scope',
    level: 'info',
  },
} as const satisfies Readonly<Record<string, Row>>;

export type TokenFailureCode = keyof typeof tokenFailures;

export type TokenFailure = {
  readonly code: TokenFailureCode;
  /** For the log: names claims and what they hold, never the token. */
  readonly detail: string;
};

export const tokenFailure = (code: TokenFailureCode, detail: string): TokenFailure => ({ code, detail });

export const isTokenFailure = <T extends object>(result: T | TokenFailure): result is TokenFailure =>
  'code' in result && 'detail' in result;

/** Text of a token as it may stand in the log: short, on one line. */
export const quoted = (value: unknown): string => {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 100 ? `${json.slice(0, 97)}...` : json;
};
