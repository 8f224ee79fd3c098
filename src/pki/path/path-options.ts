/** The inputs of RFC 5280 6.1.1 (c) to (g). */
export type PolicyInputs = {
  /** Dotted OIDs; with anyPolicy in it every policy is acceptable. */
  readonly initialPolicySet: readonly string[];
  readonly initialExplicitPolicy: boolean;
  readonly initialPolicyMappingInhibit: boolean;
  readonly initialAnyPolicyInhibit: boolean;
};

/** What is accepted although it is weak. */
export type WeakAlgorithms = {
  readonly sha1: boolean;
  readonly md5: boolean;
  readonly minRsaBits: number;
  /** brainpoolP256r1, P384r1 and P512r1 (RFC 5639). */
  readonly brainpool?: boolean | undefined;
  /** SEC 2. */
  readonly secp256k1?: boolean | undefined;
};

/** For those who are to be kept out. */
export const anyAlgorithms: WeakAlgorithms = {
  sha1: true,
  md5: true,
  minRsaBits: 0,
  brainpool: true,
  secp256k1: true,
};

/** What is accepted although it is weak or unusual. */
export type Leniency = Pick<PathPolicy, 'weakAlgorithms' | 'anyExtendedKeyUsage'>;

/** CAs that are treated with more leniency than others: they themselves, and what they issued. */
export type LenientCas = {
  /** By name and key (`lenientCas`). */
  readonly byCa: ReadonlyMap<string, Leniency>;
  /** The sum of it. */
  readonly all: Leniency;
};

/** How paths are judged: all but the certificates and the instant. */
export type PathPolicy = {
  readonly purpose: 'client' | 'server' | 'any';
  readonly policies: PolicyInputs;
  readonly weakAlgorithms: WeakAlgorithms;
  /** anyExtendedKeyUsage in the leaf stands for the purpose (RFC 5280 4.2.1.12 lets us choose). In CAs it always does. */
  readonly anyExtendedKeyUsage: boolean;
  /** undefined: all are treated alike. */
  readonly lenientCas: LenientCas | undefined;
  /** CA certificates between the leaf and the anchor. */
  readonly maxIntermediates: number;
  /**
   * For one request, as many as Go's crypto/x509 allows in a search; checks by costlier keys count for several, so that
   * the limit is one of time. Checking revocation may take as much again.
   */
  readonly maxSignatureChecks: number;
  /** Name against constraint, for one request. As many as Go's crypto/x509 allows. */
  readonly maxNameComparisons: number;
};

export const anyPolicy = '2.5.29.32.0';

export const defaultPolicy: PathPolicy = {
  purpose: 'client',
  policies: {
    initialPolicySet: [anyPolicy],
    initialExplicitPolicy: false,
    initialPolicyMappingInhibit: false,
    initialAnyPolicyInhibit: false,
  },
  weakAlgorithms: { sha1: false, md5: false, minRsaBits: 2048 },
  anyExtendedKeyUsage: false,
  lenientCas: undefined,
  maxIntermediates: 10,
  maxSignatureChecks: 100,
  maxNameComparisons: 250_000,
};
