/**
 * Percent-encoded PEM as Envoy, nginx and load balancers write it, of which each request of a new client brings one or
 * two, decoded in one pass: to undo the escapes, then the lines, then base64, and to hold that against its encoding costs
 * four times as much. Says nothing that the steps one by one would not say (`readPercentPem`).
 *
 * @param most certificates
 * @returns undefined: something in it is written in another way, or wrong
 */
export function readEscapedPem(text: string, most: number): readonly Uint8Array[] | undefined {
  if (!text.startsWith(BEGIN)) return undefined;
  const bytes = Buffer.from(text, 'latin1');
  const ders: Uint8Array[] = [];
  for (let at = 0; at < text.length; ) {
    if (ders.length === most || !text.startsWith(BEGIN, at)) return undefined;
    const body = at + BEGIN.length;
    const end = text.indexOf('-', body);
    if (end === -1 || !text.startsWith(END, end)) return undefined;
    const der = decode(bytes, body, end);
    if (der === undefined) return undefined;
    ders.push(der);
    at = end + END.length;
  }
  // Of a character beyond Latin-1 only half was looked at.
  return Buffer.byteLength(text) === text.length ? ders : undefined;
}

const BEGIN = '-----BEGIN%20CERTIFICATE-----%0A';
const END = '-----END%20CERTIFICATE-----%0A';

/** Of characters, what they stand for; 64 and beyond: no six bits. */
const [padding, lineEnd, escaping, other] = [64, 65, 66, 67] as const;
const meanings = new Uint8Array(256).fill(other);
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let i = 0; i < alphabet.length; i++) meanings[alphabet.charCodeAt(i)] = i;
meanings['='.charCodeAt(0)] = padding;
meanings['%'.charCodeAt(0)] = escaping;

/** What an escape stands for, by its two digits. */
function meaningOf(first: number, second: number): number {
  switch ((first << 8) | second) {
    case 0x30_41: // 0A
      return lineEnd;
    case 0x32_42: // 2B
      return 62;
    case 0x32_46: // 2F
      return 63;
    case 0x33_44: // 3D
      return padding;
    default:
      return other;
  }
}

/** Base64 (RFC 4648 section 4) with line ends, exactly: padding, and no bits left over. */
function decode(text: Uint8Array, from: number, to: number): Uint8Array | undefined {
  const bytes = Buffer.allocUnsafe(((to - from) * 3) >> 2);
  let length = 0;
  let group = 0;
  let sextets = 0;
  let pads = 0;
  for (let at = from; at < to; ) {
    let meaning = meanings[text[at]!]!;
    if (sextets === 0 && pads === 0 && at + 4 <= to) {
      const second = meanings[text[at + 1]!]!;
      const third = meanings[text[at + 2]!]!;
      const fourth = meanings[text[at + 3]!]!;
      // Four characters of the alphabet, as nearly all are.
      if ((meaning | second | third | fourth) < 64) {
        bytes[length] = (meaning << 2) | (second >> 4);
        bytes[length + 1] = (second << 4) | (third >> 2);
        bytes[length + 2] = (third << 6) | fourth;
        length += 3;
        at += 4;
        continue;
      }
    }
    if (meaning === escaping) {
      meaning = at + 2 < to ? meaningOf(text[at + 1]!, text[at + 2]!) : other;
      at += 2;
    }
    at++;
    if (meaning < 64) {
      if (pads > 0) return undefined;
      group = (group << 6) | meaning;
      if (++sextets < 4) continue;
      bytes[length] = group >> 16;
      bytes[length + 1] = group >> 8;
      bytes[length + 2] = group;
      length += 3;
      group = 0;
      sextets = 0;
    } else if (meaning === padding) pads++;
    else if (meaning !== lineEnd) return undefined;
  }
  if (sextets === 2 && pads === 2 && (group & 0xf) === 0) bytes[length++] = group >> 4;
  else if (sextets === 3 && pads === 1 && (group & 0x3) === 0) {
    bytes[length] = group >> 10;
    bytes[length + 1] = group >> 2;
    length += 2;
  } else if (sextets + pads > 0) return undefined;
  return length === 0 ? undefined : bytes.subarray(0, length);
}
