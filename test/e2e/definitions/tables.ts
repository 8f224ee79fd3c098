import type { Holder } from '../../../demo/requests.ts';

/** What comes with a request, as the systems' own tests tell it apart. */
export const certificateCases = ['none', 'valid', 'unknown', 'malformed'] as const;
export type CertificateCase = (typeof certificateCases)[number];
export const tokenCases = ['none', 'valid', 'invalid'] as const;

export const holderOf: Readonly<Record<CertificateCase, Holder | 'malformed' | undefined>> = {
  none: undefined,
  valid: 'acme',
  unknown: 'stranger',
  malformed: 'malformed',
};

type Need = 'mandatory' | 'optional' | 'off';
/** Status for no token, a valid one, an invalid one. */
type Statuses = readonly [none: number, valid: number, invalid: number];

export type SystemRow = {
  readonly mutualSSL: Need;
  readonly oauth2: Need;
  readonly statuses: Readonly<Record<CertificateCase, Statuses>>;
  /** Where we differ from the system on purpose. */
  readonly differs?: string;
};

const refused: Statuses = [401, 401, 401];
const byToken: Statuses = [401, 200, 401];
const admitted: Statuses = [200, 200, 200];

/** The systems' truth tables, as their documents and tests have them. */
export const tables: Readonly<Record<'choreo-connect' | 'apk' | 'api-manager', readonly SystemRow[]>> = {
  'choreo-connect': [
    {
      mutualSSL: 'mandatory',
      oauth2: 'mandatory',
      statuses: { none: refused, valid: byToken, unknown: refused, malformed: refused },
      differs: 'there, a malformed certificate and a valid token pass',
    },
    {
      mutualSSL: 'mandatory',
      oauth2: 'optional',
      statuses: { none: refused, valid: admitted, unknown: refused, malformed: refused },
    },
    {
      mutualSSL: 'optional',
      oauth2: 'mandatory',
      statuses: { none: byToken, valid: byToken, unknown: byToken, malformed: byToken },
    },
  ],
  apk: [
    {
      mutualSSL: 'mandatory',
      oauth2: 'mandatory',
      statuses: { none: refused, valid: byToken, unknown: refused, malformed: refused },
    },
    {
      mutualSSL: 'mandatory',
      oauth2: 'optional',
      statuses: { none: refused, valid: admitted, unknown: refused, malformed: refused },
    },
    {
      mutualSSL: 'optional',
      oauth2: 'mandatory',
      statuses: { none: byToken, valid: byToken, unknown: refused, malformed: refused },
    },
    {
      mutualSSL: 'optional',
      oauth2: 'optional',
      statuses: { none: byToken, valid: admitted, unknown: refused, malformed: refused },
    },
  ],
  'api-manager': [
    {
      mutualSSL: 'optional',
      oauth2: 'optional',
      statuses: { none: byToken, valid: admitted, unknown: byToken, malformed: byToken },
    },
  ],
};
