import type { GeneralName, NameForm } from './general-name.ts';

/**
 * Whether a name lies in a subtree (RFC 5280 4.2.1.10). Where a name or a constraint is no well-formed one of its form,
 * `unsupported`: under a constraint that can't be applied nothing passes, since who wrote it meant to forbid something.
 */
export type Matcher = (
  name: GeneralName,
  base: GeneralName,
  side: 'permitted' | 'excluded',
) => boolean | 'unsupported';

/** Both of one form, as the callers see to. */
const ofForm =
  <Form extends NameForm>(
    form: Form,
    match: (
      name: Extract<GeneralName, { form: Form }>,
      base: Extract<GeneralName, { form: Form }>,
      side: 'permitted' | 'excluded',
    ) => boolean | 'unsupported',
  ): Matcher =>
  (name, base, side) =>
    name.form === form && base.form === form
      ? match(
          name as Extract<GeneralName, { form: Form }>,
          base as Extract<GeneralName, { form: Form }>,
          side,
        )
      : 'unsupported';

const unsupported: Matcher = () => 'unsupported';

export const matchers: Readonly<Record<NameForm, Matcher>> = {
  dNSName: ofForm('dNSName', ({ value: name }, { value: base }, side) => matchDns(name, base, side)),
  rfc822Name: ofForm('rfc822Name', ({ value: name }, { value: base }) => matchMailbox(name, base)),
  uniformResourceIdentifier: ofForm('uniformResourceIdentifier', ({ value: name }, { value: base }) =>
    matchUri(name, base),
  ),
  iPAddress: ofForm('iPAddress', ({ octets: address }, { octets: range }) => matchIp(address, range)),
  directoryName: ofForm('directoryName', ({ name }, { name: base }) =>
    base.rdnKeys.every((rdnKey, i) => rdnKey === name.rdnKeys[i]),
  ),
  otherName: unsupported,
  x400Address: unsupported,
  ediPartyName: unsupported,
  registeredID: unsupported,
};

/** Letters, digits, hyphens and, as many names in use have them, underscores; no empty label, no dot at the end. */
const host = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const isHost = (value: string): boolean => value.length <= 253 && host.test(value);

const within = (name: string, base: string): boolean => name === base || name.endsWith(`.${base}`);

/**
 * The constraint's own name and all below. `*.example.com` stands for every name one label longer: all of them must be
 * permitted, and none of them excluded (CVE-2025-61727).
 */
function matchDns(name: string, base: string, side: 'permitted' | 'excluded'): boolean | 'unsupported' {
  if (base === '') return true;
  if (!isHost(base)) return 'unsupported';
  const [lower, lowerBase] = [name.toLowerCase(), base.toLowerCase()];
  const isWildcard = lower.startsWith('*.');
  const bare = isWildcard ? lower.slice(2) : lower;
  if (!isHost(bare)) return 'unsupported';
  if (within(bare, lowerBase)) return true;
  return isWildcard && side === 'excluded' && within(lowerBase, bare);
}

/** One mailbox, all of a host, or with a leading dot all of the hosts below it. The local part counts by case. */
function matchMailbox(name: string, base: string): boolean | 'unsupported' {
  const mailbox = splitMailbox(name);
  if (mailbox === undefined) return 'unsupported';
  if (base.includes('@')) {
    const constraint = splitMailbox(base);
    if (constraint === undefined) return 'unsupported';
    return mailbox.local === constraint.local && mailbox.host === constraint.host;
  }
  return matchHost(mailbox.host, base);
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

/** For e-mail and URIs: the host itself, or with a leading dot those below it and not itself. */
function matchHost(name: string, base: string): boolean | 'unsupported' {
  if (base === '') return true;
  const lower = base.toLowerCase();
  if (lower.startsWith('.')) return isHost(lower.slice(1)) ? name.endsWith(lower) : 'unsupported';
  return isHost(lower) ? name === lower : 'unsupported';
}

/** The authority's host, which must be a name: RFC 5280 rejects URIs without one and with addresses. */
function matchUri(uri: string, base: string): boolean | 'unsupported' {
  const match = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#@:[\]]+)(?::[0-9]*)?(?:[/?#]|$)/i.exec(uri);
  const name = match?.[1]?.toLowerCase();
  if (name === undefined || !isHost(name) || /^[0-9.]+$/.test(name)) return 'unsupported';
  return matchHost(name, base);
}

/** Address and mask, of the same family. A mask with holes was never meant. */
function matchIp(address: Uint8Array, range: Uint8Array): boolean | 'unsupported' {
  const size = range.length / 2;
  if (size !== 4 && size !== 16) return 'unsupported';
  if (!isPrefixMask(range.subarray(size))) return 'unsupported';
  if (address.length !== size) return false;
  return address.every((octet, i) => ((octet ^ range[i]!) & range[size + i]!) === 0);
}

function isPrefixMask(mask: Uint8Array): boolean {
  let ended = false;
  for (const octet of mask) {
    const zeros = ~octet & 0xff;
    if (ended ? octet !== 0 : (zeros & (zeros + 1)) !== 0) return false;
    ended ||= octet !== 0xff;
  }
  return true;
}
