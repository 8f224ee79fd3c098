import { companionHeaders } from '../client-certificate/formats/companion-headers.ts';
import { knownCertificateHeaders } from '../client-certificate/formats/table.ts';
import { RECEIVED_XFCC, XFCC } from '../client-certificate/formats/xfcc.ts';
import type { Config } from '../config/schema/config.ts';
import { identityKeys } from '../provision/answers.ts';
import { extension, type Message } from './extension.ts';

/** Headers that tell the backend who the client is: only the enforcer may write them. Lower case. */
export const identityHeaders = ({ enforcer }: Config): readonly string[] =>
  unique([
    ...identityKeys.map((key) => enforcer.answers[key]),
    // Whether one is written or not, a client's own must not pass for it.
    'x-jwt-assertion',
    enforcer.jwtGenerator.header,
  ]);

/** Headers that carry a certificate or speak of one, in some product's way or as the configuration names them. Lower case. */
export function certificateHeaders({ enforcer, apis }: Config): readonly string[] {
  const { certificateHeader, outboundHeader, outboundChainHeader, sources } = enforcer.security.mutualSSL;
  const ownSources = apis.flatMap((api) => [api, ...api.operations].map(({ sources: own = [] }) => own));
  return unique([
    ...knownCertificateHeaders,
    ...companionHeaders,
    certificateHeader,
    outboundHeader,
    outboundChainHeader,
    ...[sources, ...ownSources].flat().flatMap(({ header, chainHeader }) => [header, chainHeader]),
  ]);
}

/**
 * What is changed before any filter, the enforcer's Check included. Not by a route's `request_headers_to_remove`:
 * that comes after ext_authz and would take away what the enforcer has set.
 *
 * `_` for `-`: CGI and its heirs (WSGI, PHP) read x_client_cert_alias and x-client-cert-alias as one name.
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
    ...certificates.flatMap((name) =>
      withCertificates ? [anySeparator(name)] : misspellings(name, certificates),
    ),
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

/** The name with `-` and `_` in each other's place anywhere. */
const anySeparator = (name: string): string => name.split(/[-_]/).map(escapeRegex).join('[-_]');

/** The same without the name itself, and without those that mean something by themselves (ssl_client_cert). */
function misspellings(name: string, meant: readonly string[]): readonly string[] {
  if (!name.includes('-')) return [];
  const [first = '', ...rest] = name.split('-');
  const spelled = rest.reduce<readonly string[]>(
    (all, part) => all.flatMap((start) => [`${start}-${part}`, `${start}_${part}`]),
    [first],
  );
  if (spelled.some((other) => other !== name && meant.includes(other))) {
    return spelled.filter((other) => !meant.includes(other)).map(escapeRegex);
  }
  // At least one `_`: the first of them here, whatever follows.
  const parts = name.split('-').map(escapeRegex);
  return parts
    .slice(1)
    .map((_, i) => `${parts.slice(0, i + 1).join('-')}_${parts.slice(i + 1).join('[-_]')}`);
}

export const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

const unique = (names: readonly (string | undefined)[]): readonly string[] => [
  ...new Set(names.flatMap((name) => (name ? [name.toLowerCase()] : []))),
];
