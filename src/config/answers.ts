import type { AnswerSettings } from '../snapshot.ts';
import type { Config } from './schema.ts';

/** `[enforcer.answers]` and the outbound certificate, as `ext-authz` needs them. */
export function readAnswers(config: Config, inbound: readonly string[]): AnswerSettings {
  const { reasonHeader, aliasHeader, tierHeader, sha256Header, subjectHeader } = config.enforcer.answers;
  const { enableOutboundCertificateHeader, certificateHeader } = config.enforcer.security.mutualSSL;
  const name = (header: string): string | undefined => header.toLowerCase() || undefined;
  return {
    reasonHeader: name(reasonHeader),
    identityHeaders: {
      alias: name(aliasHeader),
      tier: name(tierHeader),
      sha256: name(sha256Header),
      subject: name(subjectHeader),
    },
    outboundCertificateHeader: enableOutboundCertificateHeader ? name(certificateHeader) : undefined,
    headersToRemove: [...new Set([certificateHeader.toLowerCase(), ...inbound])],
  };
}
