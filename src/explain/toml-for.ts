import { namesakeOf, ownerOf } from '../apis/near-miss.ts';
import { clientsOf } from '../apis/security.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { casAbove, leafOf, type Situation } from './situation.ts';

type Lines = readonly string[];

/** The very lines of config.toml that would admit the same request, where it is the operator's to say so. */
export function tomlFor(situation: Situation): Lines {
  const { attributes, decision, api } = situation;
  if (decision.outcome === 'allow') return [];
  const leaf = leafOf(situation);
  const { address } = attributes.source;
  switch (decision.code) {
    case 'certificate_not_bound':
    case 'issuer_unknown':
      return leaf === undefined ? [] : clientLines(leaf, situation);
    case 'header_sender_untrusted':
      return address === undefined
        ? []
        : ['[enforcer.security.mutualSSL]', `trustedSenders = ${list([address])}`];
    case 'api_not_found':
      return [
        '[[apis]]',
        'name = "…"',
        'version = "…"',
        `basePath = ${JSON.stringify(attributes.http.path.split(/[?]/, 1)[0]!.split('/').slice(0, 2).join('/'))}`,
        'aliases = ["…"]',
      ];
    case 'operation_not_found':
    case 'method_not_allowed':
      return [
        `[[apis.operations]]     # below ${nameOf(api)}`,
        `path = ${JSON.stringify(attributes.http.path.split('?', 1)[0]!.slice(api?.basePath.length ?? 0) || '/')}`,
        `methods = ${list([attributes.http.method])}`,
      ];
    default:
      return [];
  }
}

/** By its file: this certificate and no other, whoever issued it, where nothing else says who is trusted. */
function clientLines(leaf: Certificate, situation: Situation): Lines {
  const { snapshot, asked } = situation;
  const { everyone } = snapshot;
  const owner = ownerOf(leaf, casAbove(situation), everyone);
  const alias = owner?.alias ?? namesakeOf(leaf, everyone)?.alias ?? aliasFrom(leaf);
  // All entries of an alias have the same.
  const tier = everyone.clients?.find((client) => client.alias === alias)?.tier;
  const entry =
    owner === undefined
      ? [
          '[[clients]]',
          `alias = ${JSON.stringify(alias)}`,
          `file = ${JSON.stringify(`clients/${alias}.pem`)}     # this certificate`,
          ...(tier === undefined ? [] : [`tier = ${JSON.stringify(tier)}`]),
        ]
      : [];
  const aliases = [
    ...new Set(asked === undefined ? [] : clientsOf(asked.security.clients).map((client) => client.alias)),
  ];
  if (aliases.includes(alias)) return entry;
  return [
    ...entry,
    ...(entry.length > 0 ? [''] : []),
    `# in the entry of ${nameOf(situation.api)}`,
    `aliases = ${list([...aliases, alias])}`,
  ];
}

/** Of its common name, as aliases look. */
function aliasFrom({ subject }: Certificate): string {
  const commonName = subject.rdns.flat().findLast(({ type }) => type === '2.5.4.3')?.text ?? '';
  const alias = commonName
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
  return alias === '' ? 'new-client' : alias;
}

const nameOf = (api: Situation['api']): string =>
  api === undefined ? 'the API' : `${JSON.stringify(api.name)} ${JSON.stringify(api.version)}`;

const list = (texts: Lines): string => `[${texts.map((text) => JSON.stringify(text)).join(', ')}]`;
