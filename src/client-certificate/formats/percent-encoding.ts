/**
 * Percent-decoding (RFC 3986 2.1), and nothing else: `+` stays `+`, since load balancers leave it bare in base64.
 * White space can't stand in a percent-encoded text: where there is some, it was another coding.
 *
 * @returns undefined for a broken escape, escapes that are no UTF-8, or bare white space
 */
export function percentDecode(text: string): string | undefined {
  if (/\s/.test(text)) return undefined;
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** All but RFC 3986's unreserved characters as %XX, as Envoy and nginx write PEM. For ASCII only. */
export const percentEncode = (text: string): string => encodeURIComponent(text);
