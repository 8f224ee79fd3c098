import { type Certificate, CertificateError } from '../pki/certificate/certificate.ts';
import { CertificateCache } from '../pki/certificate/certificate-cache.ts';
import type { Snapshot } from '../snapshot.ts';
import type { ToldRequest } from './request.ts';

/** A line of the record of decisions (docs/audit.md), as far as it is read here. */
export type Logged = Readonly<
  Partial<
    Record<
      | 'time'
      | 'outcome'
      | 'reason'
      | 'detail'
      | 'requestId'
      | 'traceId'
      | 'method'
      | 'host'
      | 'path'
      | 'source'
      | 'alias'
      | 'clientId'
      | 'sha256'
      | 'certificateFrom',
      string
    >
  >
>;

/** The last line about that request; undefined: there is none. */
export function findLogged(record: string, reference: string): Logged | undefined {
  // Most lines are about others: only those are parsed that may be meant, and each once, however often it has the text.
  for (let end = record.length; end > 0; ) {
    const at = record.lastIndexOf(reference, end - 1);
    if (at === -1) break;
    const start = record.lastIndexOf('\n', at) + 1;
    const next = record.indexOf('\n', at);
    const line = parsed(record.slice(start, next === -1 ? undefined : next));
    if (line !== undefined && (line.requestId === reference || line.traceId === reference)) return line;
    end = start;
  }
  return undefined;
}

function parsed(line: string): Logged | undefined {
  try {
    const value = JSON.parse(line) as Record<string, unknown> | null;
    if (typeof value !== 'object' || !['decision', 'shadow'].includes(String(value?.type))) return undefined;
    if (!['allow', 'deny'].includes(String(value?.outcome))) return undefined;
    return Object.fromEntries(Object.entries(value!).filter(([, one]) => typeof one === 'string'));
  } catch {
    return undefined;
  }
}

/**
 * The same request, as far as the line has it: never a token, and the certificate only where the configuration has it, or
 * whoever asks.
 *
 * @returns why it can not be asked again: `unknown`, its certificate is not at hand; `another`, the one given is not it
 */
export function replayOf(
  { method = 'GET', host = '', path = '/', source, sha256 }: Logged,
  snapshot: Snapshot,
  given: ToldRequest['certificate'],
): ToldRequest | 'unknown' | 'another' {
  if (given !== undefined && sha256 !== undefined && hashOf(given.leaf) !== sha256) return 'another';
  const certificate = given ?? knownAs(sha256, snapshot);
  if (sha256 !== undefined && certificate === undefined) return 'unknown';
  return { method, host, path, scheme: 'https', headers: [], from: source, certificate, token: undefined };
}

function hashOf(der: Uint8Array): string | undefined {
  const certificate = new CertificateCache().read(der);
  return certificate instanceof CertificateError ? undefined : certificate.sha256;
}

function knownAs(sha256: string | undefined, { everyone }: Snapshot): ToldRequest['certificate'] {
  const certificates = (everyone.clients ?? []).flatMap(({ asks }): readonly Certificate[] =>
    asks?.kind === 'certificate' ? [asks.certificate] : [],
  );
  const found = certificates.find((one) => one.sha256 === sha256);
  return found && { leaf: found.der, intermediates: [] };
}
