import type { Config } from '../config/schema/config.ts';
import { hostAndPortOf } from '../config/schema/values.ts';
import { portOfWorker } from '../config/worker.ts';
import type { Findings } from './findings.ts';
import { checkIsPair } from './service.ts';

/** What is allowed in the router's tables and yet worth a line at each start. */
export function checkRouter(config: Config, findings: Findings): void {
  const { downstream, upstream, enforcer, cors } = config.router;
  for (const side of ['downstream', 'upstream'] as const) {
    const { minimumProtocolVersion: least, maximumProtocolVersion: most } = config.router[side].tls;
    if (least > most) {
      findings.error(
        ['router', side, 'tls', 'minimumProtocolVersion'],
        `found "${least}", which is newer than maximumProtocolVersion "${most}", so that no connection could be made; write an older one, or a newer maximum`,
      );
    }
  }
  checkPorts(config, findings);
  checkRateLimit(config, findings);
  if (cors.enabled && cors.allowCredentials && cors.allowOrigins.includes('*')) {
    findings.warn(
      ['router', 'cors', 'allowCredentials'],
      'found true beside allowOrigins = ["*"]: any site could act with the credentials of its visitors, so they are not allowed; write the origins',
    );
  }
  if (config.enforcer.security.mutualSSL.allowHeaderOverPlaintext)
    findings.warn(
      ['enforcer', 'security', 'mutualSSL', 'allowHeaderOverPlaintext'],
      'found true: certificate headers on plain HTTP are believed, and whoever is on the way can write them; write false where the load balancer can speak TLS',
    );
  if (upstream.tls.minimumProtocolVersion < 'TLS1_2')
    findings.warn(
      ['router', 'upstream', 'tls', 'minimumProtocolVersion'],
      `found "${upstream.tls.minimumProtocolVersion}": backends may speak a TLS that is broken; write "TLS1_2"`,
    );
  for (const key of ['minimumProtocolVersion', 'maximumProtocolVersion'] as const) {
    const version = downstream.tls[key];
    if (version === 'TLS1_0' || version === 'TLS1_1') {
      findings.warn(
        ['router', 'downstream', 'tls', key],
        `found "${version}", which is read as "TLS1_2": clients need TLS 1.2 or newer`,
      );
    }
  }
  if (downstream.tls.verifyInHandshake && downstream.tls.trustedCertPath === undefined) {
    findings.error(
      ['router', 'downstream', 'tls', 'verifyInHandshake'],
      'found true without trustedCertPath, so that there is nothing to verify against; write trustedCertPath, or false',
    );
  }
  checkIsPair(['router', 'enforcer'], enforcer, findings);
  if (config.enforcer.authService.clientCaPath !== undefined && enforcer.certPath === undefined) {
    findings.warn(
      ['enforcer', 'authService', 'clientCaPath'],
      'the enforcer asks Envoy for a certificate, but router.enforcer has none for the generated Envoy configuration; write certPath and keyPath there',
    );
  }
  if (downstream.tls.verifyInHandshake && config.enforcer.security.mutualSSL.senders.length > 0) {
    findings.error(
      ['router', 'downstream', 'tls', 'verifyInHandshake'],
      "found true beside senders: the handshake would refuse the load balancers' own certificates; write false",
    );
  }
  if (upstream.tls.disableSslVerification) {
    findings.warn(
      ['router', 'upstream', 'tls', 'disableSslVerification'],
      "found true: whoever is on the way to a backend can pose as it; write false, and the backends' CA as trustedCertPath",
    );
  }
  config.apis.forEach((api, i) => {
    if (api.backend !== undefined && /^(http|ws):/i.test(api.backend)) {
      findings.warn(
        ['apis', i, 'backend'],
        `found ${api.backend}: requests and the client's identity go to this backend in clear text; write ${/^ws/i.test(api.backend) ? 'wss' : 'https'}://`,
      );
    }
  });
}

function checkRateLimit({ router: { rateLimit } }: Config, findings: Findings): void {
  if (rateLimit === undefined) return;
  const { service, trustedCertPath, certPath } = rateLimit;
  const at = ['router', 'rateLimit'];
  if (checkIsPair(at, rateLimit, findings) && certPath !== undefined && trustedCertPath === undefined)
    findings.error(
      [...at, 'certPath'],
      'found without trustedCertPath, so that the service is spoken to in clear text and never sees it; write trustedCertPath',
    );
  const host = hostAndPortOf(service)?.host ?? '';
  if (trustedCertPath === undefined && !/^(127\.[\d.]+|::1|localhost)$/.test(host))
    findings.warn(
      [...at, 'service'],
      `found "${service}" without trustedCertPath: aliases go there in clear text, and whoever is on the way can answer for the service; write trustedCertPath, with GRPC_SERVER_USE_TLS at the service`,
    );
}

const listenersOf = ({ router }: Config) =>
  [
    { key: 'securedListenerPort', host: router.securedListenerHost, port: router.securedListenerPort },
    { key: 'listenerPort', host: router.listenerHost, port: router.listenerPort },
    { key: 'adminPort', host: '127.0.0.1', port: router.adminPort },
  ].filter(({ port }) => port !== 0);

/** On one host. */
function overlaps(one: string, other: string): boolean {
  // These take the port on every address.
  const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::';
  const named = (host: string): string => (host === 'localhost' ? '127.0.0.1' : host);
  return named(one) === named(other) || isAny(one) || isAny(other);
}

/** Envoy does not start where two of its listeners want the same address. */
function checkPorts(config: Config, findings: Findings): void {
  listenersOf(config).forEach(({ key, host, port }, i, all) => {
    const other = all.slice(0, i).find((before) => before.port === port && overlaps(before.host, host));
    if (other !== undefined)
      findings.error(['router', key], `found ${port}, which ${other.key} is as well; write another port`);
  });
}

/**
 * Whichever of the two comes second does not start where the enforcer and the generated Envoy want the same address. On one
 * host they are for certain where that Envoy asks the enforcer on its own loopback; nobody knows of a unix socket, whose
 * folder two containers may share. For those alone who ask about the configuration: behind another Envoy these ports are
 * nobody's, and must not keep a client from being removed.
 *
 * @param workers as many as the command line says
 */
export function checkSharedPorts(config: Config, workers: number | undefined, findings: Findings): void {
  const { authService, metrics } = config.enforcer;
  const { port, address, socket } = authService;
  const asked = config.router.enforcer.address ?? address;
  const isAskedHere = /^(127\.[\d.]+|::1|localhost|0\.0\.0\.0|::)$/.test(asked);
  if (!isAskedHere && socket === undefined) return;
  const last = portOfWorker(port, workers ?? authService.workers);
  const own = [
    ...(socket === undefined ? [{ table: 'authService', address, port, last }] : []),
    ...(metrics?.enabled ? [{ table: 'metrics', ...metrics, last: metrics.port }] : []),
  ];
  for (const { table, address, port, last } of own)
    for (const { key, host, port: taken } of listenersOf(config)) {
      if (taken < port || taken > last || !overlaps(host, address)) continue;
      const found = `found ${port}${taken === port ? '' : ` (and up to ${last}, a port for each worker)`}`;
      const meaning = `${found}, and Envoy listens on ${taken} (router.${key})`;
      const at = ['enforcer', table, 'port'];
      if (socket === undefined)
        findings.error(at, `${meaning}, on the same host: whichever starts second can't; write another port`);
      else findings.warn(at, `${meaning}: on one host, whichever starts second can't; write another port`);
    }
}
