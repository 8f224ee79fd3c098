import { madeMandatory, type WrittenApi } from '../written.ts';

/** What a list of WSO2's security schemes asks for (`securityScheme` of an api.yaml). */
export type Asked = Pick<WrittenApi, 'mutualSSL' | 'applicationSecurity'> & {
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  readonly warnings: readonly string[];
  /** Why it can't be done: the API must not be served. */
  readonly problem: string | undefined;
};

const known = [
  'mutualssl',
  'mutualssl_mandatory',
  'oauth2',
  'api_key',
  'basic_auth',
  'oauth_basic_auth_api_key_mandatory',
];

/**
 * As Choreo Connect and API Manager 3 and later read it, but where their reading leaves an API open. `api_key` and
 * `basic_auth` are not taken here: beside OAuth2 that is worth a warning, alone it is a problem.
 */
export function readSchemes(schemes: readonly string[]): Asked {
  const has = (name: string): boolean => schemes.some((scheme) => scheme.toLowerCase() === name);
  const unknown = schemes.filter((scheme) => !known.includes(scheme.toLowerCase()));
  const others = ['api_key', 'basic_auth'].filter(has);
  const mutual = has('mutualssl') || has('mutualssl_mandatory');
  const application = has('oauth2') || others.length > 0;
  const asked: Asked = {
    ...combine(mutual, has('mutualssl_mandatory'), application, has('oauth_basic_auth_api_key_mandatory')),
    warnings: [],
    problem:
      unknown.length > 0
        ? `found the security scheme ${JSON.stringify(unknown[0])}; write some of ${known.join(', ')}`
        : undefined,
  };
  if (others.length === 0 || asked.problem !== undefined) return asked;
  const what = others.join(' and ');
  if (has('oauth2'))
    return { ...asked, warnings: [`${what} is not taken here: callers need an OAuth2 token`] };
  if (asked.mutualSSL === 'mandatory' && asked.applicationSecurity === 'optional')
    return {
      ...asked,
      applicationSecurity: 'off',
      warnings: [`${what} is not taken here: the certificate is all that is asked for`],
    };
  return {
    ...asked,
    problem: `can be called by ${what}, which is not taken here; add oauth2, or take it out`,
  };
}

function combine(
  mutual: boolean,
  mutualMandatory: boolean,
  application: boolean,
  applicationMandatory: boolean,
): Pick<Asked, 'mutualSSL' | 'applicationSecurity' | 'notes'> {
  if (!mutual) return { mutualSSL: 'off', applicationSecurity: 'mandatory', notes: [] };
  if (!application)
    return {
      mutualSSL: 'mandatory',
      applicationSecurity: 'off',
      notes: mutualMandatory ? [] : [madeMandatory('mutualSSL')],
    };
  if (mutualMandatory)
    return {
      mutualSSL: 'mandatory',
      applicationSecurity: applicationMandatory ? 'mandatory' : 'optional',
      notes: [],
    };
  return {
    mutualSSL: 'optional',
    applicationSecurity: 'mandatory',
    notes: applicationMandatory
      ? []
      : [{ key: 'applicationSecurity', text: 'neither is marked as mandatory in the file: the token is' }],
  };
}
