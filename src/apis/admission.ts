import type { Certificate } from '../pki/certificate/certificate.ts';
import type { PathFailureCode } from '../pki/path/failures.ts';
import type { PathRequest } from '../pki/path/path-options.ts';
import type { BoundClients, Client, Everyone, Term } from './security.ts';

export type Admitted = {
  readonly admitted: true;
  readonly client: Client;
  /** The verified path, the leaf first; the trust anchor is not in it. */
  readonly path: readonly Certificate[];
};
export type Refused = {
  readonly admitted: false;
  readonly code: 'certificate_not_bound' | 'alias_disabled' | 'alias_not_current' | PathFailureCode;
  readonly detail: string;
};

/**
 * Whether the certificate is valid now, meant for client authentication, trusted, and one of these clients: the exact
 * certificate first, then by rule, then by CA, each in the given order.
 *
 * @param everyone what is not valid there is valid nowhere, so that a stranger's certificate costs one search, not one
 *   for each alias; and it tells "untrusted" from "another API's client"
 */
export function admit(request: PathRequest, clients: BoundClients, everyone: Everyone): Admitted | Refused {
  const { leaf, now } = request;
  const exact = (clients.exact.get(leaf.sha256) ?? []).filter(({ term }) => isInForce(term, now));
  const validator = exact[0]?.validator ?? everyone.validator;
  const verdict = validator.validate(request);
  if (!verdict.valid) return { admitted: false, code: verdict.code, detail: verdict.detail };

  const suspended = findSuspended(request, clients, everyone);
  if (suspended !== undefined) return refuseSuspended(suspended);
  for (const client of candidates(exact, clients)) {
    if (!isInForce(client.term, now) || !client.fits(leaf)) continue;
    const own = client.validator.validate(request);
    if (own.valid) return { admitted: true, client, path: own.path };
  }
  return {
    admitted: false,
    code: 'certificate_not_bound',
    detail: 'valid, but none of the aliases of this API',
  };
}

function* candidates(exact: readonly Client[], { rules, issuedBy }: BoundClients): Iterable<Client> {
  yield* exact;
  yield* rules;
  yield* issuedBy;
}

/**
 * An entry that is out of force and means this certificate: whoever switched it off meant to keep the certificate out,
 * whatever else would admit it. Unless the same alias has an exact entry in force for it.
 */
function findSuspended(
  request: PathRequest,
  own: BoundClients,
  { restricted, exactByOwner }: Everyone,
): Client | undefined {
  const { leaf, now } = request;
  const suspends = ({ owner, kind, term, means, validator }: Client): boolean =>
    !isInForce(term, now) &&
    means(leaf) &&
    // An exact one is known by its bytes, and was found valid before.
    (kind === 'exact' || validator.validate(request).valid) &&
    !(exactByOwner.get(owner) ?? []).some((other) => isInForce(other.term, now) && other.fits(leaf));
  return restricted.find(suspends) ?? own.restricted.find(suspends);
}

const isInForce = (term: Term | undefined, now: number): boolean =>
  term === undefined || (!term.disabled && now >= term.notBefore && now <= term.notAfter);

function refuseSuspended({ alias, term }: Client): Refused {
  if (term?.disabled)
    return { admitted: false, code: 'alias_disabled', detail: `alias "${alias}" is disabled` };
  const day = (instant: number): string =>
    Number.isFinite(instant) ? new Date(instant).toISOString() : 'ever';
  return {
    admitted: false,
    code: 'alias_not_current',
    detail: `alias "${alias}" counts from ${day(term?.notBefore ?? -Infinity)} to ${day(term?.notAfter ?? Infinity)}`,
  };
}
