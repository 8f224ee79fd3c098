import { companionHeaders } from '../client-certificate/companion-headers.ts';
import { formatOf, knownCertificateHeaders } from '../client-certificate/formats.ts';
import type { AnswerSettings } from '../snapshot.ts';
import type { Findings } from './findings.ts';
import type { Config } from './schema.ts';
import { inboundHeader } from './sources.ts';

/** `[enforcer.answers]` and the outbound certificate, as `ext-authz` needs them. */
export function readAnswers(
  config: Config,
  isWritten: (path: readonly PropertyKey[]) => boolean,
  inbound: readonly string[],
): AnswerSettings {
  const { reasonHeader, aliasHeader, tierHeader, sha256Header, subjectHeader } = config.enforcer.answers;
  const mutualSSL = config.enforcer.security.mutualSSL;
  const name = (header: string): string | undefined => header.toLowerCase() || undefined;
  const outgoing = mutualSSL.enableOutboundCertificateHeader ? outbound(mutualSSL, isWritten) : undefined;
  return {
    reasonHeader: name(reasonHeader),
    identityHeaders: {
      alias: name(aliasHeader),
      tier: name(tierHeader),
      sha256: name(sha256Header),
      subject: name(subjectHeader),
    },
    outbound: outgoing,
    // Envoy removes those of all other products behind us, unless we say that one of them is what we set.
    headersToRemove: [
      ...new Set([
        mutualSSL.certificateHeader.toLowerCase(),
        ...inbound,
        // Its own as well: where there is no certificate or no chain to tell, a client's must not stay.
        ...(outgoing === undefined
          ? []
          : [...knownCertificateHeaders, ...companionHeaders, outgoing.header, outgoing.chainHeader].filter(
              (header) => header !== undefined,
            )),
      ]),
    ],
  };
}

/** The header that the client's certificate came in by, unless another is named or a format brings its own. */
function outbound(
  mutualSSL: Config['enforcer']['security']['mutualSSL'],
  isWritten: (path: readonly PropertyKey[]) => boolean,
): AnswerSettings['outbound'] {
  const { outboundFormat: format, outboundHeader, outboundChainHeader } = mutualSSL;
  const formatIsWritten = isWritten(['enforcer', 'security', 'mutualSSL', 'outboundFormat']);
  const header =
    outboundHeader ?? (formatIsWritten ? formatOf(format).header : inboundHeader(mutualSSL, isWritten));
  const chainHeader = outboundChainHeader ?? formatOf(format).chainHeader;
  return { format, header: header.toLowerCase(), chainHeader: chainHeader?.toLowerCase() };
}

/** A header can't be told and removed at once. */
export function checkAnswers(
  config: Config,
  { headersToRemove, outbound }: AnswerSettings,
  findings: Findings,
): void {
  const certificates = [
    ...headersToRemove,
    ...knownCertificateHeaders,
    outbound?.header,
    outbound?.chainHeader,
  ];
  const seen = new Map<string, string>();
  for (const key of ['aliasHeader', 'tierHeader', 'sha256Header', 'subjectHeader'] as const) {
    const name = config.enforcer.answers[key].toLowerCase();
    if (name === '') continue;
    const at = ['enforcer', 'answers', key];
    const other = seen.get(name);
    if (certificates.includes(name))
      findings.error(
        at,
        `found "${name}", which is a certificate header and removed before the backend; write another name`,
      );
    else if (other !== undefined)
      findings.error(at, `found "${name}", which ${other} has already; write another name`);
    seen.set(name, key);
  }
}
