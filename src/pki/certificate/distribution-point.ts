import {
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  Fields,
  someElementsOf,
} from '../der/der.ts';
import { readNamedBits } from '../der/der-values.ts';
import { type GeneralName, readGeneralName } from './general-name.ts';
import { type AttributeTypeAndValue, readRdn } from './name.ts';

/** DistributionPointName (RFC 5280 4.2.1.13). */
export type DistributionPointName =
  | { readonly kind: 'fullName'; readonly names: readonly GeneralName[] }
  | { readonly kind: 'nameRelativeToCRLIssuer'; readonly rdn: readonly AttributeTypeAndValue[] };

/** Bits of ReasonFlags as a mask. Bit 0, unused, is never in it. */
export type ReasonMask = number;
export const allReasons: ReasonMask = 0b1_1111_1110;

/** DistributionPoint (RFC 5280 4.2.1.13). */
export type DistributionPoint = {
  readonly name: DistributionPointName | undefined;
  readonly reasons: ReasonMask;
  readonly cRLIssuer: readonly GeneralName[] | undefined;
};

/** The value of cRLDistributionPoints or freshestCRL. @throws DerError */
export const readDistributionPoints = (value: Element): readonly DistributionPoint[] =>
  someElementsOf(value, 'cRLDistributionPoints').map((element) => {
    const fields = new Fields(element);
    const name = fields.optional(contextConstructed(0));
    const reasons = fields.optional(contextPrimitive(1));
    const issuer = fields.optional(contextConstructed(2));
    fields.finish('DistributionPoint');
    if (name === undefined && issuer === undefined)
      throw new DerError('DistributionPoint: neither name nor issuer');
    return {
      name: name && readDistributionPointName(name),
      reasons: reasons === undefined ? allReasons : readReasons(reasons),
      cRLIssuer: issuer && someElementsOf(issuer, 'cRLIssuer').map(readGeneralName),
    };
  });

/** @param element the field that holds it: the tag is EXPLICIT, since it is a CHOICE. @throws DerError */
export function readDistributionPointName(element: Element): DistributionPointName {
  const fields = new Fields(element);
  const choice = fields.any('DistributionPointName');
  fields.finish('DistributionPointName');
  switch (choice.tag) {
    case contextConstructed(0):
      return { kind: 'fullName', names: someElementsOf(choice, 'fullName').map(readGeneralName) };
    case contextConstructed(1):
      return { kind: 'nameRelativeToCRLIssuer', rdn: readRdn(choice) };
    default:
      throw new DerError('DistributionPointName: neither of its two kinds');
  }
}

/** @throws DerError */
export const readReasons = (element: Element): ReasonMask => readNamedBits(element) & allReasons;
