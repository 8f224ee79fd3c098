import { X509Certificate } from 'node:crypto';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Configuration, Provider } from 'oidc-provider';
import type { ClientCertificate } from './client.ts';

/** A real OpenID provider (`oidc-provider`), which knows its clients by mutual TLS (RFC 8705). */
export type AuthorizationServer = {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** An access token by client credentials, bound to the client's certificate where `clientId` says so. */
  token(clientId: string, certificate: ClientCertificate, scope?: string): Promise<string>;
  stop(): Promise<void>;
};

export const audience = 'https://api.test';

/**
 * @param tls its own certificate, for 127.0.0.1
 * @param clients client id -> its certificate, self-signed for the provider's purposes, and whether tokens are bound to it
 */
export async function startAuthorizationServer(
  tls: ClientCertificate & { readonly caPem: string },
  clients: Readonly<Record<string, { readonly certificatePem: string; readonly bound: boolean }>>,
): Promise<AuthorizationServer> {
  const server = createServer({
    cert: tls.certificatePem,
    key: tls.privateKeyPem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, configuration(clients));
  server.on('request', provider.callback());
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    token: (clientId, certificate, scope = 'orders:read') =>
      requestToken(`${issuer}/token`, tls.caPem, clientId, certificate, scope),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configuration(clients: Parameters<typeof startAuthorizationServer>[1]): Configuration {
  return {
    clients: Object.entries(clients).map(([client_id, { certificatePem, bound }]) => {
      const { raw, publicKey } = new X509Certificate(certificatePem);
      return {
        client_id,
        token_endpoint_auth_method: 'self_signed_tls_client_auth' as const,
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), x5c: [raw.toString('base64')] }] },
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        scope: 'orders:read orders:write',
        tls_client_certificate_bound_access_tokens: bound,
      };
    }) as NonNullable<Configuration['clients']>,
    scopes: ['orders:read', 'orders:write'],
    clientAuthMethods: ['self_signed_tls_client_auth'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        getCertificate: ({ socket }) =>
          (socket as unknown as { getPeerX509Certificate(): X509Certificate }).getPeerX509Certificate(),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: 'orders:read orders:write',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
        }),
      },
    },
  };
}

function requestToken(
  url: string,
  ca: string,
  clientId: string,
  { certificatePem, privateKeyPem }: ClientCertificate,
  scope: string,
): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    scope,
  }).toString();
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        agent: false,
        ca,
        cert: certificatePem,
        key: privateKeyPem,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
      (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          const { access_token: token } = JSON.parse(text) as { access_token?: string };
          if (token === undefined) reject(new Error(`${response.statusCode}: ${text}`));
          else resolve(token);
        });
      },
    );
    sent.on('error', reject).end(body);
  });
}
