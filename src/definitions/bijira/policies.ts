import type { Cursor } from '../../documents/cursor.ts';
import { slipOf } from '../../documents/near.ts';
import { shown } from '../../documents/problem.ts';
import { CertificateError, readCertificate } from '../../pki/certificate/certificate.ts';
import { certificatesIn, pemOf } from '../pem-clients.ts';
import type { WrittenClient } from '../written.ts';

/** What the policies of one level, an API's or a resource's, ask for together. */
export type Policies = {
  readonly mtls: { readonly isOptional: boolean; readonly clients: readonly WrittenClient[] } | undefined;
  readonly oauth2: boolean;
  readonly notes: readonly string[];
};

const alias = 'mtls-authenticator';

/** Those that close something. */
const known = ['OAuth2', 'MTLS Authenticator'] as const;

/** Of other policies those that may be there to keep somebody out: they are not done here, and never left out in silence. */
const mayClose =
  /auth|jwt|token|key|cert|tls|ssl|secur|sign|ip\b|allow|deny|block|filter|access|guard|valid|scope|role/i;

/** A `policies` list; undefined: it is not written, which is not the same as an empty one. */
export function readPolicies(at: Cursor): Policies | undefined {
  if (at.value === undefined) return undefined;
  const clients: WrittenClient[] = [];
  const optional: boolean[] = [];
  const notes: string[] = [];
  let oauth2 = false;
  let others = 0;
  for (const attachment of at.list()) {
    const policy = attachment.get('policy').neededText('"MTLS Authenticator"');
    if (policy === undefined) continue;
    const meant = known.find((name) => plain(name) === plain(policy));
    if (meant === 'OAuth2') {
      attachment.known(['policy']);
      oauth2 = true;
    } else if (meant === 'MTLS Authenticator') {
      attachment.known(['policy', 'Certificate Content', 'Optional']);
      optional.push(readOptional(attachment.get('Optional')));
      const number = optional.length;
      const read = readContent(attachment.get('Certificate Content'));
      if (read === undefined) continue;
      clients.push({ alias: number === 1 ? alias : `${alias}#${number}`, ...read.trust });
      if (read.note !== undefined) notes.push(read.note);
    } else {
      others++;
      tellOther(attachment.get('policy'), policy);
    }
  }
  // Open is what says so, and nothing else: an empty list.
  if (!oauth2 && optional.length === 0 && others > 0)
    at.error(
      'has neither OAuth2 nor MTLS Authenticator, and its policies are not done here: nothing would close it; attach one of the two, or write policies: [] if it is open on purpose',
    );
  // Of several the strictest counts: the document has one for each resource.
  const mtls =
    optional.length === 0 ? undefined : { isOptional: optional.every((isOptional) => isOptional), clients };
  return { mtls, oauth2, notes };
}

/** Whatever the case, and with or without blanks, as in "OAuth 2". */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]+/g, '');

function tellOther(at: Cursor, policy: string): void {
  const near = slipOf(policy, known);
  if (near !== undefined)
    at.error(`found ${shown(policy)}, which is no policy here; did you mean "${near}"?`);
  else if (mayClose.test(policy))
    at.error(
      `found ${shown(policy)}, which is not done here and may be there to keep somebody out; take it out if the API is closed enough without it`,
    );
  else at.warn(`found ${shown(policy)}, which is not done here`);
}

/** The console's form has texts. */
function readOptional(at: Cursor): boolean {
  const word = String(at.value ?? false).toLowerCase();
  if (word !== 'true' && word !== 'false') at.error(`found ${shown(at.value)}; write true or false`);
  return word === 'true';
}

type Trusted = {
  readonly trust: Pick<WrittenClient, 'pem' | 'caPem'>;
  readonly note: string | undefined;
};

/** URL-encoded PEM, or PEM as it is. */
function readContent(at: Cursor): Trusted | undefined {
  const written = at.neededText('"-----BEGIN%20CERTIFICATE-----%0A…"');
  if (written === undefined) return undefined;
  const text = decode(written.trim());
  const ders =
    text === undefined ? 'has a broken % in it; encode the certificate anew' : certificatesIn(text);
  if (typeof ders === 'string') return at.error(ders);
  if (ders.length > 1)
    return at.error(
      `has ${ders.length} certificates, and Bijira reads the first; write a policy for each that counts`,
    );
  return trustOf(ders[0]!, at);
}

/** `+` is a space to Java's decoder; encoders that leave a plus of the base64 bare leave `%20` in the markers. */
function decode(written: string): string | undefined {
  if (/^-----BEGIN [A-Z ]*-----/.test(written)) return written;
  try {
    return decodeURIComponent(/^-----BEGIN\+/.test(written) ? written.replaceAll('+', '%20') : written);
  } catch {
    return undefined;
  }
}

/**
 * A CA admits all that it issued, any other certificate itself alone. A CA says so with keyCertSign: what
 * `openssl req -x509` makes for a client has CA:TRUE, too.
 */
function trustOf(der: Uint8Array, at: Cursor): Trusted | undefined {
  try {
    const { isCa, keyUsage, isSelfIssued } = readCertificate(der);
    if (isCa && keyUsage?.has('keyCertSign'))
      return {
        trust: { caPem: pemOf(der) },
        note: 'a CA (it has keyCertSign): all that it issued are admitted',
      };
    if (isCa && !isSelfIssued)
      at.warn(
        'is an intermediate CA without keyCertSign in its keyUsage: it is taken as the client’s own certificate, and none that it issued is admitted',
      );
    return {
      trust: { pem: pemOf(der) },
      note: isCa ? 'CA:TRUE without keyCertSign: taken as the client’s own certificate' : undefined,
    };
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return at.error(`has a certificate that can't be read: ${error.code}, ${error.detail}`);
  }
}
