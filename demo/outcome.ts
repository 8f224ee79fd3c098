import type { SeenRequest } from '../test/support/backend.ts';
import type { Answer } from '../test/support/client.ts';
import type { DemoRequest, Expected, Phase } from './requests.ts';

/** What came of a request. */
export type Outcome = {
  readonly status: number;
  readonly grpcStatus?: number;
  readonly reason?: string | undefined;
  /** What the backend got; absent where it got nothing. */
  readonly seen?: SeenRequest;
};

export type Send = (request: DemoRequest, phase: Phase) => Promise<Outcome>;

const reasonHeader = 'x-mtls-reason';

/** Reads an answer that came through Envoy. */
export function outcomeOf({ protocol }: DemoRequest, { status, headers, body }: Answer): Outcome {
  const reason = headers[reasonHeader]?.toString();
  if (protocol === 'grpc') {
    const seen = headers['x-seen']?.toString();
    return {
      status,
      reason,
      grpcStatus: Number(headers['grpc-status'] ?? Number.NaN),
      ...(seen && { seen: JSON.parse(Buffer.from(seen, 'base64').toString('utf8')) as SeenRequest }),
    };
  }
  return { status, reason, ...(status === 200 && { seen: JSON.parse(body) as SeenRequest }) };
}

/** Every value under a header's name, joined: a forged one beside ours would show. */
export const seenHeader = (seen: SeenRequest | undefined, name: string): string | undefined => {
  const values = seen?.headers
    .filter(([seenName]) => seenName === name.toLowerCase())
    .map(([, value]) => value);
  return values?.length ? values.join(',') : undefined;
};

/** @returns one sentence a difference: none if all was as expected */
export function differences(
  request: DemoRequest,
  { status, grpcStatus, reason, seen }: Outcome,
): readonly string[] {
  const { expect } = request;
  const admitted = isAdmitted(expect);
  const rows: readonly (readonly [what: string, wanted: unknown, found: unknown])[] = [
    ['status', expect.status, status],
    ['grpc-status', expect.grpcStatus, grpcStatus],
    ['reason', expect.reason, reason],
    ['seen by the backend', admitted, seen !== undefined],
    ['alias at the backend', expect.alias, seenHeader(seen, 'x-client-cert-alias')],
    ['tier at the backend', expect.tier, seenHeader(seen, 'x-client-cert-tier')],
    ['certificate header at the backend', undefined, request.header && seenHeader(seen, request.header.name)],
  ];
  return rows
    .filter(([, wanted, found]) => wanted !== found)
    .map(([what, wanted, found]) => `${what}: expected ${wanted ?? 'none'}, found ${found ?? 'none'}`);
}

export const isAdmitted = ({ status, grpcStatus }: Expected): boolean =>
  status === 200 && (grpcStatus === undefined || grpcStatus === 0);
