import { hash } from 'node:crypto';
import { DerError } from '../der/der.ts';
import { type DerKind, derKind, isTrustedFor, splitFirst } from './der-kind.ts';
import { type PemBlock, PemError, parsePem } from './pem.ts';

/** A certificate as the bytes that the file has, not yet read. */
type FoundCertificate = {
  readonly der: Uint8Array;
  /** Where it begins, from 1. */
  readonly line: number;
};

/** Problems and faults follow "found …, which". They never quote the file: it may be a private key. */
type CertificateFile =
  | {
      readonly ok: true;
      /** Each once, in the order of the file. */
      readonly certificates: readonly FoundCertificate[];
      /** What is wrong with single ones, which are not among them. */
      readonly faults: readonly string[];
    }
  | { readonly ok: false; readonly problem: string };

/**
 * The certificates of a file, in whatever form people have it that can mean one thing only: PEM with anything around it,
 * DER, base64 without armour, UTF-16. Other forms are told by name, with the command that makes PEM of them.
 */
export function readCertificateFile(content: string | Uint8Array): CertificateFile {
  if (typeof content === 'string') return fromText(content);
  return isDer(content) ? fromDer(content) : (container(content) ?? fromText(textOf(content)));
}

/** A SEQUENCE whose length has octets of its own, or is that of the file: no text begins so. */
const isDer = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x30 && (bytes[1]! >= 0x80 || bytes[1] === bytes.length - 2);

/** PowerShell's `>` writes UTF-16, with a byte order mark or without. */
function textOf(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0))
    return new TextDecoder('utf-16le').decode(bytes);
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0))
    return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder().decode(bytes);
}

function container(bytes: Uint8Array): CertificateFile | undefined {
  const magic = Buffer.from(bytes.subarray(0, 4)).toString('hex');
  if (magic.startsWith('1f8b') || magic === '504b0304') return no('is an archive; unpack it first');
  if (magic !== 'feedfeed' && magic !== 'cececece') return undefined;
  return no(
    'is a Java key store; write its certificate out: keytool -exportcert -rfc -alias ALIAS -keystore FILE -file client.pem',
  );
}

const no = (problem: string): CertificateFile => ({ ok: false, problem });

function fromDer(der: Uint8Array): CertificateFile {
  const kind = derKind(der);
  return kind === undefined || kind === 'certificate'
    ? { ok: true, certificates: [{ der, line: 1 }], faults: [] }
    : no(otherKind(kind, 'DER'));
}

const keyFound = (where: string): string =>
  `has a private key in it${where}; take it out, a client’s or CA’s certificate needs none here, and treat the key as leaked if others can read this file`;

function otherKind(kind: Exclude<DerKind, 'certificate'>, form: 'DER' | 'PEM'): string {
  switch (kind) {
    case 'private key':
      return keyFound('');
    case 'PKCS#7':
      return `is PKCS#7 (.p7b); make PEM of it: openssl pkcs7 -inform ${form} -in FILE -print_certs -out FILE.pem`;
    case 'PKCS#12':
      return 'is PKCS#12 (.p12, .pfx), with a private key as a rule; write the certificate out: openssl pkcs12 -in FILE -clcerts -nokeys -out client.pem';
    case 'certificate request':
      return 'is a certificate request (CSR), which no CA has signed; write the certificate that the CA made of it';
    case 'CRL':
      return 'is a revocation list (CRL), no certificate; write the certificate itself';
    case 'public key':
      return 'is a public key without a certificate; write the certificate that has it';
  }
}

function fromText(text: string): CertificateFile {
  if (text.trim() === '') return no('is empty; it needs a PEM certificate');
  try {
    const blocks = parsePem(text);
    const key = blocks.find(({ label }) => label.includes('PRIVATE KEY'));
    if (key !== undefined) return no(keyFound(` (line ${key.line})`));
    const found = blocks.filter(({ label }) => certificateLabels.test(label));
    return found.length === 0 ? (fromBase64(text) ?? no(without(text, blocks))) : fromBlocks(found);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) return no(keyFound(''));
    return no(`is no PEM text (line ${error.line}): ${error.message}`);
  }
}

const certificateLabels = /^(X509 |TRUSTED )?CERTIFICATE$/;

function fromBlocks(blocks: readonly PemBlock[]): CertificateFile {
  const certificates = new Map<string, FoundCertificate>();
  const faults: string[] = [];
  for (const { label, line, decode } of blocks) {
    const bytes = decode();
    const der = label === 'TRUSTED CERTIFICATE' ? trusted(bytes) : bytes;
    const kind = der && derKind(der);
    if (der === undefined)
      faults.push(
        `has a certificate (line ${line}) that OpenSSL's trust settings behind it reject for TLS clients; without them: openssl x509 -in FILE -out FILE.pem`,
      );
    else if (kind !== undefined && kind !== 'certificate')
      faults.push(`has a block CERTIFICATE (line ${line}) that ${otherKind(kind, 'PEM')}`);
    else certificates.set(hash('sha256', der), certificates.get(hash('sha256', der)) ?? { der, line });
  }
  return { ok: true, certificates: [...certificates.values()], faults };
}

const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyExtendedKeyUsage = '2.5.29.37.0';

/** What OpenSSL would refuse must not become an anchor here. undefined: it would. */
function trusted(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const [der, settings] = splitFirst(bytes);
    return isTrustedFor(settings, [clientAuth, anyExtendedKeyUsage]) ? der : undefined;
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return bytes; // no certificate either, and told as such when it is read
  }
}

/** Base64 of DER, or of a PEM file, as Kubernetes and API Manager pass them on. */
function fromBase64(text: string): CertificateFile | undefined {
  const base64 = text.replace(/\\[nr]|\s+/g, '');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) return undefined;
  if (isDer(bytes)) return inBase64(fromDer(new Uint8Array(bytes)));
  const inner = bytes.toString('utf8');
  return inner.includes('-----BEGIN ') ? fromText(inner) : undefined;
}

/** No command for DER reads it as it is. */
const inBase64 = (file: CertificateFile): CertificateFile =>
  file.ok || !file.problem.includes('openssl')
    ? file
    : no(`${file.problem}; before that, since the file is base64 of it: base64 -d`);

/** What people take for a certificate, or save in its place. */
const lookalikes: readonly (readonly [begins: RegExp, problem: string])[] = [
  [/^(?:ssh-|ecdsa-sha2-|sk-ssh-)/, 'is an OpenSSH public key, no certificate; write the certificate itself'],
  [
    /^Certificate:\s+Data:/,
    'is what openssl x509 -text -noout prints of a certificate, without the certificate; leave -noout out',
  ],
  [/^-----BEGIN(?:%20|\+)CERTIFICATE/, 'is a percent-encoded certificate, as headers have it; decode it'],
  [/^30[ :]?8[0-4][0-9a-f\s:]+$/i, 'is a certificate in hex; make DER of it: xxd -r -p FILE FILE.der'],
  [/^<(?:!doctype|html|\?xml)/i, 'is a page of HTML or XML; fetch the certificate anew'],
];

const kindsByLabel: readonly (readonly [label: RegExp, kind: Exclude<DerKind, 'certificate'>])[] = [
  [/^(PKCS7|PKCS #7 SIGNED DATA|CMS|CERTIFICATE CHAIN)$/, 'PKCS#7'],
  [/CERTIFICATE REQUEST$/, 'certificate request'],
  [/CRL$/, 'CRL'],
  [/PUBLIC KEY$/, 'public key'],
];

/** Why a text has no certificate in it. */
function without(text: string, blocks: readonly PemBlock[]): string {
  for (const { label } of blocks) {
    const kind = kindsByLabel.find(([pattern]) => pattern.test(label))?.[1];
    if (kind !== undefined) return otherKind(kind, 'PEM');
  }
  const lookalike = lookalikes.find(([begins]) => begins.test(text.trimStart()))?.[1];
  if (lookalike !== undefined) return lookalike;
  const near = text
    .split(/\r\n|\n|\r/)
    .findIndex((line) => /[-\u2010-\u2015]{1,8} ?(BEGIN|END) /i.test(line));
  const hint = near === -1 || blocks.length > 0 ? '' : `; line ${near + 1} looks like a part of one`;
  return `has no certificate in it; it needs a block from "-----BEGIN CERTIFICATE-----" to its END${hint}`;
}
