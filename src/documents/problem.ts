/** What is wrong at a line of a file, and what to do about it. */
export type Problem = {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Dotted, with 0-based indices, as in `apis[0].basePath`; '' for the file as a whole. */
  readonly key: string;
  /** What was found, and what to write. Never a secret, never a private key. */
  readonly message: string;
};

/** Where something stands in a document: keys, and 0-based indices. */
export type Path = readonly PropertyKey[];

/** `apis[0].basePath` */
export const keyText = (path: Path): string =>
  path
    .map((part) =>
      typeof part === 'number'
        ? `[${part}]`
        : /^[\w-]+$/.test(String(part))
          ? `.${String(part)}`
          : `.${JSON.stringify(part)}`,
    )
    .join('')
    .replace(/^\./, '');

/** A value as it may be shown: short, on one line, and no key material. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value, (_, inner) => showable(inner)) ?? String(value);
  if (json.includes('PRIVATE KEY')) return 'a private key';
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

function showable(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || !mayBeAddress.test(value)) return value;
  const safe = withoutSecrets(value);
  return safe === value ? value : `${safe}…`;
}

/** However it is misspelt: a slash too few, or no scheme before a password. */
const mayBeAddress = /:\/\/|^\s*(?:https?|wss?|postgres|postgresql|jdbc):|^[^\s@:]*:[^\s@]+@/i;

/** A URL for logs and messages: no password, no query, no fragment. */
export function withoutSecrets(url: string): string {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) return 'an address that is no URL';
  // The last @: somebody's password has one in it, or a slash, and is not encoded as it should be.
  const at = rest.lastIndexOf('@');
  const [user = ''] = rest.slice(0, Math.max(0, at)).split(':', 1);
  const [host = ''] = rest.slice(at + 1).split(/[?#]/, 1);
  if (at < 0) return `${scheme}${host}`;
  // In front of a web address a user alone is often a token.
  const isName = !/[/?#]/.test(rest.slice(0, at)) && !/^http/i.test(scheme);
  return `${scheme}${isName ? user : '…'}@${host}`;
}
