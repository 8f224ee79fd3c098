import { type PresentedError, presentedError } from '../presented.ts';
import type { XfccElement } from './xfcc-element.ts';

/** Envoy never writes these twice; URI and DNS it does, once for each name. */
const once = new Set(['by', 'hash', 'cert', 'chain', 'subject', 'issuer']);

/** `key=value` joined by `;` to elements, elements joined by `,`; keys in any case, values bare or quoted. */
export function parseXfccText(value: string, expected: number): readonly XfccElement[] | PresentedError {
  const elements: XfccElement[] = [];
  let pairs = new Map<string, string>();
  let at = 0;
  for (;;) {
    const equals = value.indexOf('=', at);
    if (equals === -1) return notXfcc('a pair without =');
    const key = value.slice(at, equals).trim().toLowerCase();
    if (!/^[a-z]{1,10}$/.test(key)) return notXfcc('a key that is no word');
    const quoted = value[equals + 1] === '"';
    const start = equals + (quoted ? 2 : 1);
    const end = quoted ? closingQuote(value, start) : bareEnd(value, start);
    if (end === -1) return notXfcc('a quote that does not fit');
    if (once.has(key) && pairs.has(key)) return presentedError('xfcc_key_repeated', `${key} twice`);
    pairs.set(key, value.slice(start, end));
    at = quoted ? end + 1 : end;
    const last = at === value.length;
    if (last || value[at] === ',') {
      elements.push({ hash: pairs.get('hash'), cert: pairs.get('cert'), chain: pairs.get('chain') });
      if (last || elements.length > expected) return elements;
      pairs = new Map();
    }
    at++;
  }
}

/**
 * The quote that ends a value is not escaped and stands before `;`, `,` or the end. In a name (RFC 4514) backslashes come
 * in pairs but for those that escape: after an even number of them a quote is a quote.
 */
function closingQuote(value: string, from: number): number {
  for (let at = value.indexOf('"', from); at !== -1; at = value.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (value[at - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 1) continue;
    const next = value[at + 1];
    return next === undefined || next === ';' || next === ',' ? at : -1;
  }
  return -1;
}

/** Bare values are not escaped by Envoy; one that holds a quote is a forgery from inside a certificate. */
function bareEnd(value: string, from: number): number {
  let at = from;
  while (at < value.length && value[at] !== ';' && value[at] !== ',') {
    if (value[at] === '"') return -1;
    at++;
  }
  return at;
}

const notXfcc = (detail: string): PresentedError =>
  presentedError('header_coding_invalid', `XFCC: ${detail}`);
