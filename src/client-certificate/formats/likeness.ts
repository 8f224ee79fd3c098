import { BEGIN } from './pem-text.ts';
import type { CertificateFormat } from './table.ts';

/**
 * What a value looks like that is not in the format it should be in: for the log only, and never to read it so. By how it
 * begins, as the formats' own readers tell them apart.
 */
export function likenessOf(
  value: string,
): { readonly what: string; readonly format: CertificateFormat } | undefined {
  const { format, what } = likenesses.find(({ fits }) => fits(value)) ?? {};
  return format === undefined || what === undefined ? undefined : { format, what };
}

const likenesses: readonly {
  readonly fits: (value: string) => boolean;
  readonly what: string;
  readonly format: CertificateFormat;
}[] = [
  {
    fits: (value) => value.startsWith(BEGIN) && value.includes('\t'),
    what: 'PEM with tabs for newlines',
    format: 'nginx',
  },
  {
    fits: (value) => value.startsWith(`${BEGIN} `),
    what: 'PEM with spaces for newlines',
    format: 'apache',
  },
  {
    fits: (value) => /^-----BEGIN(%20|\+)CERTIFICATE/.test(value) || value.startsWith('%2D%2D'),
    what: 'percent-encoded PEM',
    format: 'percent-pem',
  },
  { fits: (value) => value.startsWith(BEGIN), what: 'PEM between its markers', format: 'auto' },
  { fits: (value) => value.startsWith('LS0tLS1CRUdJTi'), what: 'base64 of PEM', format: 'base64-pem' },
  {
    fits: (value) => /^MI[A-Za-z0-9+/=]+,MI/.test(value),
    what: 'a list of base64 of DER',
    format: 'traefik',
  },
  { fits: (value) => /^MI[A-Za-z0-9+/=]+$/.test(value), what: 'base64 of DER', format: 'base64-der' },
  {
    fits: (value) => /^ *:[A-Za-z0-9+/]/.test(value),
    what: 'a byte sequence of RFC 9440',
    format: 'rfc9440',
  },
  {
    fits: (value) => /^(?:By|Hash|Cert|Chain)=/i.test(value) || value.startsWith('[{'),
    what: "Envoy's X-Forwarded-Client-Cert",
    format: 'xfcc',
  },
];
