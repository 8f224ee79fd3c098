import { type Header, requestIdIn } from '../attributes.ts';
import { writeCertificate } from '../client-certificate/outbound.ts';
import { type Admission, type Decision, type Denial, type DenialRow, denials } from '../decision.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { AnswerSettings } from '../snapshot.ts';
import { challenges } from './challenge.ts';
import { errorBody, protocolOf } from './error-body.ts';
import { fieldValue } from './field-value.ts';

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
type Struct = { readonly fields: Readonly<Record<string, { readonly stringValue: string }>> };

/**
 * The only writer of the proto.
 *
 * @param received the request's headers: what the client speaks, and those to be removed that it has spelled with `_` for `-`
 * @param backendJwt for the header that `answers.backendJwt` names; undefined: there is none
 */
export const writeCheckResponse = (
  decision: Decision,
  answers: AnswerSettings,
  received: readonly Header[],
  backendJwt?: string,
): CheckResponse =>
  decision.outcome === 'allow'
    ? admitted(decision, answers, received, backendJwt)
    : denied(decision, answers, received);

/** The only place that writes code 0, which alone admits; and an empty answer would admit, too. */
function admitted(
  { api, client, token, tokenHeader }: Admission,
  answers: AnswerSettings,
  received: readonly Header[],
  backendJwt: string | undefined,
): CheckResponse {
  const { identityHeaders: names, outbound } = answers;
  const identity: readonly (readonly [name: string | undefined, value: string | undefined])[] = [
    [names.alias, client?.alias],
    [names.tier, client?.tier],
    [names.sha256, client?.certificate.sha256],
    [names.subject, client && formatName(client.certificate.subject)],
  ];
  // As long as they are, for a cut one would be another's; a token's own length is their bound.
  const whole: typeof identity = [
    [names.clientId, token?.clientId],
    [names.scopes, token && (token.scopes.join(' ') || undefined)],
    [names.tokenSubject, token?.subject],
    [answers.backendJwtHeader, backendJwt],
  ];
  const set: HeaderValueOption[] = [];
  const remove = new Set([...answers.headersToRemove, ...misspelled(received, answers)]);
  const { name: credential, forward } = answers.tokenHeader;
  if (tokenHeader === 'unverified' || (tokenHeader === 'verified' && !forward)) remove.add(credential);
  const told = [
    ...identity.map(([name, value]) => [name, value && fieldValue(value)] as const),
    ...whole.map(([name, value]) => [name, value && fieldValue(value, Infinity)] as const),
  ];
  for (const [name, value] of told) {
    if (name === undefined) continue;
    if (value === undefined) remove.add(name);
    else set.push({ header: { key: name, value } });
  }
  if (outbound !== undefined && client !== undefined) {
    const { format, header, chainHeader } = outbound;
    for (const [name, value] of writeCertificate(format, client.certificate.der, client.intermediates, {
      header,
      chainHeader,
    })) {
      set.push({ header: { key: name, value } });
      remove.delete(name);
    }
  }
  return {
    status: { code: 0 },
    ok_response: { headers: set, headers_to_remove: [...remove] },
    dynamic_metadata: metadata({
      api: api.name,
      version: api.version,
      alias: client?.alias,
      tier: client?.tier,
      fingerprint: client?.certificate.sha256,
      subject: client && formatName(client.certificate.subject),
      clientId: token?.clientId,
      // Tells Envoy to leave certificate headers as they are now: this one is ours, the others are removed here.
      outbound: client && outbound?.header,
    }),
  };
}

/**
 * CGI and its heirs (WSGI, PHP) read x_client_cert_alias, x.client.cert.alias and x-client-cert-alias as one name, so one
 * goes with the other.
 * The generated Envoy configuration has done that before; one written by hand may have not.
 */
function misspelled(received: readonly Header[], answers: AnswerSettings): readonly string[] {
  const { written, read } = ownNames.get(answers) ?? namesOf(answers);
  return received.flatMap(([name]) => (!written.has(name) && read.has(asCgi(name)) ? [name] : []));
}

type Names = { readonly written: ReadonlySet<string>; readonly read: ReadonlySet<string> };
/** Once a snapshot, not once a request: there may be some seventy. */
const ownNames = new WeakMap<AnswerSettings, Names>();

function namesOf(answers: AnswerSettings): Names {
  const { identityHeaders, headersToRemove, outbound, backendJwtHeader, tokenHeader } = answers;
  const all = [
    ...Object.values(identityHeaders),
    ...headersToRemove,
    outbound?.header,
    outbound?.chainHeader,
    backendJwtHeader,
    tokenHeader.name,
  ];
  const written = all.filter((name) => name !== undefined);
  const names = { written: new Set(written), read: new Set(written.map(asCgi)) };
  ownNames.set(answers, names);
  return names;
}

const asCgi = (name: string): string => name.replace(/[^a-z0-9]/g, '-');

function denied(
  { code, api, certificate, scopes }: Denial,
  answers: AnswerSettings,
  received: readonly Header[],
): CheckResponse {
  const { status } = denials[code];
  const body = errorBody(code, api?.errorFormat ?? answers.errorFormat, protocolOf(received));
  const id = requestIdIn(received);
  return {
    status: { code: rpcCodes[status], message: code },
    denied_response: {
      status: { code: status },
      headers: [
        ...(answers.reasonHeader === undefined ? [] : [option(answers.reasonHeader, code)]),
        // What a client can quote. Envoy's own, where it sets it as well, takes its place.
        ...(id === undefined ? [] : [option('x-request-id', id)]),
        option('content-type', body.contentType),
        ...challenges(code, scopes).map((value) => option('www-authenticate', value)),
      ],
      body: body.text,
    },
    dynamic_metadata: metadata({
      api: api?.name,
      version: api?.version,
      fingerprint: certificate?.sha256,
      subject: certificate && formatName(certificate.subject),
      reason: code,
    }),
  };
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
  header: { key, value: fieldValue(value) },
});

function metadata(values: Readonly<Record<string, string | undefined>>): Struct {
  const fields: Record<string, { stringValue: string }> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) fields[name] = { stringValue: fieldValue(value) };
  }
  return { fields };
}
