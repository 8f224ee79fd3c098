import type { Admission } from '../decision.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { BackendIdentity } from './backend-jwt.ts';

/** What the backend's JWT says of a request; undefined: nothing is known of the client. */
export function backendIdentity({ api, client, token }: Admission): BackendIdentity | undefined {
  if (client === undefined && token === undefined) return undefined;
  const mapped = [...(token?.issuer.claimMapping ?? [])].flatMap(([remote, local]) =>
    token?.claims[remote] === undefined ? [] : [[local, token.claims[remote]] as const],
  );
  return {
    api,
    subject: token?.subject ?? (client && formatName(client.certificate.subject)),
    alias: client?.alias,
    tier: client?.tier,
    clientId: token?.clientId,
    scopes: token?.scopes ?? [],
    claims: Object.fromEntries(mapped),
    ends: Math.min(token?.expires ?? Infinity, client?.certificate.notAfter ?? Infinity),
  };
}
