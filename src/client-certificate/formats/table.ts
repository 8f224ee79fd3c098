import { readBase64Der, readBase64Pem, readHaproxyChain, readTraefik } from './bare-base64.ts';
import { encodeBase64 } from './base64.ts';
import { writePem } from './pem-text.ts';
import { readPercentPem, writePercentPem } from './percent.ts';
import type { Reader } from './reading.ts';
import { readClientCert, readClientCertChain, writeClientCert, writeClientCertChain } from './rfc9440.ts';
import { readApache, readF5, readHaproxy, readKong, readNginx, readWso2 } from './told-apart.ts';
import { RECEIVED_XFCC, readXfcc, writeXfcc, XFCC } from './xfcc.ts';

/** How one producer writes a client certificate into headers. Names are in lower case. */
export type Format = {
  /** The name of the header unless the configuration gives another. */
  readonly header: string;
  /** `inside`: the one header holds leaf and chain, leaf first. `header`: a second one holds the chain without the leaf. */
  readonly chain: 'none' | 'inside' | 'header';
  readonly chainHeader?: string;
  /** Lower- or upper-case hex SHA-256 of the certificate, sent beside it. */
  readonly sha256Header?: string;
  /** A value holds commas by itself, so that Envoy's joined repeats would look like one value. */
  readonly commas: boolean;
  /** A repeated line is further elements, as Envoy joins them; else a repeat is refused. */
  readonly joins?: boolean;
  /** Written where there is no certificate, besides an empty value or no header at all. */
  readonly none?: string;
  readonly read: Reader;
  readonly readChain?: Reader;
  readonly write: (leaf: Uint8Array, intermediates: readonly Uint8Array[]) => string;
  readonly writeChain?: (intermediates: readonly Uint8Array[]) => string;
};

const wso2Header = 'x-wso2-client-certificate';
const percentPem = {
  chain: 'none',
  commas: false,
  read: readPercentPem,
  write: (leaf: Uint8Array) => writePercentPem([leaf]),
} as const;
const base64Der = { chain: 'none', commas: false, read: readBase64Der, write: encodeBase64 } as const;
const rfc9440 = {
  chain: 'header',
  commas: true,
  read: readClientCert,
  readChain: readClientCertChain,
  write: writeClientCert,
  writeChain: writeClientCertChain,
} as const;

/** THE table of formats: what `certificateFormat` and `outboundFormat` can name. */
export const formats = {
  auto: { ...percentPem, header: wso2Header, read: readWso2 },
  'percent-pem': { ...percentPem, header: wso2Header },
  'base64-der': { ...base64Der, header: wso2Header },
  'base64-pem': {
    ...base64Der,
    header: wso2Header,
    read: readBase64Pem,
    write: (leaf: Uint8Array) => Buffer.from(writePem(leaf), 'latin1').toString('base64'),
  },
  rfc9440: { ...rfc9440, header: 'client-cert', chainHeader: 'client-cert-chain' },
  xfcc: { header: XFCC, chain: 'inside', commas: true, joins: true, read: readXfcc, write: writeXfcc },
  nginx: { ...percentPem, header: 'x-ssl-client-cert', read: readNginx },
  'ingress-nginx': { ...percentPem, header: 'ssl-client-cert' },
  apache: {
    ...percentPem,
    header: 'ssl_client_cert',
    none: '(null)',
    read: readApache,
    write: (leaf: Uint8Array) => writePem(leaf).trimEnd().replaceAll('\n', ' '),
  },
  haproxy: {
    ...base64Der,
    header: 'x-ssl-client-cert',
    chain: 'header',
    chainHeader: 'x-ssl-client-cert-chain',
    read: readHaproxy,
    readChain: readHaproxyChain,
    writeChain: (intermediates: readonly Uint8Array[]) => Buffer.concat(intermediates).toString('base64'),
  },
  traefik: {
    header: 'x-forwarded-tls-client-cert',
    chain: 'inside',
    commas: true,
    read: readTraefik,
    write: (leaf: Uint8Array, intermediates: readonly Uint8Array[]) =>
      [leaf, ...intermediates].map(encodeBase64).join(','),
  },
  'aws-alb': {
    ...percentPem,
    header: 'x-amzn-mtls-clientcert',
    chain: 'inside',
    write: (leaf: Uint8Array, intermediates: readonly Uint8Array[]) =>
      leaveBare(writePercentPem([leaf, ...intermediates])),
  },
  'aws-alb-leaf': {
    ...percentPem,
    header: 'x-amzn-mtls-clientcert-leaf',
    write: (leaf: Uint8Array) => leaveBare(writePercentPem([leaf])),
  },
  gcp: { ...rfc9440, header: 'x-client-cert-leaf', chainHeader: 'x-client-cert-chain' },
  'azure-app-service': { ...base64Der, header: 'x-arr-clientcert' },
  cloudflare: {
    ...base64Der,
    header: 'cf-client-cert-der-base64',
    sha256Header: 'cf-client-cert-sha256',
  },
  f5: { ...base64Der, header: 'x-ssl-client-cert', read: readF5 },
  kong: { ...base64Der, header: 'x-client-cert', read: readKong },
  gorouter: { ...base64Der, header: XFCC },
  bijira: { ...percentPem, header: 'x-client-cert-x509', read: readWso2 },
} as const satisfies Readonly<Record<string, Format>>;

export type CertificateFormat = keyof typeof formats;

export const formatOf = (name: CertificateFormat): Format => formats[name];

/** The characters that AWS does not percent-encode. */
const leaveBare = (value: string): string =>
  value.replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '=');

/**
 * Every header in which some producer passes a certificate, a chain, or the hash that goes with it; that of WSO2's own
 * examples; and where our Envoy keeps a received XFCC.
 */
export const knownCertificateHeaders: readonly string[] = [
  ...new Set([
    ...Object.keys(formats).flatMap((name) => {
      const { header, chainHeader, sha256Header } = formatOf(name as CertificateFormat);
      return [header, chainHeader, sha256Header].filter((known) => known !== undefined);
    }),
    'x-ssl-cert',
    RECEIVED_XFCC,
  ]),
];
