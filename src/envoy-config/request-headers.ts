import { companionHeaders } from '../client-certificate/formats/companion-headers.ts';
import { knownCertificateHeaders } from '../client-certificate/formats/table.ts';
import { RECEIVED_XFCC, XFCC } from '../client-certificate/formats/xfcc.ts';
import type { Config } from '../config/schema/config.ts';
import { identityKeys } from '../provision/answers.ts';
import { methodOverrides, pathOverrides } from '../upstream/overrides.ts';
import { extension, type Message } from './extension.ts';

/** Headers that tell the backend who the client is: only the enforcer may write them. Lower case. */
const identityHeaders = ({ enforcer }: Config): readonly string[] =>
  unique([
    ...identityKeys.map((key) => enforcer.answers[key]),
    // Whether one is written or not, a client's own must not pass for it.
    'x-jwt-assertion',
    enforcer.jwtGenerator.header,
  ]);

/** Headers that carry a certificate or speak of one, in some product's way or as the configuration names them. Lower case. */
export function certificateHeaders(config: Config): readonly string[] {
  const { outboundHeader, outboundChainHeader } = config.enforcer.security.mutualSSL;
  return unique([...sourceHeaders(config), ...companionHeaders, outboundHeader, outboundChainHeader]);
}

/** Those of them that a source of certificates may be configured to read, or is. */
function sourceHeaders({ enforcer, apis }: Config): readonly string[] {
  const { certificateHeader, sources } = enforcer.security.mutualSSL;
  const all = [...sources];
  // Few of ten thousand APIs have any.
  for (const { sources: own = [], operations } of apis) {
    all.push(...own);
    for (const { sources: its = [] } of operations) all.push(...its);
  }
  return [
    ...knownCertificateHeaders,
    certificateHeader ?? '',
    ...all.flatMap(({ header, chainHeader }) => [header ?? '', chainHeader ?? '']),
  ];
}

/** By what a denial is told in the caller's own language, and a decision found again in a log and a trace. */
const answeredBy = ['content-type', 'soapaction', 'x-request-id', 'traceparent'] as const;

/**
 * Headers that speak of a certificate, so that ours can be renamed on a running Envoy; and those with another sign than
 * `-` in their names (no pseudo-header), for a backend may read them as ours, and the enforcer has them removed.
 */
const sentByName = '[^:]*(cert|[^-:a-z0-9])[^:]*';

/** The request headers that the enforcer reads, and gets only where Envoy is told of each. */
export const headersToName = (config: Config): readonly string[] =>
  unique([...sourceHeaders(config), ...answeredBy, tokenHeader(config)]).filter(
    (name) => !new RegExp(`^${sentByName}$`).test(name),
  );

/**
 * Which headers the enforcer gets, as a matcher of Envoy's: all that it reads. The others, cookies and secrets among
 * them, stay in Envoy.
 */
export const headersForEnforcer = (config: Config): Message => ({
  patterns: [
    ...headersToName(config).map((exact) => ({ exact })),
    { safe_regex: { regex: `${sentByName}|${anySeparator(tokenHeader(config))}` } },
  ],
});

const tokenHeader = ({ enforcer }: Config): string =>
  enforcer.security.authHeader.authorizationHeader.toLowerCase();

/**
 * What is changed before any filter, the enforcer's Check included. Not by a route's `request_headers_to_remove`:
 * that comes after ext_authz and would take away what the enforcer has set.
 *
 * Any separator for `-`: CGI and its heirs (WSGI, PHP) read x_client_cert_alias, x.client.cert.alias and
 * x-client-cert-alias as one name.
 *
 * An XFCC that a load balancer sent is kept under another name, since SANITIZE_SET is about to overwrite it; a copy that
 * the client made itself goes.
 *
 * @param withCertificates certificate headers as well: where nobody may send one
 */
export function earlyMutations(config: Config, withCertificates: boolean): readonly Message[] {
  const certificates = certificateHeaders(config);
  const patterns = [
    ...identityHeaders(config).map(anySeparator),
    anySeparator(RECEIVED_XFCC),
    // Envoy's own to say, and left by it as the client sent it.
    anySeparator('x-envoy-attempt-count'),
    ...certificates.flatMap((name) =>
      withCertificates ? [anySeparator(name)] : misspellings(name, certificates),
    ),
    ...new Set(pathOverrides.map(anySeparator)),
    ...methodOverrides.flatMap((name) => misspellings(name, methodOverrides)),
  ];
  // One pattern a group, not one a name: each is tried on each header of each request.
  return [
    extension(
      'envoy.http.early_header_mutation.header_mutation',
      'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
      {
        mutations: [
          { remove_on_match: { key_matcher: { safe_regex: { regex: patterns.join('|') } } } },
          {
            append: {
              header: { key: RECEIVED_XFCC, value: `%REQ(${XFCC})%` },
              append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
            },
          },
        ],
      },
    ),
  ];
}

/**
 * Trailers that a backend may take for what a header of that name says: who the client is, another method or path, or one
 * of those that RFC 9110 section 6.5.1 keeps out of trailers. The enforcer never sees them.
 */
export const trailersToRemove = (config: Config): string =>
  unique(
    [
      ...[...identityHeaders(config), ...certificateHeaders(config), ...methodOverrides, ...pathOverrides],
      tokenHeader(config),
      ...['authorization', 'proxy-authorization', 'cookie', 'host', 'forwarded', 'x-real-ip', 'x-request-id'],
    ].map(anySeparator),
  )
    .concat(['x-forwarded-', 'x-envoy-'].map((prefix) => `${anySeparator(prefix)}.*`))
    .join('|');

const separator = '[^a-z0-9]';

/** The name with anything that is no letter and no digit in the place of its separators. */
const anySeparator = (name: string): string => name.split(/[^a-z0-9]/).join(separator);

/** The same, something else for its hyphens, without what means something by itself (ssl-client-cert, ssl_client_cert). */
export function misspellings(name: string, meant: readonly string[]): readonly string[] {
  const [first = '', ...parts] = name.split('-').map(escapeRegex);
  if (parts.length === 0) return [];
  const spelled = new RegExp(`^${[first, ...parts].join(`(${separator})`)}$`);
  const separators = unique([name, ...meant]).flatMap((one) => spelled.exec(one)?.slice(1).join('') ?? []);
  return [first + otherwise(parts, separators)];
}

/**
 * Parts of a name, a separator before each, but for the separators meant: others in the first half and any in the second,
 * or a first half that is meant, and behind it what is not. By halves, for a pattern of all ways grows with their square.
 */
function otherwise(parts: readonly string[], meant: readonly string[]): string {
  if (parts.length === 1) {
    // A hyphen that is no range stands first.
    const hyphen = meant.includes('-') ? '-' : '';
    const others = meant.filter((each) => each !== '-').join('');
    return `[^${hyphen}${escapeRegex(others)}a-z0-9]${parts[0]}`;
  }
  const half = parts.length >> 1;
  const [start, end] = [parts.slice(0, half), parts.slice(half)];
  const starts = Map.groupBy(meant, (separators) => separators.slice(0, half));
  const endsOf = (those: readonly string[]) => those.map((separators) => separators.slice(half));
  return `(?:${[
    otherwise(start, [...starts.keys()]) + end.map((part) => separator + part).join(''),
    ...[...starts].map(
      ([separators, those]) =>
        start.map((part, i) => escapeRegex(separators[i]!) + part).join('') + otherwise(end, endsOf(those)),
    ),
  ].join('|')})`;
}

export const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** In lower case, each once, '' left out. */
export const unique = (names: readonly (string | undefined)[]): readonly string[] => [
  ...new Set(names.flatMap((name) => (name ? [name.toLowerCase()] : []))),
];
