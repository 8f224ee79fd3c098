import { lookup as lookupName } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Of IPv4, what IANA's registry of special-purpose addresses has, multicast and the reserved rest. */
const special: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Link-local: the clouds' metadata services are here.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const blocked = new BlockList();
for (const [network, prefix] of special) {
  blocked.addSubnet(network, prefix, 'ipv4');
  // RFC 6052: where there is IPv6 only, what a name server makes of an IPv4 address.
  blocked.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6');
}
// Documentation, and tunnels that have an IPv4 address in them: Teredo and 6to4.
blocked.addSubnet('2001::', 23, 'ipv6');
blocked.addSubnet('2001:db8::', 32, 'ipv6');
blocked.addSubnet('2002::', 16, 'ipv6');
blocked.addSubnet('3fff::', 20, 'ipv6');

/** All else of IPv6 is loopback, mapped, unique local, link-local, multicast, or nobody's. */
const global = new BlockList();
global.addSubnet('2000::', 3, 'ipv6');
global.addSubnet('64:ff9b::', 96, 'ipv6');

/** Whether anybody on the Internet could mean it; false for what is no address. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !blocked.check(address, 'ipv4');
  return (
    isIP(address) === 6 &&
    !address.includes('%') &&
    global.check(address, 'ipv6') &&
    !blocked.check(address, 'ipv6')
  );
}

/** Where a URL has an address for a host, no name is looked up: undefined, or that address. */
export function literalAddress(url: string): string | undefined {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? undefined : host;
}

export const notPublic = (host: string, addresses: readonly string[]): Error =>
  new Error(
    `${host} ${host === addresses[0] ? 'is' : `is at ${addresses.join(', ')},`} no public address, and nobody listed the host`,
  );

/**
 * As `dns.lookup`, and knows none but public addresses: what is looked up is what is connected to, so that a name can't
 * mean something else the second time.
 */
export const lookupPublic: LookupFunction = (host, options, callback) => {
  lookupName(host, { ...options, all: true }, (error, found) => {
    if (error !== null) return callback(error, []);
    const open = found.filter(({ address }) => isPublicAddress(address));
    if (open.length === 0)
      return callback(
        notPublic(
          host,
          found.map(({ address }) => address),
        ),
        [],
      );
    if (options.all === true) return callback(null, open);
    callback(null, open[0]!.address, open[0]!.family);
  });
};
