import 'reflect-metadata';
import { type webcrypto as WebCrypto, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** The tests' clock: certificates made without dates are valid at `now`. */
export const validFrom = new Date('2026-01-01T00:00:00Z');
export const validUntil = new Date('2036-01-01T00:00:00Z');
export const now = Date.UTC(2026, 5, 1);

const algorithms = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  Ed25519: { name: 'Ed25519' },
  'RSA-2048': rsa('RSASSA-PKCS1-v1_5', 2048, 'SHA-256'),
  'RSA-1024': rsa('RSASSA-PKCS1-v1_5', 1024, 'SHA-256'),
  'RSA-2048-SHA-1': rsa('RSASSA-PKCS1-v1_5', 2048, 'SHA-1'),
  'RSA-PSS-2048': { ...rsa('RSA-PSS', 2048, 'SHA-256'), saltLength: 32 },
};

function rsa(name: string, modulusLength: number, hash: string) {
  return { name, modulusLength, hash, publicExponent: Uint8Array.of(1, 0, 1) };
}

export type KeyAlgorithm = keyof typeof algorithms;
export type KeyUsageName = Exclude<keyof typeof KeyUsageFlags, number>;

export type CertificateOptions = {
  /** RFC 4514, as `CN=a, O=b`; '' is the empty name. */
  readonly subject?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Hex. Default: random. */
  readonly serialNumber?: string;
  readonly keyAlgorithm?: KeyAlgorithm;
  /** A key that already exists, for re-issued and cross-signed certificates. */
  readonly keys?: WebCrypto.CryptoKeyPair;
  /** Strings are told apart by their looks: address, `a@b`, `scheme://`, otherwise dNSName. */
  readonly subjectAltNames?: readonly string[];
  /** Default for a CA: keyCertSign and cRLSign; otherwise digitalSignature. Empty: no such extension. */
  readonly keyUsage?: readonly KeyUsageName[];
  readonly extendedKeyUsage?: 'client' | 'server' | 'both' | 'none';
  /** `omitted`: no such extension, whatever the rest says. */
  readonly basicConstraints?: 'ca' | 'not-ca' | 'omitted';
  readonly pathLength?: number;
  /** Added after the ones above; may say anything. */
  readonly extensions?: readonly Extension[];
};

export type AuthorityOptions = CertificateOptions & { readonly parent?: Authority };
export type IssueOptions = CertificateOptions & { readonly ca?: boolean };

export type Issued = {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly privateKeyPem: string;
  readonly keys: WebCrypto.CryptoKeyPair;
};

/** A CA that lives in memory only. */
export type Authority = Issued & {
  readonly subject: string;
  readonly issue: (options: IssueOptions) => Promise<Issued>;
};

/** A root, or with `parent` an intermediate CA. */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const { parent, subject = 'CN=Test CA' } = options;
  const made = await make({ basicConstraints: 'ca', ...options, subject }, parent);
  return authority(made, subject);
}

/** Lets any certificate issue others, whether or not it may. */
export function authority(issuer: Issued, subject: string): Authority {
  const self: Authority = {
    ...issuer,
    subject,
    issue: ({ ca = false, ...options }) =>
      make({ basicConstraints: ca ? 'ca' : 'omitted', ...options }, self),
  };
  return self;
}

/** As `openssl req -x509` makes them: CA:TRUE, no key usage, no extended key usage. */
export const selfSigned = (options: CertificateOptions = {}): Promise<Issued> =>
  make({ basicConstraints: 'ca', keyUsage: [], ...options }, undefined);

async function make(options: CertificateOptions, issuer: Authority | undefined): Promise<Issued> {
  const { subject = 'CN=Test', keyAlgorithm = 'P-256' } = options;
  const keys = options.keys ?? (await generateKeys(keyAlgorithm));
  const signer = issuer?.keys ?? keys;
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: options.notBefore ?? validFrom,
    notAfter: options.notAfter ?? validUntil,
    ...(options.serialNumber !== undefined && { serialNumber: options.serialNumber }),
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: signingAlgorithm(signer.privateKey),
    extensions: extensionsOf(options),
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    der: new Uint8Array(certificate.rawData),
    pem: pem('CERTIFICATE', Buffer.from(certificate.rawData)),
    privateKeyPem: pem('PRIVATE KEY', pkcs8),
    keys,
  };
}

export async function generateKeys(keyAlgorithm: KeyAlgorithm): Promise<WebCrypto.CryptoKeyPair> {
  const algorithm = algorithms[keyAlgorithm];
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as WebCrypto.CryptoKeyPair;
}

/** WebCrypto keeps an ECDSA key's curve but not the hash that goes with it. */
function signingAlgorithm({ algorithm }: WebCrypto.CryptoKey) {
  const key: { name: string; namedCurve?: string; hash?: { name: string } } = algorithm;
  const found = Object.values(algorithms).find(
    (known) => known.name === key.name && (!('namedCurve' in known) || known.namedCurve === key.namedCurve),
  )!;
  return key.hash === undefined ? found : { ...found, hash: key.hash.name };
}

function extensionsOf(options: CertificateOptions): Extension[] {
  const { basicConstraints = 'omitted', pathLength, extendedKeyUsage = 'none', subjectAltNames } = options;
  const extensions: Extension[] = [];
  if (basicConstraints !== 'omitted') {
    extensions.push(new BasicConstraintsExtension(basicConstraints === 'ca', pathLength, true));
  }
  const usages = options.keyUsage ?? defaultKeyUsage(basicConstraints === 'ca');
  if (usages.length > 0) {
    const bits = usages.reduce((sum, name) => sum | KeyUsageFlags[name], 0);
    extensions.push(new KeyUsagesExtension(bits, true));
  }
  if (extendedKeyUsage !== 'none') {
    extensions.push(new ExtendedKeyUsageExtension([...purposes[extendedKeyUsage]]));
  }
  if (subjectAltNames !== undefined) {
    const critical = options.subject === '';
    extensions.push(new SubjectAlternativeNameExtension(subjectAltNames.map(generalName), critical));
  }
  return [...extensions, ...(options.extensions ?? [])];
}

const defaultKeyUsage = (isCa: boolean): readonly KeyUsageName[] =>
  isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'];

const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';
const purposes = { client: [clientAuth], server: [serverAuth], both: [serverAuth, clientAuth] } as const;

function generalName(value: string) {
  if (isIP(value) !== 0) return { type: 'ip', value } as const;
  if (value.includes('://')) return { type: 'url', value } as const;
  return { type: value.includes('@') ? 'email' : 'dns', value } as const;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
