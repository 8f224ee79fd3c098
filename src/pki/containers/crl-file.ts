import { derKind } from './der-kind.ts';
import { PemError, parsePem } from './pem.ts';

/** Problems follow "found …, which". */
type CrlFile =
  | { readonly ok: true; readonly crls: readonly Uint8Array[] }
  | { readonly ok: false; readonly problem: string };

/**
 * The CRLs of a file, or of what a URL sends, in whatever form CAs have it: DER, PEM with anything around it, base64
 * without armour. What they say is not looked at yet.
 */
export function readCrlFile(content: Uint8Array): CrlFile {
  if (content.length === 0) return no('is empty; it needs a CRL, in PEM or DER');
  // A SEQUENCE whose length has octets of its own: no text begins so.
  if (content[0] === 0x30 && content[1]! >= 0x80)
    return derKind(content.subarray(0, maxLooked)) === 'certificate'
      ? no('is a certificate, no CRL')
      : { ok: true, crls: [content] };
  return fromText(Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1'));
}

/** The kind of a large list need not be asked: no certificate is larger. */
const maxLooked = 65_536;

const no = (problem: string): CrlFile => ({ ok: false, problem });

function fromText(text: string): CrlFile {
  if (!text.includes('-----BEGIN ')) return fromBase64(text);
  try {
    const blocks = parsePem(text);
    const found = blocks.filter(({ label }) => label === 'X509 CRL' || label === 'CRL');
    if (found.length > 0) return { ok: true, crls: found.map(({ decode }) => decode()) };
    const labels = [...new Set(blocks.map(({ label }) => label))].slice(0, 3).join(', ');
    return no(`has no CRL (BEGIN X509 CRL) in it, but ${labels === '' ? 'text' : labels}`);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    return no(`is no PEM text (line ${error.line}): ${error.message}`);
  }
}

function fromBase64(text: string): CrlFile {
  const base64 = text.replace(/\s+/g, '');
  const der = Buffer.from(base64, 'base64');
  const isBase64 = der.length > 0 && der.toString('base64') === base64;
  return isBase64 && der[0] === 0x30
    ? { ok: true, crls: [new Uint8Array(der)] }
    : no('is no CRL, in PEM or DER');
}
