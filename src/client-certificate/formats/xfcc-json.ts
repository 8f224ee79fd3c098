import { hasRepeatedMember } from '../../documents/repeated-members.ts';
import { type PresentedError, presentedError } from '../presented.ts';
import type { XfccElement } from './xfcc-element.ts';

/** `format: JSON` of Envoy 1.38 and later: an array of objects with lower-case keys; PEM as it is, `chain` an array. */
export function parseXfccJson(value: string): readonly XfccElement[] | PresentedError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return notXfcc;
  }
  if (!Array.isArray(parsed)) return notXfcc;
  const elements: XfccElement[] = [];
  for (const element of parsed as readonly unknown[]) {
    const read = readElement(element);
    if (read === undefined) return notXfcc;
    elements.push(read);
  }
  // JSON.parse keeps the last of several equal keys without a word.
  return hasRepeatedMember(value)
    ? presentedError('xfcc_key_repeated', 'a key twice in the JSON form')
    : elements;
}

function readElement(element: unknown): XfccElement | undefined {
  if (typeof element !== 'object' || element === null || Array.isArray(element)) return undefined;
  const { hash, cert, chain } = element as Readonly<Record<string, unknown>>;
  const pems = chain ?? [];
  if (!isText(hash) || !isText(cert) || !Array.isArray(pems)) return undefined;
  if (!pems.every((pem) => typeof pem === 'string')) return undefined;
  return { hash, cert, chain: chain === undefined ? undefined : pems.join('') };
}

const isText = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === 'string';

const notXfcc: PresentedError = presentedError('header_coding_invalid', 'XFCC: not the JSON form');
