import { callGrpc, send as sendHttps } from '../test/support/client.ts';
import { bearer } from './bearer.ts';
import { codings } from './certificate-header.ts';
import { outcomeOf, type Send } from './outcome.ts';
import type { Pki } from './pki.ts';

/** Sends the demo's requests to the router over TLS. */
export const throughEnvoy =
  (pki: Pki, port: number): Send =>
  async (request) => {
    const { path, protocol, certificate, header, token, from } = request;
    const call = {
      port,
      path,
      ca: pki.routerCaPem,
      certificate: certificate && pki.clients[certificate],
      localAddress: from,
      headers: [
        ...(header
          ? [[header.name, codings[header.coding](pki.clients[header.of].certificatePem)] as const]
          : []),
        ...(token ? [['authorization', bearer(pki, token)] as const] : []),
      ],
    };
    if (protocol === 'grpc') return outcomeOf(request, await callGrpc(call));
    return outcomeOf(request, await sendHttps({ ...call, protocol: protocol ?? 'http/1.1' }));
  };
