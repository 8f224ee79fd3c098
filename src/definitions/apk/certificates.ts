import { clientsIn } from '../pem-clients.ts';
import {
  below,
  elementsAt,
  isTable,
  neededText,
  type Place,
  type Problems,
  problemAt,
  shown,
} from '../place.ts';
import type { WrittenClient } from '../written.ts';
import { type ApkFiles, findResource, type Kind, type Resource } from './files.ts';

/** `{name, key}` in ConfigMaps or Secrets: the first of the kinds that has that name. */
export const referredClients = (
  list: Place,
  kinds: readonly Kind[],
  namespace: string | undefined,
  files: ApkFiles,
  problems: Problems,
): readonly WrittenClient[] =>
  elementsAt(list, problems).flatMap((reference) => {
    const referred = referredText(reference, kinds, namespace, files, problems);
    return referred === undefined ? [] : clientsIn(referred.content, referred.name, referred.place, problems);
  });

/** What a `{name, key}` means, and where it stands. */
export function referredText(
  reference: Place,
  kinds: readonly Kind[],
  namespace: string | undefined,
  files: ApkFiles,
  problems: Problems,
): (Found & { readonly name: string }) | undefined {
  const name = neededText(below(reference, 'name'), problems, '"mtls-configmap"');
  const key = neededText(below(reference, 'key'), problems, '"tls.crt"');
  if (name === undefined || key === undefined) return undefined;
  const found = kinds.map((kind) => findResource(files, kind, name, namespace));
  const resource = found.find((candidate) => typeof candidate !== 'string');
  if (typeof resource !== 'object') {
    problems.push(problemAt(reference, `${found[0]}`));
    return undefined;
  }
  const value = readKey(resource, key);
  if (typeof value === 'object') return { name: `${name}/${key}`, ...value };
  problems.push(problemAt(below(reference, 'key'), value));
  return undefined;
}

/** Certificates that stand in the list themselves, in YAML block texts. */
export const inlineClients = (list: Place, owner: string, problems: Problems): readonly WrittenClient[] =>
  elementsAt(list, problems).flatMap((element, i) => {
    const text = neededText(element, problems, 'a certificate, from its BEGIN to its END');
    const alias = `${owner}/inline${i === 0 ? '' : `#${i + 1}`}`;
    return text === undefined ? [] : clientsIn(text, alias, element, problems);
  });

type Found = { readonly content: string | Uint8Array; readonly place: Place };

/** Where a key's value stands in a ConfigMap or Secret, and it; or what is wrong. */
function readKey(resource: Resource, key: string): Found | string {
  const encoded = resource.kind === 'Secret' ? 'data' : 'binaryData';
  const plain = resource.kind === 'Secret' ? 'stringData' : 'data';
  // `stringData` overrides `data`, as Kubernetes has it.
  for (const table of [plain, encoded]) {
    const place = below(resource, table, key);
    if (place.value === undefined) continue;
    if (typeof place.value !== 'string')
      return `found ${shown(place.value)} at ${table}.${key} of the ${resource.kind} "${resource.name}"; write a text`;
    const content = table === plain ? place.value : decode(place.value);
    if (content === undefined)
      return `${table}.${key} of the ${resource.kind} "${resource.name}" is not base64; encode it, or write it into ${plain}`;
    return { content, place };
  }
  const known = [plain, encoded].flatMap((table) => {
    const { value } = below(resource, table);
    return isTable(value) ? Object.keys(value) : [];
  });
  return `found "${key}", which the ${resource.kind} "${resource.name}" does not have; ${known.length === 0 ? 'it is empty' : `it has: ${known.slice(0, 5).join(', ')}`}`;
}

/** Strictly: what Buffer passes over, somebody else may read. */
function decode(base64: string): Uint8Array | undefined {
  const joined = base64.replaceAll(/[\r\n]/g, '').trim();
  const bytes = Buffer.from(joined, 'base64');
  return bytes.toString('base64') === joined ? bytes : undefined;
}
