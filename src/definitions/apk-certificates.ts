import { PemError, parsePem } from '../pki/pem.ts';
import { type ApkFiles, findResource, type Kind, type Resource } from './apk-files.ts';
import {
  below,
  elementsAt,
  isTable,
  neededText,
  type Place,
  type Problems,
  problemAt,
  shown,
} from './place.ts';
import type { WrittenClient } from './written.ts';

/** `{name, key}` in ConfigMaps or Secrets: the first of the kinds that has that name. */
export function referredClients(
  list: Place,
  kinds: readonly Kind[],
  namespace: string | undefined,
  files: ApkFiles,
  problems: Problems,
): readonly WrittenClient[] {
  return elementsAt(list, problems).flatMap((reference) => {
    const name = neededText(below(reference, 'name'), problems, '"mtls-configmap"');
    const key = neededText(below(reference, 'key'), problems, '"tls.crt"');
    if (name === undefined || key === undefined) return [];
    const found = kinds.map((kind) => findResource(files, kind, name, namespace));
    const resource = found.find((candidate) => typeof candidate !== 'string');
    if (typeof resource !== 'object') {
      problems.push(problemAt(reference, `${found[0]}`));
      return [];
    }
    const value = readKey(resource, key);
    if (typeof value === 'object') return clientsIn(value.text, `${name}/${key}`, value.place, problems);
    problems.push(problemAt(below(reference, 'key'), value));
    return [];
  });
}

/** Certificates that stand in the list themselves, in YAML block texts. */
export const inlineClients = (list: Place, owner: string, problems: Problems): readonly WrittenClient[] =>
  elementsAt(list, problems).flatMap((element, i) => {
    const text = neededText(element, problems, 'a certificate, from its BEGIN to its END');
    const alias = `${owner}/inline${i === 0 ? '' : `#${i + 1}`}`;
    return text === undefined ? [] : clientsIn(text, alias, element, problems);
  });

/** Where a key's value stands in a ConfigMap or Secret, and its text; or what is wrong. */
function readKey(resource: Resource, key: string): { readonly text: string; readonly place: Place } | string {
  const encoded = resource.kind === 'Secret' ? 'data' : 'binaryData';
  const plain = resource.kind === 'Secret' ? 'stringData' : 'data';
  // `stringData` overrides `data`, as Kubernetes has it.
  for (const table of [plain, encoded]) {
    const place = below(resource, table, key);
    if (place.value === undefined) continue;
    if (typeof place.value !== 'string')
      return `found ${shown(place.value)} at ${table}.${key} of the ${resource.kind} "${resource.name}"; write a text`;
    const text = table === plain ? place.value : decode(place.value);
    if (text === undefined)
      return `${table}.${key} of the ${resource.kind} "${resource.name}" is not base64; encode it, or write it into ${plain}`;
    return { text, place };
  }
  const known = [plain, encoded].flatMap((table) => {
    const { value } = below(resource, table);
    return isTable(value) ? Object.keys(value) : [];
  });
  return `found "${key}", which the ${resource.kind} "${resource.name}" does not have; ${known.length === 0 ? 'it is empty' : `it has: ${known.slice(0, 5).join(', ')}`}`;
}

/** Strictly: what Buffer passes over, somebody else may read. */
function decode(base64: string): string | undefined {
  const joined = base64.replaceAll(/[\r\n]/g, '').trim();
  const bytes = Buffer.from(joined, 'base64');
  return bytes.toString('base64') === joined ? bytes.toString('utf8') : undefined;
}

/** Each certificate of a PEM text is a client of its own: the second one's alias ends in `#2`. */
export function clientsIn(
  text: string,
  alias: string,
  place: Place,
  problems: Problems,
): readonly WrittenClient[] {
  const ders = certificatesIn(text);
  if (typeof ders === 'string') {
    problems.push(problemAt(place, ders));
    return [];
  }
  return ders.map((der, i) => ({ alias: i === 0 ? alias : `${alias}#${i + 1}`, pem: pemOf(der) }));
}

/** The certificates of a PEM text as DER, at least one; or what is wrong with it. */
export function certificatesIn(text: string): readonly Uint8Array[] | string {
  try {
    const blocks = parsePem(text);
    const key = blocks.find(({ label }) => label.includes('PRIVATE KEY'));
    if (key !== undefined || text.includes('PRIVATE KEY-----'))
      return 'has a private key in it; take it out, a client’s certificate needs none here, and treat the key as leaked if others can read this file';
    const certificates = blocks.filter(({ label }) => /^(X509 |TRUSTED )?CERTIFICATE$/.test(label));
    if (certificates.length === 0)
      return 'has no certificate in it; it needs a block from "-----BEGIN CERTIFICATE-----" to its END';
    return certificates.map(({ der }) => der);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    return `is no PEM text (its line ${error.line}: ${error.message}); paste the certificate anew, from BEGIN to END`;
  }
}

export const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
