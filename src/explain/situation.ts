import type { Api } from '../apis/api.ts';
import type { Bound, Unbound } from '../apis/binding.ts';
import type { Operation } from '../apis/operations.ts';
import type { Attributes } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import type { PresentedCertificate, Step } from '../enforcer.ts';
import type { TokenVerdict } from '../oauth2/access-token.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import type { Notes, TriedPath } from '../pki/path/effort.ts';
import type { Snapshot } from '../snapshot.ts';
import type { CertificateVerdict } from '../weighing.ts';

/** What was decided, and what was found on the way; undefined is what was not come to. */
export type Situation = Circumstances & {
  readonly api: Api | undefined;
  readonly asked: Api | Operation | undefined;
  readonly presented: PresentedCertificate | undefined;
  readonly bound: Bound | Unbound | undefined;
  /** Each path once, however many aliases it was tried for. */
  readonly tried: readonly TriedPath[];
  readonly statuses: Notes['statuses'];
  readonly certificate: CertificateVerdict | undefined;
  readonly token: TokenVerdict | undefined;
};

type Circumstances = {
  readonly attributes: Attributes;
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly decision: Decision;
};

export function situationOf(steps: readonly Step[], circumstances: Circumstances): Situation {
  const find = <K extends Step['kind']>(kind: K): Extract<Step, { readonly kind: K }> | undefined =>
    steps.find((step): step is Extract<Step, { readonly kind: K }> => step.kind === kind);
  const bound = find('bound');
  return {
    ...circumstances,
    api: find('api')?.api,
    asked: find('asked')?.asked,
    presented: find('presented')?.presented,
    bound: bound?.result,
    tried: eachOnce(bound?.notes.tried ?? []),
    statuses: bound?.notes.statuses ?? [],
    certificate: find('certificate')?.verdict,
    token: find('token')?.verdict,
  };
}

function eachOnce(tried: readonly TriedPath[]): readonly TriedPath[] {
  const key = ({ path, anchor, failed }: TriedPath): string =>
    [...path, anchor].map((one) => one?.sha256).join() + (failed?.code ?? '');
  return [...new Map(tried.map((one) => [key(one), one])).values()];
}

export const leafOf = ({ presented }: Situation): Certificate | undefined =>
  presented?.kind === 'certificate' ? presented.leaf : undefined;

/** The CAs of a valid path of the certificate, the trust anchor last. */
export function casAbove({ tried }: Situation): readonly Certificate[] {
  const valid = tried.find(({ failed }) => failed === undefined);
  return valid === undefined ? [] : [...valid.path.slice(1), ...(valid.anchor ? [valid.anchor] : [])];
}

/** Whether the request was denied with one of these codes. */
export const isDecisive = ({ decision }: Situation, ...codes: readonly string[]): boolean =>
  decision.outcome === 'deny' && codes.includes(decision.code);
