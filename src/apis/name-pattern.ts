/**
 * Names with `*` for one whole label or segment, and nothing else: no regular expressions, whose alternations are too
 * easily left without an anchor. A `*` stands for something, never for nothing, and never for the `*` of a wildcard
 * certificate or for what is percent-encoded, which may hide a separator.
 */
const fits = (pattern: string, part: string): boolean =>
  pattern === '*' ? part !== '' && !/[*%]/.test(part) && part !== '.' && part !== '..' : pattern === part;

const allFit = (patterns: readonly string[], parts: readonly string[]): boolean =>
  patterns.length === parts.length && patterns.every((pattern, i) => fits(pattern, parts[i]!));

/** `*.example.com`: labels, without regard to case. */
export const matchesDns = (pattern: string, name: string): boolean =>
  allFit(pattern.toLowerCase().split('.'), name.toLowerCase().split('.'));

/** `*@example.com`, `bot@*.example.com`: the local part counts by case, the domain does not. */
export function matchesEmail(pattern: string, address: string): boolean {
  const [local, domain] = splitLast(pattern, '@');
  const [ownLocal, ownDomain] = splitLast(address, '@');
  return fits(local, ownLocal) && matchesDns(domain, ownDomain);
}

const uriParts = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(\/[^?#]*)?$/;

/** `https://*.example.com/tenants/*`: labels of the host, segments of the path; others (urn:) as they are. */
export function matchesUri(pattern: string, uri: string): boolean {
  const [, scheme, host, path = ''] = uriParts.exec(pattern) ?? [];
  const [, ownScheme, ownHost, ownPath = ''] = uriParts.exec(uri) ?? [];
  if (scheme === undefined || host === undefined) return pattern === uri;
  if (ownScheme === undefined || ownHost === undefined) return false;
  return (
    scheme.toLowerCase() === ownScheme.toLowerCase() &&
    matchesDns(host, ownHost) &&
    matchesPath(path, ownPath)
  );
}

/** Whole segments. */
export const matchesPath = (pattern: string, path: string): boolean =>
  allFit(pattern.split('/'), path.split('/'));

function splitLast(text: string, separator: string): readonly [before: string, after: string] {
  const at = text.lastIndexOf(separator);
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
}
