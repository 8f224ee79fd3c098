import { once } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { checkServerIdentity, connect, createServer, type TLSSocket } from 'node:tls';
import type { Config } from '../config/schema/config.ts';
import { hostToReach } from '../config/worker.ts';
import { disk, FileProblem } from '../documents/files.ts';
import '../server-certificate.ts';
import { envoysCurves, judgePair } from './envoy-pem.ts';
import type { Findings } from './findings.ts';
import { certificatesIn, type KeyPair, readKeyPair, reason } from './key-pair.ts';
import { readPemBundle } from './pem-files.ts';
import type { ServiceTls } from './service.ts';

type Meeting = {
  readonly enforcer: ServiceTls;
  readonly envoy: {
    /** PEM: what the enforcer's certificate must lead up to, or be. */
    readonly trustedPem: string;
    /** The enforcer's name must fit; undefined: it is known by its own certificate. */
    readonly host: string | undefined;
    readonly pair: KeyPair | undefined;
  };
};

/** Why one does not take the other's certificate, in OpenSSL's words; undefined: it does. */
type Refusals = { readonly byEnvoy: string | undefined; readonly byEnforcer: string | undefined };

/**
 * Lets the enforcer and Envoy meet, on loopback: a real handshake, for no rule of ours would be as true. Envoy's part is
 * played by OpenSSL; `test/e2e/envoy-config/upstreams.test.ts` holds that it is taken for the same as BoringSSL.
 */
export async function meet({ enforcer, envoy }: Meeting): Promise<Refusals> {
  const server = createServer({
    cert: enforcer.certificatePem,
    key: enforcer.privateKeyPem,
    ...(enforcer.clientCaPem !== undefined && { ca: enforcer.clientCaPem, requestCert: true }),
    rejectUnauthorized: false, // both are to say what they think
  });
  const { host, trustedPem, pair } = envoy;
  server.on('tlsClientError', (error) => server.emit('error', error));
  try {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  } catch {
    return { byEnvoy: undefined, byEnforcer: undefined }; // without loopback nothing is found out
  }
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const client = connect({
    ...(server.address() as AddressInfo),
    ca: trustedPem,
    allowPartialTrustChain: true, // as Envoy has it
    ...(pair !== undefined && { cert: pair.certificatePem, key: pair.privateKeyPem }),
    ...(host !== undefined && isIP(host) === 0 && { servername: host }),
    checkServerIdentity: (_, certificate) =>
      host === undefined ? undefined : checkServerIdentity(host, certificate),
    rejectUnauthorized: false,
  });
  for (const end of [server, client]) end.on('error', () => undefined); // the first is told
  try {
    const [[accepting]] = await Promise.all([accepted, once(client, 'secureConnect')]);
    return {
      byEnvoy: refusal(client),
      byEnforcer: enforcer.clientCaPem === undefined ? undefined : refusal(accepting),
    };
  } catch (error) {
    return { byEnvoy: reason(error), byEnforcer: undefined };
  } finally {
    client.destroy();
    server.close();
  }
}

/** Typed as an error, and a code of OpenSSL's or Node's. */
const refusal = ({ authorized, authorizationError }: TLSSocket): string | undefined =>
  authorized ? undefined : String(authorizationError).toLowerCase().replaceAll('_', ' ');

/** Whether they come together by the files that are named here; for whom they don't, every request is a 503. */
export async function checkEnforcerTls(
  { router, enforcer }: Config,
  tls: ServiceTls | undefined,
  findings: Findings,
  now: number,
): Promise<void> {
  const { socket, address, clientCaPath, certPath: own, keyPath: ownKey } = enforcer.authService;
  if (tls === undefined || own === undefined || socket !== undefined) return;
  const useless = judgePair({
    certificate: Buffer.from(tls.certificatePem),
    key: Buffer.from(tls.privateKeyPem),
    purpose: 'server',
    now,
  }).filter(({ level }) => level === 'error');
  for (const { of, message } of useless)
    findings.error(
      ['enforcer', 'authService', of],
      `found "${of === 'certPath' ? own : ownKey}", which ${message}`,
    );
  if (useless.length > 0) return;
  const { trustedCertPath = own, certPath, keyPath } = router.enforcer;
  const isCa = router.enforcer.trustedCertPath !== undefined;
  const trustedAt = isCa
    ? ['router', 'enforcer', 'trustedCertPath']
    : ['enforcer', 'authService', 'certPath'];
  const read = <T>(path: string | undefined, parse: (content: Buffer) => T): T | undefined =>
    path === undefined ? undefined : ifReadable(() => parse(disk.bytes(findings.resolve(path))));
  const trustedPem = read(trustedCertPath, readPemBundle);
  const pair = pairOf(read(certPath, asItIs), read(keyPath, asItIs));
  const theirs = [trustedPem, tls.certificatePem, tls.clientCaPem, pair?.certificatePem];
  if (trustedPem === undefined || theirs.some(isOnOddCurve)) return;
  const host = isCa ? hostToReach(router.enforcer.address ?? address) : undefined;
  const { byEnvoy, byEnforcer } = await meet({ enforcer: tls, envoy: { trustedPem, host, pair } });
  if (byEnvoy === 'err tls cert altname invalid')
    findings.error(
      ['enforcer', 'authService', 'certPath'],
      `found "${own}", which is not for ${host}, where Envoy looks for the enforcer, so that it gets no request; have it issued for that name, or write another as address in [router.enforcer]`,
    );
  else if (byEnvoy !== undefined)
    findings.error(
      trustedAt,
      `found "${trustedCertPath}", by which Envoy does not take the enforcer's certificate "${own}" (${byEnvoy}), so that it gets no request; write the CA that issued it`,
    );
  // Where Envoy has none, that is told already (`checkRouter`).
  if (byEnforcer !== undefined && pair !== undefined)
    findings.error(
      ['enforcer', 'authService', 'clientCaPath'],
      `found "${clientCaPath}", by which the enforcer does not take Envoy's certificate "${certPath}" (${byEnforcer}), so that it gets no request; write the CA that issued it, and those above it up to the root`,
    );
}

/** What can't be read is told already (`checkRouterFiles`): maybe Envoy runs on another host. */
function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (problem) {
    if (!(problem instanceof FileProblem)) throw problem;
    return undefined;
  }
}

const asItIs = (content: Buffer): Buffer => content;

function pairOf(certificate: Buffer | undefined, key: Buffer | undefined): KeyPair | undefined {
  const pair = certificate && key && readKeyPair(certificate, key);
  return pair === undefined || 'of' in pair ? undefined : pair;
}

/** Envoy takes no other curves: of these OpenSSL's word is not BoringSSL's. */
function isOnOddCurve(pem: string | undefined): boolean {
  try {
    return certificatesIn(Buffer.from(pem ?? '')).some(({ publicKey }) => {
      const { namedCurve } = publicKey.asymmetricKeyDetails ?? {};
      return namedCurve !== undefined && !envoysCurves.includes(namedCurve);
    });
  } catch {
    return true; // a key of a kind that OpenSSL does not know
  }
}
