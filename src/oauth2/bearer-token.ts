import { type Attributes, headerValues } from '../attributes.ts';
import { type TokenFailure, tokenFailure } from './token-failures.ts';

/** Where access tokens are read, and whether the backend gets them. */
export type TokenHeader = {
  /** Lower case. */
  readonly name: string;
  /** A verified token goes on to the backend; any other never does. */
  readonly forward: boolean;
};

export type SentToken = NoToken | { readonly kind: 'token'; readonly text: string };

type NoToken = { readonly kind: 'none' };
export const noToken: NoToken = { kind: 'none' };

/**
 * The access token of a request (RFC 6750 section 2.1). In `Authorization` another scheme than Bearer is no token; in a
 * header of its own the scheme may be left out, as Choreo Connect has it. A scheme ends with the first character that is
 * none of a token's (RFC 9110 section 11.4), whatever comes there: backends split at a tab, too.
 */
export function readBearerToken(attributes: Attributes, { name }: TokenHeader): SentToken | TokenFailure {
  const values = headerValues(attributes, name).map((value) => value.trim());
  if (values.length === 0) return noToken;
  if (values.length > 1) return tokenFailure('token_repeated', `${name} came ${values.length} times`);
  const value = values[0]!;
  const scheme = /^[\w!#$%&'*+.^`|~-]*/.exec(value)![0];
  const rest = value.slice(scheme.length);
  if (scheme.toLowerCase() === 'bearer') return token(rest.replace(/^ +/, ''), name);
  if (name !== 'authorization') return value === '' ? noToken : token(value, name);
  // A JWT without its scheme is a token all the same, and must not slip by as another scheme's name.
  if (scheme.split('.').length >= 3)
    return tokenFailure('token_malformed', `${name} has a token without the word Bearer before it`);
  // Two headers that somebody has joined, the second a token: the backend may take either.
  if (/,\s*bearer(?![\w-])/i.test(rest)) return tokenFailure('token_repeated', `${name} holds a list`);
  if (scheme === '' && rest !== '') return tokenFailure('token_malformed', `${name} begins with no scheme`);
  return noToken;
}

/** RFC 6750: b64token. A comma in it are two headers that somebody has joined. */
function token(text: string, name: string): SentToken | TokenFailure {
  if (text.includes(',')) return tokenFailure('token_repeated', `${name} holds a list`);
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(text))
    return tokenFailure('token_malformed', `${name} holds no token after Bearer`);
  return { kind: 'token', text };
}
