import { type Headers, requestIdIn } from '../attributes.ts';
import { type Admission, type Decision, type Denial, type DenialRow, denials } from '../decision.ts';
import { errorBody, protocolOf } from '../error-body.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { AnswerSettings } from '../snapshot.ts';
import { admissionMetadata, backendHeaders, identityOf } from '../upstream/backend-headers.ts';
import { messageValue } from '../upstream/field-value.ts';
import { challenges } from './challenge.ts';

/** A CheckResponse as proto-loader encodes it. */
export type CheckResponse = {
  readonly status: { readonly code: number; readonly message?: string };
  readonly denied_response?: {
    readonly status: { readonly code: number };
    readonly headers: readonly HeaderValueOption[];
    readonly body: string;
  };
  readonly ok_response?: {
    readonly headers: readonly HeaderValueOption[];
    readonly headers_to_remove: readonly string[];
  };
  readonly dynamic_metadata: Struct;
};
/** `append` is left unset: admitted, it overwrites; denied, it adds (measured on Envoy 1.40). */
export type HeaderValueOption = { readonly header: { readonly key: string; readonly value: string } };
/** proto-loader reads google.protobuf.Struct in camelCase, whatever `keepCase` says. */
export type Struct = { readonly fields: Readonly<Record<string, { readonly stringValue: string }>> };

/**
 * The only writer of the proto.
 *
 * @param received the request's headers: what the client speaks, and those to be removed that it has spelled with `_` for `-`
 * @param backendJwt for the header that `answers.backendJwt` names; undefined: there is none
 */
export const writeCheckResponse = (
  decision: Decision,
  answers: AnswerSettings,
  received: Headers,
  backendJwt?: string,
): CheckResponse =>
  decision.outcome === 'allow'
    ? admitted(decision, answers, received, backendJwt)
    : denied(decision, answers, received);

/** The only place that writes code 0, which alone admits; and an empty answer would admit, too. */
function admitted(
  admission: Admission,
  answers: AnswerSettings,
  received: Headers,
  backendJwt: string | undefined,
): CheckResponse {
  const identity = identityOf(admission);
  const { set, remove } = backendHeaders(admission, identity, answers, received, backendJwt);
  return {
    status: { code: 0 },
    ok_response: {
      headers: set.map(([key, value]) => ({ header: { key, value } })),
      headers_to_remove: remove,
    },
    dynamic_metadata: metadata(admissionMetadata(admission, identity, answers)),
  };
}

function denied(denial: Denial, answers: AnswerSettings, received: Headers): CheckResponse {
  const { code, api, scopes } = denial;
  const { status } = denials[code];
  const format = api?.errorFormat ?? answers.errorFormat;
  const body = errorBody(code, format, protocolOf(received));
  return {
    status: { code: rpcCodes[status], message: code },
    denied_response: {
      status: { code: status },
      headers: [
        ...(answers.reasonHeader === undefined ? [] : [option(answers.reasonHeader, code)]),
        option('content-type', body.contentType),
        ...challenges(code, format, scopes).map((value) => option('www-authenticate', value)),
        ...requestIdOption(received),
      ],
      body: body.text,
    },
    dynamic_metadata: denialMetadata(denial),
  };
}

/** A stranger's certificate is another each time. */
export const denialMetadata = ({ code, api, certificate }: Denial): Struct =>
  metadata({
    api: api && messageValue(api.name),
    version: api && messageValue(api.version),
    fingerprint: certificate?.sha256,
    subject: certificate && messageValue(formatName(certificate.subject)),
    reason: code,
  });

/** What a client can quote. Envoy's own, where it sets it as well, takes its place. */
export function requestIdOption(received: Headers): readonly HeaderValueOption[] {
  const id = requestIdIn(received);
  return id === undefined ? [] : [option('x-request-id', id)];
}

/** google.rpc.Code: never 0. */
const rpcCodes: Readonly<Record<DenialRow['status'], number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  405: 12,
  429: 8,
};

const option = (key: string, value: string): HeaderValueOption => ({
  header: { key, value: messageValue(value) },
});

function metadata(values: Readonly<Record<string, string | undefined>>): Struct {
  const fields: Record<string, { stringValue: string }> = {};
  for (const name in values) {
    const value = values[name];
    if (value !== undefined) fields[name] = { stringValue: value };
  }
  return { fields };
}
