import { DerError, encodingOf, readWhole } from '../der/der.ts';
import { type Attribute, rdnKey, readText } from './name.ts';
import { attributeOid, knownAttributes } from './name-attributes.ts';

/** RDNs in the order of their encoding: widest part first. */
export type Rdns = readonly (readonly Attribute[])[];

/** A distinguished name as somebody wrote it; or what is wrong and what to write. */
export type NameText =
  | {
      readonly ok: true;
      /** The names that it may mean, one or two. */
      readonly readings: readonly Rdns[];
    }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads a name in any spelling that tools write: RFC 4514, 2253 and 1779 (OpenSSL, nginx, Java, .NET, Python, Go), and
 * the `/C=BR/O=Acme` of X509_NAME_oneline. An attribute may have any of its usual names or its OID; its value may be the
 * `#` and hex of its encoding.
 *
 * RFC 4514 has the last RDN first, and no spaces around separators. With spaces, Java and .NET keep that order and
 * OpenSSL turns it round, so that such a text means either name. Who could get the other one is whoever the same CA
 * vouches for with the very same values.
 */
export function parseNameText(text: string): NameText {
  const written = text.trimStart().replace(/^(?:subject|issuer)\s*[:=]\s*/i, '');
  try {
    if (written.startsWith('/')) {
      return { ok: true, readings: [readSlashes(written.trimEnd())] };
    }
    const { rdns, isSpaced } = readSeparated(written);
    const turned = rdns.toReversed();
    return { ok: true, readings: isSpaced ? [turned, rdns] : [turned] };
  } catch (error) {
    if (!(error instanceof NameTextError)) throw error;
    return { ok: false, problem: error.message };
  }
}

/** One attribute of a table: `{ CN = "acme" }`. */
type AttributeText =
  | { readonly ok: true; readonly attribute: Attribute }
  | { readonly ok: false; readonly problem: string };

export function parseAttribute(name: string, value: string): AttributeText {
  const type = attributeOid(name.trim());
  if (type === undefined) return { ok: false, problem: unknown(name) };
  const bytes = /^#((?:[0-9a-f]{2})+)$/i.exec(value)?.[1];
  return { ok: true, attribute: { type, value: (bytes && readEncoded(bytes)) || value } };
}

class NameTextError extends Error {}

const unknown = (name: string): string =>
  `${JSON.stringify(name)} is no attribute that is known; there are ${knownAttributes}; any other by its OID, as in 2.5.4.97`;

const isNoName =
  'write a name as RFC 4514 has it, for example "CN=acme,O=Acme Inc", with a comma inside a value as "\\,"';

/** Equal to `Name.key` of the names that it may mean. */
export const keysOf = ({ readings }: Extract<NameText, { ok: true }>): ReadonlySet<string> =>
  new Set(readings.map((rdns) => rdns.map((rdn) => rdnKey(rdn)).join(',')));

function oidOf(name: string): string {
  const type = attributeOid(name);
  if (type === undefined) throw new NameTextError(unknown(name));
  return type;
}

/** The value that `#` and hex stand for (RFC 4514 2.4); undefined where that is no encoding. */
function readEncoded(hex: string): string | Uint8Array | undefined {
  try {
    const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
    const element = readWhole(bytes, bytes[0] ?? 0, 'attribute value');
    return readText(element) ?? encodingOf(element);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return undefined;
  }
}

const attributeType = /[ \t]*([A-Za-z0-9][A-Za-z0-9.-]*)([ \t]*)=([ \t]*)/y;
const end = /[ \t\r\n]*$/y;
const separators = /[ \t]*(?:([,;]|\r?\n[\r\n]*)|\+)[ \t]*/y;

function readSeparated(text: string): { readonly rdns: Rdns; readonly isSpaced: boolean } {
  const rdns: Attribute[][] = [[]];
  let isSpaced = false;
  for (let at = 0; ; ) {
    const found = matchAt(attributeType, text, at);
    if (found === null) throw new NameTextError(isNoName);
    const type = oidOf(found[1]!);
    const { value, end: valueEnd } = readValue(text, at + found[0].length);
    rdns.at(-1)!.push({ type, value });
    isSpaced ||= found[2] !== '' || found[3] !== '';
    if (matchAt(end, text, valueEnd) !== null) return { rdns, isSpaced };
    const separator = matchAt(separators, text, valueEnd);
    if (separator === null) throw new NameTextError(isNoName);
    if (separator[1] !== undefined) rdns.push([]);
    isSpaced ||= separator[0].length > 1;
    at = valueEnd + separator[0].length;
  }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

type Value = { readonly value: string | Uint8Array; readonly end: number };

function readValue(text: string, start: number): Value {
  if (text[start] === '"') return readQuoted(text, start + 1);
  if (text[start] !== '#') return readPlain(text, start);
  const hex = matchAt(/#((?:[0-9a-f]{2})+)[ \t]*(?=[,;+\r\n]|$)/iy, text, start);
  const value = hex === null ? undefined : readEncoded(hex[1]!);
  if (hex === null || value === undefined)
    throw new NameTextError('write "\\#" for a "#" that no encoding of a value follows');
  return { value, end: start + hex[0].trimEnd().length };
}

/** Up to the next separator that is not escaped. Unescaped spaces at both ends are none of the value's. */
function readPlain(text: string, start: number): Value {
  const bytes: Buffer[] = [];
  let kept = 0;
  let at = start;
  while (at < text.length && !/[,;+\r\n]/.test(text[at]!)) {
    if (/["<>]/.test(text[at]!)) throw new NameTextError(isNoName);
    const { octets, length, isEscaped } = readCharacter(text, at);
    bytes.push(octets);
    at += length;
    if (isEscaped || !/[ \t]/.test(text[at - 1]!)) kept = bytes.length;
  }
  return { value: textOf(bytes.slice(0, kept)), end: at };
}

/** RFC 1779, Java, OpenSSL's oneline; .NET writes a quote in it twice. */
function readQuoted(text: string, start: number): Value {
  const bytes: Buffer[] = [];
  for (let at = start; at < text.length; ) {
    if (text.startsWith('""', at)) {
      bytes.push(Buffer.from('"'));
      at += 2;
    } else if (text[at] === '"') {
      return { value: textOf(bytes), end: at + 1 };
    } else {
      const { octets, length } = readCharacter(text, at);
      bytes.push(octets);
      at += length;
    }
  }
  throw new NameTextError(isNoName);
}

function readCharacter(
  text: string,
  at: number,
): { readonly octets: Buffer; readonly length: number; readonly isEscaped: boolean } {
  if (text[at] !== '\\') {
    const character = String.fromCodePoint(text.codePointAt(at)!);
    return { octets: Buffer.from(character), length: character.length, isEscaped: false };
  }
  const [escaped, hex] = matchAt(/\\(?:([0-9A-Fa-f]{2})|[ "#+,;<=>\\])/y, text, at) ?? [];
  if (escaped === undefined) throw new NameTextError(isNoName);
  const octets = hex === undefined ? Buffer.from(escaped.slice(1)) : Buffer.from(hex, 'hex');
  return { octets, length: escaped.length, isEscaped: true };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: readonly Buffer[]): string {
  try {
    return utf8.decode(Buffer.concat(bytes));
  } catch {
    throw new NameTextError('write the characters themselves: the escaped bytes are no UTF-8');
  }
}

/** X509_NAME_oneline: the first RDN first, nothing escaped but `\xC3`. What looks like an attribute is one. */
function readSlashes(text: string): Rdns {
  const rdns: Attribute[][] = [];
  const starts = [...text.matchAll(/([/+])([A-Za-z0-9][A-Za-z0-9.-]*)=/g)].filter(
    ([, separator, name]) => separator === '/' || attributeOid(name!) !== undefined,
  );
  if (starts[0]?.index !== 0) throw new NameTextError(isNoName);
  starts.forEach((start, i) => {
    const [whole, separator, name] = start;
    const value = text.slice(start.index + whole.length, starts[i + 1]?.index);
    const bytes = value.split(/(\\x[0-9A-Fa-f]{2})/).map((part, odd) => {
      return odd % 2 === 1 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part);
    });
    const attribute = { type: oidOf(name!), value: textOf(bytes) };
    if (separator === '/') rdns.push([attribute]);
    else rdns.at(-1)!.push(attribute);
  });
  return rdns;
}
