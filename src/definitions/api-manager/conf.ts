import { basename, dirname, resolve } from 'node:path';
import { Cursor, type Document, type Findings } from '../../documents/cursor.ts';
import { attempt, FileProblem } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseForeignToml } from '../../documents/toml.ts';
import { readXmlDocument } from '../../documents/xml.ts';
import { readKeyStore } from '../../pki/containers/key-store.ts';
import { KeyStoreError } from '../../pki/containers/key-store-entry.ts';
import { type DefinitionEntry, filesOf, outboundAdvice } from '../written.ts';

/** What API Manager's own configuration says of mutual SSL, from files of all its ages. */
export type ApiManagerConf = {
  readonly header: string | undefined;
  /** Uploaded CA certificates admit what they issued. */
  readonly isChainMode: boolean;
  /** A header is named, or the only way: there is a load balancer. */
  readonly usesHeader: boolean;
  /** What makes all APIs doubtful. */
  readonly lost: readonly Problem[];
};

const defaultHeader = 'X-WSO2-CLIENT-CERTIFICATE';

/** What one file says. */
type Said = { readonly header?: string; readonly isChainMode?: boolean; readonly usesHeader?: boolean };

type Reader = {
  readonly parse: (text: string) => Document;
  readonly read: (at: Cursor, entry: DefinitionEntry) => Said;
};

const readers: ReadonlyMap<string, Reader> = new Map([
  ['deployment.toml', { parse: parseForeignToml, read: readDeployment }],
  ['listenerprofiles.xml', { parse: readXmlDocument, read: readProfiles }],
  ['axis2.xml', { parse: readXmlDocument, read: readAxis2 }],
  ['api-manager.xml', { parse: readXmlDocument, read: readApiManagerXml }],
]);

export const isConf = (file: string): boolean => readers.has(basename(file));

export function readApiManagerConf(
  files: readonly string[],
  entry: DefinitionEntry,
  found: Findings,
): ApiManagerConf {
  const own: Findings = { problems: [], warnings: found.warnings };
  const all = files.flatMap((file): [file: string, said: Said][] => {
    const reader = readers.get(basename(file));
    const document = reader && attempt(file, own, () => reader.parse(filesOf(entry).text(file)));
    return document === undefined ? [] : [[file, reader!.read(Cursor.of(file, document, own), entry)]];
  });
  const header = oneOf('header', all, own.problems);
  const isChainMode = oneOf('isChainMode', all, own.problems);
  found.problems.push(...own.problems);
  return {
    header: header ?? defaultHeader,
    isChainMode: isChainMode ?? false,
    usesHeader: all.some(([, said]) => said.usesHeader),
    lost: own.problems,
  };
}

/** Two installations' files below one path: which of them is meant, nobody knows. */
function oneOf<Key extends 'header' | 'isChainMode'>(
  key: Key,
  all: readonly (readonly [file: string, said: Said])[],
  lost: Problem[],
): Said[Key] | undefined {
  const [first, ...others] = all.filter(([, said]) => said[key] !== undefined);
  const other = others.find(
    ([, said]) => String(said[key]).toLowerCase() !== String(first?.[1][key]).toLowerCase(),
  );
  if (first !== undefined && other !== undefined) {
    const what = key === 'header' ? 'the certificate header' : 'certificate chain validation';
    const message = `says otherwise of ${what} than ${first[0]}; write the path of one installation's files`;
    lost.push({ file: other[0], line: 1, key: '', message });
  }
  return first?.[1][key];
}

/** `[apimgt.mutual_ssl]`. */
function readDeployment(root: Cursor): Said {
  root.noSlips(['apimgt']);
  for (const [name, at] of root.entries()) {
    if (!at.isTable) continue;
    at.noSlips(['mutual_ssl']);
    if (name !== 'apimgt' && at.get('mutual_ssl').isWritten)
      at.get('mutual_ssl').error('is not read here; write [apimgt.mutual_ssl]');
  }
  const at = root.get('apimgt', 'mutual_ssl');
  if (at.value === undefined) return {};
  if (!at.isTable) at.error('is no table; write [apimgt.mutual_ssl]');
  else
    at.known([
      'certificate_header',
      'enable_client_validation',
      'client_certificate_encode',
      'enable_certificate_chain_validation',
      'forward_client_certificate_header',
    ]);
  const header = at.get('certificate_header').text('"X-WSO2-CLIENT-CERTIFICATE"');
  const validates = at.get('enable_client_validation').flag();
  at.get('client_certificate_encode').flag();
  const isChainMode = at.get('enable_certificate_chain_validation').flag();
  const forward = at.get('forward_client_certificate_header');
  if (forward.flag()) forward.warn(outboundAdvice);
  return {
    ...(header !== undefined && { header }),
    ...(isChainMode !== undefined && { isChainMode }),
    ...((header !== undefined || validates === false) && { usesHeader: true }),
  };
}

/** `SSLProfiles`: a trust store and `SSLVerifyClient` by address. */
function readProfiles(root: Cursor, entry: DefinitionEntry): Said {
  const at = root.get('parameter');
  if (at.get('@name').value !== 'SSLProfiles') root.error('is no <parameter name="SSLProfiles">');
  for (const profile of at.get('profile').each()) {
    checkListener(profile, entry);
    const address = first(profile, 'bindAddress');
    if (address !== undefined && textOf(address) !== '0.0.0.0')
      address.warn(`is for ${textOf(address)} only; here all addresses of the router ask for the same`);
  }
  return {};
}

/** The `transportReceiver` of https. */
function readAxis2(root: Cursor, entry: DefinitionEntry): Said {
  for (const receiver of root.everywhere('transportReceiver'))
    if (receiver.get('@name').value === 'https') checkListener(receiver, entry);
  return {};
}

function readApiManagerXml(root: Cursor): Said {
  const enabled = first(root, 'EnableMTLSForAPIs');
  if (enabled !== undefined && textOf(enabled).toLowerCase() !== 'true')
    enabled.warn(
      'mutual SSL is switched off there; here each API that asks for a certificate gets none but with it',
    );
  const mutual = first(root, 'MutualSSL');
  mutual?.noSlips(['ClientCertificateHeader', 'CertificateHeader', 'EnableCertificateChainValidation']);
  const named = mutual && (first(mutual, 'ClientCertificateHeader') ?? first(mutual, 'CertificateHeader'));
  const chain = mutual && first(mutual, 'EnableCertificateChainValidation');
  const header = named && textOf(named);
  return {
    ...(header && { header, usesHeader: true }),
    ...(chain !== undefined && { isChainMode: textOf(chain).toLowerCase() === 'true' }),
  };
}

/** The trust store must open; what `require` asks for is more than we do. */
function checkListener(at: Cursor, entry: DefinitionEntry): void {
  const named = at
    .get('parameter')
    .each()
    .find((parameter) => parameter.get('@name').value === 'SSLVerifyClient');
  const verify = first(at, 'SSLVerifyClient') ?? named;
  const word = verify && textOf(verify);
  if (word === 'none')
    verify?.warn('no client is asked for a certificate there; here Envoy asks, and an API may need it');
  else if (word === 'require')
    verify?.warn(
      'every client needs a certificate there, whichever API it calls; here those that call an API which asks for one',
    );
  else if (word !== 'optional')
    verify?.error(`found SSLVerifyClient ${JSON.stringify(word)}; write optional or require`);
  const store = first(at, 'TrustStore');
  const location = store && first(store, 'Location');
  const password = store && first(store, 'Password');
  if (location === undefined || password === undefined) return;
  const path = resolve(entry.home ?? homeOf(at.file), textOf(location));
  try {
    readKeyStore(filesOf(entry).bytes(path), textOf(password));
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof KeyStoreError)) throw error;
    // Not needed to know the clients: their certificates stand in the archives, or the database.
    location.warn(`found the trust store ${path}, which ${error.message}`);
  }
}

const first = (at: Cursor, element: string): Cursor | undefined => at.everywhere(element).next().value;

/** An element's own text, whether it has attributes or not. */
function textOf(at: Cursor): string {
  const value = typeof at.value === 'string' ? at.value : at.get('#text').value;
  return typeof value === 'string' ? value : '';
}

/** Its paths begin where `repository/` does. */
const homeOf = (file: string): string => /^(.*?)\/repository\//.exec(file)?.[1] ?? dirname(file);
