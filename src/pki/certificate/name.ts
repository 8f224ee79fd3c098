import {
  contentOf,
  DerError,
  type Element,
  elementsOf,
  encodingOf,
  Fields,
  someElementsOf,
  tags,
} from '../der/der.ts';
import { hex, isAscii, latin1, readAscii, readOid } from '../der/der-values.ts';
import { attributeName } from './name-attributes.ts';

export type AttributeTypeAndValue = {
  /** Dotted OID. */
  readonly type: string;
  /** The value as text; undefined where its type is none of the string types. */
  readonly text: string | undefined;
  readonly encoded: Element;
};

/** A distinguished name (RFC 5280 4.1.2.4), in the order of its encoding: widest part first. */
export type Name = {
  readonly der: Uint8Array;
  readonly rdns: readonly (readonly AttributeTypeAndValue[])[];
  /** One for each RDN: equal where RFC 5280 7.1 says that the RDNs are. */
  readonly rdnKeys: readonly string[];
  /** The same for the whole name. */
  readonly key: string;
};

/** @throws DerError */
export function readName(element: Element): Name {
  if (element.tag !== tags.sequence) throw new DerError('Name: not a SEQUENCE');
  const rdns = elementsOf(element).map(readRdn);
  const rdnKeys = rdns.map((rdn) => rdnKey(attributesOf(rdn)));
  return { der: encodingOf(element), rdns, rdnKeys, key: nameKey(rdnKeys) };
}

/** RelativeDistinguishedName: a SET of at least one attribute. @throws DerError */
export function readRdn(element: Element): readonly AttributeTypeAndValue[] {
  if ((element.tag & 0x1f) !== (tags.set & 0x1f) && element.tag < 0x80) throw new DerError('RDN: not a SET');
  return someElementsOf(element, 'RDN').map((attribute) => {
    if (attribute.tag !== tags.sequence) throw new DerError('RDN: not a SEQUENCE in it');
    const fields = new Fields(attribute);
    const type = readOid(fields.next(tags.oid, 'attribute type'));
    const value = fields.any('attribute value');
    fields.finish('attribute');
    return { type, text: readText(value), encoded: value };
  });
}

/** The name that stands for an RDN relative to another name (RFC 5280 4.2.1.13, nameRelativeToCRLIssuer). */
export function appendRdn(name: Name, rdn: readonly AttributeTypeAndValue[]): Pick<Name, 'key'> {
  return { key: nameKey([...name.rdnKeys, rdnKey(attributesOf(rdn))]) };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Any string type as text, so that a name's encoding may change without the name (RFC 5280 7.1, PKITS 4.3.9 ff). */
export function readText(value: Element): string | undefined {
  switch (value.tag) {
    case tags.utf8String:
      if (isAscii(value)) return latin1(value);
      try {
        return utf8.decode(contentOf(value));
      } catch {
        throw new DerError('UTF8String: not UTF-8');
      }
    case 0x12: // NumericString
    case 0x13: // PrintableString; what stands in it in practice goes beyond its alphabet
    case 0x16: // IA5String
    case 0x1a: // VisibleString
      return readAscii(value);
    case 0x14: // TeletexString: Latin-1 in practice
      return latin1(value);
    case 0x1e: // BMPString
      return wideText(contentOf(value), 2);
    case 0x1c: // UniversalString
      return wideText(contentOf(value), 4);
    default:
      return undefined;
  }
}

function wideText(content: Uint8Array, width: 2 | 4): string {
  if (content.length % width !== 0) throw new DerError('a string with half a character');
  let text = '';
  for (let at = 0; at < content.length; at += width) {
    let point = 0;
    for (let i = 0; i < width; i++) point = point * 256 + content[at + i]!;
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw new DerError('no such character');
    text += String.fromCodePoint(point);
  }
  return text;
}

/** What an attribute says: text, or the DER of what is none. */
export type Attribute = { readonly type: string; readonly value: string | Uint8Array };

export const attributesOf = (rdn: readonly AttributeTypeAndValue[]): readonly Attribute[] =>
  rdn.map(({ type, text, encoded }) => ({ type, value: text ?? encodingOf(encoded) }));

/** Equal where RFC 5280 7.1 says that the names are. */
const nameKey = (rdnKeys: readonly string[]): string => rdnKeys.join(',');

/**
 * The order within an RDN does not count: it is a SET.
 *
 * @param fold what makes equal texts the same
 */
export function rdnKey(rdn: readonly Attribute[], fold = prepare): string {
  const keys = rdn.map((attribute) => attributeKey(attribute, fold));
  return keys.length === 1 ? keys[0]! : keys.sort().join('+');
}

/** The length before the value keeps one name from spelling another's key. */
export function attributeKey({ type, value }: Attribute, fold = prepare): string {
  const comparable = typeof value === 'string' ? fold(value) : `#${hex(value)}`;
  return `${type}=${comparable.length}:${comparable}`;
}

const ascii = /^[ -~]*$/;

/** RFC 4518 string preparation for caseIgnoreMatch: map, normalise, fold case, drop insignificant spaces. */
function prepare(text: string): string {
  if (ascii.test(text)) return text.toLowerCase().replace(/ {2,}/g, ' ').trim();
  return text
    .replace(/\p{White_Space}+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Variation_Selector}\ufffc]|\u034f/gu, '')
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')
    .replace(/\p{White_Space}+/gu, ' ')
    .trim();
}

/** RFC 4514: last RDN first. Characters that could deceive a reader of the log are escaped too. */
export function formatName(name: Name): string {
  let all = '';
  for (const rdn of name.rdns) all = formatRdn(rdn) + (all && `,${all}`);
  return all;
}

const formatRdn = (rdn: readonly AttributeTypeAndValue[]): string =>
  rdn.length === 1 ? formatAttribute(rdn[0]!) : rdn.map(formatAttribute).join('+');

function formatAttribute({ type, text, encoded }: AttributeTypeAndValue): string {
  const short = attributeName(type);
  return short === undefined || text === undefined
    ? `${type}=#${hex(encodingOf(encoded))}`
    : `${short}=${escapeValue(text)}`;
}

/** What may be escaped: most names have none of it. Looked for, not excluded: a long name that has it last costs no way back. */
const escapable = /[^ !#-*\--:=?-[\]-~]|^[ #]| $/;

function escapeValue(text: string): string {
  if (!escapable.test(text)) return text;
  const escaped = text
    .replace(/[\\"+,;<>]/g, '\\$&')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, hexEscapes)
    .replace(/^[ #]/, '\\$&');
  return escaped.endsWith(' ') && escaped !== '\\ ' ? `${escaped.slice(0, -1)}\\ ` : escaped;
}

const hexEscapes = (character: string): string =>
  Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '\\$&');

/** Who a certificate is of, for the log. */
export const named = ({ subject }: { readonly subject: Name }): string =>
  shortName(subject) || 'the certificate';

const longest = 200;

/**
 * Names come from strangers: cut before they fill the log, and of letters of its own, since a piece of a text keeps the
 * whole of it in memory for as long as what was said is remembered.
 */
export function shortName(name: Name): string {
  const text = formatName(name);
  return text.length > longest ? `${Buffer.from(text.slice(0, longest - 3)).toString()}...` : text;
}
