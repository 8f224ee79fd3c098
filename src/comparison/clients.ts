import { bind } from '../apis/binding.ts';
import { type BoundClients, type Client, clientsOf, type Everyone } from '../apis/security.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { named } from '../pki/certificate/name.ts';
import { createEffort } from '../pki/path/effort.ts';

/** Clients of one API in one configuration, and all that it knows. */
type Side = { readonly clients: BoundClients; readonly everyone: Everyone; readonly now: number };

/**
 * Who is a client in `there` and not in `here`, whatever their aliases are called. One that is known by its certificate is
 * judged as a request with it would be, so that one which is expired, or which its CA lets in all the same, is no news.
 */
export function clientsOnlyIn(there: Side, here: Side): readonly string[] {
  const known = new Set(clientsOf(here.clients).filter(isInForce(here)).map(keyOf));
  const texts = clientsOf(there.clients)
    .filter(isInForce(there))
    .filter((client) => !known.has(keyOf(client)) && isNews(client, there, here))
    .map((client) => `${whoText(client)} (alias "${client.alias}")`);
  return [...new Set(texts)];
}

const isInForce =
  ({ now }: Side) =>
  ({ term }: Client): boolean =>
    term === undefined || (!term.disabled && now >= term.notBefore && now <= term.notAfter);

function isNews({ asks }: Client, there: Side, here: Side): boolean {
  if (asks?.kind !== 'certificate') return true;
  const { certificate } = asks;
  return isBound(certificate, there) && !isBound(certificate, here);
}

/** With every CA beside it that the configuration knows, as a client may send them. */
function isBound(leaf: Certificate, { clients, everyone, now }: Side): boolean {
  const intermediates = (everyone.clients ?? []).flatMap(({ asks }) =>
    asks?.kind === 'ca' ? (asks.cas ?? []) : [],
  );
  return bind({ leaf, intermediates, now, effort: createEffort() }, clients, everyone).isBound;
}

/** The same for whoever means the same certificates. */
function keyOf({ asks }: Client): string {
  if (asks === undefined) return '';
  if (asks.kind === 'certificate') return asks.certificate.sha256;
  if (asks.kind === 'fingerprints') return asks.fingerprints.toSorted().join();
  const cas = asks.cas?.map(({ sha256 }) => sha256).toSorted() ?? ['any'];
  return `${cas.join()} ${canonical(asks.rule)}`;
}

/** Sets and maps in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner instanceof Set ? [...inner].sort() : inner instanceof Map ? [...inner].sort() : inner,
  ) ?? '';

function whoText({ asks }: Client): string {
  if (asks?.kind === 'certificate') return named(asks.certificate);
  if (asks?.kind === 'fingerprints') return `SHA-256 ${asks.fingerprints[0]?.slice(0, 16)}…`;
  const cas = asks?.cas?.map(named).join(' or ') ?? 'any trusted CA';
  const words = Object.entries(asks?.words ?? {}).map(([key, value]) => `${key} = ${value}`);
  return words.length === 0 ? `all that ${cas} issued` : `what ${cas} issued with ${words.join(', ')}`;
}
