import type { GeneralName } from '../certificate/general-name.ts';
import type { Name } from '../certificate/name.ts';

/** A constraint made ready for many comparisons. */
export type Base =
  | { readonly form: 'dNSName' | 'uniformResourceIdentifier'; readonly host: string }
  | { readonly form: 'rfc822Name'; readonly local: string | undefined; readonly host: string }
  | { readonly form: 'iPAddress'; readonly address: Uint8Array; readonly mask: Uint8Array }
  | { readonly form: 'directoryName'; readonly name: Name }
  | { readonly form: 'unsupported' };

/**
 * Whether a name lies in a subtree (RFC 5280 4.2.1.10). Where a name or a constraint is no well-formed one of its form,
 * or its form has no rules, `unsupported`: under a constraint that can't be applied nothing passes, since who wrote it
 * meant to forbid something.
 */
export type Comparison = (base: Base, side: 'permitted' | 'excluded') => boolean | 'unsupported';

const unsupported: Comparison = () => 'unsupported';

/** For comparing this name with constraints of its form. */
export function comparisonOf(name: GeneralName): Comparison {
  switch (name.form) {
    case 'dNSName':
      return compareDns(name.value);
    case 'rfc822Name':
      return compareMailbox(name.value);
    case 'uniformResourceIdentifier':
      return compareUri(name.value);
    case 'iPAddress':
      return compareIp(name.octets);
    case 'directoryName':
      return compareDirectoryName(name.name);
    default:
      return unsupported;
  }
}

export function prepareBase(base: GeneralName): Base {
  switch (base.form) {
    case 'dNSName': {
      const host = base.value.toLowerCase();
      return host === '' || isHost(host) ? { form: 'dNSName', host } : { form: 'unsupported' };
    }
    case 'rfc822Name': {
      if (!base.value.includes('@')) return prepareHost('rfc822Name', base.value);
      const mailbox = splitMailbox(base.value);
      return mailbox === undefined ? { form: 'unsupported' } : { form: 'rfc822Name', ...mailbox };
    }
    case 'uniformResourceIdentifier':
      return prepareHost('uniformResourceIdentifier', base.value);
    case 'iPAddress': {
      const size = base.octets.length / 2;
      const [address, mask] = [base.octets.subarray(0, size), base.octets.subarray(size)];
      const isRange = (size === 4 || size === 16) && isPrefixMask(mask);
      return isRange ? { form: 'iPAddress', address, mask } : { form: 'unsupported' };
    }
    case 'directoryName':
      return { form: 'directoryName', name: base.name };
    default:
      return { form: 'unsupported' };
  }
}

/** For e-mail and URIs: a host, or with a leading dot those below it; nothing stands for all. */
function prepareHost(form: 'rfc822Name' | 'uniformResourceIdentifier', value: string): Base {
  const host = value.toLowerCase();
  const bare = host.startsWith('.') ? host.slice(1) : host;
  if (host !== '' && !isHost(bare)) return { form: 'unsupported' };
  return form === 'rfc822Name' ? { form, local: undefined, host } : { form, host };
}

/** Letters, digits, hyphens and, as many names in use have them, underscores; no empty label, no dot at the end. */
const host = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const isHost = (value: string): boolean => value.length <= 253 && host.test(value);

const within = (name: string, base: string): boolean =>
  name.endsWith(base) && (name.length === base.length || name[name.length - base.length - 1] === '.');

/**
 * The constraint's own name and all below. `*.example.com` stands for every name one label longer: all of them must be
 * permitted, and none of them excluded (CVE-2025-61727).
 */
function compareDns(value: string): Comparison {
  const lower = value.toLowerCase();
  const isWildcard = lower.startsWith('*.');
  const bare = isWildcard ? lower.slice(2) : lower;
  const isName = isHost(bare);
  return (base, side) => {
    if (base.form !== 'dNSName') return 'unsupported';
    if (base.host === '') return true;
    if (!isName) return 'unsupported';
    return within(bare, base.host) || (isWildcard && side === 'excluded' && within(base.host, bare));
  };
}

/** One mailbox, all of a host, or with a leading dot all of the hosts below it. The local part counts by case. */
function compareMailbox(value: string): Comparison {
  const mailbox = splitMailbox(value);
  return (base) => {
    if (base.form !== 'rfc822Name' || mailbox === undefined) return 'unsupported';
    if (base.local !== undefined) return mailbox.local === base.local && mailbox.host === base.host;
    return isUnder(mailbox.host, base.host);
  };
}

/** RFC 2821's dot-atom form; quoted local parts are taken as they are, as long as what follows is one host. */
function splitMailbox(text: string): { readonly local: string; readonly host: string } | undefined {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  const rest = text.slice(at + 1);
  const isQuoted = local.length > 2 && local.startsWith('"') && local.endsWith('"');
  if (at < 1 || (!isQuoted && /[@"\s\\]/.test(local)) || !isHost(rest)) return undefined;
  return { local, host: rest.toLowerCase() };
}

/** With a leading dot, those below it and not itself. */
function isUnder(name: string, base: string): boolean {
  return base === '' || (base.startsWith('.') ? name.endsWith(base) : name === base);
}

/** The authority's host, which must be a name: RFC 5280 rejects URIs without one and with addresses. */
function compareUri(uri: string): Comparison {
  const match = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#@:[\]]+)(?::[0-9]*)?(?:[/?#]|$)/i.exec(uri);
  const name = match?.[1]?.toLowerCase();
  if (name === undefined || !isHost(name) || /^[0-9.]+$/.test(name)) return unsupported;
  return (base) => (base.form === 'uniformResourceIdentifier' ? isUnder(name, base.host) : 'unsupported');
}

/** Address and mask, of the same family. */
function compareIp(octets: Uint8Array): Comparison {
  return (base) => {
    if (base.form !== 'iPAddress') return 'unsupported';
    const { address, mask } = base;
    return (
      octets.length === mask.length && octets.every((octet, i) => ((octet ^ address[i]!) & mask[i]!) === 0)
    );
  };
}

/** The constraint's RDNs are the name's first ones. */
function compareDirectoryName({ rdnKeys }: Name): Comparison {
  return (base) =>
    base.form === 'directoryName'
      ? base.name.rdnKeys.every((rdnKey, i) => rdnKey === rdnKeys[i])
      : 'unsupported';
}

/** A mask with holes was never meant. */
function isPrefixMask(mask: Uint8Array): boolean {
  let ended = false;
  for (const octet of mask) {
    const zeros = ~octet & 0xff;
    if (ended ? octet !== 0 : (zeros & (zeros + 1)) !== 0) return false;
    ended ||= octet !== 0xff;
  }
  return true;
}
