import type { Path, Problem } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { JwksFeed } from '../feeds/jwks.ts';
import { type ForeignService, isNamed } from './definitions.ts';
import type { Expiry } from './expiries.ts';
import { createFindings, type Findings } from './findings.ts';
import type { Issuers } from './token-policies.ts';
import { type KnownIssuer, readTokenServices, type ServiceSurroundings } from './token-services.ts';

type EntryIssuers = {
  readonly issuers: Issuers;
  readonly feeds: readonly JwksFeed[];
  readonly expiries: readonly Expiry[];
  /** What is wrong with a foreign file's issuer is that one's own affair: it is left out. */
  readonly problems: readonly Problem[];
};

/**
 * Whose tokens the APIs of one `[[definitions]]` entry take. Who writes a file below its path must not be able to let
 * himself into the APIs of others: an issuer that the files name counts for this entry alone, and only where config.toml
 * names it.
 *
 * @param at where the entry stands in config.toml
 * @param services those that its files name
 */
export function issuersOfEntry(
  { issuers: wanted }: Pick<Config['definitions'][number], 'issuers'>,
  at: Path,
  services: readonly ForeignService[],
  { own, ...surroundings }: ServiceSurroundings & { readonly own: readonly KnownIssuer[] },
): EntryIssuers {
  const { findings } = surroundings;
  const problems: Problem[] = [];
  const feeds: JwksFeed[] = [];
  const expiries: Expiry[] = [];
  const known: KnownIssuer[] = [];
  for (const { service, origin, fault } of services) {
    const same = own.find(({ issuer }) => issuer === service.issuer);
    if (same !== undefined) continue; // config.toml's own counts
    // Names and issuers together: whose name is another's issuer would count where that one is asked for.
    const taken = new Set([...own, ...known].flatMap(({ name, issuer }) => [name, issuer]));
    const twice = [service.name, service.issuer].find((word) => taken.has(word));
    const say = (message: string): Problem => ({ ...origin, key: 'tokenService', message });
    if (!isNamed({ issuers: wanted }, service)) {
      findings.warnElsewhere(
        say(
          `names the issuer "${service.name}", whose tokens are not taken; if they should be, write issuers = [${JSON.stringify(service.name)}] at its [[definitions]]`,
        ),
      );
    } else if (fault !== undefined) {
      problems.push(say(fault));
    } else if (twice !== undefined) {
      problems.push(say(`names "${twice}" a second time; it is left out`));
    } else {
      const aside = createFindings(origin.file, () => origin.line);
      const read = readTokenServices([service], ['tokenService'], { ...surroundings, findings: aside });
      problems.push(
        ...aside.errors.map((problem) => ({ ...problem, message: `${problem.message}; it is left out` })),
      );
      for (const warning of aside.warnings) findings.warnElsewhere(warning);
      if (aside.errors.length > 0) continue;
      known.push(...read.issuers);
      feeds.push(...read.feeds);
      expiries.push(...read.expiries);
    }
  }
  if (wanted === undefined) return { issuers: { known: own, takesAll: true }, feeds, expiries, problems };
  const chosen = wanted.flatMap((name, i) => {
    const found = [...own, ...known].filter((issuer) => issuer.name === name || issuer.issuer === name);
    if (found.length === 0) problems.push(unknown(name, [...at, 'issuers', i], findings));
    return found;
  });
  return { issuers: { known: [...new Set(chosen)], takesAll: true }, feeds, expiries, problems };
}

/** No error: a foreign file that can't be read for the moment must not refuse config.toml. */
const unknown = (name: string, at: Path, findings: Findings): Problem =>
  findings.problemAt(
    at,
    `found ${JSON.stringify(name)}, which neither [[enforcer.security.tokenService]] nor the files of this entry name: no token of it is taken; correct the name, or the files`,
  );
