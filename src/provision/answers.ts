import { companionHeaders } from '../client-certificate/formats/companion-headers.ts';
import { formatOf, knownCertificateHeaders } from '../client-certificate/formats/table.ts';
import { XFCC } from '../client-certificate/formats/xfcc.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { AnswerSettings } from '../snapshot.ts';
import type { Findings } from './findings.ts';
import { describeTaken, inboundHeader } from './sources.ts';

/** `[enforcer.answers]` and the outbound certificate, as `ext-authz` needs them. */
export function readAnswers(
  config: Config,
  isWritten: (path: Path) => boolean,
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
  isWritten: (path: Path) => boolean,
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
  at: Path,
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

/** A header, and the key that names it. */
type Named = { readonly at: Path; readonly name: string };
const keyOf = ({ at }: Named): string => String(at.at(-1));

/** Certificate headers that the file names itself. */
function writtenCertificateHeaders(
  { enforcer: { security } }: Config,
  isWritten: (path: Path) => boolean,
): readonly Named[] {
  const { mutualSSL } = security;
  const named = (at: Path, name: string | undefined): readonly Named[] => {
    const path = ['enforcer', 'security', 'mutualSSL', ...at];
    return name !== undefined && isWritten(path) ? [{ at: path, name }] : [];
  };
  return [
    ...(['certificateHeader', 'outboundHeader', 'outboundChainHeader'] as const).flatMap((key) =>
      named([key], mutualSSL[key]),
    ),
    ...mutualSSL.sources.flatMap(({ header, chainHeader }, i) => [
      ...named(['sources', i, 'header'], header),
      ...named(['sources', i, 'chainHeader'], chainHeader),
    ]),
  ];
}

/** A header can't be told and removed at once, nor be another's. Of two keys one is told that is in the file. */
export function checkAnswers(
  config: Config,
  isWritten: (path: Path) => boolean,
  { headersToRemove, outbound, reasonHeader = '', tokenHeader }: AnswerSettings,
  findings: Findings,
): void {
  const certificates = new Set(
    [...headersToRemove, ...knownCertificateHeaders, outbound?.header, outbound?.chainHeader]
      .filter((name) => name !== undefined)
      .map(folded),
  );
  const written = writtenCertificateHeaders(config, isWritten);
  const tell = ({ at, name }: Named, which: string): void =>
    findings.error(at, `found "${name}", which ${which}; write another name`);
  const checkTaken = ({ at, name }: Named): void => {
    const taken = describeTaken(name);
    if (taken !== undefined) findings.error(at, `found "${name}", ${taken}`);
  };
  const isCertificates = (own: Named, which: string, forOther: string): void => {
    const other = written.find(({ name }) => folded(name.toLowerCase()) === folded(own.name));
    if (isWritten(own.at) || other === undefined) tell(own, which);
    else tell(other, forOther);
  };
  const token = {
    at: ['enforcer', 'security', 'authHeader', 'authorizationHeader'],
    name: tokenHeader.name,
  };
  const seen = new Map<string, Named>([[folded(token.name), token]]);
  for (const [key, at, name] of toldHeaders(config)) {
    if (name === '') continue;
    const own = { at, name };
    const other = seen.get(folded(name));
    if (certificates.has(folded(name)))
      isCertificates(
        own,
        'is a certificate header and removed before the backend',
        `the backend gets from us (${key})`,
      );
    else if (other !== undefined && (isWritten(at) || !isWritten(other.at)))
      tell(own, `${keyOf(other)} has already`);
    else if (other !== undefined) tell(other, `${key} has already`);
    else if (name !== 'authorization') checkTaken(own);
    seen.set(folded(name), own);
  }
  // Of a certificate header that can be none it is told where that is written.
  const isTaken = describeTaken(token.name) !== undefined;
  if (certificates.has(folded(token.name)) && (!isTaken || isWritten(token.at)))
    isCertificates(token, 'is a certificate header', 'the access token comes in (authorizationHeader)');
  if (token.name !== 'authorization') checkTaken(token);
  for (const [key, name] of [
    ['reasonHeader', reasonHeader],
    ['outboundHeader', outbound?.header ?? ''],
    ['outboundChainHeader', outbound?.chainHeader ?? ''],
  ] as const) {
    const at = ['enforcer', ...(key === 'reasonHeader' ? ['answers'] : ['security', 'mutualSSL']), key];
    if (isWritten(at)) checkTaken({ at, name });
  }
  if (outbound?.chainHeader !== undefined && folded(outbound.chainHeader) === folded(outbound.header))
    findings.error(
      ['enforcer', 'security', 'mutualSSL', 'outboundChainHeader'],
      `found "${outbound.chainHeader}", which the certificate itself is sent in; write another name`,
    );
}
