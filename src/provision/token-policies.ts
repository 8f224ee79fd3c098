import type { Requirement } from '../apis/security.ts';
import { nearest, type Path } from '../config/problem.ts';
import type { BoundTokens, TokenPolicy } from '../oauth2/issuer.ts';
import type { Findings } from './findings.ts';
import type { KnownIssuer } from './token-services.ts';

/** The keys of an API, or of one of its operations with the API's where it has none. */
type WrittenPolicy = {
  readonly scopes?: readonly string[] | undefined;
  readonly scopesMatch?: 'all' | 'any' | undefined;
  readonly issuers?: readonly string[] | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly consumerKeys?: readonly string[] | undefined;
  readonly boundTokens: BoundTokens | undefined;
};

/** Whose tokens an API may take. */
export type Issuers = {
  readonly known: readonly KnownIssuer[];
  /** An API that names none takes those of all: foreign files don't say whose they mean. */
  readonly takesAll: boolean;
};

/** An API, or one of its operations, that asks for tokens. */
type TokenUser = {
  /** For messages. */
  readonly name: string;
  readonly at: Path;
  /** Where `issuers` stands: its own, or the API's. */
  readonly issuersAt: Path;
  readonly applicationSecurity: Requirement;
};

/** What an access token must be and say. What does not add up is reported where its user stands. */
export function buildTokenPolicy(
  written: WrittenPolicy,
  user: TokenUser,
  available: Issuers,
  findings: Findings,
): TokenPolicy {
  const { name, at } = user;
  const issuers = chooseIssuers(written.issuers, user, available, findings);
  const { scopes = [], scopesMatch = 'all', audiences, consumerKeys } = written;
  if (user.applicationSecurity !== 'off') {
    for (const issuer of issuers) {
      // Without the list anybody with a token of that issuer would pass for a subscriber.
      if (issuer.validatesSubscription && consumerKeys === undefined)
        findings.error(
          at,
          `"${name}" takes tokens of "${issuer.name}", which has validateSubscription = true, and there is no control plane to ask who has subscribed; write consumerKeys = ["…"], the clients that may call it`,
        );
      if ((audiences ?? [...issuer.audiences]).length === 0)
        // Of the API, not of each operation: the same is told once.
        findings.warn(
          at.slice(0, 2),
          `tokens of "${issuer.name}" are taken that are meant for anybody (aud); write audiences = ["…"] here or there`,
        );
    }
  }
  return {
    issuers: new Map(issuers.map((issuer) => [issuer.issuer, issuer])),
    audiences: audiences && new Set(audiences),
    scopes,
    scopesMatch,
    consumerKeys: consumerKeys && new Set(consumerKeys),
    boundTokens: written.boundTokens,
  };
}

function chooseIssuers(
  written: readonly string[] | undefined,
  { name, at, issuersAt }: TokenUser,
  { known, takesAll }: Issuers,
  findings: Findings,
): readonly KnownIssuer[] {
  const names = known.map((issuer) => issuer.name);
  if (written === undefined) {
    if (known.length === 1 || (takesAll && known.length > 0)) return known;
    findings.error(
      at,
      known.length === 0
        ? `"${name}" asks for access tokens, but nobody who issues them is known; write [[enforcer.security.tokenService]]${takesAll ? ', or issuers = ["…"] at its [[definitions]] if its files name one' : ''}`
        : `"${name}" asks for access tokens, and there are several who issue them; write issuers = ["…"], of ${names.map((one) => JSON.stringify(one)).join(', ')}`,
    );
    return [];
  }
  return written.flatMap((wanted, i) => {
    const found = known.filter(({ name: own, issuer }) => own === wanted || issuer === wanted);
    if (found.length === 0) {
      const near = nearest(wanted, names);
      findings.error(
        [...issuersAt, 'issuers', i],
        `found "${wanted}", which no tokenService is called; ${near === undefined ? 'define it' : `did you mean "${near}"?`}`,
      );
    }
    return found;
  });
}
