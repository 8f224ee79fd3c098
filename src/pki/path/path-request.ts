import type { Certificate } from '../certificate/certificate.ts';
import type { Offered } from '../certificate/offered.ts';
import type { RevocationState } from '../revocation/revocation-state.ts';
import type { Effort } from './effort.ts';
import type { TrustStore } from './trust-store.ts';

/** A certificate that somebody presents, and what it is judged by besides trust anchors and policy. */
export type PathRequest = {
  readonly leaf: Certificate;
  /** Sent along by the client; not trusted, in any order, with anything in them. */
  readonly intermediates: readonly Offered[];
  /** Milliseconds since the epoch. Dates count whole seconds. */
  readonly now: number;
  /** undefined: revocation is not looked at. */
  readonly revocation?: RevocationState | undefined;
  /** What it has cost so far: made anew for each request (`createEffort`), and the same for all that is asked of it. */
  readonly effort: Effort;
};

/** The same for one search: against which trust anchors. */
export type PathInputs = Omit<PathRequest, 'leaf'> & { readonly trustStore: TrustStore };
