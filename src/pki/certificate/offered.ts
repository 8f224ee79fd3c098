import { hash } from 'node:crypto';
import { contextConstructed, DerError, Fields, tags } from '../der/der.ts';
import type { Certificate } from './certificate.ts';
import { readName } from './name.ts';
import { readFrame } from './signature.ts';

/** A certificate that somebody sent along, read as a whole or not yet. */
export type Offered = Certificate | Unread;

/** Its names, which tell whether a path may lead through it; the rest is read where one does. */
export type Unread = Pick<Certificate, 'der' | 'sha256' | 'issuer' | 'subject'> & {
  /** undefined: it can't be read, and completes no path. */
  readonly read: () => Certificate | undefined;
  /** What was read; undefined until then. */
  readonly certificate: Certificate | undefined;
};

/**
 * Reads the names alone: a third of the work and little to remember, so that strangers who send much that leads nowhere
 * don't keep known clients waiting, nor the garbage collector busy.
 *
 * @returns undefined: bytes that are no certificate by their frame or names
 */
export function readNames(der: Uint8Array, read: Unread['read']): Unread | undefined {
  try {
    const fields = new Fields(readFrame(der, 'Certificate').tbs);
    fields.optional(contextConstructed(0));
    fields.next(tags.integer, 'serialNumber');
    fields.next(tags.sequence, 'signature');
    const issuer = readName(fields.next(tags.sequence, 'issuer'));
    fields.next(tags.sequence, 'validity');
    const subject = readName(fields.next(tags.sequence, 'subject'));
    // Also that it can't be read: many trust stores may ask for it.
    let known: { readonly certificate: Certificate | undefined } | undefined;
    return {
      der,
      issuer,
      subject,
      get sha256() {
        return hash('sha256', der);
      },
      read() {
        known ??= { certificate: read() };
        return known.certificate;
      },
      get certificate() {
        return known?.certificate;
      },
    };
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

export const isUnread = (offered: Offered): offered is Unread => 'read' in offered;

const readOffered = (offered: Offered): Certificate | undefined =>
  isUnread(offered) ? offered.read() : offered;

/** Of several, those that can be read. */
export const readAllOffered = (offered: readonly Offered[]): readonly Certificate[] =>
  offered.map(readOffered).filter((read) => read !== undefined);

/** Of several, those that were read so far. */
export const readSoFar = (offered: readonly Offered[]): readonly Certificate[] =>
  offered
    .map((each) => (isUnread(each) ? each.certificate : each))
    .filter((certificate) => certificate !== undefined);
