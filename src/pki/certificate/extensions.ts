import {
  contentOf,
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  elementsOf,
  Fields,
  readInner,
  someElementsOf,
  tags,
} from '../der/der.ts';
import { readBoolean, readCount, readNamedBits, readOid } from '../der/der-values.ts';
import { type DistributionPoint, readDistributionPoints } from './distribution-point.ts';
import { type GeneralName, readGeneralName } from './general-name.ts';

/** One extension, its value still DER. */
export class Extension {
  /** Dotted OID. */
  readonly oid: string;
  readonly critical: boolean;
  /** The OCTET STRING whose content is the value. */
  readonly extnValue: Element;

  constructor(oid: string, critical: boolean, extnValue: Element) {
    this.oid = oid;
    this.critical = critical;
    this.extnValue = extnValue;
  }

  get value(): Uint8Array {
    return contentOf(this.extnValue);
  }
}

/** In the order of their bits (RFC 5280 4.2.1.3). */
const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof keyUsages)[number];

/** By their bits: the same few in nearly all certificates. */
const usageSets: ReadonlySet<KeyUsage>[] = [];
const usagesOf = (bits: number): ReadonlySet<KeyUsage> =>
  (usageSets[bits] ??= new Set(keyUsages.filter((_, bit) => (bits & (1 << bit)) !== 0)));

export type GeneralSubtree = {
  readonly base: GeneralName;
  /** RFC 5280 4.2.1.10: minimum 0 and no maximum, or else the constraint can't be applied. */
  readonly isPlain: boolean;
};

/** What the known extensions of a certificate say (RFC 5280 4.2.1); undefined where one is absent. */
export type ExtensionValues = {
  basicConstraints?: { readonly cA: boolean; readonly pathLenConstraint: number | undefined };
  keyUsage?: ReadonlySet<KeyUsage>;
  /** Dotted OIDs. */
  extKeyUsage?: readonly string[];
  subjectAltName?: readonly GeneralName[];
  nameConstraints?: {
    readonly permitted: readonly GeneralSubtree[];
    readonly excluded: readonly GeneralSubtree[];
  };
  certificatePolicies?: readonly string[];
  /** Dotted OID of a policy qualifier that is not understood; it counts where the extension is critical (4.2.1.4). */
  unknownPolicyQualifier?: string;
  policyMappings?: readonly (readonly [issuerDomain: string, subjectDomain: string])[];
  policyConstraints?: {
    readonly requireExplicitPolicy: number | undefined;
    readonly inhibitPolicyMapping: number | undefined;
  };
  inhibitAnyPolicy?: number;
  authorityKeyIdentifier?: Uint8Array;
  subjectKeyIdentifier?: Uint8Array;
  cRLDistributionPoints?: readonly DistributionPoint[];
};

const sequenceIn = (value: Element, what: string): Element => readInner(value, tags.sequence, what);

/** By OID: reads a value into its place. Each throws DerError. */
const readers = new Map<string, (value: Element, into: ExtensionValues) => void>(
  Object.entries({
    '2.5.29.14': (value, into) => {
      into.subjectKeyIdentifier = contentOf(readInner(value, tags.octetString, 'subjectKeyIdentifier'));
    },
    '2.5.29.15': (value, into) => {
      const bits = readNamedBits(readInner(value, tags.bitString, 'keyUsage'));
      if (bits === 0 || bits >= 1 << keyUsages.length) throw new DerError('keyUsage: no or unknown bits');
      into.keyUsage = usagesOf(bits);
    },
    '2.5.29.17': (value, into) => {
      into.subjectAltName = someElementsOf(sequenceIn(value, 'subjectAltName'), 'subjectAltName').map(
        readAltName,
      );
    },
    // issuerAltName says nothing that validation uses, but what is there must be readable.
    '2.5.29.18': (value) => {
      someElementsOf(sequenceIn(value, 'issuerAltName'), 'issuerAltName').map(readAltName);
    },
    '2.5.29.19': (value, into) => {
      into.basicConstraints = readBasicConstraints(sequenceIn(value, 'basicConstraints'));
    },
    '2.5.29.30': (value, into) => {
      into.nameConstraints = readNameConstraints(sequenceIn(value, 'nameConstraints'));
    },
    '2.5.29.31': (value, into) => {
      into.cRLDistributionPoints = readDistributionPoints(sequenceIn(value, 'cRLDistributionPoints'));
    },
    '2.5.29.32': (value, into) => {
      const { policies, unknownQualifier } = readCertificatePolicies(
        sequenceIn(value, 'certificatePolicies'),
      );
      into.certificatePolicies = policies;
      if (unknownQualifier !== undefined) into.unknownPolicyQualifier = unknownQualifier;
    },
    '2.5.29.33': (value, into) => {
      into.policyMappings = someElementsOf(sequenceIn(value, 'policyMappings'), 'policyMappings').map(
        readMapping,
      );
    },
    '2.5.29.35': (value, into) => {
      const keyIdentifier = readAuthorityKeyIdentifier(sequenceIn(value, 'authorityKeyIdentifier'));
      if (keyIdentifier !== undefined) into.authorityKeyIdentifier = keyIdentifier;
    },
    '2.5.29.36': (value, into) => {
      into.policyConstraints = readPolicyConstraints(sequenceIn(value, 'policyConstraints'));
    },
    '2.5.29.37': (value, into) => {
      into.extKeyUsage = someElementsOf(sequenceIn(value, 'extKeyUsage'), 'extKeyUsage').map(readKeyPurpose);
    },
    '2.5.29.54': (value, into) => {
      into.inhibitAnyPolicy = readCount(readInner(value, tags.integer, 'inhibitAnyPolicy'));
    },
    // Of authorityInfoAccess, revocation/certificate-urls.ts reads the responders. Both are refused where they are broken.
    '1.3.6.1.5.5.7.1.1': readInfoAccess,
    '1.3.6.1.5.5.7.1.11': readInfoAccess,
  }),
);

/**
 * Extensions whose criticality is honoured because validation acts on them (RFC 5280 4.2). Key identifiers and
 * information access must never be critical (4.2.1.1, 4.2.1.2, 4.2.2), and nothing here acts on them.
 */
const processed: ReadonlySet<string> = new Set(
  [15, 17, 18, 19, 30, 31, 32, 33, 36, 37, 54].map((last) => `2.5.29.${last}`),
);

export const isProcessed = (oid: string): boolean => processed.has(oid);

/** Extension: an explicit `critical FALSE` is no DER, yet widespread and harmless. @throws DerError */
export function readExtension(element: Element): Extension {
  if (element.tag !== tags.sequence) throw new DerError('Extension: not a SEQUENCE');
  const fields = new Fields(element);
  const oid = readOid(fields.next(tags.oid, 'extnID'));
  const critical = fields.optional(tags.boolean);
  const value = fields.next(tags.octetString, 'extnValue');
  fields.finish('Extension');
  return new Extension(oid, critical !== undefined && readBoolean(critical), value);
}

/** @throws DerError, its message led by the OID */
export function readExtensionValues(extensions: readonly Extension[]): Readonly<ExtensionValues> {
  const values: ExtensionValues = {};
  for (const { oid, extnValue } of extensions) {
    try {
      readers.get(oid)?.(extnValue, values);
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      throw new DerError(`${oid}: ${error.message}`);
    }
  }
  return values;
}

function readAltName(element: Element): GeneralName {
  const name = readGeneralName(element);
  if (name.form === 'iPAddress' && name.octets.length !== 4 && name.octets.length !== 16) {
    throw new DerError('iPAddress: neither 4 nor 16 octets');
  }
  return name;
}

function readBasicConstraints(element: Element): NonNullable<ExtensionValues['basicConstraints']> {
  const fields = new Fields(element);
  const cA = fields.optional(tags.boolean);
  const pathLen = fields.optional(tags.integer);
  fields.finish('basicConstraints');
  return {
    cA: cA !== undefined && readBoolean(cA),
    pathLenConstraint: pathLen === undefined ? undefined : readCount(pathLen),
  };
}

function readNameConstraints(element: Element): NonNullable<ExtensionValues['nameConstraints']> {
  const fields = new Fields(element);
  const permitted = fields.optional(contextConstructed(0));
  const excluded = fields.optional(contextConstructed(1));
  fields.finish('nameConstraints');
  if (permitted === undefined && excluded === undefined) throw new DerError('nameConstraints: empty');
  const read = (subtrees: Element | undefined) =>
    subtrees === undefined ? [] : someElementsOf(subtrees, 'subtrees').map(readSubtree);
  return { permitted: read(permitted), excluded: read(excluded) };
}

function readSubtree(element: Element): GeneralSubtree {
  const fields = new Fields(element);
  const base = readGeneralName(fields.any('base'));
  const minimum = fields.optional(contextPrimitive(0));
  const maximum = fields.optional(contextPrimitive(1));
  fields.finish('GeneralSubtree');
  return { base, isPlain: (minimum === undefined || readCount(minimum) === 0) && maximum === undefined };
}

/** cPSuri and userNotice, which are for people to read (RFC 5280 4.2.1.4). */
const policyQualifiers: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.2.1', '1.3.6.1.5.5.7.2.2']);

function readCertificatePolicies(element: Element): {
  readonly policies: readonly string[];
  readonly unknownQualifier: string | undefined;
} {
  let unknownQualifier: string | undefined;
  const policies = someElementsOf(element, 'certificatePolicies').map((information) => {
    const fields = new Fields(information);
    const policy = readOid(fields.next(tags.oid, 'policyIdentifier'));
    const qualifiers = fields.optional(tags.sequence);
    fields.finish('PolicyInformation');
    for (const one of qualifiers === undefined ? [] : someElementsOf(qualifiers, 'policyQualifiers')) {
      const qualifier = readQualifierId(one);
      if (!policyQualifiers.has(qualifier)) unknownQualifier ??= qualifier;
    }
    return policy;
  });
  if (new Set(policies).size !== policies.length) throw new DerError('certificatePolicies: a policy twice');
  return { policies, unknownQualifier };
}

/** PolicyQualifierInfo. One that can't be read is not understood, which is no matter unless the extension is critical. */
function readQualifierId(element: Element): string {
  try {
    const fields = new Fields(element);
    const id = readOid(fields.next(tags.oid, 'policyQualifierId'));
    fields.any('qualifier');
    fields.finish('PolicyQualifierInfo');
    return id;
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return 'that can not be read';
  }
}

function readMapping(element: Element): readonly [string, string] {
  const fields = new Fields(element);
  const issuerDomain = readOid(fields.next(tags.oid, 'issuerDomainPolicy'));
  const subjectDomain = readOid(fields.next(tags.oid, 'subjectDomainPolicy'));
  fields.finish('policyMappings');
  return [issuerDomain, subjectDomain];
}

function readPolicyConstraints(element: Element): NonNullable<ExtensionValues['policyConstraints']> {
  const fields = new Fields(element);
  const requireExplicit = fields.optional(contextPrimitive(0));
  const inhibitMapping = fields.optional(contextPrimitive(1));
  fields.finish('policyConstraints');
  if (requireExplicit === undefined && inhibitMapping === undefined) {
    throw new DerError('policyConstraints: empty');
  }
  return {
    requireExplicitPolicy: requireExplicit === undefined ? undefined : readCount(requireExplicit),
    inhibitPolicyMapping: inhibitMapping === undefined ? undefined : readCount(inhibitMapping),
  };
}

/** The keyIdentifier; issuer and serial only narrow down what names and signatures decide. */
export function readAuthorityKeyIdentifier(element: Element): Uint8Array | undefined {
  const fields = new Fields(element);
  const keyIdentifier = fields.optional(contextPrimitive(0));
  const issuer = fields.optional(contextConstructed(1));
  const serial = fields.optional(contextPrimitive(2));
  fields.finish('authorityKeyIdentifier');
  if (issuer !== undefined) elementsOf(issuer).map(readGeneralName);
  if ((issuer === undefined) !== (serial === undefined)) {
    throw new DerError('authorityKeyIdentifier: issuer and serial go together');
  }
  return keyIdentifier && contentOf(keyIdentifier);
}

function readKeyPurpose(element: Element): string {
  if (element.tag !== tags.oid) throw new DerError('extKeyUsage: not an OID');
  return readOid(element);
}

function readInfoAccess(value: Element): void {
  for (const description of someElementsOf(sequenceIn(value, 'access'), 'access descriptions')) {
    const fields = new Fields(description);
    readOid(fields.next(tags.oid, 'accessMethod'));
    readGeneralName(fields.any('accessLocation'));
    fields.finish('AccessDescription');
  }
}
