import type { Coding } from './requests.ts';

const begin = '-----BEGIN CERTIFICATE-----';
const end = '-----END CERTIFICATE-----';

/** Writes a certificate as WSO2's gateways take it in a header. */
export const codings: Readonly<Record<Coding, (pem: string) => string>> = {
  'percent-encoded': (pem) => encodeURIComponent(pem),
  'one-line': (pem) => pem.trim().replaceAll(/\r?\n/g, ''),
  'base64 of PEM': (pem) => `${begin}${Buffer.from(pem).toString('base64')}${end}`,
  junk: () => `${begin}not*base64${end}`,
};
