import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/**
 * Patterns that no name fits, whatever certificate comes: a rule of them would refuse everybody, and say nothing. Each
 * function says what to write instead; undefined: something fits.
 */
type Problem = string | undefined;

/** For `matchesDns`. */
export function dnsPatternProblem(pattern: string): Problem {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(pattern)?.[0];
  if (scheme !== undefined) return `write the host name alone, without "${scheme}"`;
  if (/\s/.test(pattern)) return 'write it without spaces';
  if (isIP(pattern.replace(/^\[|\]$/g, '')) !== 0 || /^[0-9.]+$/.test(pattern))
    return 'write a DNS name: an address is none, and no rule is for addresses; a certificate known by its address alone goes by file = "…"';
  if (pattern.includes('@')) return 'write a host name; addresses of mail go into email = ["…"]';
  if (/[:/?#]/.test(pattern)) return 'write the host name alone, without port and path';
  if (/[^\x20-\x7e]/.test(pattern))
    return `write it as certificates have it: ${JSON.stringify(domainToASCII(pattern) || 'xn--…')}`;
  if (pattern.startsWith('.')) return `write "*${pattern}" for one more label in front`;
  if (pattern.endsWith('.')) return 'write it without the dot at its end, as certificates have it';
  return hostProblem(pattern);
}

/** Where a star may stand is where certificates have one: RFC 6125 6.4.3. */
function hostProblem(host: string): Problem {
  const labels = host.split('.');
  if (labels.slice(1).some((label) => label.includes('*')) || (labels[0]!.includes('*') && labels[0] !== '*'))
    return 'write "*" for the whole first label and nowhere else, as in "*.clients.example.com"';
  const rest = labels[0] === '*' ? labels.slice(1) : labels;
  return host.length <= 253 && rest.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))
    ? undefined
    : 'write a DNS name of letters, digits and hyphens, for example "*.clients.example.com"';
}

/** For `matchesEmail`. */
export function emailPatternProblem(pattern: string): Problem {
  const at = pattern.lastIndexOf('@');
  if (at === -1)
    return 'write an address, for example "bot@example.com", or "*@example.com" for all of a domain';
  const [local, domain] = [pattern.slice(0, at), pattern.slice(at + 1)];
  if (local === '') return `write "*@${domain}" for all of a domain`;
  if (/^mailto:/i.test(local)) return 'write the address alone, without "mailto:"';
  if (local !== '*' && !/^(?:[A-Za-z0-9!#$%&'+/=?^_`{|}~.-]+|"[\x20-\x7e]+")$/.test(local))
    return 'write what is before the "@" in full, without spaces and brackets, or "*" for all of it';
  return dnsPatternProblem(domain);
}

/** For `matchesUri`. */
export function uriPatternProblem(pattern: string): Problem {
  const [, scheme, host, path] = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*)(.*)|.*)$/is.exec(pattern) ?? [];
  if (scheme === undefined || (host === undefined && scheme.includes('.')))
    return 'write it with its scheme, for example "https://example.com/tenants/*"';
  if (/[^\x21-\x7e]/.test(pattern)) return 'write it without spaces, and as certificates have it: in ASCII';
  if (host === '' && scheme !== 'file') return 'write the host behind "//" as well, as certificates have it';
  if (pattern === `${scheme}:`) return 'write all of it, as certificates have it';
  if (/^(?:https?|wss?|spiffe|ftp):/i.test(pattern) && host === undefined)
    return `write "//" behind "${scheme}:", as certificates have it`;
  if (!pattern.includes('*')) return undefined;
  if (host === undefined || /[?#]/.test(path ?? ''))
    return 'write it in full: "*" is for scheme://host/path only, without what follows "?" or "#"';
  const name = host.replace(/:\d+$/, '');
  if (name.includes('*') && hostProblem(name) !== undefined) return hostProblem(name);
  return wholeSegments(path ?? '');
}

const wholeSegments = (path: string): Problem =>
  path.split('/').every((segment) => segment === '*' || !segment.includes('*'))
    ? undefined
    : 'write "*" for a whole segment only, as in "/tenants/*/users"';

/** SPIFFE ID 2.1: lower case, and no port. */
export function trustDomainProblem(domain: string): Problem {
  const bare = domain
    .replace(/^spiffe:\/*/i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase();
  if (/^[a-z0-9._-]{1,255}$/.test(domain)) return undefined;
  return /^[a-z0-9._-]{1,255}$/.test(bare)
    ? `write the trust domain alone, in lower case: ${JSON.stringify(bare)}${domain.replace(/^spiffe:\/*/i, '').includes('/') ? '; what follows it goes into paths' : ''}`
    : 'write one trust domain in lower-case letters, digits, ".", "-" and "_", for example "prod.example.com"';
}

/** SPIFFE ID 2.2, for `matchesPath`. */
export function spiffePathProblem(path: string): Problem {
  const [, rest] = /^spiffe:\/*[^/]*(.*)$/is.exec(path) ?? [];
  if (rest !== undefined) return `write the path alone: ${JSON.stringify(rest || '/ns/*/sa/web')}`;
  if (!path.startsWith('/')) return `write it with a slash in front: ${JSON.stringify(`/${path}`)}`;
  if (path.endsWith('/')) return 'write it without a slash at its end';
  const partial = wholeSegments(path);
  if (partial !== undefined) return partial;
  return path
    .slice(1)
    .split('/')
    .every((segment) => segment === '*' || (/^[A-Za-z0-9._-]+$/.test(segment) && !/^\.\.?$/.test(segment)))
    ? undefined
    : 'write segments of letters, digits, ".", "-" and "_", none of them empty, "." or ".."';
}
