import { hasRepeatedMember } from '../documents/repeated-members.ts';
import { type TokenFailure, tokenFailure } from './token-failures.ts';

/** A JWT taken apart (RFC 7515 section 3.1, RFC 7519): nothing of it is verified yet. */
export type CompactJws = {
  /** As sent. */
  readonly text: string;
  readonly header: JwsHeader;
  readonly claims: Readonly<Record<string, unknown>>;
};

/** What is used of the header. `jwk`, `jku`, `x5u` and `x5c` never are: who signs must not say by which key. */
type JwsHeader = {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
};

/** More than any access token that fits into the headers Envoy takes. */
const maxLength = 16_384;

export function parseCompactJws(text: string): CompactJws | TokenFailure {
  if (text.length > maxLength)
    return tokenFailure('token_too_long', `it has ${text.length} characters, more than ${maxLength}`);
  const parts = text.split('.');
  if (parts.length !== 3) return malformed(`it has ${parts.length} parts, and a JWT has 3`);
  if (!parts.slice(0, 2).every(isBase64url) || !(parts[2] === '' || isBase64url(parts[2]!)))
    return malformed('a part is not base64url without padding');
  const header = parseObject(parts[0]!, 'header');
  if ('code' in header) return header;
  const { alg, kid, typ, crit, b64 } = header.object;
  if (typeof alg !== 'string') return malformed('its header has no alg');
  if (kid !== undefined && typeof kid !== 'string') return malformed('kid is no text');
  if (typ !== undefined && typeof typ !== 'string') return malformed('typ is no text');
  if (crit !== undefined || b64 !== undefined)
    return tokenFailure('token_extension_refused', 'its header has crit or b64');
  const claims = parseObject(parts[1]!, 'claims');
  if ('code' in claims) return claims;
  return { text, header: { alg, kid, typ }, claims: claims.object };
}

const malformed = (detail: string): TokenFailure => tokenFailure('token_malformed', detail);

/** The one way to write it: no padding, no bits left over, so that a token has one text. */
const isBase64url = (part: string): boolean =>
  /^[A-Za-z0-9_-]+$/.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part;

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseObject(
  part: string,
  what: string,
): { readonly object: Record<string, unknown> } | TokenFailure {
  let json: string;
  let value: unknown;
  try {
    json = utf8.decode(Buffer.from(part, 'base64url'));
    value = JSON.parse(json);
  } catch {
    return malformed(`its ${what} are no JSON in UTF-8`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return malformed(`its ${what} are no JSON object`);
  if (hasRepeatedMember(json)) return tokenFailure('token_member_repeated', `in its ${what}`);
  return { object: value as Record<string, unknown> };
}
