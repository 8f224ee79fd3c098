import { type Header, type Headers, isIn, unusualNames } from '../attributes.ts';
import type { CertificateFormat } from '../client-certificate/formats/table.ts';
import { writeCertificate } from '../client-certificate/outbound.ts';
import type { Admission, ApiName, VerifiedClient } from '../decision.ts';
import type { TokenHeader } from '../oauth2/bearer-token.ts';
import type { AccessToken } from '../oauth2/claims.ts';
import { formatName } from '../pki/certificate/name.ts';
import { listValue, nameValue, subjectValue } from './field-value.ts';
import { methodOverrides, pathOverrides } from './overrides.ts';

const identityNames = ['alias', 'tier', 'sha256', 'subject', 'clientId', 'scopes', 'tokenSubject'] as const;
type Identity = { readonly [name in (typeof identityNames)[number]]: string | undefined };

/** By what the backend is told. Header names are lower case; undefined: switched off. No two are the same (`checkAnswers`). */
export type BackendSettings = {
  readonly identityHeaders: Identity;
  /** How the backend gets the verified certificate; undefined: not at all. */
  readonly outbound:
    | {
        readonly format: CertificateFormat;
        readonly header: string;
        readonly chainHeader: string | undefined;
      }
    | undefined;
  /** Request headers that never reach the backend as the client sent them. */
  readonly headersToRemove: readonly string[];
  readonly tokenHeader: TokenHeader;
  /** Where the backend reads our JWT, and nobody else's. */
  readonly backendJwtHeader: string;
};

type BackendHeaders = {
  /** In place of what the client sent. */
  readonly set: readonly Header[];
  readonly remove: readonly string[];
};

/** All of an admission that the backend is told of: where two are equal in it, so are their answers. */
export type Told = Pick<Admission, 'api' | 'client' | 'tokenHeader'> & {
  readonly token?: Pick<AccessToken, 'clientId' | 'scopes' | 'subject'>;
};

/** Who the client is, as far as it is known: the same for headers and metadata. An empty text names nobody. */
export function identityOf({ client, token }: Told): Identity {
  return {
    alias: client?.alias && nameValue(client.alias),
    tier: client?.tier && nameValue(client.tier),
    sha256: client?.certificate.sha256,
    subject: client && (subjectValue(formatName(client.certificate.subject)) || undefined),
    clientId: token?.clientId && nameValue(token.clientId),
    scopes: token && (listValue(token.scopes) || undefined),
    tokenSubject: token?.subject && nameValue(token.subject),
  };
}

/**
 * What the backend is told of an admitted request: who the client is, and nothing that it said of itself. Values are as
 * long as they are, for a cut name would be another's; the certificate's and the token's own length is their bound.
 *
 * @param identity of the admission
 * @param received the request's headers: those to be removed may be spelled in other ways
 * @param jwt for the header of the backend's JWT
 */
export function backendHeaders(
  admission: Told,
  identity: Identity,
  settings: BackendSettings,
  received: Headers,
  jwt: string | undefined,
): BackendHeaders {
  const { api, client, tokenHeader } = admission;
  const { identityHeaders, outbound, backendJwtHeader, headersToRemove } = settings;
  const set: Header[] = [];
  // Whether they came or not, which most Envoys don't tell us. An API without operations is judged alike for all methods.
  const overrides = [...pathOverrides, ...(api.hasOperations ? methodOverrides : [])];
  const remove = [...headersToRemove, ...overrides, ...misspelled(received, settings)];
  const { name: credential, forward } = settings.tokenHeader;
  if (tokenHeader === 'unverified' || (tokenHeader === 'verified' && !forward)) remove.push(credential);
  const tell = (name: string | undefined, value: string | undefined): void => {
    if (name === undefined) return;
    if (value) set.push([name, value]);
    else remove.push(name);
  };
  for (const what of identityNames) tell(identityHeaders[what], identity[what]);
  tell(backendJwtHeader, jwt);
  if (outbound === undefined || client === undefined) return { set, remove };
  const { certificate, intermediates } = client;
  const written = new Map(writeCertificate(outbound.format, certificate.der, intermediates, outbound));
  return { set: [...set, ...written], remove: remove.filter((name) => !written.has(name)) };
}

/** For Envoy's access log and for filters behind us: undefined where there is nothing to tell. */
export function admissionMetadata(
  { api, client }: Told,
  { alias, tier, sha256, subject, clientId }: Identity,
  { outbound }: BackendSettings,
): Readonly<Record<string, string | undefined>> {
  return {
    api: nameValue(api.name),
    version: nameValue(api.version),
    alias,
    tier,
    fingerprint: sha256,
    subject,
    clientId,
    // By which it counts what its tier allows.
    account: tier && client && accountOf(api, client),
    // In which format Envoy refuses what its tier does not allow: it does so by itself.
    errorFormat: tier && api.errorFormat,
    // Tells Envoy to leave certificate headers as they are now: this one is ours, the others are removed here.
    outbound: client && outbound?.header,
  };
}

/**
 * Whose requests are counted together. An API's own client shares nothing with another API's of its alias: whoever
 * publishes that could use up what is this one's. No name has `\@` (`nameValue`).
 */
const accountOf = ({ name, version, basePath }: ApiName, { alias, isOwn }: VerifiedClient): string =>
  isOwn ? [alias, name, version, basePath].map(nameValue).join('\\@') : nameValue(alias);

/**
 * CGI and its heirs (WSGI, PHP) read x_client_cert_alias, x.client.cert.alias and x-client-cert-alias as one name, so one
 * goes with the other.
 * The generated Envoy configuration has done that before; one written by hand may have not.
 */
export function misspelled(received: Headers, settings: BackendSettings): readonly string[] {
  const { written, read, plain } = ownNames.get(settings) ?? namesOf(settings);
  const unusual = unusualNames(received);
  if (unusual.length === 0 && plain.length === 0) return none;
  return [
    ...new Set(unusual.filter((name) => !written.has(name) && read.has(asCgi(name)))),
    ...plain.filter((name) => isIn(received, name)),
  ];
}
const none: readonly string[] = [];

type Names = {
  readonly written: ReadonlySet<string>;
  readonly read: ReadonlySet<string>;
  /** Where one of ours is unusual, how it is usually spelled. */
  readonly plain: readonly string[];
};
/** Once a snapshot, not once a request: there may be some seventy. */
const ownNames = new WeakMap<BackendSettings, Names>();

function namesOf(settings: BackendSettings): Names {
  const { identityHeaders, headersToRemove, outbound, backendJwtHeader, tokenHeader } = settings;
  const all = [
    ...Object.values(identityHeaders),
    ...headersToRemove,
    outbound?.header,
    outbound?.chainHeader,
    backendJwtHeader,
    tokenHeader.name,
    ...pathOverrides,
    ...methodOverrides,
  ];
  const written = new Set(all.filter((name) => name !== undefined));
  const read = new Set([...written].map(asCgi));
  // No name begins with `-`: that was the sign before WebSphere's.
  const plain = [...read].filter((name) => !written.has(name) && !name.startsWith('-'));
  const names = { written, read, plain };
  ownNames.set(settings, names);
  return names;
}

const asCgi = (name: string): string => name.replace(/[^a-z0-9]/g, '-');
