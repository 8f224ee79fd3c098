/**
 * The TLS 1.2 suites that Envoy's BoringSSL knows: one that it does not know keeps Envoy from starting.
 * `test/e2e/envoy-config/validate.test.ts` asks it for each.
 */
export const envoyCiphers = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-RSA-AES128-SHA256',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
] as const;

/** BoringSSL's words for many at once. */
const groups = ['ALL', 'HIGH', 'DEFAULT'];

/** As they come to Envoy. Suites between brackets, with bars, are of equal rank. */
export const cipherNames = (text: string): readonly string[] =>
  text.split(/[,:\s]+/).filter((name) => name !== '');

export const unknownCipher = (text: string): string | undefined =>
  cipherNames(text)
    .flatMap((name) => (/^\[.+\]$/.test(name) ? name.slice(1, -1).split('|') : name))
    .find((name) => ![...envoyCiphers, ...groups].includes(name));
