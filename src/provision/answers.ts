import { companionHeaders } from '../client-certificate/formats/companion-headers.ts';
import { formatOf, knownCertificateHeaders } from '../client-certificate/formats/table.ts';
import { XFCC } from '../client-certificate/formats/xfcc.ts';
import type { Config } from '../config/schema/config.ts';
import type { AnswerSettings } from '../snapshot.ts';
import type { Findings } from './findings.ts';
import { inboundHeader, takenHeaders } from './sources.ts';

/** `[enforcer.answers]` and the outbound certificate, as `ext-authz` needs them. */
export function readAnswers(
  config: Config,
  isWritten: (path: readonly PropertyKey[]) => boolean,
  inbound: readonly string[],
): AnswerSettings {
  const { answers } = config.enforcer;
  const mutualSSL = config.enforcer.security.mutualSSL;
  const name = (header: string): string | undefined => header.toLowerCase() || undefined;
  const outgoing = mutualSSL.enableOutboundCertificateHeader ? outbound(mutualSSL, isWritten) : undefined;
  return {
    reasonHeader: name(answers.reasonHeader),
    identityHeaders: {
      alias: name(answers.aliasHeader),
      tier: name(answers.tierHeader),
      sha256: name(answers.sha256Header),
      subject: name(answers.subjectHeader),
      clientId: name(answers.clientIdHeader),
      scopes: name(answers.scopesHeader),
      tokenSubject: name(answers.tokenSubjectHeader),
    },
    errorFormat: answers.errorFormat,
    tokenHeader: {
      name: config.enforcer.security.authHeader.authorizationHeader.toLowerCase(),
      forward: config.enforcer.security.authHeader.enableOutboundAuthHeader,
    },
    backendJwtHeader: config.enforcer.jwtGenerator.header.toLowerCase(),
    outbound: outgoing,
    // Envoy removes those of all other products behind us, unless we say that one of them is what we set.
    headersToRemove: [
      ...new Set([
        // A client's own never passes for ours, whether ours is on or off and whatever it is called.
        ...['x-jwt-assertion'].filter(
          (header) => header !== config.enforcer.jwtGenerator.header.toLowerCase(),
        ),
        mutualSSL.certificateHeader.toLowerCase(),
        ...inbound,
        // There, nobody else removes it.
        ...(mutualSSL.peer === 'xfcc' ? [XFCC] : []),
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

/** Keys of `[enforcer.answers]` that tell the backend who the client is. */
export const identityKeys = [
  'aliasHeader',
  'tierHeader',
  'sha256Header',
  'subjectHeader',
  'clientIdHeader',
  'scopesHeader',
  'tokenSubjectHeader',
] as const;

/** Headers that tell the backend something, and the keys that name them. */
const toldHeaders = ({ enforcer: { answers, jwtGenerator } }: Config) => [
  ...identityKeys.map((key) => [key, ['enforcer', 'answers', key], answers[key].toLowerCase()] as const),
  ['header', ['enforcer', 'jwtGenerator', 'header'], jwtGenerator.header.toLowerCase()] as const,
];

/** One name to backends behind CGI and its heirs, whatever stands for the hyphen. */
const folded = (name: string): string => name.replaceAll(/[_.]/g, '-');

/** An API's own source can't take the certificate from a header that tells the backend something. */
export function checkToldHeaders(
  config: Config,
  headers: readonly string[],
  at: readonly PropertyKey[],
  findings: Findings,
): void {
  const certificates = new Set(headers.map(folded));
  for (const [key, , name] of toldHeaders(config)) {
    if (name !== '' && certificates.has(folded(name)))
      findings.error(
        at,
        `found "${name}" as a certificate header, which the backend gets from us (${key}); write another name`,
      );
  }
}

/** A header can't be told and removed at once, nor be another's. */
export function checkAnswers(
  config: Config,
  { headersToRemove, outbound, reasonHeader = '', tokenHeader }: AnswerSettings,
  findings: Findings,
): void {
  const certificates = new Set(
    [...headersToRemove, ...knownCertificateHeaders, outbound?.header, outbound?.chainHeader]
      .filter((name) => name !== undefined)
      .map(folded),
  );
  const ofHttp = (at: readonly PropertyKey[], name: string): void =>
    findings.error(at, `found "${name}", which HTTP itself uses; write the name of a header of its own`);
  const ofToken = ['enforcer', 'security', 'authHeader', 'authorizationHeader'];
  const seen = new Map([[folded(tokenHeader.name), 'authorizationHeader']]);
  for (const [key, at, name] of toldHeaders(config)) {
    if (name === '') continue;
    const other = seen.get(folded(name));
    if (certificates.has(folded(name)))
      findings.error(
        at,
        `found "${name}", which is a certificate header and removed before the backend; write another name`,
      );
    else if (other !== undefined)
      findings.error(at, `found "${name}", which ${other} has already; write another name`);
    else if (takenHeaders.includes(name) && name !== 'authorization') ofHttp(at, name);
    seen.set(folded(name), key);
  }
  const isToldAlready = (name: string): boolean =>
    name === tokenHeader.name && certificates.has(folded(name));
  if (isToldAlready(tokenHeader.name))
    findings.error(ofToken, `found "${tokenHeader.name}", which is a certificate header; write another name`);
  for (const [at, name] of [
    [['enforcer', 'answers', 'reasonHeader'], reasonHeader],
    [ofToken, tokenHeader.name === 'authorization' ? '' : tokenHeader.name],
    [['enforcer', 'security', 'mutualSSL', 'outboundHeader'], outbound?.header ?? ''],
    [['enforcer', 'security', 'mutualSSL', 'outboundChainHeader'], outbound?.chainHeader ?? ''],
  ] as const)
    if (takenHeaders.includes(name) && (at === ofToken || !isToldAlready(name))) ofHttp(at, name);
  if (outbound?.chainHeader !== undefined && folded(outbound.chainHeader) === folded(outbound.header))
    findings.error(
      ['enforcer', 'security', 'mutualSSL', 'outboundChainHeader'],
      `found "${outbound.chainHeader}", which the certificate itself is sent in; write another name`,
    );
}
