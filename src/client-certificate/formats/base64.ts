/**
 * Base64 (RFC 4648 section 4) exactly: the standard alphabet, padding, no white space, no bits left over.
 * Node's decoder takes anything, so what it read is written again and compared.
 *
 * @returns undefined if the text is empty or anything else than what an encoder writes
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text === '' || text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

export const encodeBase64 = (der: Uint8Array): string =>
  Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
