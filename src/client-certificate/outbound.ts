import { createHash } from 'node:crypto';
import type { Header } from '../attributes.ts';
import { type CertificateFormat, formatOf } from './formats/table.ts';

type OutboundNames = {
  readonly header?: string | undefined;
  readonly chainHeader?: string | undefined;
};

/**
 * A chain as headers, in one of the formats, under its default names unless others are given.
 *
 * @param leaf DER of the verified certificate
 * @param intermediates DER; left out where the format has no place for them
 */
export function writeCertificate(
  name: CertificateFormat,
  leaf: Uint8Array,
  intermediates: readonly Uint8Array[] = [],
  names: OutboundNames = {},
): readonly Header[] {
  const format = formatOf(name);
  const headers: Header[] = [[names.header ?? format.header, format.write(leaf, intermediates)]];
  const chainHeader = names.chainHeader ?? format.chainHeader;
  if (chainHeader !== undefined && format.writeChain !== undefined && intermediates.length > 0) {
    headers.push([chainHeader, format.writeChain(intermediates)]);
  }
  if (format.sha256Header !== undefined) {
    headers.push([format.sha256Header, createHash('sha256').update(leaf).digest('hex')]);
  }
  return headers;
}
