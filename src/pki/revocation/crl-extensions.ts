import {
  allReasons,
  type DistributionPointName,
  type ReasonMask,
  readDistributionPointName,
  readDistributionPoints,
  readReasons,
} from '../certificate/distribution-point.ts';
import { readAuthorityKeyIdentifier, readExtension } from '../certificate/extensions.ts';
import { type GeneralName, readGeneralName } from '../certificate/general-name.ts';
import {
  contentOf,
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  encodingOf,
  Fields,
  readWhole,
  someElementsOf,
  tags,
} from '../der/der.ts';
import { hex, integerOctets, readBoolean, readCount } from '../der/der-values.ts';
import { CrlError } from './crl-error.ts';

/** IssuingDistributionPoint (RFC 5280 5.2.5): which certificates a CRL speaks of. */
type IssuingDistributionPoint = {
  /** Its encoding: equal for lists of one scope. */
  readonly key: string;
  readonly name: DistributionPointName | undefined;
  readonly onlyContainsUserCerts: boolean;
  readonly onlyContainsCACerts: boolean;
  readonly onlySomeReasons: ReasonMask;
  readonly indirectCRL: boolean;
  readonly onlyContainsAttributeCerts: boolean;
};

export type CrlExtensions = {
  cRLNumber?: bigint;
  /** BaseCRLNumber: this is a delta CRL (RFC 5280 5.2.4). */
  deltaCRLIndicator?: bigint;
  issuingDistributionPoint?: IssuingDistributionPoint;
  authorityKeyIdentifier?: Uint8Array;
};

type EntryExtensions = {
  /** CRLReason (RFC 5280 5.3.1). */
  reasonCode?: number;
  certificateIssuer?: readonly GeneralName[];
};

/** Of a scope: a decision looks at all of them, of each list. */
const mostNames = 64;

type Readers<Into> = Readonly<
  Record<string, { readonly mayBeCritical: boolean; readonly read: (value: Uint8Array, into: Into) => void }>
>;

/** RFC 5280 5.2. cRLNumber and the key identifier are never critical; that one is says that it means something else. */
const crlReaders: Readers<CrlExtensions> = {
  '2.5.29.20': {
    mayBeCritical: false,
    read: (value, into) => {
      into.cRLNumber = readNumber(value, 'cRLNumber');
    },
  },
  '2.5.29.27': {
    mayBeCritical: true,
    read: (value, into) => {
      into.deltaCRLIndicator = readNumber(value, 'deltaCRLIndicator');
    },
  },
  '2.5.29.28': {
    mayBeCritical: true,
    read: (value, into) => {
      into.issuingDistributionPoint = readIssuingDistributionPoint(value);
    },
  },
  '2.5.29.35': {
    mayBeCritical: false,
    read: (value, into) => {
      const sequence = readWhole(value, tags.sequence, 'authorityKeyIdentifier');
      const keyIdentifier = readAuthorityKeyIdentifier(sequence);
      if (keyIdentifier !== undefined) into.authorityKeyIdentifier = keyIdentifier;
    },
  },
  // freshestCRL: where to fetch deltas is not for us.
  '2.5.29.46': {
    mayBeCritical: false,
    read: (value) => {
      readDistributionPoints(readWhole(value, tags.sequence, 'cRLDistributionPoints'));
    },
  },
};

/** RFC 5280 5.3. */
const entryReaders: Readers<EntryExtensions> = {
  '2.5.29.21': {
    mayBeCritical: true,
    read: (value, into) => {
      into.reasonCode = readCount(readWhole(value, tags.enumerated, 'reasonCode'));
    },
  },
  '2.5.29.24': {
    mayBeCritical: true,
    read: (value) => {
      readWhole(value, tags.generalizedTime, 'invalidityDate');
    },
  },
  '2.5.29.29': {
    mayBeCritical: true,
    read: (value, into) => {
      const names = readWhole(value, tags.sequence, 'certificateIssuer');
      into.certificateIssuer = someElementsOf(names, 'certificateIssuer').map(readGeneralName);
    },
  },
};

/** @throws CrlError */
export const readCrlExtensions = (list: Element): CrlExtensions => readAll(list, crlReaders, {});

/** @throws CrlError */
export const readEntryExtensions = (list: Element): EntryExtensions => readAll(list, entryReaders, {});

/** RFC 5280 5.2, 5.3: an unknown critical extension, of the CRL or of one entry, forbids to use the CRL at all. */
function readAll<Into>(list: Element, readers: Readers<Into>, into: Into): Into {
  const seen = new Set<string>();
  for (const element of someElementsOf(list, 'extensions')) {
    const { oid, critical, value } = readExtension(element);
    if (seen.has(oid)) throw new CrlError('crl_extension_duplicate', oid);
    seen.add(oid);
    const reader = readers[oid];
    if (critical && !reader?.mayBeCritical) throw new CrlError('crl_critical_extension_unknown', oid);
    try {
      reader?.read(value, into);
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      throw new CrlError('crl_extension_malformed', `${oid}: ${error.message}`);
    }
  }
  return into;
}

/** CRLNumber: up to 20 octets (RFC 5280 5.2.3). */
function readNumber(value: Uint8Array, what: string): bigint {
  const octets = integerOctets(readWhole(value, tags.integer, what));
  if (octets[0]! >= 0x80 || octets.length > 21) throw new DerError(`${what}: negative or too long`);
  return BigInt(`0x${hex(octets)}`);
}

function readIssuingDistributionPoint(value: Uint8Array): IssuingDistributionPoint {
  const sequence = readWhole(value, tags.sequence, 'issuingDistributionPoint');
  const fields = new Fields(sequence);
  const name = fields.optional(contextConstructed(0));
  const flag = (n: number): boolean => {
    const field = fields.optional(contextPrimitive(n));
    return field !== undefined && readBoolean(field);
  };
  const onlyContainsUserCerts = flag(1);
  const onlyContainsCACerts = flag(2);
  const reasons = fields.optional(contextPrimitive(3));
  const indirectCRL = flag(4);
  const onlyContainsAttributeCerts = flag(5);
  fields.finish('issuingDistributionPoint');
  if (contentOf(sequence).length === 0) throw new DerError('issuingDistributionPoint: empty');
  if ([onlyContainsUserCerts, onlyContainsCACerts, onlyContainsAttributeCerts].filter(Boolean).length > 1) {
    throw new DerError('issuingDistributionPoint: contains only two kinds at once');
  }
  const read = name && readDistributionPointName(name);
  if (read?.kind === 'fullName' && read.names.length > mostNames)
    throw new CrlError('crl_too_large', `a scope of more than ${mostNames} names`);
  return {
    key: hex(encodingOf(sequence)),
    name: read,
    onlyContainsUserCerts,
    onlyContainsCACerts,
    onlySomeReasons: reasons === undefined ? allReasons : readReasons(reasons),
    indirectCRL,
    onlyContainsAttributeCerts,
  };
}
