import type { Requirement, Security } from '../apis/security.ts';
import type { CertificateSources } from '../client-certificate/source.ts';
import { type Issuer, strictest, type TokenPolicy } from '../oauth2/issuer.ts';
import type { Snapshot } from '../snapshot.ts';
import { byOrder, bySet, type Change, either, narrowing, ofTier, widening } from './change.ts';
import { type ClientSide, clientsOnlyIn, otherTerms, otherTiers, suspendedOnlyIn } from './clients.ts';

/** What is asked for at one place by one of two configurations. */
type Side = { readonly security: Security; readonly snapshot: Snapshot; readonly now: number };

const requirements: readonly Requirement[] = ['mandatory', 'optional', 'off'];

/** What becomes of the same request at one place. */
export function securityChanges(before: Side, after: Side): readonly Change[] {
  const [old, young] = [before.security, after.security];
  return [
    ...byOrder('certificate', requirements, old.mutualSsl, young.mutualSsl),
    ...byOrder('access token', requirements, old.applicationSecurity, young.applicationSecurity),
    ...(old.mutualSsl === 'off' || young.mutualSsl === 'off' ? [] : certificateChanges(before, after)),
    ...(needsSources(old) && needsSources(young) ? sourceChanges(old, young) : []),
    ...tokenChanges(old, young),
  ];
}

function certificateChanges(before: Side, after: Side): readonly Change[] {
  const [old, young] = [clientsIn(before), clientsIn(after)];
  const optional =
    before.security.mutualSsl === 'optional' && after.security.mutualSsl === 'optional'
      ? byOrder(
          'a wrong certificate',
          ['reject-wrong', 'ignore-wrong'],
          before.security.optionalCertificate,
          after.security.optionalCertificate,
        )
      : [];
  return [
    ...clientsOnlyIn(young, old).map((who) => widening(`${who} may call now, by certificate`)),
    ...clientsOnlyIn(old, young).map((who) => narrowing(`${who} may call no more, by certificate`)),
    ...suspendedOnlyIn(old, young).map((who) => widening(`${who} is kept out no more`)),
    ...suspendedOnlyIn(young, old).map((who) => narrowing(`${who} is kept out now`)),
    ...otherTerms(old, young).map(({ isLonger, text }) => (isLonger ? widening(text) : narrowing(text))),
    ...otherTiers(old, young).map(ofTier),
    ...optional,
  ];
}

const clientsIn = ({ security: { clients }, snapshot: { everyone }, now }: Side): ClientSide => ({
  clients,
  everyone,
  now,
});

/** A token may be bound to the certificate, where none is asked for, too. */
const needsSources = ({ mutualSsl, applicationSecurity }: Security): boolean =>
  mutualSsl !== 'off' || applicationSecurity !== 'off';

/**
 * Who may send a header no more comes without a certificate, or with his own: where none is needed, or the TLS client's
 * own counts, that may let him in as well.
 */
function sourceChanges(old: Security, young: Security): readonly Change[] {
  const [before, after] = [old.sources, young.sources];
  if (before === after) return [];
  const peer = ({ peer }: CertificateSources): string =>
    peer === undefined ? 'not looked at' : peer.leafFromXfcc ? 'as XFCC says' : 'taken';
  const headers = bySet('certificate header', headersOf(before), headersOf(after));
  const isNeeded = old.mutualSsl === 'mandatory' && young.mutualSsl === 'mandatory';
  const isAlone = before.peer === undefined && after.peer === undefined;
  return [
    ...(peer(before) === peer(after)
      ? []
      : either(`the TLS client's own certificate: ${peer(before)} -> ${peer(after)}`)),
    ...(isNeeded && isAlone ? headers : headers.flatMap(({ text }) => either(text))),
    ...byOrder(
      'certificate header on plain HTTP',
      ['refused', 'believed'],
      before.allowHeaderOverPlaintext ? 'believed' : 'refused',
      after.allowHeaderOverPlaintext ? 'believed' : 'refused',
    ),
  ];
}

/** Each header with each of its senders. */
const headersOf = ({ headers }: CertificateSources): ReadonlySet<string> =>
  new Set(
    headers.flatMap(({ header, format, chainHeader, senders, limits }) =>
      [
        ...senders.networks.map(({ address, prefix }) => `${address}/${prefix}`),
        ...[...senders.aliases].map((alias) => `alias:${alias}`),
      ].map(
        (sender) =>
          `${header} (${[format, chainHeader, format === 'xfcc' && `elements ${limits?.elements}`].filter(Boolean).join(', ')}) from ${sender}`,
      ),
    ),
  );

function tokenChanges(before: Security, after: Security): readonly Change[] {
  const [old, young] = [before.tokens, after.tokens];
  if (old === undefined || young === undefined) return [];
  if (before.applicationSecurity === 'off' || after.applicationSecurity === 'off') return [];
  return [
    ...bySet('tokens of', new Set(old.issuers.keys()), new Set(young.issuers.keys())),
    ...[...young.issuers].flatMap(([iss, issuer]) => {
      const known = old.issuers.get(iss);
      return known === undefined ? [] : issuerChanges(known, issuer, [old, young]);
    }),
    ...bySet('token client', old.consumerKeys, young.consumerKeys),
    ...scopeChanges(old, young),
  ];
}

function issuerChanges(
  old: Issuer,
  young: Issuer,
  [before, after]: readonly [TokenPolicy, TokenPolicy],
): readonly Change[] {
  const audiences = (policy: TokenPolicy, { audiences }: Issuer): ReadonlySet<string> | undefined => {
    const wanted = policy.audiences ?? audiences;
    return wanted.size === 0 ? undefined : wanted;
  };
  const claims = ({ clientClaims, scopeClaims }: Issuer): string =>
    JSON.stringify([clientClaims, scopeClaims]);
  const what = `tokens of ${young.issuer}`;
  return [
    ...bySet(`${what}, algorithm`, old.algorithms, young.algorithms),
    ...bySet(`${what}, typ`, old.tokenTypes, young.tokenTypes),
    ...bySet(`${what}, audience`, audiences(before, old), audiences(after, young)),
    ...(old.keys.source() === young.keys.source()
      ? []
      : either(`${what}: its keys are others, or come from elsewhere`)),
    ...(claims(old) === claims(young) ? [] : either(`${what}: client and scopes are read from other claims`)),
    ...(old.takesHexThumbprint === young.takesHexThumbprint
      ? []
      : either(`${what}: thumbprints in hex ${young.takesHexThumbprint ? 'are taken' : 'are not taken'}`)),
    ...(old.clockSkew === young.clockSkew
      ? []
      : [
          (young.clockSkew > old.clockSkew ? widening : narrowing)(
            `${what}: clocks may differ by ${young.clockSkew / 1000} s, not ${old.clockSkew / 1000} s`,
          ),
        ]),
    ...byOrder(
      `${what}, bound to a certificate`,
      ['required', 'when-present', 'off'],
      strictest(old.boundTokens, before.boundTokens),
      strictest(young.boundTokens, after.boundTokens),
    ),
  ];
}

function scopeChanges(old: TokenPolicy, young: TokenPolicy): readonly Change[] {
  const text = ({ scopes, scopesMatch }: TokenPolicy): string =>
    scopes.length === 0
      ? 'none'
      : `${scopes.toSorted().join(', ')}${scopes.length > 1 ? ` (${scopesMatch})` : ''}`;
  if (text(old) === text(young)) return [];
  const words = `scopes needed: ${text(old)} -> ${text(young)}`;
  const isFewer = isEnough(young, old);
  const isMore = isEnough(old, young);
  if (isFewer === isMore) return either(words);
  return [isFewer ? widening(words) : narrowing(words)];
}

/** Whether every token that `other` takes is taken by `policy`, as far as scopes go. */
function isEnough(policy: TokenPolicy, other: TokenPolicy): boolean {
  if (policy.scopes.length === 0) return true;
  if (other.scopes.length === 0) return false;
  // What is sure to be in a token that the other takes: all of its scopes, or one of them.
  return policy.scopesMatch === 'any'
    ? other.scopesMatch === 'any' && other.scopes.length > 1
      ? other.scopes.every((scope) => policy.scopes.includes(scope))
      : other.scopes.some((scope) => policy.scopes.includes(scope))
    : other.scopesMatch === 'all' || other.scopes.length === 1
      ? policy.scopes.every((scope) => other.scopes.includes(scope))
      : policy.scopes.length === 1 && other.scopes.every((scope) => scope === policy.scopes[0]);
}
