import { unescape as decodedAscii } from 'node:querystring';

/**
 * A path that the backend might read otherwise than we do: dot segments, plain, percent-encoded or with a path
 * parameter (`..;`), encoded slashes, backslashes, empty segments, control characters (at a NUL some end the path, and a
 * regular expression's `$` fits before a last line feed), a `%` that begins no escape (most refuse it; to IIS `%u0061` is
 * one). Whoever routes by one reading and serves by another lets a request for /public/..;/admin pass as one for /public.
 *
 * @param path undecoded; judged up to its '?'
 * @returns what makes it ambiguous, undefined if nothing does
 */
export function pathAmbiguity(path: string): string | undefined {
  const end = path.indexOf('?');
  const written = end === -1 ? path : path.slice(0, end);
  // Most paths have none of what it takes: no need to look for each.
  if (!/[%\\]|[^ -~\u0080-\uffff]|\/[/.]/.test(written)) return undefined;
  const judged = written.toLowerCase();
  if (judged.includes('//')) return 'an empty segment ("//")';
  if (judged.includes('\\') || judged.includes('%5c')) return 'a backslash';
  if (judged.includes('%2f')) return 'an encoded slash';
  if (/[^ -~\u0080-\uffff]|%[01][0-9a-f]|%7f/.test(judged)) return 'a control character';
  if (/%(?![0-9a-f]{2})/.test(judged)) return 'a "%" that begins no escape';
  // What is encoded twice, one more proxy has decoded once.
  const decoded = judged
    .replace(/%(?:25)?2e/g, '.')
    .replace(/%(?:25)?3b/g, ';')
    .replace(/%25(?:2f|5c)/g, '/');
  return /(?:^|\/)\.\.?(?:[;/]|$)/.test(decoded) ? 'a dot segment' : undefined;
}

/**
 * The host as APIs name it: lower case, without port and without one trailing dot, as Envoy has it with
 * `ignore_port_in_host_matching` and `strip_trailing_host_dot`.
 */
export function normalizeHost(host: string): string {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** A colon that begins no port, outside of an IPv6 address: what is the host then, each reader sees otherwise. */
export const isAmbiguousHost = (host: string): boolean =>
  host
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[[^\]]*\]/, '')
    .includes(':');

/** The path as a backend may read it, without the query. */
export type Reading = {
  /** Decoded, without parameters (`/admin;x`), the slashes merged that one without a name leaves (`/;x/admin`). */
  readonly whole: string;
  /** What is taken apart only then ends at a `?` or `#` that was encoded. */
  readonly cut: string;
};

/**
 * What is percent-encoded without need means the same (RFC 3986 section 6.2.2.2). Of a path that `pathAmbiguity` has
 * passed, no slash was encoded: as a whole it is decoded faster than by segments.
 *
 * @returns undefined where that changes nothing
 */
export function otherReading(path: string): Reading | undefined {
  const end = path.indexOf('?');
  const judged = end === -1 ? path : path.slice(0, end);
  if (!judged.includes('%') && !judged.includes(';')) return undefined;
  const whole = withoutParameters(decoded(judged));
  const cut = whole.search(/[?#]/);
  return { whole, cut: cut === -1 ? whole : whole.slice(0, cut) };
}

/**
 * What a backend may find that reads it otherwise: without the bytes that are no UTF-8 (Python's `errors="ignore"`), or
 * decoded once more (behind one more proxy).
 *
 * @returns with the reading itself, first as a whole
 */
export function decodings({ whole, cut }: Reading): readonly string[] {
  const readings = new Set([whole, cut]);
  if (/%[0-9a-f]{2}/i.test(whole))
    for (const path of [...readings].map(decoded)) readings.add(path).add(path.split(/[?#]/, 1)[0]!);
  for (const path of [...readings]) readings.add(path.replaceAll('\ufffd', ''));
  return [whole, ...[...readings].slice(1).map(withoutParameters)];
}

export const hasDotSegment = (path: string): boolean => /(?:^|\/)\.\.?(?:\/|$)/.test(path);

/** A front controller answers for every path below it as for the same without it (`/index.php/admin`). */
export const withoutFrontController = (path: string): string =>
  path.replace(/\/index\.php(?=\/|$)/i, '') || '/';

/** By an extension many let a client say the format (Rails, Spring of some age): from its last dot on, or from its first. */
export function withoutExtension(path: string): readonly string[] {
  const start = path.lastIndexOf('/', path.length - 2) + 1;
  const dots = new Set([path.lastIndexOf('.'), path.indexOf('.', start)]);
  return [...dots].filter((dot) => dot > start).map((dot) => path.slice(0, dot));
}

/** Nothing of either is there to be left out. */
export function hasNoExtension(path: string): boolean {
  if (!path.includes('.')) return true;
  const end = path.indexOf('?');
  const written = end === -1 ? path : path.slice(0, end);
  const last = written.lastIndexOf('/', written.length - 2) + 1;
  return !written.includes('.', last) && !/\/index\.php\//i.test(written);
}

/** Nothing can be read into the path that is not written there, whoever reads it. */
export const isLowerCase = (path: string): boolean => /^[^A-Z%;?\u0080-\uffff]*(?:\?|$)/.test(path);

/** Some have letters beyond ASCII for one of it as well: the Kelvin sign for k, `ſ` for s, both Turkish i's for i. */
export function withoutCase(text: string): string {
  const lower = text.toLowerCase();
  return /[^\0-\x7f]/.test(lower) ? lower.toUpperCase().toLowerCase().replaceAll('i\u0307', 'i') : lower;
}

const withoutParameters = (path: string): string => path.replace(/;[^/]*/g, '').replace(/[/\\]{2,}|\\/g, '/');

/** What is no escape, or no UTF-8, keeps nothing else from being decoded. What is not ASCII is encoded first. */
const decoded = (path: string): string => decodedAscii(encodeURI(path.toWellFormed()).replaceAll('%25', '%'));
