import { type Challenge, type DenialCode, denials } from '../decision.ts';

/** Choreo Connect's, byte for byte. */
const mutualSsl =
  'Mutual SSL realm="Choreo Connect", error="invalid_token", error_description="The provided token is invalid"';

/** Values of WWW-Authenticate, one a challenge (RFC 9110 section 11.6.1). */
export const challenges = (code: DenialCode, scopes: readonly string[] = []): readonly string[] =>
  denials[code].challenges.map((challenge) =>
    challenge.scheme === 'mutual-ssl'
      ? mutualSsl
      : bearer(challenge, denials[code].sentence, code === 'token_scope_missing' ? scopes : []),
  );

/** RFC 6750 section 3: without an error where no token came. */
function bearer(
  { error }: Extract<Challenge, { scheme: 'bearer' }>,
  sentence: string,
  scopes: readonly string[],
): string {
  const realm = 'Bearer realm="Choreo Connect"';
  if (error === undefined) return realm;
  const scope = scopes.filter((name) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name)).join(' ');
  return `${realm}, error="${error}", error_description="${sentence.replace(/["\\]/g, "'")}"${scope && `, scope="${scope}"`}`;
}
