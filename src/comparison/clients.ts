import { bind } from '../apis/binding.ts';
import { type BoundClients, type Client, clientsOf, type Everyone, termText } from '../apis/security.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { named } from '../pki/certificate/name.ts';
import { createEffort } from '../pki/path/effort.ts';

/** Clients of one API in one configuration, and all that it knows. */
export type ClientSide = {
  readonly clients: BoundClients;
  readonly everyone: Everyone;
  readonly now: number;
};

/**
 * Who is a client in `there` and not in `here`, whatever their aliases are called. One that is known by its certificate is
 * judged as a request with it would be, so that one which is expired, or which its CA lets in all the same, is no news.
 * Whose time is to come counts already.
 */
export function clientsOnlyIn(there: ClientSide, here: ClientSide): readonly string[] {
  const known = new Set(currentOf(here).map(keyOf));
  const hasTiers = [there, here].some(({ clients }) =>
    clientsOf(clients).some(({ tier }) => tier !== undefined),
  );
  const texts = currentOf(there)
    .filter((client) => !known.has(keyOf(client)) && isNews(client, there, here))
    .map((client) => whoText(client, hasTiers ? `, tier ${tierText(client)}` : ''));
  return [...new Set(texts)];
}

/** Whom an entry of `there` keeps out that is disabled or over, whatever else would admit him, and none of `here` does. */
export function suspendedOnlyIn(there: ClientSide, here: ClientSide): readonly string[] {
  const known = new Set(suspendedOf(here).map(keyOf));
  // A certificate that the API itself lists is told of as its client.
  const own = new Set([...clientsOf(there.clients), ...clientsOf(here.clients)].filter(isExact).map(keyOf));
  const texts = suspendedOf(there)
    .filter((one) => !known.has(keyOf(one)) && !own.has(keyOf(one)) && isNews(one, here, there))
    .map((one) => whoText(one));
  return [...new Set(texts)];
}

/** Who may call in both, and has another tier: how much he may ask for, and what the backend is told of him. */
export function otherTiers(before: ClientSide, after: ClientSide): readonly string[] {
  const [old, young] = [firstOf(before), firstOf(after)];
  const texts = [...young].flatMap(([key, client]) => {
    const was = old.get(key);
    return was === undefined || was.tier === client.tier ? [] : [tiersText(client, was, client)];
  });
  // By his certificate in one, and by what a CA issued in the other.
  const onlyInOne = [...old, ...young].filter(([key]) => !(old.has(key) && young.has(key)));
  const others = onlyInOne.flatMap(([, client]) => {
    if (client.asks?.kind !== 'certificate') return [];
    const was = boundAs(client.asks.certificate, before);
    const is = boundAs(client.asks.certificate, after);
    return was && is && was.tier !== is.tier ? [tiersText(client, was, is)] : [];
  });
  return [...new Set([...texts, ...others, ...otherOrder(before, after)])];
}

/** Of several that one certificate fits, the first counts. */
function otherOrder(before: ClientSide, after: ClientSide): readonly string[] {
  const isOther = (['rules', 'issuedBy'] as const).some((kind) => {
    const keysIn = ({ clients }: ClientSide): readonly string[] => [...new Set(clients[kind].map(keyOf))];
    const [old, young] = [keysIn(before), keysIn(after)];
    const inBoth = new Set(young.filter((key) => old.includes(key)));
    const order = (keys: readonly string[]): string => keys.filter((key) => inBoth.has(key)).join('\n');
    const tiers = new Set(
      after.clients[kind].flatMap((client) => (inBoth.has(keyOf(client)) ? [client.tier] : [])),
    );
    return tiers.size > 1 && order(old) !== order(young);
  });
  return isOther ? ['clients of several tiers stand in another order, and the first that fits counts'] : [];
}

/** By whom he is, the first of each. */
const firstOf = (side: ClientSide): ReadonlyMap<string, Client> =>
  new Map(
    currentOf(side)
      .toReversed()
      .map((one) => [keyOf(one), one]),
  );

const tiersText = (who: Client, was: Client, is: Client): string =>
  `${whoText(who)}: tier ${tierText(was)} -> ${tierText(is)}`;

const tierText = ({ tier }: Client): string => (tier === undefined ? 'none' : `"${tier}"`);

const isExact = ({ asks }: Client): boolean => asks?.kind === 'certificate';

const suspendedOf = (side: ClientSide): readonly Client[] =>
  [...side.everyone.restricted, ...side.clients.restricted].filter((client) => !isNotOver(side)(client));

/** Who may call in both, and until when, where that is not the same. */
export function otherTerms(
  before: ClientSide,
  after: ClientSide,
): readonly { readonly isLonger: boolean; readonly text: string }[] {
  const known = new Map(currentOf(before).map((one) => [keyOf(one), one]));
  return currentOf(after).flatMap((client) => {
    const other = known.get(keyOf(client));
    if (other === undefined) return [];
    const [old, young] = [other.term ?? always, client.term ?? always];
    const isLonger = young.notAfter > old.notAfter || young.notBefore < old.notBefore;
    const isShorter = young.notAfter < old.notAfter || young.notBefore > old.notBefore;
    const text = `${whoText(client)}: ${termText(other.term)} -> ${termText(client.term)}`;
    return [
      ...(isLonger ? [{ isLonger: true, text }] : []),
      ...(isShorter ? [{ isLonger: false, text }] : []),
    ];
  });
}

const always = { notBefore: -Infinity, notAfter: Infinity };

const currentOf = (side: ClientSide): readonly Client[] => clientsOf(side.clients).filter(isNotOver(side));

const isNotOver =
  ({ now }: ClientSide) =>
  ({ term }: Client): boolean =>
    term === undefined || (!term.disabled && now <= term.notAfter);

/** Whether a certificate that is known as such is bound in `there`, and not in `here`. */
function isNews({ asks, term }: Client, there: ClientSide, here: ClientSide): boolean {
  if (asks?.kind !== 'certificate') return true;
  const { certificate } = asks;
  const from = term === undefined || term.disabled ? there.now : Math.max(there.now, term.notBefore);
  const now = Math.max(from, certificate.notBefore);
  return (
    boundAs(certificate, { ...there, now }) !== undefined &&
    boundAs(certificate, { ...here, now }) === undefined
  );
}

/** With every CA beside it that the configuration knows, as a client may send them. */
function boundAs(leaf: Certificate, { clients, everyone, now }: ClientSide): Client | undefined {
  const intermediates = (everyone.clients ?? []).flatMap(({ asks }) =>
    asks?.kind === 'ca' ? (asks.cas ?? []) : [],
  );
  const result = bind({ leaf, intermediates, now, effort: createEffort() }, clients, everyone);
  return result.isBound ? result.client : undefined;
}

/** Many APIs have one client. */
const keys = new WeakMap<object, string>();

/** The same for whoever means the same certificates. */
function keyOf({ asks }: Client): string {
  if (asks === undefined) return '';
  const key = keys.get(asks) ?? keyOfAsked(asks);
  keys.set(asks, key);
  return key;
}

function keyOfAsked(asks: NonNullable<Client['asks']>): string {
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

const whoText = (client: Client, more = ''): string =>
  `${meantText(client)} (alias "${client.alias}"${more})`;

function meantText({ asks }: Client): string {
  if (asks?.kind === 'certificate') return named(asks.certificate);
  if (asks?.kind === 'fingerprints') return `SHA-256 ${asks.fingerprints[0]?.slice(0, 16)}…`;
  const cas = asks?.cas?.map(named).join(' or ') ?? 'any trusted CA';
  const words = Object.entries(asks?.words ?? {}).map(([key, value]) => `${key} = ${value}`);
  return words.length === 0 ? `all that ${cas} issued` : `what ${cas} issued with ${words.join(', ')}`;
}
