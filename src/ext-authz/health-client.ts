import { createSecureContext } from 'node:tls';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { hostToReach, socketPathTrouble } from '../config/worker.ts';
import '../server-certificate.ts';
import type { Listener } from './server.ts';

type Tls = Extract<Listener, { port: number }>['tls'];
type EnvoysPair = Pick<NonNullable<Tls>, 'certificatePem' | 'privateKeyPem'> | string;

/**
 * Asks a running service over grpc.health.v1, as Envoy's health check does.
 *
 * @param envoys what Envoy shows to a service that asks for a certificate, or why it is not to be had
 * @returns undefined if it says SERVING, else where it was asked, and why not
 */
export function askHealth(
  listener: Listener,
  milliseconds: number,
  envoys: EnvoysPair = '',
): Promise<string | undefined> {
  const where = askedAt(listener);
  const trouble = 'socket' in listener ? socketPathTrouble(where) : undefined;
  if (trouble !== undefined) return Promise.resolve(`${where}: ${trouble}`);
  const client = new Client(
    'socket' in listener ? `unix:${where}` : where,
    'socket' in listener ? credentials.createInsecure() : credentialsFor(listener.tls, envoys),
    {
      // Whatever the environment says: a proxy would ask a service of its own host.
      'grpc.enable_http_proxy': 0,
      // Any name, since it is not looked at: an address there is against RFC 6066, and Node warns of it.
      'grpc.ssl_target_name_override': 'localhost',
    },
  );
  return new Promise<string | undefined>((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      Buffer.alloc(0), // the server as a whole
      { deadline: Date.now() + milliseconds },
      (error, answer) => {
        // HealthCheckResponse: status = 1, and SERVING is 1.
        if (error) resolve(`${where}: ${reasonOf(error, { listener, milliseconds, envoys })}`);
        else resolve(answer?.[0] === 8 && answer[1] === 1 ? undefined : `${where}: NOT_SERVING`);
      },
    );
  }).finally(() => client.close());
}

export function askedAt(listener: Listener): string {
  if ('socket' in listener) return listener.socket;
  const host = hostToReach(listener.address);
  return `${host.includes(':') ? `[${host}]` : host}:${listener.port}`;
}

/** Its own certificate is what we were configured with, so that nothing else needs to vouch for it. */
const credentialsFor = (tls: Tls, envoys: EnvoysPair) =>
  tls
    ? credentials.createFromSecureContext(
        createSecureContext({
          ca: tls.certificatePem,
          // Also where it is not self-signed.
          allowPartialTrustChain: true,
          ...shownBy(tls, envoys),
        }),
        { checkServerIdentity: () => undefined },
      )
    : credentials.createInsecure();

/** Our own certificate may do as well: one CA often issues both. */
const shownBy = (tls: NonNullable<Tls>, envoys: EnvoysPair) => {
  const { certificatePem: cert, privateKeyPem: key } =
    tls.clientCaPem === undefined || typeof envoys === 'string' ? tls : envoys;
  return { cert, key };
};

export const nobodyAnswers = 'nobody answers there';

/** In an operator's words what can be told from the library's; else those. */
function reasonOf(
  { code, details }: ServiceError,
  asked: { readonly listener: Listener; readonly milliseconds: number; readonly envoys: EnvoysPair },
): string {
  const { listener, milliseconds, envoys } = asked;
  const tls = 'port' in listener ? listener.tls : undefined;
  const reason = details
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/( \([^)]*Z\))?\. Resolution note: $/, '');
  if (/ECONNREFUSED|ENOENT/.test(reason)) return nobodyAnswers;
  if (reason.includes('EACCES')) return 'this user may not use it; the service, its group and root may';
  if (code === status.DEADLINE_EXCEEDED) return `no answer within ${milliseconds / 1000} s`;
  if (!/^Failed to connect|^Protocol error|ECONNRESET/.test(reason)) return reason;
  if (tls?.clientCaPem === undefined)
    return `what listens there speaks no gRPC${tls ? '' : ' without TLS'} (${reason})`;
  const shown =
    typeof envoys === 'string'
      ? `its own, of [enforcer.authService] certPath; ${envoys}`
      : 'that of [router.enforcer] certPath; write one that a CA in clientCaPath has issued';
  return `no TLS connection (${reason}): the service asks for a client certificate, by clientCaPath, and was shown ${shown}; or give the service a socket as well, which is asked then`;
}
