import { Attached } from '../attached.ts';
import { type Attributes, requestId } from '../attributes.ts';
import { type Admission, type Decision, type Denial, denials } from '../decision.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import type { GeneralName } from '../pki/certificate/general-name.ts';
import { formatName } from '../pki/certificate/name.ts';
import { oneLine } from './log.ts';
import { type TraceContext, traceContext } from './trace-context.ts';

/** What the log says of one denial: enough to act on, no header's value, no query (it may hold a token). */
export function auditDenial(attributes: Attributes, denial: Denial) {
  const { level, sentence } = denials[denial.code];
  return {
    level,
    message: `denied: ${sentence}`,
    fields: {
      code: denial.code,
      detail: denial.detail,
      ...requestFields(attributes, denial.api),
      ...(denial.certificate && certificateFields(denial.certificate)),
    },
  } as const;
}

/** The same of an admission, for the level at which each request has a line. */
export const auditAdmission = (attributes: Attributes, { api, client, token }: Admission) =>
  ({
    level: 'debug',
    message: 'admitted',
    fields: {
      ...requestFields(attributes, api),
      alias: client?.alias,
      clientId: token && shortened(token.clientId ?? ''),
      ...(client && certificateFields(client.certificate)),
    },
  }) as const;

/** What is known of a decision besides itself. */
export type Decided = {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** That it took. */
  readonly microseconds: number;
  /** Of the configuration. */
  readonly generation: number;
  /** That the request is part of, where it is recorded. */
  readonly trace?: TraceContext | undefined;
};

/** One line for those who keep a record: its fields are documented (docs/audit.md), and stay what they are. */
export const auditLine = (attributes: Attributes, decision: Decision, decided: Decided, worker?: number) =>
  lineOf({ type: 'decision', ...recordOf(attributes, decision, decided, worker) });

/** A request that was decided, and what is known of that. */
export type Answered = {
  readonly attributes: Attributes;
  readonly decision: Decision;
  readonly decided: Decided;
};

/** What another configuration, which does not count, says of the same request. */
export type Shadowed = Omit<Answered, 'attributes'> & {
  /** What of it is said differently. */
  readonly differs: readonly string[];
};

/** The record of a decision that counted, and beside it what it would have been. */
export function shadowLine(
  { attributes, decision, decided }: Answered,
  { decision: next, decided: nextDecided, differs }: Shadowed,
  worker?: number,
): string {
  const { alias, tier, clientId, sha256 } = identityFields(next);
  const { generation, microseconds } = nextDecided;
  return lineOf({
    type: 'shadow',
    ...recordOf(attributes, decision, decided, worker),
    differs,
    next: {
      ...outcomeFields(next),
      api: next.api?.name,
      apiVersion: next.api?.version,
      operation: next.operation,
      certificateFrom: next.certificateFrom,
      ...{ alias, tier, clientId, sha256 },
      generation,
      microseconds: Math.round(microseconds),
    },
  });
}

const lineOf = (fields: object): string => `${oneLine(JSON.stringify(fields))}\n`;

const recordOf = (attributes: Attributes, decision: Decision, decided: Decided, worker?: number) => ({
  time: new Date(decided.now).toISOString(),
  ...outcomeFields(decision),
  ...requestFields(attributes, decision.api),
  operation: decision.operation,
  traceId: traceContext(attributes)?.traceId,
  certificateFrom: decision.certificateFrom,
  ...identityFields(decision),
  generation: decided.generation,
  microseconds: Math.round(decided.microseconds),
  worker,
});

export const outcomeFields = (decision: Decision) => ({
  outcome: decision.outcome,
  ...(decision.outcome === 'deny' ? { reason: decision.code, detail: decision.detail } : {}),
});

export const identityFields = (decision: Decision): Identity => {
  if (decision.outcome === 'deny')
    return decision.certificate === undefined ? {} : certificateFields(decision.certificate);
  const { client, token } = decision;
  return {
    alias: client?.alias,
    tier: client?.tier,
    clientId: token?.clientId && shortened(token.clientId),
    ...(client && certificateFields(client.certificate)),
  };
};

type Identity = Readonly<
  Partial<Record<keyof CertificateFields | 'alias' | 'tier' | 'clientId', string | undefined>>
>;

const requestFields = (attributes: Attributes, api: Denial['api']) => {
  const { http, source } = attributes;
  return {
    requestId: requestId(attributes),
    api: api?.name,
    apiVersion: api?.version,
    method: shortened(http.method),
    host: shortened(withoutUserInfo(http.host)),
    path: shortened(http.path.split('?', 1)[0]!),
    source: source.address,
  };
};

type CertificateFields = ReturnType<typeof readFields>;

/** A client that comes again is called as before, and costs nothing. */
const fieldsOf = new Attached<Certificate, CertificateFields>();

export function certificateFields(certificate: Certificate): CertificateFields {
  let fields = fieldsOf.get(certificate);
  if (fields === undefined) {
    fields = readFields(certificate);
    fieldsOf.set(certificate, fields);
  }
  return fields;
}

const readFields = (certificate: Certificate) => ({
  subject: shortened(formatName(certificate.subject)),
  names: certificate.values.subjectAltName && namesText(certificate.values.subjectAltName),
  issuer: shortened(formatName(certificate.issuer)),
  notBefore: new Date(certificate.notBefore).toISOString(),
  notAfter: new Date(certificate.notAfter).toISOString(),
  serial: certificate.serialNumber,
  sha256: certificate.sha256,
});

/** `dns:a.example.com uri:spiffe://…`, as the rules of a client are called. A certificate may have thousands. */
function namesText(names: readonly GeneralName[]): string {
  const shown = names.slice(0, 10).map(nameText);
  const more = names.length - shown.length;
  return `${shortened(shown.join(' '))}${more > 0 ? ` and ${more} more` : ''}`;
}

function nameText(name: GeneralName): string {
  switch (name.form) {
    case 'dNSName':
      return `dns:${name.value}`;
    case 'rfc822Name':
      return `email:${name.value}`;
    case 'uniformResourceIdentifier':
      return `uri:${name.value}`;
    case 'iPAddress':
      return `ip:${name.octets.length === 4 ? name.octets.join('.') : Buffer.from(name.octets).toString('hex')}`;
    case 'directoryName':
      return `directory:${formatName(name.name)}`;
    default:
      return name.form;
  }
}

/** What stands before the last `@` of an authority may be a password. */
const withoutUserInfo = (host: string): string => host.replace(/^.*@/s, '…@');

const shortened = (text: string): string => (text.length > 256 ? `${text.slice(0, 253)}...` : text);
