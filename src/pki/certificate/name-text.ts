/** A distinguished name as RFC 4514 writes it, taken apart: attributes by lower-case type, in the order of the text. */
export type NameText = readonly (readonly (readonly [type: string, value: string])[])[];

/**
 * Reads RFC 4514, with spaces around separators allowed as people write them. Types are not looked up: what is compared
 * with it comes from `formatName`, which uses the usual short names.
 *
 * @returns undefined if the text is no name
 */
export function parseNameText(text: string): NameText | undefined {
  const rdns: [string, string][][] = [[]];
  let at = 0;
  while (at < text.length) {
    const type = / *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= */y;
    type.lastIndex = at;
    const found = type.exec(text);
    if (found === null) return undefined;
    const value = readValue(text, type.lastIndex);
    if (value === undefined) return undefined;
    rdns.at(-1)!.push([found[1]!.toLowerCase(), value.value]);
    at = value.end;
    if (at < text.length && text[at] === ',') rdns.push([]);
    if (at < text.length) at++;
    if (at === text.length && /[,+]$/.test(text)) return value.end < text.length ? undefined : rdns;
  }
  return rdns[0]!.length === 0 ? undefined : rdns;
}

/** Up to the next separator that is not escaped. Unescaped spaces at both ends are none of the value's. */
function readValue(
  text: string,
  start: number,
): { readonly value: string; readonly end: number } | undefined {
  const bytes: Buffer[] = [];
  let kept = 0;
  let at = start;
  while (at < text.length && text[at] !== ',' && text[at] !== '+') {
    if (text[at] === '\\') {
      const hex = /^[0-9A-Fa-f]{2}/.exec(text.slice(at + 1, at + 3))?.[0];
      if (hex === undefined && !/^[ "#+,;<=>\\]/.test(text.slice(at + 1))) return undefined;
      bytes.push(hex === undefined ? Buffer.from(text[at + 1]!) : Buffer.from(hex, 'hex'));
      at += hex === undefined ? 2 : 3;
      kept = bytes.length;
    } else {
      if (/["<>;]/.test(text[at]!)) return undefined;
      const character = String.fromCodePoint(text.codePointAt(at)!);
      bytes.push(Buffer.from(character));
      at += character.length;
      if (character !== ' ') kept = bytes.length;
    }
  }
  return { value: Buffer.concat(bytes.slice(0, kept)).toString('utf8'), end: at };
}
