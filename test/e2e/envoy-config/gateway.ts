import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Api } from '../../../src/apis/api.ts';
import { type ApiIndex, findApi, indexApis, trimSlash } from '../../../src/apis/api-index.ts';
import { normalizeHost, pathAmbiguity } from '../../../src/apis/request-path.ts';
import type { Attributes } from '../../../src/attributes.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import type { Config } from '../../../src/config/schema/config.ts';
import { writeEnvoyConfig } from '../../../src/envoy-config/bootstrap.ts';
import type { EnforcerAccess } from '../../../src/envoy-config/options.ts';
import { atOnce } from '../../../src/provision/slices.ts';
import { apiAt } from '../../support/apis.ts';
import { type Backend, type SeenRequest, startBackend } from '../../support/backend.ts';
import {
  type Authority,
  createAuthority,
  type Issued,
  type KeyAlgorithm,
} from '../../support/certificate-authority.ts';
import { type Answer, type Call, type ClientCertificate, send } from '../../support/client.ts';
import { type RunningEnvoy, startEnvoy } from '../../support/envoy.ts';
import { freePort } from '../../support/free-port.ts';
import { type AuthzOptions, type ScriptedAuthz, startScriptedAuthz, type Verdict } from './scripted-authz.ts';

/** Envoy with the generated configuration, a scripted enforcer in front of a real backend. */
export type Gateway = {
  readonly port: number;
  /** 0: there is no plain listener. */
  readonly plainPort: number;
  readonly authz: ScriptedAuthz;
  readonly backend: Backend;
  readonly envoy: RunningEnvoy;
  readonly config: Config;
  readonly apis: ApiIndex;
  /** CA of the router's certificate. */
  readonly ca: string;
  /** Sends a request; `plain` to the plain listener. */
  send(call: Partial<Call> & { readonly plain?: boolean }): Promise<Answer>;
  /** Sends a request that must be served; what the backend saw of it. */
  served(call: Parameters<Gateway['send']>[0]): Promise<SeenRequest>;
  stop(): Promise<void>;
};

export type GatewayOptions = {
  /** [[apis]] and more; `BACKEND` stands for the backend's host and port. The tables below are ours. */
  readonly toml: string;
  /** Lines of [router]. */
  readonly router?: string;
  readonly plain?: boolean;
  readonly authz?: AuthzOptions;
  /** Lines of [router.upstream.tls]. */
  readonly upstreamTls?: string;
  /** Lines of [enforcer.authService]. */
  readonly authService?: string;
  readonly access?: EnforcerAccess;
  /** So many of the last APIs are of foreign files, and without room for their hosts. */
  readonly crowding?: number;
  /** So many of the last are of foreign files, with or without room. Unset: as many as `crowding`. */
  readonly foreign?: number;
  readonly editEnvoy?: (yaml: string) => string;
  /** More files for the folder that Envoy runs in. */
  readonly files?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Issues the router's and, unless it has its own, the backend's certificate; `ca.pem` in the folder. */
  readonly authority?: Authority;
  readonly backendCertificate?: ClientCertificate;
};

const dayMs = 86_400_000;
const validNow = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 30 * dayMs) };

export const newAuthority = (subject: string, parent?: Authority): Promise<Authority> =>
  createAuthority({ subject, ...validNow, ...(parent && { parent }) });

export const serverCertificate = async (ca: Authority, names = ['localhost', '127.0.0.1']) =>
  pair(
    await ca.issue({ subject: 'CN=server', ...validNow, extendedKeyUsage: 'server', subjectAltNames: names }),
  );

export const clientCertificate = async (
  ca: Authority,
  keyAlgorithm: KeyAlgorithm = 'P-256',
  dates: { notBefore: Date; notAfter: Date } = validNow,
) => pair(await ca.issue({ subject: 'CN=client', ...dates, keyAlgorithm, extendedKeyUsage: 'client' }));

const pair = ({ pem, privateKeyPem }: Issued): ClientCertificate => ({ certificatePem: pem, privateKeyPem });

export async function startGateway(path: string, options: GatewayOptions): Promise<Gateway> {
  const stops: (() => unknown)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'gateway-'));
    stops.push(() => rmSync(folder, { recursive: true, force: true }));
    const ca = options.authority ?? (await newAuthority('CN=Router CA'));
    const router = await serverCertificate(ca);
    const backend = await startBackend(options.backendCertificate ?? router);
    stops.push(() => backend.stop());
    const authz = await startScriptedAuthz(options.authz);
    stops.push(() => authz.stop());
    const [port, plainPort] = [await freePort(), options.plain ? await freePort() : 0];
    const config = configOf(`
      [router]
      securedListenerHost = "127.0.0.1"
      securedListenerPort = ${port}
      listenerHost = "127.0.0.1"
      listenerPort = ${plainPort}
      adminPort = 0
      ${options.router ?? ''}
      [router.keystore]
      certPath = "router.pem"
      keyPath = "router.key"
      [router.upstream.tls]
      trustedCertPath = "ca.pem"
      ${options.upstreamTls ?? ''}
      [enforcer.authService]
      port = ${options.authz?.socket ? 8081 : authz.port}
      ${options.authService ?? ''}
      ${options.toml.replaceAll('BACKEND', `127.0.0.1:${backend.port}`).replaceAll('PORT', String(backend.port))}`);
    const { crowding = 0, foreign = crowding } = options;
    const { length } = config.apis;
    const yaml = writeEnvoyConfig(config, {
      resolvePath: (file) => file,
      enforcer: options.access,
      ownApis: length - foreign,
      crowding: new Set(config.apis.slice(length - crowding)),
    });
    const files: Readonly<Record<string, string>> = {
      'router.pem': router.certificatePem,
      'router.key': router.privateKeyPem,
      'ca.pem': ca.pem,
      'envoy.yaml': options.editEnvoy?.(yaml) ?? yaml,
      ...options.files,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const apis = indexOf(config);
    authz.script = (attributes) => asTheEnforcer(attributes, apis);
    const envoy = await startEnvoy({ path, config: 'envoy.yaml', folder });
    stops.push(() => envoy.stop());
    const gateway: Gateway = {
      ...{ port, plainPort, authz, backend, envoy, config, apis, ca: ca.pem, stop },
      send: ({ plain = false, ...call }) =>
        send({
          path: '/',
          port: plain ? plainPort : port,
          ca: plain ? undefined : ca.pem,
          ...call,
        }),
      served: async (call) => {
        const { status, body } = await gateway.send(call);
        if (status !== 200) throw new Error(`not served: ${status} ${body}`);
        return JSON.parse(body) as SeenRequest;
      },
    };
    return gateway;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws Error with all that is wrong with it */
export function configOf(toml: string): Config {
  const read = readConfig(toml, 'config.toml', {});
  if (!('config' in read)) throw new Error(JSON.stringify(read));
  return read.config;
}

/** The APIs as the enforcer finds them. */
const indexOf = (config: Config): ApiIndex =>
  atOnce(
    indexApis(
      config.apis.map(
        (api): Api =>
          apiAt({
            name: api.name,
            version: api.version,
            basePath: trimSlash(api.basePath),
            hosts: api.hosts.map(normalizeHost),
          }),
      ),
    ),
  ).index;

/** The enforcer without certificates: an ambiguous path, no API, or welcome. */
export function asTheEnforcer(attributes: Attributes, apis: ApiIndex): Verdict {
  if (pathAmbiguity(attributes.http.path) !== undefined)
    return { allow: false, status: 400, reason: 'path_ambiguous' };
  const api = findApi(attributes, apis);
  if (api === undefined) return { allow: false, status: 404, reason: 'api_not_found' };
  return { allow: true, metadata: { api: api.name, version: api.version } };
}

/** All values of a header that the backend saw. */
export const seenHeader = ({ headers }: SeenRequest, name: string): readonly string[] =>
  headers.filter(([key]) => key === name).map(([, value]) => value);
