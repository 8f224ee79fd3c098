import type { ErrorFormat } from '../apis/api.ts';
import { type BearerChallenge, type DenialCode, denials } from '../decision.ts';

/** Choreo Connect's, byte for byte: it speaks of a token where there is none, and those who come from there compare it. */
const choreoConnect =
  'Mutual SSL realm="Choreo Connect", error="invalid_token", error_description="The provided token is invalid"';

/**
 * Values of WWW-Authenticate, one a challenge (RFC 9110 section 11.6.1): of what the API takes, and nothing else.
 *
 * @param scopes that an access token needs there
 */
export const challenges = (
  code: DenialCode,
  format: ErrorFormat,
  scopes: readonly string[] = [],
): readonly string[] => {
  const { challenges, sentence } = denials[code];
  const realm = format === 'problem+json' ? 'API' : 'Choreo Connect';
  return challenges.map((challenge) => {
    if (challenge.scheme === 'bearer')
      return bearer(challenge, realm, sentence, code === 'token_scope_missing' ? scopes : []);
    // No scheme is registered for certificates in the handshake, and RFC 9110 15.5.2 wants one in a 401.
    return format === 'problem+json'
      ? `Mutual-TLS realm="${realm}", error="${code}", error_description="${quotable(sentence)}"`
      : choreoConnect;
  });
};

/** RFC 6750 section 3: without an error where no token came. */
function bearer(
  { error }: BearerChallenge,
  realm: string,
  sentence: string,
  scopes: readonly string[],
): string {
  const challenge = `Bearer realm="${realm}"`;
  if (error === undefined) return challenge;
  const scope = scopes.filter((name) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name)).join(' ');
  return `${challenge}, error="${error}", error_description="${quotable(sentence)}"${scope && `, scope="${scope}"`}`;
}

const quotable = (sentence: string): string => sentence.replace(/["\\]/g, "'");
