import type { Certificate } from '../pki/certificate/certificate.ts';
import { cutShortCodes } from '../pki/path/effort.ts';
import type { PathFailure, PathFailureCode } from '../pki/path/failures.ts';
import type { PathRequest } from '../pki/path/path-request.ts';
import type { PathAccepted, PathVerdict } from '../pki/path/path-validation.ts';
import { whyNotBound, whyUntrusted } from './near-miss.ts';
import { type BoundClients, type Client, type Everyone, isInForce, termText } from './security.ts';

export type Bound = {
  readonly isBound: true;
  readonly client: Client;
  /** The verified path, the leaf first; the trust anchor is not in it. */
  readonly path: readonly Certificate[];
};
export type Unbound = {
  readonly isBound: false;
  readonly code: 'certificate_not_bound' | 'alias_disabled' | 'alias_not_current' | PathFailureCode;
  readonly detail: string;
  /** More of it, worked out where it is told. */
  readonly explain?: () => string | undefined;
};

/**
 * Whether the certificate is valid now, meant for client authentication, trusted, and one of these clients: the exact
 * certificate first, then by rule, then by CA, each in the given order.
 *
 * @param everyone what is not valid there is valid nowhere, so that a stranger's certificate costs one search, not one
 *   for each alias; and it tells "untrusted" from "another API's client"
 */
export function bind(request: PathRequest, clients: BoundClients, everyone: Everyone): Bound | Unbound {
  const { leaf, now } = request;
  const exact = clients.exact.get(leaf.sha256) ?? none;
  const first = exact.find(({ term }) => isInForce(term, now));
  const verdict = (first?.validator ?? everyone.validator).validate(request);
  if (!verdict.valid)
    return { ...refusal(verdict), explain: () => whyUntrusted(leaf, verdict.code, everyone) };

  const suspended = findSuspended(request, verdict, clients, everyone);
  if (suspended !== undefined) return suspended;
  let cutShort: PathFailure | undefined;
  for (const kind of [exact, clients.rules, clients.issuedBy])
    for (const client of kind) {
      if (!isInForce(client.term, now) || !client.fits(leaf)) continue;
      const own = judgeFor(client, request, verdict);
      if (own.valid) return { isBound: true, client, path: own.path };
      if (isCutShort(own)) cutShort ??= own;
    }
  if (cutShort !== undefined) return refusal(cutShort);
  return {
    isBound: false,
    code: 'certificate_not_bound',
    detail: 'valid, but none of the aliases of this API',
    explain: () => whyNotBound(leaf, [...verdict.path.slice(1), verdict.anchor], clients, everyone),
  };
}

const none: readonly Client[] = [];

/** Whether there is a path to what the client's entry names. The one that was found already is one, more often than not. */
const judgeFor = ({ validator }: Client, request: PathRequest, found: PathAccepted): PathVerdict =>
  validator.holds(found) ? found : validator.validate(request);

/** Not found out, so that it counts for neither. */
const isCutShort = ({ code }: PathFailure): boolean => cutShortCodes.has(code);

const refusal = ({ code, detail }: PathFailure): Unbound => ({ isBound: false, code, detail });

/**
 * An entry that is out of force and means this certificate: whoever switched it off meant to keep the certificate out,
 * whatever else would admit it. Unless the same alias has an exact entry in force for it. Where it can't be found out
 * whether one means it, the certificate is kept out as well: who offers what takes too long must not gain by it.
 */
function findSuspended(
  request: PathRequest,
  found: PathAccepted,
  own: BoundClients,
  { restricted, exactByOwner }: Everyone,
): Unbound | undefined {
  const { leaf, now } = request;
  for (const entries of [restricted, own.restricted])
    for (const client of entries) {
      const { owner, kind, term, means } = client;
      if (isInForce(term, now) || !means(leaf)) continue;
      const others = exactByOwner.get(owner) ?? [];
      if (others.some((other) => isInForce(other.term, now) && other.fits(leaf))) continue;
      // An exact one is known by its bytes, and was found valid before.
      if (kind === 'exact') return refuseSuspended(client);
      const verdict = client.validator.meets(found) ? found : judgeFor(client, request, found);
      if (verdict.valid) return refuseSuspended(client);
      if (isCutShort(verdict)) return refusal(verdict);
    }
  return undefined;
}

function refuseSuspended({ alias, term }: Client): Unbound {
  if (term?.disabled)
    return { isBound: false, code: 'alias_disabled', detail: `alias "${alias}" is disabled` };
  return {
    isBound: false,
    code: 'alias_not_current',
    detail: `alias "${alias}" counts ${termText(term)}`,
  };
}
