import { editDistance } from '../documents/near.ts';

/** What is wrong at one place of a configuration file, and what to do about it. */
export type Problem = {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Dotted, with 0-based indices, as in `apis[0].basePath`; '' for the file as a whole. */
  readonly key: string;
  /** What was found, and what to write. Never a secret, never a private key. */
  readonly message: string;
};

/** `config.toml:12: apis[0].basePath: found "x"; write …` */
export const problemLine = ({ file, line, key, message }: Problem): string =>
  `${file}:${line}: ${key === '' ? '' : `${key}: `}${message}`;

export const keyText = (path: readonly PropertyKey[]): string =>
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
  const json =
    JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner)) ?? String(value);
  if (json.includes('PRIVATE KEY')) return 'a private key';
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/** The nearest of `names` to `name`, if it is near enough to be what was meant. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}
