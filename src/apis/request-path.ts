/**
 * A path that the backend might read otherwise than we do: dot segments, plain, percent-encoded or with a path
 * parameter (`..;`), encoded slashes, backslashes, empty segments, NUL. Whoever routes by one reading and serves by
 * another lets a request for /public/..;/admin pass as one for /public.
 *
 * @param path undecoded; judged up to its '?'
 * @returns what makes it ambiguous, undefined if nothing does
 */
export function pathAmbiguity(path: string): string | undefined {
  const end = path.indexOf('?');
  const judged = (end === -1 ? path : path.slice(0, end)).toLowerCase();
  if (judged.includes('//')) return 'an empty segment ("//")';
  if (judged.includes('\\') || judged.includes('%5c')) return 'a backslash';
  if (judged.includes('%2f')) return 'an encoded slash';
  if (judged.includes('\0') || judged.includes('%00')) return 'a NUL';
  // Most paths have neither: no need to look at each segment.
  if (!judged.includes('/.') && !judged.includes('%2e')) return undefined;
  for (const segment of judged.split('/')) {
    const decoded = segment.replaceAll('%2e', '.').replaceAll('%3b', ';');
    if (/^\.\.?(;|$)/.test(decoded)) return 'a dot segment';
  }
  return undefined;
}

/**
 * The host as APIs name it: lower case, without port and without one trailing dot, as Envoy has it with
 * `ignore_port_in_host_matching` and `strip_trailing_host_dot`.
 */
export function normalizeHost(host: string): string {
  const bracket = host.lastIndexOf(']');
  const colon = host.indexOf(':', bracket + 1);
  const name = (colon === -1 ? host : host.slice(0, colon)).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
