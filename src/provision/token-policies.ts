import type { Requirement } from '../apis/security.ts';
import { nearest } from '../config/problem.ts';
import type { BoundTokens, Issuer, TokenPolicy } from '../oauth2/issuer.ts';
import type { Findings } from './findings.ts';
import type { TokenServices } from './token-services.ts';

type Path = readonly PropertyKey[];

/** The keys of an API, or of one of its operations with the API's where it has none. */
export type WrittenPolicy = {
  readonly scopes?: readonly string[] | undefined;
  readonly scopesMatch?: 'all' | 'any' | undefined;
  readonly issuers?: readonly string[] | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly consumerKeys?: readonly string[] | undefined;
  readonly boundTokens: BoundTokens | undefined;
};

/** What an access token must be and say. What does not add up is reported at `at`. */
export function buildTokenPolicy(
  written: WrittenPolicy,
  name: string,
  requirement: Requirement,
  { issuers: known }: TokenServices,
  at: Path,
  findings: Findings,
): TokenPolicy {
  const issuers = chooseIssuers(written.issuers, name, known, at, findings);
  const { scopes = [], scopesMatch = 'all', audiences, consumerKeys } = written;
  if (requirement !== 'off') {
    for (const issuer of issuers) {
      if (issuer.validatesSubscription && consumerKeys === undefined)
        findings.error(
          at,
          `"${name}" takes tokens of "${issuer.name}", which has validateSubscription = true, and there is no control plane to ask who has subscribed; write consumerKeys = ["…"], the clients that may call it`,
        );
      if ((audiences ?? [...issuer.audiences]).length === 0)
        findings.warn(
          at,
          `"${name}" takes tokens of "${issuer.name}" that are meant for anybody (aud); write audiences = ["…"] here or there`,
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

function chooseIssuers<T extends Issuer>(
  written: readonly string[] | undefined,
  name: string,
  known: readonly T[],
  at: Path,
  findings: Findings,
): readonly T[] {
  const names = known.map((issuer) => issuer.name);
  if (written === undefined) {
    if (known.length === 1) return known;
    findings.error(
      at,
      known.length === 0
        ? `"${name}" asks for access tokens, but nobody who issues them is known; write [[enforcer.security.tokenService]]`
        : `"${name}" asks for access tokens, and there are several who issue them; write issuers = ["…"], of ${names.map((one) => JSON.stringify(one)).join(', ')}`,
    );
    return [];
  }
  return written.flatMap((wanted, i) => {
    const found = known.filter(({ name: own, issuer }) => own === wanted || issuer === wanted);
    if (found.length === 0) {
      const near = nearest(wanted, names);
      findings.error(
        [...at, 'issuers', i],
        `found "${wanted}", which no tokenService is called; ${near === undefined ? 'define it' : `did you mean "${near}"?`}`,
      );
    }
    return found;
  });
}
