import type { Certificate } from '../pki/certificate.ts';
import type { PathFailureCode } from '../pki/failures.ts';
import type { PathValidator } from '../pki/path-validator.ts';
import type { BoundClients, Client } from './api.ts';

export type Admitted = {
  readonly admitted: true;
  readonly client: Client;
  /** The verified path, the leaf first; the trust anchor is not in it. */
  readonly path: readonly Certificate[];
};
export type Refused = {
  readonly admitted: false;
  readonly code: 'certificate_not_bound' | PathFailureCode;
  readonly detail: string;
};

/**
 * Whether the certificate is valid now, meant for client authentication, trusted, and one of these clients:
 * the exact certificate first, then the CAs, each in the given order.
 *
 * @param everyone over all trust anchors there are. What is not valid there is valid nowhere, so that a stranger's
 *   certificate costs one search, not one for each alias; and it tells "untrusted" from "another API's client".
 * @param now milliseconds since the epoch
 */
export function admit(
  clients: BoundClients,
  leaf: Certificate,
  intermediates: readonly Certificate[],
  everyone: PathValidator,
  now: number,
): Admitted | Refused {
  const exact = clients.exact.get(leaf.sha256);
  const verdict = (exact?.validator ?? everyone).validate(leaf, intermediates, now);
  if (!verdict.valid) return { admitted: false, code: verdict.code, detail: verdict.detail };
  if (exact !== undefined) return { admitted: true, client: exact, path: verdict.path };

  for (const client of clients.issuedBy) {
    const own = client.validator.validate(leaf, intermediates, now);
    if (own.valid) return { admitted: true, client, path: own.path };
  }
  return {
    admitted: false,
    code: 'certificate_not_bound',
    detail: 'valid, but none of the aliases of this API',
  };
}
