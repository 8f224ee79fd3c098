import { BlockList, isIP, isIPv4 } from 'node:net';

/** Who may send a certificate header: by the address of the direct TCP peer, or by its own verified certificate. */
export type TrustedSenders = {
  /** One a family: node's BlockList would find every IPv4 address in ::/0. */
  readonly addresses: { readonly ipv4: BlockList; readonly ipv6: BlockList };
  readonly aliases: ReadonlySet<string>;
  readonly networks: readonly Network[];
};

type Network = { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' };

/**
 * @param entries addresses, CIDR ranges, or `alias:NAME`; already checked by the configuration
 * @throws TypeError for what is none of these
 */
export function trustedSenders(entries: readonly string[]): TrustedSenders {
  const addresses = { ipv4: new BlockList(), ipv6: new BlockList() };
  const aliases = new Set<string>();
  const networks: Network[] = [];
  for (const entry of entries) {
    if (entry.startsWith('alias:')) {
      aliases.add(entry.slice('alias:'.length));
      continue;
    }
    const network = parseNetwork(entry);
    if (network === undefined) throw new TypeError(`no address, CIDR range or alias: ${entry}`);
    addresses[network.family].addSubnet(network.address, network.prefix, network.family);
    networks.push(network);
  }
  return { addresses, aliases, networks };
}

/** An address or CIDR range; undefined if it is neither. IPv4 in an IPv6 notation (::ffff:0:0/96) is IPv4. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const plain = unmapped(address);
  const version = isIP(plain);
  if (version === 0 || address.includes('%') || rest.length > 0) return undefined;
  const bits = isIP(address) === 4 ? 32 : 128;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const written = length === undefined ? bits : Number(length);
  const prefix = written - (plain === address ? 0 : 96);
  if (written > bits || prefix < 0) return undefined;
  return { address: plain, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Whether the address of the direct TCP peer (undefined: a unix socket) is one of the senders'. */
export function sentFrom(senders: TrustedSenders, address: string | undefined): boolean {
  if (address === undefined) return false;
  // A zone (fe80::1%eth0) names an interface of ours, not the peer.
  const zone = address.indexOf('%');
  const plain = unmapped(zone === -1 ? address : address.slice(0, zone));
  const version = isIP(plain);
  return version !== 0 && holds(senders, plain, version === 4 ? 'ipv4' : 'ipv6');
}

const holds = (senders: TrustedSenders, address: string, family: Network['family']): boolean =>
  senders.addresses[family].check(address, family);

/** Two sources whose senders can be the same make it a matter of luck which header is believed. */
export const sendersOverlap = (a: TrustedSenders, b: TrustedSenders): boolean =>
  [...a.aliases].some((alias) => b.aliases.has(alias)) ||
  a.networks.some(({ address, family }) => holds(b, address, family)) ||
  b.networks.some(({ address, family }) => holds(a, address, family));

/** `::ffff:a.b.c.d`, as a dual-stack socket writes an IPv4 peer, as a.b.c.d. */
function unmapped(address: string): string {
  if (!/^::ffff:/i.test(address)) return address;
  const rest = address.slice('::ffff:'.length);
  if (isIPv4(rest)) return rest;
  const hex = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(rest);
  if (hex === null) return address;
  const [high, low] = [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
