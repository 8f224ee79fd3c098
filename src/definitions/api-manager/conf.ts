import { basename, dirname, resolve } from 'node:path';
import { FileProblem } from '../../documents/files.ts';
import { parseToml } from '../../documents/toml.ts';
import { findXml, readXml, type XmlElement, XmlProblem } from '../../documents/xml.ts';
import { readKeyStore } from '../../pki/containers/key-store.ts';
import { KeyStoreError } from '../../pki/containers/key-store-entry.ts';
import { type DefinitionEntry, type DefinitionProblem, filesOf } from '../written.ts';

/** What API Manager's own configuration says of mutual SSL, from files of all its ages. */
export type ApiManagerConf = {
  readonly header: string | undefined;
  /** Uploaded CA certificates admit what they issued. */
  readonly isChainMode: boolean;
  /** A header is named, or the only way: there is a load balancer. */
  readonly usesHeader: boolean;
  /** What makes all APIs doubtful. */
  readonly lost: readonly DefinitionProblem[];
};

const defaultHeader = 'X-WSO2-CLIENT-CERTIFICATE';
type Said = { header?: string; isChainMode?: boolean; usesHeader?: boolean };

export function readApiManagerConf(
  files: readonly string[],
  entry: DefinitionEntry,
  problems: DefinitionProblem[],
  warnings: DefinitionProblem[],
): ApiManagerConf {
  const lost: DefinitionProblem[] = [];
  const all: [file: string, said: Said][] = [];
  for (const file of files) {
    const read = readers.get(basename(file));
    if (read === undefined) continue;
    const said: Said = {};
    all.push([file, said]);
    try {
      read(file, filesOf(entry).text(file), said, entry, lost, warnings);
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      lost.push({ file, line: error.line, key: '', message: error.message });
    }
  }
  const header = oneOf('header', all, lost);
  const isChainMode = oneOf('isChainMode', all, lost);
  problems.push(...lost);
  return {
    header: header ?? defaultHeader,
    isChainMode: isChainMode ?? false,
    usesHeader: all.some(([, said]) => said.usesHeader),
    lost,
  };
}

/** Two installations' files below one path: which of them is meant, nobody knows. */
function oneOf<Key extends 'header' | 'isChainMode'>(
  key: Key,
  all: readonly (readonly [file: string, said: Said])[],
  lost: DefinitionProblem[],
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

type Reader = (
  file: string,
  text: string,
  said: Said,
  entry: DefinitionEntry,
  lost: DefinitionProblem[],
  warnings: DefinitionProblem[],
) => void;

const readers: ReadonlyMap<string, Reader> = new Map([
  ['deployment.toml', readDeployment],
  ['listenerprofiles.xml', readProfiles],
  ['axis2.xml', readAxis2],
  ['api-manager.xml', readApiManagerXml],
]);

export const isConf = (file: string): boolean => readers.has(basename(file));

/** `[apimgt.mutual_ssl]`. */
function readDeployment(...[file, text, said, , lost, warnings]: Parameters<Reader>): void {
  const { value, lineOf } = parseToml(text);
  const path = ['apimgt', 'mutual_ssl'];
  const table = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  );
  if (table === undefined) return;
  const say = (list: DefinitionProblem[], key: string, message: string): void => {
    list.push({ file, line: lineOf([...path, key]), key: [...path, key].join('.'), message });
  };
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    lost.push({
      file,
      line: lineOf(path),
      key: path.join('.'),
      message: 'is no table; write [apimgt.mutual_ssl]',
    });
    return;
  }
  for (const [key, found] of Object.entries(table)) {
    const wanted = key === 'certificate_header' ? 'string' : 'boolean';
    if (!knownKeys.includes(key)) say(lost, key, `is not known here; there are: ${knownKeys.join(', ')}`);
    else if (typeof found !== wanted)
      say(
        lost,
        key,
        `found ${JSON.stringify(found)}; write ${wanted === 'string' ? 'a header name' : 'true or false'}`,
      );
  }
  const own = table as Readonly<Record<string, unknown>>;
  if (typeof own.certificate_header === 'string')
    Object.assign(said, { header: own.certificate_header, usesHeader: true });
  if (own.enable_client_validation === false) said.usesHeader = true;
  if (typeof own.enable_certificate_chain_validation === 'boolean')
    said.isChainMode = own.enable_certificate_chain_validation;
  if (own.forward_client_certificate_header === true)
    say(
      warnings,
      'forward_client_certificate_header',
      'the backend gets a certificate header only with enableOutboundCertificateHeader = true in [enforcer.security.mutualSSL]; it is then the verified one',
    );
}

const knownKeys = [
  'certificate_header',
  'enable_client_validation',
  'client_certificate_encode',
  'enable_certificate_chain_validation',
  'forward_client_certificate_header',
];

/** `SSLProfiles`: a trust store and `SSLVerifyClient` by address. */
function readProfiles(...[file, text, , entry, lost, warnings]: Parameters<Reader>): void {
  const root = readXml(text);
  if (root.name !== 'parameter' || root.attributes.name !== 'SSLProfiles')
    throw new XmlProblem('is no <parameter name="SSLProfiles">', root.line);
  for (const profile of root.children.filter(({ name }) => name === 'profile')) {
    checkListener(profile, file, entry, lost, warnings);
    const address = findXml(profile, 'bindAddress');
    if (address !== undefined && address.text !== '0.0.0.0')
      warnings.push(
        at(file, address, `is for ${address.text} only; here all addresses of the router ask for the same`),
      );
  }
}

/** The `transportReceiver` of https. */
function readAxis2(...[file, text, , entry, lost, warnings]: Parameters<Reader>): void {
  const root = readXml(text);
  const receivers = root.name === 'transportReceiver' ? [root] : allXml(root, 'transportReceiver');
  for (const receiver of receivers.filter(({ attributes }) => attributes.name === 'https'))
    checkListener(receiver, file, entry, lost, warnings);
}

function readApiManagerXml(...[file, text, said, , , warnings]: Parameters<Reader>): void {
  const root = readXml(text);
  const enabled = findXml(root, 'EnableMTLSForAPIs');
  if (enabled !== undefined && enabled.text.toLowerCase() !== 'true')
    warnings.push(
      at(
        file,
        enabled,
        'mutual SSL is switched off there; here each API that asks for a certificate gets none but with it',
      ),
    );
  const mutual = findXml(root, 'MutualSSL');
  const header =
    mutual && (findXml(mutual, 'ClientCertificateHeader') ?? findXml(mutual, 'CertificateHeader'));
  if (header !== undefined && header.text !== '')
    Object.assign(said, { header: header.text, usesHeader: true });
  const chain = mutual && findXml(mutual, 'EnableCertificateChainValidation');
  if (chain !== undefined) said.isChainMode = chain.text.toLowerCase() === 'true';
}

/** The trust store must open; what `require` asks for is more than we do. */
function checkListener(
  element: XmlElement,
  file: string,
  entry: DefinitionEntry,
  lost: DefinitionProblem[],
  warnings: DefinitionProblem[],
): void {
  const verify =
    findXml(element, 'SSLVerifyClient') ??
    element.children.find(({ attributes }) => attributes.name === 'SSLVerifyClient');
  if (verify !== undefined && !['optional', 'require', 'none'].includes(verify.text))
    lost.push(
      at(file, verify, `found SSLVerifyClient ${JSON.stringify(verify.text)}; write optional or require`),
    );
  if (verify?.text === 'none')
    warnings.push(
      at(file, verify, 'no client is asked for a certificate there; here Envoy asks, and an API may need it'),
    );
  if (verify?.text === 'require')
    warnings.push(
      at(
        file,
        verify,
        'every client needs a certificate there, whichever API it calls; here those that call an API which asks for one',
      ),
    );
  const store = findXml(element, 'TrustStore');
  const location = store && findXml(store, 'Location');
  const password = store && findXml(store, 'Password');
  if (location === undefined || password === undefined) return;
  const path = resolve(entry.home ?? homeOf(file), location.text);
  try {
    readKeyStore(filesOf(entry).bytes(path), password.text);
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof KeyStoreError)) throw error;
    // Not needed to know the clients: their certificates stand in the archives, or the database.
    warnings.push(at(file, location, `found the trust store ${path}, which ${error.message}`));
  }
}

/** Its paths begin where `repository/` does. */
const homeOf = (file: string): string => /^(.*?)\/repository\//.exec(file)?.[1] ?? dirname(file);

function allXml(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.flatMap((child) => [
    ...(child.name === name ? [child] : []),
    ...allXml(child, name),
  ]);
}

const at = (file: string, { line, name }: XmlElement, message: string): DefinitionProblem => ({
  file,
  line,
  key: name,
  message,
});
