import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { PathFailureCode } from '../pki/path/failures.ts';
import { type ClientRule, fitsRule } from './client-rule.ts';
import type { BoundClients, Client, ClientAsks, Everyone } from './security.ts';

/** Whoever holds a valid certificate can have it refused again and again: as many entries are looked at for it, no more. */
const mostExamined = 1_000;
const mostShown = 4;

/**
 * Why a valid certificate is none of this API's clients: whose it is, which rule it nearly fits, what is asked for. For
 * the log of a refusal.
 *
 * @param above the CAs of its path, the trust anchor among them
 */
export function whyNotBound(
  leaf: Certificate,
  above: readonly Certificate[],
  clients: BoundClients,
  everyone: Everyone,
): string {
  const own = clientsOf(clients);
  return [ownerText(leaf, above, everyone), nearestText(leaf, above, own), askedText(own)]
    .filter((text) => text !== undefined)
    .join('; ');
}

/** What is known of a certificate that leads up to nobody: mostly one that was renewed at one end only. */
export function whyUntrusted(
  leaf: Certificate,
  code: PathFailureCode,
  everyone: Everyone,
): string | undefined {
  if (code !== 'issuer_unknown' && code !== 'signature_invalid') return undefined;
  const namesake = namesakeOf(leaf, everyone);
  const texts = [
    leaf.isSelfIssued ? 'it names itself as its issuer, and no [[clients]] file has it' : undefined,
    namesake && namesakeText(leaf, namesake),
    code === 'signature_invalid' && !leaf.isSelfIssued
      ? 'a CA of that name is known with another key: it was renewed, or somebody uses its name'
      : undefined,
  ].filter((text) => text !== undefined);
  return texts.length === 0 ? undefined : texts.join('; ');
}

const clientsOf = ({ exact, rules, issuedBy }: BoundClients): readonly Client[] => [
  ...[...exact.values()].flat().slice(0, mostExamined),
  ...rules.slice(0, mostExamined),
  ...issuedBy.slice(0, mostExamined),
];

/** Whose certificate it is, of all clients that there are. */
export const ownerOf = (
  leaf: Certificate,
  above: readonly Certificate[],
  { clients = [] }: Everyone,
): Client | undefined =>
  clients.slice(0, mostExamined).find(({ kind, fits, asks }) => {
    if (!fits(leaf)) return false;
    return kind === 'exact' || (asks?.kind === 'ca' && isUnder(asks.cas, above));
  });

function ownerText(leaf: Certificate, above: readonly Certificate[], everyone: Everyone): string | undefined {
  const owner = ownerOf(leaf, above, everyone);
  return owner && `it is a certificate of alias "${owner.alias}", which may not call this API`;
}

type Miss = { readonly alias: string; readonly isCaRight: boolean; readonly failing: readonly string[] };

function nearestText(
  leaf: Certificate,
  above: readonly Certificate[],
  own: readonly Client[],
): string | undefined {
  let nearest: (Miss & { readonly text: string }) | undefined;
  for (const { alias, asks } of own) {
    if (asks?.kind !== 'ca' || asks.rule === undefined) continue;
    const miss = { alias, isCaRight: isUnder(asks.cas, above), failing: failingKeys(asks.rule, leaf) };
    const isNear = miss.isCaRight || miss.failing.length === 0;
    if (isNear && (nearest === undefined || distance(miss) < distance(nearest)))
      nearest = { ...miss, text: missText(miss, asks) };
  }
  return nearest?.text;
}

const distance = ({ isCaRight, failing }: Miss): number => failing.length + (isCaRight ? 0 : 1);

function missText({ alias, isCaRight, failing }: Miss, asked: Extract<ClientAsks, { kind: 'ca' }>): string {
  if (!isCaRight)
    return `alias "${alias}" asks for what it says, but of ${caText(asked.cas)}, which is not above it`;
  const words = failing.map((key) => `${key} = ${asked.words?.[key] ?? '…'}`).join(', ');
  return `alias "${alias}" nearly fits: its CA is right, but not ${shortened(words, 300)}`;
}

const failingKeys = (rule: ClientRule, leaf: Certificate): readonly string[] =>
  Object.entries(rule).flatMap(([key, wanted]) =>
    wanted === undefined || fitsRule({ [key]: wanted } as ClientRule, leaf) ? [] : [key],
  );

function askedText(own: readonly Client[]): string {
  if (own.length === 0) return 'this API has no client';
  const shown = own
    .slice(0, mostShown)
    .map(({ alias, asks }) => `"${alias}"${asks ? ` (${asksText(asks)})` : ''}`);
  const more = own.length > mostShown ? ` and ${own.length - mostShown} more` : '';
  return `this API takes ${shown.join(', ')}${more}`;
}

function asksText(asked: ClientAsks): string {
  if (asked.kind === 'certificate')
    return `exactly ${nameOf(asked.certificate)}, SHA-256 ${asked.certificate.sha256.slice(0, 16)}…`;
  if (asked.kind === 'fingerprints') return `exactly SHA-256 ${asked.fingerprints[0]?.slice(0, 16)}…`;
  const words = Object.entries(asked.words ?? {}).map(([key, value]) => `${key} = ${value}`);
  return shortened([`of ${caText(asked.cas)}`, ...words].join(', '), 160);
}

const caText = (cas: readonly Certificate[] | undefined): string =>
  cas === undefined ? 'any trusted CA' : cas.slice(0, 2).map(nameOf).join(' or ');

const nameOf = ({ subject }: Certificate): string => shortened(formatName(subject), 100);

const isUnder = (cas: readonly Certificate[] | undefined, above: readonly Certificate[]): boolean =>
  cas === undefined || cas.some(({ sha256 }) => above.some((ca) => ca.sha256 === sha256));

type Namesake = { readonly alias: string; readonly certificate: Certificate };
/** Who has this very certificate, or else another of the same subject: mostly it was renewed. */
export function namesakeOf(leaf: Certificate, everyone: Everyone): Namesake | undefined {
  const { byHash, bySubject } = namesakesAmong(everyone);
  return byHash.get(leaf.sha256) ?? bySubject.get(leaf.subject.key);
}

const namesakeText = ({ sha256 }: Certificate, { alias, certificate }: Namesake): string =>
  certificate.sha256 === sha256
    ? `alias "${alias}" has this very certificate, but trustedCertPath has no CA above it, and a file needs one as well`
    : `alias "${alias}" has another certificate of this subject (SHA-256 ${certificate.sha256})`;

type Namesakes = Readonly<Record<'byHash' | 'bySubject', ReadonlyMap<string, Namesake>>>;
/** Made at the first refusal, once a snapshot. */
const namesakes = new WeakMap<Everyone, Namesakes>();

function namesakesAmong(everyone: Everyone): Namesakes {
  const known = namesakes.get(everyone);
  if (known !== undefined) return known;
  const all = (everyone.clients ?? []).flatMap(({ alias, asks }) =>
    asks?.kind === 'certificate' ? [{ alias, certificate: asks.certificate }] : [],
  );
  const found = {
    byHash: new Map(all.map((one) => [one.certificate.sha256, one])),
    bySubject: new Map(all.map((one) => [one.certificate.subject.key, one])),
  };
  namesakes.set(everyone, found);
  return found;
}

const shortened = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text;
