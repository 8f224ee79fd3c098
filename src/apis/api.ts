import type { Certificate } from '../pki/certificate.ts';
import type { PathValidator } from '../pki/path-validator.ts';
import type { Operations } from './operations.ts';

/** Whether an API asks for the client's certificate. */
export type MutualSsl = 'mandatory' | 'optional' | 'off';

/** Who a certificate may be: one entry of `[[clients]]`, resolved. An alias may have several (old and new together). */
export type Client = {
  readonly alias: string;
  readonly tier: string | undefined;
  /** exact: one certificate. rule: what a CA issued, as far as it says what it must. issuedBy: all that a CA issued. */
  readonly kind: 'exact' | 'rule' | 'issuedBy';
  /** Whether the certificate says what it must; whether it is true, `validator` finds out. */
  readonly fits: (leaf: Certificate) => boolean;
  /** Holds the trust anchors that the alias's certificates must lead up to. */
  readonly validator: PathValidator;
  /** When the entry counts; undefined: always. */
  readonly term: Term | undefined;
};

/** Milliseconds since the epoch, both inclusive. */
export type Term = { readonly disabled: boolean; readonly notBefore: number; readonly notAfter: number };

/** Clients by what they are known by; each kind in the order they were given in. */
export type BoundClients = {
  /** By the certificate's SHA-256 in lower-case hex. */
  readonly exact: ReadonlyMap<string, readonly Client[]>;
  readonly rules: readonly Client[];
  readonly issuedBy: readonly Client[];
};

/** All clients that there are, whichever API they may call. */
export type Everyone = {
  /** Over the trust anchors of all of them. */
  readonly validator: PathValidator;
  /** Those that may be out of force. */
  readonly restricted: readonly Client[];
  /** Exact ones by alias: what may be left of an alias whose other entries are out of force. */
  readonly exactByAlias: ReadonlyMap<string, readonly Client[]>;
};

export type Api = {
  readonly name: string;
  readonly version: string;
  /** Whole segments, begins with '/', no slash at the end; '' is the root. */
  readonly basePath: string;
  /** Lower case, no port, no trailing dot: exact names, '*.example.com', or '*'. */
  readonly hosts: readonly string[];
  readonly mutualSsl: MutualSsl;
  /** In the order of the API's `aliases`. */
  readonly clients: BoundClients;
  /** undefined: none are listed, and all that is below the base path is the API. */
  readonly operations: Operations | undefined;
  /** What is not among the operations is the API's as a whole, in place of not there. */
  readonly servesUnlisted: boolean;
};
