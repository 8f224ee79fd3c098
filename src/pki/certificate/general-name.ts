import {
  contentOf,
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  encodingOf,
  Fields,
} from '../der/der.ts';
import { readAscii, readOid } from '../der/der-values.ts';
import { type Name, readName } from './name.ts';

/** GeneralName (RFC 5280 4.2.1.6). iPAddress: 4 or 16 octets, in a constraint twice as many. */
export type GeneralName =
  | { readonly form: 'rfc822Name' | 'dNSName' | 'uniformResourceIdentifier'; readonly value: string }
  | { readonly form: 'iPAddress'; readonly octets: Uint8Array }
  | { readonly form: 'directoryName'; readonly name: Name }
  | {
      readonly form: 'otherName' | 'x400Address' | 'ediPartyName' | 'registeredID';
      readonly der: Uint8Array;
    };

export type NameForm = GeneralName['form'];

/** @throws DerError */
export function readGeneralName(element: Element): GeneralName {
  switch (element.tag) {
    case contextConstructed(0): {
      new Fields(element).any('type-id of otherName');
      return { form: 'otherName', der: encodingOf(element) };
    }
    case contextPrimitive(1):
      return { form: 'rfc822Name', value: readAscii(element) };
    case contextPrimitive(2):
      return { form: 'dNSName', value: readAscii(element) };
    case contextConstructed(3):
      return { form: 'x400Address', der: encodingOf(element) };
    case contextConstructed(4): {
      // EXPLICIT, since Name is a CHOICE.
      const fields = new Fields(element);
      const name = readName(fields.any('directoryName'));
      fields.finish('directoryName');
      return { form: 'directoryName', name };
    }
    case contextConstructed(5):
      return { form: 'ediPartyName', der: encodingOf(element) };
    case contextPrimitive(6):
      return { form: 'uniformResourceIdentifier', value: readAscii(element) };
    case contextPrimitive(7):
      return { form: 'iPAddress', octets: contentOf(element) };
    case contextPrimitive(8):
      readOid(element);
      return { form: 'registeredID', der: encodingOf(element) };
    default:
      throw new DerError(`GeneralName: tag ${element.tag}`);
  }
}
