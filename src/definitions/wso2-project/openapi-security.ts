import type { Cursor } from '../../documents/cursor.ts';
import { checkSecurityKeys, keyProblem, type SecurityKeys } from './security-keys.ts';

/** What is said of access tokens. */
export type TokenAsk = 'off' | 'optional' | 'mandatory';

/** What one part of an OpenAPI document says itself: the document, a path item, or an operation. */
export type OwnSecurity = {
  /** true: security is switched off. false: it is not, whatever stands above. */
  readonly disabled: boolean | undefined;
  readonly optional: boolean | undefined;
  readonly types: { readonly at: Cursor; readonly names: readonly string[] } | undefined;
  readonly mutualSsl: WrittenMutualSsl | undefined;
  readonly scopes: readonly string[] | undefined;
};

export type WrittenMutualSsl = { readonly at: Cursor; readonly word: 'mandatory' | 'optional' };

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
export function readOwnSecurity(at: Cursor): OwnSecurity {
  checkSecurityKeys(at, keys);
  const application = at.get('x-wso2-application-security');
  application.known(['security-types', 'optional']);
  const types = application.get('security-types');
  const mutualSsl = at.get('x-wso2-mutual-ssl');
  const word = mutualSsl.word(['mandatory', 'optional']);
  return {
    disabled: disabledAt(at),
    optional: application.get('optional').flag(),
    types:
      types.value === undefined
        ? undefined
        : { at: types, names: types.texts('"oauth2"').map((name) => name.toLowerCase()) },
    mutualSsl: word && { at: mutualSsl, word },
    scopes: scopesAt(at),
  };
}

/** `x-wso2-disable-security`, `x-auth-type: None` and `security: []`. */
function disabledAt(at: Cursor): boolean | undefined {
  const flags = ['x-wso2-disable-security', 'x-wso2-security-disable'].map((key) => at.get(key).flag());
  const flag = flags.find((value) => value !== undefined);
  if (flag !== undefined) return flag;
  const type = at.get('x-auth-type').text('"Application User"');
  if (type !== undefined) return type.toLowerCase() === 'none';
  const security = at.get('security').value;
  return Array.isArray(security) && security.length === 0 ? true : undefined;
}

/** More than any token carries. */
const maxScopes = 256;

/** Of `security`, whatever its schemes are called, and of the older `x-scope`; undefined: nothing is said. */
function scopesAt(at: Cursor): readonly string[] | undefined {
  const security = at.get('security');
  const older = ['x-scope', 'x-scopes']
    .map((key) => at.get(key).value)
    .filter((value) => value !== undefined);
  if (security.value === undefined && older.length === 0) return undefined;
  const requirements = security.list().map(({ value }) => value);
  const written = [
    ...requirements.flatMap((value) => (isTable(value) ? Object.values(value) : [])),
    ...older.map((value) => (typeof value === 'string' ? value.split(/[ ,]+/) : value)),
  ]
    .flat()
    .filter((scope) => scope !== '' && scope !== null);
  const scopes = written.filter((scope) => typeof scope === 'string');
  // Any of them may be one that is needed.
  if (scopes.length < written.length || !requirements.every(isTable))
    at.error('has scopes that are no texts; write security: [{default: ["orders:read"]}]');
  if (scopes.length <= maxScopes) return [...new Set(scopes)].sort();
  at.error(`asks for ${scopes.length} scopes, more than ${maxScopes} are not read; write fewer`);
  return [];
}

const isTable = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Security that stands where nobody asks for it: it may have been meant for the document. */
export function checkElsewhere(at: Cursor): void {
  for (const key of at.keys())
    if ((key.startsWith('x-') && keys.known.includes(key)) || keyProblem(key, keys) !== undefined)
      at.get(key).error('is read at the document, a path or an operation only; write it there');
}

/**
 * Mutual TLS is an API's as a whole there: what is asked for at a path or operation and is not the API's is asked for in
 * vain, and what is left out of the API's is not left out.
 *
 * @param advice where it is to be written
 */
export function checkMutualSsl(
  written: readonly WrittenMutualSsl[],
  mutualSSL: 'mandatory' | 'optional' | 'off',
  advice: string,
): void {
  const asked = written.find(({ word }) => word === 'mandatory');
  if (asked !== undefined && mutualSSL !== 'mandatory')
    asked.at.error(`is "mandatory", and here the API’s counts, which is ${mutualSSL}; ${advice}`);
  const left = written.find(({ word }) => word === 'optional');
  if (left !== undefined && mutualSSL === 'mandatory')
    left.at.warn('is "optional", and here the API’s counts, which is mandatory');
}
