import { defaultLimits, type Limits, peerLimits } from '../client-certificate/formats/reading.ts';
import { readingCaches } from '../client-certificate/formats/reading-cache.ts';
import {
  type CertificateFormat,
  formatOf,
  knownCertificateHeaders,
} from '../client-certificate/formats/table.ts';
import type { HeaderSource } from '../client-certificate/header.ts';
import { parseNetwork, sendersOverlap, trustedSenders } from '../client-certificate/senders.ts';
import type { CertificateSources, SenderVerifier } from '../client-certificate/source.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { methodOverrides, pathOverrides } from '../upstream/overrides.ts';
import type { Findings } from './findings.ts';

type MutualSsl = Config['enforcer']['security']['mutualSSL'];
/** A header source as it is written, in the plain keys or in `[[sources]]`. */
type Written = {
  readonly sendersPath: Path;
  readonly format: CertificateFormat;
  readonly header: string | undefined;
  readonly chainHeader: string | undefined;
  readonly senders: readonly string[] | undefined;
  readonly elements: number;
};

const at = (...path: Path): Path => ['enforcer', 'security', 'mutualSSL', ...path];
/** So wide that no load balancer needs it: in halves, or in IPv6's notation, it would be everybody just the same. */
const everywhere = (entry: string): boolean => {
  const network = parseNetwork(entry);
  return network !== undefined && network.prefix < (network.family === 'ipv4' ? 8 : 16);
};

/** What all sources have in common, an API's own too. */
export type SourceGround = {
  readonly settings: MutualSsl;
  readonly verifySender: SenderVerifier | undefined;
  readonly findings: Findings;
};

/** Where client certificates come from. What does not add up is reported. */
export function buildSources(isWritten: (path: Path) => boolean, ground: SourceGround): CertificateSources {
  const { settings, findings } = ground;
  if (settings.peer === 'xfcc')
    findings.warn(
      at('peer'),
      'found "xfcc": the TLS client is whoever x-forwarded-client-cert says. The Envoy that asks must write that header itself on every listener (SANITIZE_SET); with FORWARD_ONLY, APPEND_FORWARD or ALWAYS_FORWARD_ONLY there, anybody can pose as any client. Where it can send source.certificate (include_peer_certificate), leave peer out',
    );
  if (settings.sources.length > 0) {
    checkPlainKeys(isWritten, findings);
    return buildSourceList(settings.sources, at('sources'), ground);
  }
  if (isWritten(at('certificateHeader')))
    checkHeader(settings.certificateHeader, at('certificateHeader'), findings);
  return combine(plain(settings, isWritten), settings.enableClientValidation, ground);
}

/** The same for a list of its own, as an API may have. */
export function buildSourceList(
  sources: MutualSsl['sources'],
  path: Path,
  ground: SourceGround,
): CertificateSources {
  const peer = sources.some(({ format }) => format === 'peer');
  return combine(listed(sources, path, ground.findings), peer, ground);
}

function combine(
  written: readonly Written[],
  peer: boolean,
  { settings, findings, verifySender }: SourceGround,
): CertificateSources {
  const headers = written
    .map((source) => headerSource(source, settings, findings))
    .filter((source) => source !== undefined);
  headers.forEach((source, i) => {
    for (const [j, other] of headers.slice(0, i).entries()) {
      if (sendersOverlap(source.senders, other.senders)) {
        findings.error(
          written[i]!.sendersPath,
          `some of these senders are trusted for ${other.header} (${other.format}) as well (source ${j}): a sender that overwrites one header would pass on a forged other; give each sender one source`,
        );
      }
    }
  });
  return {
    peer: peer
      ? {
          presentedChain: true,
          leafFromXfcc: settings.peer === 'xfcc',
          limits: limitsOf(settings, peerLimits),
          caches: readingCaches(),
        }
      : undefined,
    headers,
    allowHeaderOverPlaintext: settings.allowHeaderOverPlaintext,
    ...(verifySender && { verifySender }),
  };
}

/** The short form: one source, the header's or the peer's. */
function plain(settings: MutualSsl, isWritten: (path: Path) => boolean): readonly Written[] {
  if (settings.enableClientValidation) return [];
  return [
    {
      sendersPath:
        settings.trustedSenders === undefined ? at('enableClientValidation') : at('trustedSenders'),
      format: settings.clientCertificateEncode ? 'percent-pem' : settings.certificateFormat,
      header: inboundHeader(settings, isWritten),
      chainHeader: undefined,
      senders: settings.trustedSenders,
      elements: 1,
    },
  ];
}

/** `certificateHeader`, unless only a format is written, which then brings its own header. */
export const inboundHeader = (settings: MutualSsl, isWritten: (path: Path) => boolean): string =>
  isWritten(at('certificateFormat')) && !isWritten(at('certificateHeader'))
    ? formatOf(settings.certificateFormat).header
    : settings.certificateHeader;

function checkPlainKeys(isWritten: (path: Path) => boolean, findings: Findings): void {
  for (const key of [
    'enableClientValidation',
    'certificateHeader',
    'clientCertificateEncode',
    'certificateFormat',
    'trustedSenders',
  ]) {
    if (isWritten(at(key)))
      findings.error(
        at(key),
        'the plain keys are the short form of one source; write it as another [[…sources]] entry, or leave sources out',
      );
  }
}

function listed(sources: MutualSsl['sources'], path: Path, findings: Findings): readonly Written[] {
  sources.forEach((source, i) => {
    for (const key of ['header', 'chainHeader'] as const)
      if (source[key] !== undefined) checkHeader(source[key], [...path, i, key], findings);
    if (source.format !== 'peer') return;
    if (sources.findIndex(({ format }) => format === 'peer') !== i)
      findings.error([...path, i], 'found a second "peer"; one is enough');
    for (const key of ['header', 'chainHeader', 'trustedSenders'] as const) {
      if (source[key] !== undefined)
        findings.error(
          [...path, i, key],
          'the peer is whoever is no sender of another source and needs no header; leave this out',
        );
    }
  });
  return sources.flatMap(({ format, header, chainHeader, trustedSenders, elements }, i) =>
    format === 'peer'
      ? []
      : [
          {
            sendersPath: [...path, i, ...(trustedSenders === undefined ? [] : ['trustedSenders'])],
            format,
            header,
            chainHeader,
            senders: trustedSenders,
            elements,
          },
        ],
  );
}

function headerSource(written: Written, settings: MutualSsl, findings: Findings): HeaderSource | undefined {
  const { format, senders = [] } = written;
  const header = (written.header ?? formatOf(format).header).toLowerCase();
  if (senders.length === 0) {
    findings.error(
      written.sendersPath,
      `the certificate comes from the header ${header}, but nobody is trusted to send it. A certificate is public, so a header proves nothing by itself: write who may, for example trustedSenders = ["10.20.0.0/16"], the load balancer's addresses. trustedSenders = ["0.0.0.0/0", "::/0"] believes everyone`,
    );
    return undefined;
  }
  if (senders.some(everywhere)) {
    findings.warn(
      written.sendersPath,
      `found ${JSON.stringify(senders)}: whoever reaches the router can send anyone's certificate in ${header} and pose as that client; write the load balancer's addresses only`,
    );
  }
  const { chainHeader = formatOf(format).chainHeader } = written;
  return {
    format,
    header,
    chainHeader: chainHeader?.toLowerCase(),
    senders: trustedSenders(senders),
    limits: { ...limitsOf(settings, defaultLimits), elements: written.elements },
    caches: readingCaches(),
  };
}

const limitsOf = ({ maxCertificates }: MutualSsl, limits: Limits): Limits => ({
  ...limits,
  certificates: maxCertificates,
});

/** Headers that something else needs: taking a certificate from them, or removing them, breaks requests. */
const takenHeaders: readonly string[] = [
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'te',
  'transfer-encoding',
  'upgrade',
];
const overrides: readonly string[] = [...pathOverrides, ...methodOverrides];

/**
 * What is wrong with a name for a header of ours, and what to write.
 *
 * @returns undefined: nothing
 */
export function describeTaken(header: string): string | undefined {
  // Removed in any spelling.
  const name = header.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
  if (takenHeaders.includes(name)) return 'which HTTP itself uses; write the name of a header of its own';
  return overrides.includes(name)
    ? 'by which some backends are told another path or method, so that it is removed; write another name'
    : undefined;
}

function checkHeader(header: string, path: Path, findings: Findings): void {
  const example = path.at(-1) === 'chainHeader' ? 'X-Client-Cert-Chain' : 'X-WSO2-CLIENT-CERTIFICATE';
  const taken = describeTaken(header);
  if (taken !== undefined) findings.error(path, `found "${header}", ${taken}, for example "${example}"`);
}

/** Certificate headers that are everybody's: of products known here, and named in config.toml. Lower case. */
export function sharedHeaders({ apis, enforcer }: Config, foreignFrom: number): ReadonlySet<string> {
  const { certificateHeader, sources } = enforcer.security.mutualSSL;
  const own = apis
    .slice(0, foreignFrom)
    .flatMap((api) => [api, ...api.operations].flatMap((one) => one.sources ?? []));
  const named = [...sources, ...own].flatMap(({ header, chainHeader }) => [header ?? '', chainHeader ?? '']);
  return new Set([...knownCertificateHeaders, certificateHeader, ...named].map((name) => name.toLowerCase()));
}

/**
 * A certificate header is kept from all backends, sent to the enforcer at all requests, and named by Envoy's listener:
 * with one of his own, whoever writes a foreign file would take it (X-API-Key) from everybody's requests.
 */
export function checkForeignHeaders(
  sources: MutualSsl['sources'],
  path: Path,
  shared: ReadonlySet<string>,
  findings: Findings,
): void {
  for (const { header, chainHeader } of sources)
    for (const name of [header, chainHeader])
      if (name !== undefined && !shared.has(name.toLowerCase()))
        findings.error(
          path,
          `found "${name}", a certificate header that no product known here has and config.toml does not name: it would be removed from the requests of all other APIs as well. Name it in config.toml too, as certificateHeader of [enforcer.security.mutualSSL] or as header of one of its sources; or write another here, for example "X-WSO2-CLIENT-CERTIFICATE"`,
        );
}
