import {
  below,
  flagAt,
  isTable,
  knownKeysAt,
  type Place,
  type Problems,
  problemAt,
  shown,
  textsAt,
  wordAt,
} from '../place.ts';
import { checkSecurityKeys, type SecurityKeys } from './security-keys.ts';

/** What is said of access tokens. */
export type TokenAsk = 'off' | 'optional' | 'mandatory';

/** What one place of an OpenAPI document says itself: the document, a path item, or an operation. */
export type OwnSecurity = {
  /** true: security is switched off. false: it is not, whatever stands above. */
  readonly disabled: boolean | undefined;
  readonly optional: boolean | undefined;
  readonly types: { readonly place: Place; readonly names: readonly string[] } | undefined;
  readonly mutualSsl: { readonly place: Place; readonly word: 'mandatory' | 'optional' } | undefined;
  readonly scopes: readonly string[] | undefined;
};

const keys: SecurityKeys = {
  known: [
    'x-wso2-mutual-ssl',
    'x-wso2-application-security',
    'x-wso2-disable-security',
    'x-wso2-security-disable',
    'x-auth-type',
    'x-scope',
    'x-scopes',
    'security',
  ],
  suspicious: /^x-(?:wso2-.*(?:secur|auth|mutual|ssl|tls|cert|scope)|auth-|mutual|mtls)/i,
  harmless: ['x-wso2-auth-header', 'x-wso2-api-key-header', 'x-wso2-authorization-header', 'x-auth-header'],
};

/** WSO2's products ask an operation first, then the document; a path item stands between them here. */
export function readOwnSecurity(place: Place, problems: Problems): OwnSecurity {
  checkSecurityKeys(place, keys, problems);
  const application = below(place, 'x-wso2-application-security');
  knownKeysAt(application, ['security-types', 'optional'], problems);
  const typesAt = below(application, 'security-types');
  const mutualSslAt = below(place, 'x-wso2-mutual-ssl');
  const word = wordAt(mutualSslAt, ['mandatory', 'optional'], problems);
  return {
    disabled: disabledAt(place, problems),
    optional: flagAt(below(application, 'optional'), problems),
    types:
      typesAt.value === undefined
        ? undefined
        : { place: typesAt, names: textsAt(typesAt, problems, '"oauth2"').map((name) => name.toLowerCase()) },
    mutualSsl: word && { place: mutualSslAt, word },
    scopes: scopesAt(place, problems),
  };
}

/** `x-wso2-disable-security`, `x-auth-type: None` and `security: []`. */
function disabledAt(place: Place, problems: Problems): boolean | undefined {
  const flags = ['x-wso2-disable-security', 'x-wso2-security-disable'].map((key) =>
    flagAt(below(place, key), problems),
  );
  const flag = flags.find((value) => value !== undefined);
  if (flag !== undefined) return flag;
  const type = below(place, 'x-auth-type').value;
  if (typeof type === 'string') return type.toLowerCase() === 'none';
  const security = below(place, 'security').value;
  return Array.isArray(security) && security.length === 0 ? true : undefined;
}

/** More than any token carries. */
const maxScopes = 256;

/** Of `security`, whatever its schemes are called, and of the older `x-scope`; undefined: nothing is said. */
function scopesAt(place: Place, problems: Problems): readonly string[] | undefined {
  const security = below(place, 'security');
  const older = [below(place, 'x-scope').value, below(place, 'x-scopes').value].filter(
    (value) => value !== undefined,
  );
  if (security.value === undefined && older.length === 0) return undefined;
  if (security.value !== undefined && !Array.isArray(security.value))
    problems.push(problemAt(security, `found ${shown(security.value)}; write a list`));
  const scopes = [
    ...(Array.isArray(security.value) ? (security.value as unknown[]) : [])
      .flatMap((requirement) => (isTable(requirement) ? Object.values(requirement) : []))
      .flat(),
    ...older.flatMap((value) => (typeof value === 'string' ? value.split(/[ ,]+/) : value)),
  ].filter((scope) => typeof scope === 'string' && scope !== '') as string[];
  if (scopes.length <= maxScopes) return [...new Set(scopes)].sort();
  problems.push(
    problemAt(place, `asks for ${scopes.length} scopes, more than ${maxScopes} are not read; write fewer`),
  );
  return [];
}

/**
 * Mutual TLS is an API's as a whole there: what is asked for at a path or operation and is not the API's is asked for in
 * vain, and what is left out of the API's is not left out.
 *
 * @param advice where it is to be written
 */
export function checkMutualSsl(
  written: readonly NonNullable<OwnSecurity['mutualSsl']>[],
  mutualSSL: 'mandatory' | 'optional' | 'off',
  advice: string,
  { problems, warnings }: { readonly problems: Problems; readonly warnings: Problems },
): void {
  const [asked] = written.filter(({ word }) => word === 'mandatory');
  if (asked !== undefined && mutualSSL !== 'mandatory')
    problems.push(
      problemAt(asked.place, `is "mandatory", and here the API’s counts, which is ${mutualSSL}; ${advice}`),
    );
  const [left] = written.filter(({ word }) => word === 'optional');
  if (left !== undefined && mutualSSL === 'mandatory')
    warnings.push(problemAt(left.place, `is "optional", and here the API’s counts, which is mandatory`));
}
