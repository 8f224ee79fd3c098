import { isIP } from 'node:net';
import { z } from 'zod';
import { parseNetwork } from '../../client-certificate/senders.ts';

/** The kinds of values in config.toml. Each check's message says what to write. */

/** A table in which every key is known. Where it is not written out, `prefault({})` brings its keys' defaults. */
export const table = <T extends z.core.$ZodLooseShape>(shape: T) => z.strictObject(shape);

export const text = (what: string) => {
  const error = `write ${what}`;
  return z
    .string({ error })
    .min(1, { error })
    .refine((value) => value.isWellFormed(), { error: halfCharacter });
};

/** JSON's `\ud800` alone, as where an emoji was cut in two: Envoy takes no file that has it, and with it nobody's routes. */
const halfCharacter = 'write it without half a character (of \\ud800 to \\udfff two make one)';

export const port = ({ zero = false } = {}) => {
  const least = zero ? 0 : 1;
  const error = `write a whole number from ${least} to 65535`;
  return z.int({ error }).min(least, { error }).max(65_535, { error });
};

export const hostName = () =>
  z.string().refine((value) => isIP(value) !== 0 || isDnsName(value), {
    error: 'write an IP address or a host name, for example "127.0.0.1"',
  });

/** A service that Envoy calls; an IPv6 address in brackets. */
export const hostAndPort = () => {
  const error =
    'write host and port, for example "127.0.0.1:8081", "ratelimit.internal:8081" or "[::1]:8081"';
  return z.string({ error }).refine((value) => hostAndPortOf(value) !== undefined, { error });
};

export function hostAndPortOf(value: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(value) ?? [];
  const port = Number(digits);
  const isHost = bracketed === undefined ? isDnsName(name ?? '') : isIP(bracketed) === 6;
  const host = bracketed ?? name;
  return isHost && host !== undefined && port <= 65_535 ? { host, port } : undefined;
}

/** Where Envoy listens: it looks up no names. */
export const listenerHost = () =>
  z.string().refine((value) => isIP(value) !== 0 || value === 'localhost', {
    error: 'write an IP address, for example "0.0.0.0", or "localhost"; Envoy does not listen on a name',
  });

/** A word of HTTP (RFC 9110 section 5.6.2). */
export const token = (what: string) =>
  z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: `write ${what}` });

/** What may stand in a header: anything else, and what reads it gets something else, or nothing. */
export const headerText = (what: string) =>
  text(what).regex(/^[\x20-\x7e]*$/, {
    error: `write ${what}; in a header there can be no line break, no control character and no letter beyond ASCII`,
  });

/** Patterns are made of it that Envoy tries on each header of each request: none known is longer than 36. */
export const headerName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, {
      error: 'write a header name, for example "X-WSO2-CLIENT-CERTIFICATE"',
    })
    .max(64, { error: 'write a header name of at most 64 characters' });

/** Who sends a header: an address, a CIDR range, or `alias:NAME`. */
export const sender = () =>
  z.string().refine((value) => /^alias:./.test(value) || parseNetwork(value) !== undefined, {
    error: 'write an address, a CIDR range or an alias, for example "10.20.0.0/16", "::1" or "alias:edge-lb"',
  });

/** SHA-256 as hex, with or without colons, or base64; becomes lower-case hex. */
export const sha256 = () =>
  z.string().transform((value, context) => {
    const hex = value.replaceAll(':', '').toLowerCase();
    if (/^[0-9a-f]{64}$/.test(hex)) return hex;
    if (/^[A-Za-z0-9+/]{43}=$/.test(value)) return Buffer.from(value, 'base64').toString('hex');
    context.addIssue({
      code: 'custom',
      message: 'write a SHA-256: 64 hex digits, with or without colons, or base64',
    });
    return z.NEVER;
  });

export const hostPattern = () =>
  z.string().refine((value) => value === '*' || isIP(value) !== 0 || isDnsName(value.replace(/^\*\./, '')), {
    error:
      'write a host name without port, "*.example.com" (the star for whole labels, leftmost only), or "*"',
  });

/** As Envoy passes paths on (`normalize_path`, `merge_slashes`): any other would never be asked for. */
export const basePath = () =>
  z
    .string()
    .regex(/^\/(?!\/)[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/, {
      error: 'write a path that begins with "/", unencoded, for example "/petstore/1.0.5"',
    })
    .refine((value) => !value.includes('*'), {
      error: ({ input }) =>
        `write it without "*", a base path covers all below it: "${String(input).split('*', 1)[0]!.slice(0, 200).replace(/\/$/, '') || '/'}"`,
    })
    .refine(
      (value) =>
        !value.includes('//') && !value.split('/').some((segment) => segment === '.' || segment === '..'),
      {
        error: 'write a path without "//" and without "." or ".." segments',
      },
    );

/** A backend's: also of a WebSocket one. */
export const backendUrl = () => absoluteUrl({ webSocket: true });

/** @param example with `query`: for the message */
export const absoluteUrl = ({ query = false, empty = false, webSocket = false, example = '' } = {}) =>
  z
    .string()
    .refine(
      (value) => {
        if (value === '') return empty;
        const url = URL.parse(value);
        return (
          url !== null &&
          // WHATWG's parser forgives what Envoy and Java do not: blanks, one slash or three, a backslash for one, port 0.
          /^[a-z]+:\/\/[^/?#\s\\]+(?:[/?#]\S*)?$/i.test(value) &&
          url.port !== '0' &&
          (/^https?:$/.test(url.protocol) || (webSocket && /^wss?:$/.test(url.protocol))) &&
          (query || url.search === '') &&
          url.hash === '' &&
          url.username === '' &&
          url.password === ''
        );
      },
      {
        error: query
          ? `write an http:// or https:// URL without user and password, for example "${example}"`
          : `write an http:// or https:// URL ${webSocket ? '(for WebSockets ws:// or wss://) ' : ''}without query, user and password, for example "https://127.0.0.1:9443/v2"`,
      },
    )
    .refine((value) => isHostLength(URL.parse(value)?.hostname ?? 'none'), {
      error: 'write a host of at most 253 characters, its labels between dots of 1 to 63',
    });

/** RFC 1035 section 2.3.4, as it is looked up: a longer name is nobody's, and one as SNI keeps Envoy from starting. */
function isHostLength(host: string): boolean {
  const name = host.replace(/\.$/, '');
  return name.length <= 253 && name.split('.').every((label) => label.length > 0 && label.length <= 63);
}

/** With underscores, which no host name may have (RFC 1123 section 2.1) and container networks give out. */
function isDnsName(value: string): boolean {
  return (
    value.length <= 253 &&
    /^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/.test(
      value,
    )
  );
}
