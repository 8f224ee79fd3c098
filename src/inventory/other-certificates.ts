import type { Config } from '../config/schema/config.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { readCas } from '../provision/cas.ts';
import { readClients } from '../provision/clients.ts';
import { createFindings } from '../provision/findings.ts';
import { strengthOf } from '../provision/leniency.ts';
import { certificateIn } from '../provision/pem-files.ts';
import { atOnce } from '../provision/slices.ts';
import { fingerprintsOf } from '../provision/trust.ts';

/** Certificates that no client is known by. */
export type OtherCertificates = {
  /** trustedCertPath. */
  readonly trusted: readonly Certificate[];
  /** intermediatesPath. */
  readonly known: readonly Certificate[];
  readonly senders: readonly {
    readonly alias: string;
    readonly certificate: Certificate | undefined;
    readonly sha256: string | undefined;
    readonly headers: readonly string[];
  }[];
  readonly issuers: readonly {
    readonly name: string;
    /** As in `iss`. */
    readonly issuer: string;
    readonly certificate: Certificate | undefined;
  }[];
};

/** Reads them anew, of a configuration that was found to be good: a snapshot keeps what is made of them only. */
export function readOthers(file: string, config: Config, now: number): OtherCertificates {
  const findings = createFindings(file, () => 1);
  const reading = { findings, now };
  const { trustedCertPath, intermediatesPath } = config.router.downstream.tls;
  const {
    senders,
    senderCaPath,
    sources,
    certificateHeader,
    trustedSenders = [],
  } = config.enforcer.security.mutualSSL;
  const headersOf = (alias: string): readonly string[] => [
    ...(trustedSenders.includes(`alias:${alias}`) ? [certificateHeader] : []),
    ...[...sources, ...config.apis.flatMap((api) => api.sources ?? [])].flatMap((source) =>
      source.trustedSenders?.includes(`alias:${alias}`) ? [source.header ?? source.format] : [],
    ),
  ];
  const trusted = readCas([], senderCaPath, reading);
  const entries = atOnce(
    readClients(
      { entries: senders, at: [], scope: '' },
      { ...reading, cas: { trusted, intermediates: [], strength: strengthOf(config) } },
    ),
  );
  return {
    trusted: readCas([], trustedCertPath, reading) ?? [],
    known: readCas([], intermediatesPath, reading) ?? [],
    senders: entries.map((entry) => ({
      alias: entry.alias,
      certificate: entry.kind === 'certificate' ? entry.certificate : undefined,
      sha256: fingerprintsOf(entry)[0],
      headers: headersOf(entry.alias),
    })),
    issuers: config.enforcer.security.tokenService.map(
      ({ name, issuer, certificateFilePath, certificatePem }) => ({
        name,
        issuer,
        certificate:
          certificateFilePath !== undefined
            ? findings.file([], certificateFilePath, certificateIn)
            : certificatePem === undefined
              ? undefined
              : certificateIn(certificatePem),
      }),
    ),
  };
}
