/**
 * Texts as values of headers: printable ASCII, all else as its UTF-8 bytes in RFC 4514's way (`\0D`), so that no value
 * can end a line. Different texts are different values: a backend takes them for names.
 */

/** A name. Its own `\` is escaped, and a space at either end, which HTTP/1.1 strips and HTTP/2 refuses (RFC 9110 5.5). */
export const nameValue = (text: string): string =>
  /^(?! )[ -[\]-~]*(?<! )$/.test(text) ? text : printable(text.replace(/\\|^ | $/g, escaped));

/** A distinguished name as `formatName` writes it: its `\` are escapes already, one of a space at the end among them. */
export const subjectValue = (subject: string): string =>
  printable(subject.endsWith(' ') ? `${subject.slice(0, -1)}20` : subject);

/** Names with a space between, so that one within a name is escaped. */
export const listValue = (names: readonly string[]): string => printable(spaceSeparated(names));

/** The same for a text of any characters. */
export const spaceSeparated = (names: readonly string[]): string =>
  names.map((name) => name.replace(/[\\ ]/g, escaped)).join(' ');

/** Longer ones are cut: a stranger's certificate may carry a subject of any length. */
const cutAt = 1024;

/** What nobody is known by: for the log and the client. */
export function messageValue(text: string): string {
  const value = printable(text);
  return value.length > cutAt ? `${value.slice(0, cutAt - 3)}...` : value;
}

const printable = (text: string): string =>
  /^[\x20-\x7E]*$/.test(text) ? text : text.replace(/[^\x20-\x7E]+/gu, escaped);

const escaped = (characters: string): string =>
  [...Buffer.from(characters, 'utf8')]
    .map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
