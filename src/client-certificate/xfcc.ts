import { createHash } from 'node:crypto';
import { readPem, writePem } from './pem-text.ts';
import { percentDecode, percentEncode } from './percent-encoding.ts';
import { type PresentedError, presentedError } from './presented.ts';
import { certificates, type Limits, type Reading } from './reading.ts';

/**
 * Envoy's X-Forwarded-Client-Cert. URI, DNS and By stand in it bare and unescaped, so that whoever makes a certificate
 * can write anything into them, further elements included. Hence: exactly the expected number of elements, no key
 * twice, and Hash, Cert and Chain must belong together. The textual identities are never used.
 */
export type XfccElement = {
  readonly hash: string | undefined;
  readonly cert: string | undefined;
  readonly chain: string | undefined;
};

/** Reads the element of the client: the leftmost, which the hop next to the client wrote. */
export function readXfcc(value: string, elements: number, limits: Limits): Reading {
  const parsed = parseXfcc(value, elements);
  if (!isElements(parsed)) return parsed;
  const { hash, cert, chain } = parsed[0]!;
  if (cert === undefined) return presentedError('xfcc_without_cert', 'the element has no Cert');
  const leaf = readPercentPem(cert, limits, 'Cert');
  if (leaf.kind === 'error') return leaf;
  if (leaf.ders.length !== 1) return presentedError('header_is_list', 'Cert holds more than one certificate');
  const der = leaf.ders[0]!;
  if (hash === undefined || createHash('sha256').update(der).digest('hex') !== hash.toLowerCase()) {
    return presentedError('certificate_hash_mismatch', 'Hash is not that of Cert');
  }
  return chain === undefined ? leaf : withChain(der, chain, limits);
}

/** Chain is all that the client presented: its first is the leaf again. */
function withChain(leaf: Uint8Array, chain: string, limits: Limits): Reading {
  if (chain.length > limits.chainLength) {
    return presentedError('chain_too_long', `Chain has ${chain.length} characters`);
  }
  const read = readPercentPem(chain, limits, 'Chain');
  if (read.kind === 'error') return read;
  return Buffer.compare(read.ders[0]!, leaf) === 0
    ? certificates([leaf, ...read.ders.slice(1)])
    : presentedError('chain_leaf_mismatch', 'the first of Chain is another certificate');
}

function readPercentPem(text: string, limits: Limits, where: string): Reading {
  const pem = percentDecode(text);
  return pem === undefined ? notXfcc(`${where} is not percent-encoded`) : readPem(pem, '\n', limits, where);
}

/** Chain of the one element that our own Envoy writes; undefined if it wrote none. */
export function readXfccChain(value: string, leaf: Uint8Array, limits: Limits): Reading | undefined {
  const parsed = parseXfcc(value, 1);
  if (!isElements(parsed)) return parsed;
  const { chain } = parsed[0]!;
  return chain === undefined ? undefined : withChain(leaf, chain, limits);
}

const once = new Set(['by', 'hash', 'cert', 'chain', 'subject']);

/** `key=value` joined by `;` to elements, elements joined by `,`. Keys in any case. */
export function parseXfcc(value: string, expected: number): readonly XfccElement[] | PresentedError {
  const elements: XfccElement[] = [];
  let pairs = new Map<string, string>();
  let at = 0;
  for (;;) {
    const equals = value.indexOf('=', at);
    if (equals === -1) return notXfcc('a pair without =');
    const key = value.slice(at, equals).trim().toLowerCase();
    if (!/^[a-z]+$/.test(key)) return notXfcc('a key that is no word');
    const quoted = value[equals + 1] === '"';
    const end = quoted ? closingQuote(value, equals + 2) : bareEnd(value, equals + 1);
    if (end === -1) return notXfcc('a quote without end');
    if (pairs.has(key) && once.has(key)) return presentedError('xfcc_key_repeated', `${key} twice`);
    pairs.set(key, quoted ? value.slice(equals + 2, end) : value.slice(equals + 1, end));
    at = quoted ? end + 1 : end;
    if (at === value.length || value[at] === ',') {
      elements.push({ hash: pairs.get('hash'), cert: pairs.get('cert'), chain: pairs.get('chain') });
      if (elements.length > expected || at === value.length) break;
      pairs = new Map();
    }
    at++;
  }
  return elements.length === expected
    ? elements
    : presentedError('xfcc_element_count', `expected exactly ${expected}`);
}

/**
 * The quote that ends a value: one before `;`, `,` or the end, unless escaped. A name that ends with a backslash and a
 * name that holds a quote both give `\\"`; as RFC 4514 escapes `;` and `,`, what follows tells them apart.
 */
function closingQuote(value: string, from: number): number {
  for (let at = value.indexOf('"', from); at !== -1; at = value.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (value[at - 1 - backslashes] === '\\') backslashes++;
    const next = value[at + 1];
    const ends = next === undefined || next === ';' || next === ',';
    if (backslashes % 2 === 0 && ends) return at;
    if (backslashes === 0) return -1;
  }
  return -1;
}

function bareEnd(value: string, from: number): number {
  let at = from;
  while (at < value.length && value[at] !== ';' && value[at] !== ',' && value[at] !== '"') at++;
  return value[at] === '"' ? -1 : at;
}

const isElements = (parsed: readonly XfccElement[] | PresentedError): parsed is readonly XfccElement[] =>
  Array.isArray(parsed);

const notXfcc = (detail: string): PresentedError =>
  presentedError('header_coding_invalid', `XFCC: ${detail}`);

export function writeXfcc(leaf: Uint8Array, intermediates: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(leaf).digest('hex');
  const chain = [leaf, ...intermediates].map(writePem).join('');
  return `Hash=${hash};Cert="${percentEncode(writePem(leaf))}";Chain="${percentEncode(chain)}"`;
}
