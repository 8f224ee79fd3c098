import { createHash } from 'node:crypto';
import { type Attributes, hasHeader, headerValues } from '../attributes.ts';
import { likenessOf } from './formats/likeness.ts';
import { defaultLimits, type Limits, type Reading } from './formats/reading.ts';
import type { ReadingCaches } from './formats/reading-cache.ts';
import { type CertificateFormat, type Format, formatOf } from './formats/table.ts';
import { asReceived } from './formats/xfcc.ts';
import { type Presented, type PresentedError, presentedError } from './presented.ts';
import type { TrustedSenders } from './senders.ts';

export type HeaderSource = {
  readonly format: CertificateFormat;
  /** Lower case. */
  readonly header: string;
  /** Lower case. Only for formats whose chain comes in a header of its own. */
  readonly chainHeader?: string | undefined;
  readonly senders: TrustedSenders;
  readonly limits?: Limits | undefined;
  /** Of this source alone. */
  readonly caches?: ReadingCaches | undefined;
};

export const headerIsPresent = (attributes: Attributes, source: HeaderSource): boolean =>
  hasHeader(attributes, asReceived(source.header)) ||
  (source.chainHeader !== undefined && hasHeader(attributes, source.chainHeader));

/** Reads the header of a sender that was found to be trusted. */
export function readHeader(attributes: Attributes, source: HeaderSource): Presented {
  const format = formatOf(source.format);
  if (format.commas && !attributes.http.headersAreRaw && headerIsPresent(attributes, source)) {
    return presentedError('raw_headers_required', `${source.format} with headers that Envoy joined`);
  }
  const value = oneValue(attributes, asReceived(source.header), format.joins === true);
  if (typeof value === 'object') return value;
  const isNone = value === '' || value === format.none;
  const besides = readBesides(attributes, source, isNone);
  if (besides !== undefined && besides.kind === 'error') return besides;
  if (isNone) return { kind: 'none', header: source.header };

  const read = readValue(value, source, format);
  if (read.kind === 'error') return read;
  const [leaf, ...inside] = read.ders;
  const hashError = checkSha256(attributes, format, leaf!);
  if (hashError !== undefined) return hashError;
  return { kind: 'chain', source: 'header', leaf: leaf!, intermediates: besides?.ders ?? inside };
}

function readValue(value: string, source: HeaderSource, format: Format): Reading {
  const limits = source.limits ?? defaultLimits;
  const length = limits.certificateLength + (format.chain === 'inside' ? limits.chainLength : 0);
  if (value.length > length) {
    return presentedError('header_too_long', `${source.header} has ${value.length} characters`);
  }
  // Where the value is no list, a comma means that two were joined on the way: a forgery or a mistake.
  if (!format.commas && value.includes(',')) {
    return presentedError('header_is_list', `${source.header} holds a comma`);
  }
  const reader = (text: string) => format.read(text, limits);
  const read = source.caches ? source.caches.leaf.get(value, reader) : reader(value);
  if (read.kind === 'error') return withLikeness(read, value, source.format);
  return format.chain !== 'inside' && read.ders.length > 1
    ? presentedError('header_is_list', `${source.header} holds ${read.ders.length} certificates`)
    : read;
}

/** The usual mistake is another format, and what it is ends the search. */
function withLikeness(error: PresentedError, value: string, format: CertificateFormat): PresentedError {
  const like = error.code === 'header_coding_invalid' ? likenessOf(value) : undefined;
  return like === undefined || like.format === format
    ? error
    : presentedError(
        error.code,
        `${error.detail}; format is "${format}", and this looks like ${like.what}: certificateFormat = "${like.format}"`,
      );
}

/** The chain's own header, if the source has one and it was sent. */
function readBesides(attributes: Attributes, source: HeaderSource, isNone: boolean): Reading | undefined {
  const { readChain, commas } = formatOf(source.format);
  if (source.chainHeader === undefined || readChain === undefined) return undefined;
  const limits = source.limits ?? defaultLimits;
  const values = headerValues(attributes, source.chainHeader);
  // RFC 9440 2.3: a list may be spread over several field lines; other codings may not.
  if (values.length > 1 && !commas) return presentedError('chain_repeated', `${source.chainHeader} repeated`);
  const value = values.join(',');
  if (value === '') return undefined;
  if (isNone) return presentedError('chain_without_leaf', `${source.chainHeader} without ${source.header}`);
  if (value.length > limits.chainLength) {
    return presentedError('chain_too_long', `${source.chainHeader} has ${value.length} characters`);
  }
  const reader = (text: string) => readChain(text, limits);
  const read = source.caches ? source.caches.chain.get(value, reader) : reader(value);
  return read.kind === 'error' && read.code === 'header_coding_invalid'
    ? presentedError('chain_coding_invalid', `${source.chainHeader}: ${read.detail}`)
    : read;
}

/** '' if the header was not sent. */
function oneValue(attributes: Attributes, name: string, joined: boolean): string | PresentedError {
  const values = headerValues(attributes, name);
  if (values.length <= 1) return values[0] ?? '';
  return joined ? values.join(',') : presentedError('header_repeated', `${name} ${values.length} times`);
}

function checkSha256(attributes: Attributes, format: Format, leaf: Uint8Array): PresentedError | undefined {
  if (format.sha256Header === undefined) return undefined;
  const values = headerValues(attributes, format.sha256Header);
  const hash = createHash('sha256').update(leaf).digest('hex');
  return values.length === 1 && values[0]!.toLowerCase() === hash
    ? undefined
    : presentedError('certificate_hash_mismatch', `${format.sha256Header} is missing or another`);
}
