import { createHash } from 'node:crypto';
import { type PresentedError, presentedError } from '../presented.ts';
import { readPem, writePem } from './pem-text.ts';
import { percentDecode, percentEncode } from './percent.ts';
import { certificates, type Limits, type Reading } from './reading.ts';
import type { ReadingCache } from './reading-cache.ts';
import type { XfccElement } from './xfcc-element.ts';
import { parseXfccJson } from './xfcc-json.ts';
import { parseXfccText } from './xfcc-text.ts';

/** Where our own Envoy writes what its TLS client presented (SANITIZE_SET): whatever came under that name is gone by then. */
export const XFCC = 'x-forwarded-client-cert';

/**
 * Where our own Envoy puts the XFCC that a load balancer sent, ahead of its own (`early_header_mutation_extensions`,
 * which overwrite or remove it on every request). Read from there only: under XFCC itself stands the load balancer's own
 * certificate, if it uses one.
 */
export const RECEIVED_XFCC = 'x-received-client-cert';

/** The name under which a header that was sent as `name` is found behind our Envoy. */
export const asReceived = (name: string): string => (name === XFCC ? RECEIVED_XFCC : name);

/**
 * Envoy's X-Forwarded-Client-Cert. In its text form URI, DNS and By stand bare and unescaped: whoever makes a
 * certificate can write anything into them, further elements with a stranger's Cert and a Hash that fits included.
 * Hence: exactly the expected number of elements, no key twice, and Hash, Cert and Chain must belong together. The
 * textual identities are never used.
 *
 * Where only Chain was written, its first is the leaf.
 *
 * @param limits with how many elements there must be, one for each hop that adds its own; the client's is the leftmost
 */
export function readXfcc(value: string, limits: Limits): Reading {
  const element = clientElement(value, limits.elements);
  if ('kind' in element) return element;
  const { hash, cert, chain, decode } = element;
  const field = cert === undefined ? 'Chain' : 'Cert';
  const written = cert ?? chain;
  if (written === undefined)
    return presentedError('xfcc_without_cert', 'the element has neither Cert nor Chain');
  const read =
    cert === undefined ? readChainField(written, decode, limits) : readField(written, decode, limits, field);
  if (read.kind === 'error') return read;
  if (cert !== undefined && read.ders.length !== 1)
    return presentedError('header_is_list', 'Cert holds more than one certificate');
  const der = read.ders[0]!;
  if (hash?.toLowerCase() !== createHash('sha256').update(der).digest('hex'))
    return presentedError('certificate_hash_mismatch', `Hash is missing or not that of ${field}`);
  return cert === undefined || chain === undefined
    ? read
    : readChain(chain, decode, { der, text: cert }, limits);
}

/**
 * All that the TLS client presented, as our own Envoy writes it.
 *
 * @param leaf what the chain must begin with: its DER, and the text that gave it
 * @param cache of the texts behind the leaf's, which all clients of one CA share
 * @returns undefined if Envoy wrote no chain
 */
export function readXfccChain(
  value: string,
  leaf: Leaf,
  limits: Limits,
  cache?: ReadingCache,
): Reading | undefined {
  const element = clientElement(value, 1);
  if ('kind' in element) return element;
  const { chain, decode } = element;
  return chain === undefined ? undefined : readChain(chain, decode, leaf, limits, cache);
}

type Decode = (text: string) => string | undefined;
type Leaf = { readonly der: Uint8Array; readonly text: string };

function clientElement(
  value: string,
  expected: number,
): (XfccElement & { readonly decode: Decode }) | PresentedError {
  const json = value.startsWith('[');
  const elements = json ? parseXfccJson(value) : parseXfccText(value, expected);
  if ('kind' in elements) return elements;
  return elements.length === expected
    ? { ...elements[0]!, decode: json ? asIs : percentDecode }
    : presentedError('xfcc_element_count', `expected exactly ${expected}`);
}

const asIs: Decode = (text) => text;

/** Chain is all that was presented, so its first is the leaf again: mostly letter by letter, and then not decoded twice. */
function readChain(text: string, decode: Decode, leaf: Leaf, limits: Limits, cache?: ReadingCache): Reading {
  if (text.length > limits.chainLength) return chainTooLong(text);
  if (text === leaf.text) return certificates([leaf.der]);
  const again = text.startsWith(leaf.text) && text.startsWith('-----BEGIN', leaf.text.length);
  const further = (rest: string) => readChainField(rest, decode, fewer(limits));
  const rest = again ? text.slice(leaf.text.length) : '';
  const read = !again
    ? readChainField(text, decode, limits)
    : cache
      ? cache.get(rest, further)
      : further(rest);
  if (read.kind === 'error') return read;
  if (again) return certificates([leaf.der, ...read.ders]);
  return Buffer.compare(read.ders[0]!, leaf.der) === 0
    ? certificates([leaf.der, ...read.ders.slice(1)])
    : presentedError('chain_leaf_mismatch', 'the first of Chain is another certificate');
}

function readChainField(text: string, decode: Decode, limits: Limits): Reading {
  if (text.length > limits.chainLength) return chainTooLong(text);
  const read = readField(text, decode, limits, 'Chain');
  return read.kind === 'error' && read.code === 'header_coding_invalid'
    ? { ...read, code: 'chain_coding_invalid' }
    : read;
}

const chainTooLong = (text: string): PresentedError =>
  presentedError('chain_too_long', `Chain has ${text.length} characters`);

const fewer = (limits: Limits): Limits => ({ ...limits, certificates: limits.certificates - 1 });

function readField(text: string, decode: Decode, limits: Limits, where: string): Reading {
  const pem = decode(text);
  return pem === undefined
    ? presentedError('header_coding_invalid', `${where} is not percent-encoded`)
    : readPem(pem, '\n', limits, where);
}

export function writeXfcc(leaf: Uint8Array, intermediates: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(leaf).digest('hex');
  const cert = percentEncode(writePem(leaf));
  const chain = cert + intermediates.map((der) => percentEncode(writePem(der))).join('');
  return `Hash=${hash};Cert="${cert}";Chain="${chain}"`;
}
