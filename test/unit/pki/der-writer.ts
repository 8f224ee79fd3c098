/** Writes DER, or with the wrong arguments what merely looks like it. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(content.length)]), content]);
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

export const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => der(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Uint8Array => der(0x31, ...parts);
export const octets = (content: Uint8Array): Uint8Array => der(0x04, content);
export const bits = (content: Uint8Array, unused = 0): Uint8Array =>
  der(0x03, Uint8Array.of(unused), content);
export const boolean = (value: boolean): Uint8Array => der(0x01, Uint8Array.of(value ? 0xff : 0));
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Uint8Array => der(0xa0 | n, ...parts);
/** [n] IMPLICIT of a primitive type. */
export const implicit = (n: number, content: Uint8Array): Uint8Array => der(0x80 | n, content);
export const utf8 = (text: string): Uint8Array => der(0x0c, Buffer.from(text));
export const printable = (text: string): Uint8Array => der(0x13, Buffer.from(text));

export function integer(value: number | bigint): Uint8Array {
  const octets: number[] = [];
  let rest = BigInt(value);
  do {
    octets.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (rest !== 0n && rest !== -1n);
  if (value >= 0 && octets[0]! >= 0x80) octets.unshift(0);
  if (value < 0 && octets[0]! < 0x80) octets.unshift(0xff);
  return der(0x02, Uint8Array.from(octets));
}

export function oid(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split('.').map(BigInt);
  const arcs = [first! * 40n + second!, ...rest].flatMap((arc) => {
    const octets = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(Number(left & 0x7fn) | 0x80);
    return octets;
  });
  return der(0x06, Uint8Array.from(arcs));
}

/** UTCTime up to 2049, GeneralizedTime after (RFC 5280 4.1.2.5). */
export function time(instant: number): Uint8Array {
  const digits = new Date(instant).toISOString().replace(/[-:T]|\.\d+/g, '');
  return instant < Date.UTC(2050, 0)
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits));
}

/** Each RDN as `CN=text`, one attribute each. */
export const name = (...rdns: readonly string[]): Uint8Array =>
  sequence(
    ...rdns.map((rdn) => {
      const [type, text] = rdn.split('=') as [string, string];
      return set(sequence(oid(attributeTypes[type] ?? type), utf8(text)));
    }),
  );

const attributeTypes: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  C: '2.5.4.6',
  emailAddress: '1.2.840.113549.1.9.1',
};

export const extension = (dotted: string, value: Uint8Array, critical = false): Uint8Array =>
  critical ? sequence(oid(dotted), boolean(true), octets(value)) : sequence(oid(dotted), octets(value));
