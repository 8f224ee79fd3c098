import type { PathValidator } from '../pki/path-validator.ts';

/** Whether an API asks for the client's certificate. */
export type MutualSsl = 'mandatory' | 'optional' | 'off';

/** Who a certificate may be: one entry of `[[clients]]`, resolved. */
export type Client = {
  readonly alias: string;
  readonly tier: string | undefined;
  /** Holds the trust anchors that the alias's certificates must lead up to. */
  readonly validator: PathValidator;
};

/** Clients by what they are known by; each kind in the order they were given in. */
export type BoundClients = {
  /** Exactly one certificate each, by its SHA-256 in lower-case hex. */
  readonly exact: ReadonlyMap<string, Client>;
  /** Whatever a CA issued. */
  readonly issuedBy: readonly Client[];
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
};
