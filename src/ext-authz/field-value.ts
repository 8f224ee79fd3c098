/** Longer ones are cut: a certificate may carry a subject of any length. */
const cutAt = 1024;

/**
 * A text as the value of a header: printable ASCII, all else as its UTF-8 bytes in RFC 4514's way (`\0D`), so that no
 * value can end a line or be read as another.
 *
 * @param longest in characters; what is longer is cut
 */
export function fieldValue(text: string, longest = cutAt): string {
  const printable = /^[\x20-\x7E]*$/.test(text) ? text : text.replace(/[^\x20-\x7E]+/gu, escaped);
  return printable.length > longest ? `${printable.slice(0, longest - 3)}...` : printable;
}

const escaped = (characters: string): string =>
  [...Buffer.from(characters, 'utf8')]
    .map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
