import { defaultLimits, peerLimits } from '../client-certificate/formats/reading.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { pemOf } from '../definitions/pem-clients.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { inapplicableConstraints } from '../pki/path/name-constraints.ts';
import type { Leniency } from '../pki/path/path-options.ts';
import { validatePath } from '../pki/path/path-validation.ts';
import { createTrustStore } from '../pki/path/trust-store.ts';
import { endsSoon, instant } from './dates.ts';
import type { Findings, ReadingCircumstances } from './findings.ts';
import type { Sliced } from './slices.ts';
import type { ClientEntry } from './trust.ts';

/** Not an error: the others go on working, and a certificate that is not yet valid may be there on purpose. */
export function warnAboutDates(
  certificate: Certificate,
  whose: string,
  path: Path,
  { findings, now }: ReadingCircumstances,
): void {
  if (now > certificate.notAfter)
    findings.warn(
      path,
      `${whose}: the certificate expired on ${instant(certificate.notAfter)}; every request with it is refused`,
    );
  if (endsSoon(certificate.notAfter, now))
    findings.warn(
      path,
      `${whose}: the certificate expires on ${instant(certificate.notAfter)}; from then on every request with it is refused, so renew it`,
    );
  if (now < certificate.notBefore)
    findings.warn(
      path,
      `${whose}: the certificate is not valid before ${instant(certificate.notBefore)}; until then every request with it is refused`,
    );
}

/** One line for all of a bundle: public roots end and stay in it, and few of them are anybody's. */
export function warnAboutExpiredCas(
  cas: readonly Certificate[],
  path: Path,
  { findings, now }: ReadingCircumstances,
): void {
  const expired = cas
    .filter(({ notAfter }) => now > notAfter)
    .toSorted((a, b) => b.notAfter - a.notAfter)
    .map(({ subject, notAfter }) => `${formatName(subject)} on ${instant(notAfter)}`);
  if (expired.length === 0) return;
  const [many, more] = [expired.length > 1, expired.length - 3];
  findings.warn(
    path,
    `${many ? `${expired.length} CAs in it have` : 'a CA in it has'} expired: ${expired.slice(0, 3).join('; ')}${more > 0 ? `; and ${more} before` : ''}. Certificates that ${many ? 'they' : 'it'} issued are refused; if nobody has one, nothing needs to be done`,
  );
}

/** RFC 5280 lets nothing pass under a constraint that can't be applied; others who read it guess what was meant. */
export function warnAboutConstraints(ca: Certificate, path: Path, findings: Findings): void {
  const { nameConstraints } = ca.values;
  const wrong = nameConstraints === undefined ? [] : inapplicableConstraints(nameConstraints);
  if (wrong.length > 0)
    findings.warn(
      path,
      `${formatName(ca.subject)} constrains names in a way that can not be applied (${wrong.slice(0, 5).join(', ')}): every certificate below it that has a name of that form is refused, with name_constraint_unsupported; RFC 5280 4.2.1.10 wants DNS constraints without a leading dot; have the CA certificate issued anew`,
    );
}

/** What will be refused at each request, however it is trusted: another purpose, a weak key. */
export function warnAboutUse(
  certificate: Certificate,
  whose: string,
  path: Path,
  { findings, strength }: { readonly findings: Findings; readonly strength: Leniency },
): void {
  const by = JSON.stringify(strength);
  const known = useless.get(certificate);
  const isKnown = known !== undefined && known.by === by;
  const why = isKnown ? known.why : whyUseless(certificate, strength);
  if (!isKnown) useless.set(certificate, { by, why });
  if (why !== '') findings.warn(path, `${whose}: ${why}; every request with it is refused`);
}

/** Once a certificate, not once an API and reload. */
const useless = new WeakMap<Certificate, { readonly by: string; readonly why: string }>();

function whyUseless(certificate: Certificate, { weakAlgorithms, anyExtendedKeyUsage }: Leniency): string {
  const trustStore = createTrustStore({ anchors: [{ kind: 'pinned', certificate }] });
  const verdict = validatePath(certificate, {
    weakAlgorithms,
    anyExtendedKeyUsage,
    trustStore,
    intermediates: [],
    now: certificate.notBefore,
  });
  return verdict.valid ? '' : `${verdict.code}: ${verdict.detail}`;
}

/**
 * A header has to hold the certificate, percent-encoded as a rule; a TLS handshake takes more. One with hundreds of names
 * is larger than either.
 */
export function* warnAboutSize(
  clients: readonly ClientEntry[],
  config: Config,
  findings: Findings,
): Sliced<void> {
  const { enableClientValidation, sources } = config.enforcer.security.mutualSSL;
  const inHeader = !enableClientValidation || sources.some(({ format }) => format !== 'peer');
  const { certificateLength: longest } = inHeader ? defaultLimits : peerLimits;
  for (const entry of clients) {
    yield;
    // Base64 in lines makes four thirds of it, and percent-encoding three of a character at most.
    if (entry.kind !== 'certificate' || 5 * entry.certificate.der.length < longest) continue;
    const { length } = encodeURIComponent(pemOf(entry.certificate.der));
    if (length > longest)
      findings.warn(
        ['clients', entry.index],
        `alias "${entry.alias}": its certificate takes ${length} characters, percent-encoded, and at most ${longest} are read${inHeader ? ' of a header' : ''}: every request with it is refused${inHeader ? ', unless it comes over TLS or in a shorter format' : ''}`,
      );
  }
}
