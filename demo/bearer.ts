import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { createTokenIssuer } from '../test/support/token-issuer.ts';
import { issuer, type Pki } from './pki.ts';
import type { DemoToken } from './requests.ts';

/** An access token as the value of an Authorization header, fresh from the demo's issuer. */
export function bearer({ clients, issuerKeyPem }: Pki, { boundTo, expired }: DemoToken): string {
  const now = Math.floor(Date.now() / 1000) * 1000;
  const idp = createTokenIssuer(now, { issuer, privateKey: createPrivateKey(issuerKeyPem) });
  const certificate = boundTo && new X509Certificate(clients[boundTo].certificatePem);
  const thumbprint = certificate && createHash('sha256').update(certificate.raw).digest('base64url');
  const claims = { ...(thumbprint && { cnf: { 'x5t#S256': thumbprint } }), ...(expired && { exp: 1 }) };
  return `Bearer ${idp.token(claims)}`;
}
