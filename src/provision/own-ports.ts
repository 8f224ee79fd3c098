import { BlockList, isIP } from 'node:net';
import { shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { portOfWorker } from '../config/worker.ts';
import type { Findings } from './findings.ts';
import type { ServiceSettings } from './service.ts';

type OwnPort = {
  readonly what: string;
  /** Where it listens, as Envoy sees it. */
  readonly host: string;
  readonly port: number;
  /** Set: each port up to this one. */
  readonly last?: number;
};

/**
 * A backend that is Envoy's admin interface would let whoever calls the API stop the gateway; one of its listeners asks
 * itself without end; and the enforcer's ports are for Envoy and the operator alone. What a name of the DNS leads to, and
 * which other addresses this host has, nobody knows here.
 */
export function checkBackends(config: Config, service: ServiceSettings, findings: Findings): void {
  const ports = ownPorts(config, service);
  for (const [i, { backend }] of config.apis.entries()) {
    if (backend === undefined) continue;
    const { protocol, hostname, port } = new URL(backend);
    const host = plainHost(hostname);
    const asked = Number(port || (/^(https|wss):$/.test(protocol) ? 443 : 80));
    const own = ports.find((each) => asked >= each.port && asked <= each.last && isSame(host, each.host));
    if (own !== undefined)
      findings.error(
        ['apis', i, 'backend'],
        `found ${shown(backend)}, which is ${own.what}: whoever calls the API would reach it; write the address of the API's own backend, or give it another port`,
      );
  }
}

function ownPorts({ router, enforcer }: Config, { tcp }: ServiceSettings) {
  const { authService, metrics } = enforcer;
  const ofEnforcer = (address: string): string => router.enforcer.address ?? address;
  const ports: readonly OwnPort[] = [
    { what: "Envoy's admin interface ([router] adminPort)", host: '127.0.0.1', port: router.adminPort },
    {
      what: "Envoy's own TLS listener ([router] securedListenerPort)",
      host: router.securedListenerHost,
      port: router.securedListenerPort,
    },
    {
      what: "Envoy's own plain listener ([router] listenerPort)",
      host: router.listenerHost,
      port: router.listenerPort,
    },
    ...(tcp === undefined
      ? []
      : [
          {
            what: "the enforcer's own port ([enforcer.authService] port)",
            host: ofEnforcer(tcp.address),
            port: tcp.port,
            last: portOfWorker(tcp.port, authService.workers),
          },
        ]),
    ...(metrics?.enabled
      ? [
          {
            what: "the enforcer's metrics ([enforcer.metrics] port)",
            host: ofEnforcer(metrics.address),
            port: metrics.port,
          },
        ]
      : []),
  ];
  // 0: there is none, or it is not known.
  return ports.flatMap(({ host, last, ...own }) =>
    own.port === 0 ? [] : [{ ...own, last: last ?? own.port, host: plainHost(host) }],
  );
}

/** As it is looked up: without brackets and the dot at the end. */
const plainHost = (host: string): string => host.toLowerCase().replace(/^\[|\]$|\.$/g, '');

const isSame = (one: string, other: string): boolean => one === other || (isHere(one) && isHere(other));

const here = new BlockList();
here.addSubnet('127.0.0.0', 8, 'ipv4');
// Whoever connects to "any address" reaches this host.
here.addAddress('0.0.0.0', 'ipv4');
here.addSubnet('::', 96, 'ipv6');

/** Loopback, or any address, in whatever spelling; URLs have brought IPv4 into its usual one. */
function isHere(host: string): boolean {
  const family = isIP(host);
  // RFC 6761 section 6.3, and what /etc/hosts of Debian and Red Hat has beside it.
  if (family === 0)
    return /^(.+\.)?localhost[46]?$|^localhost[46]?\.localdomain[46]?$|^ip6-(localhost|loopback)$/.test(host);
  return here.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
