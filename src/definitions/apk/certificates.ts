import type { Cursor } from '../../documents/cursor.ts';
import { clientsAt } from '../pem-clients.ts';
import type { WrittenClient } from '../written.ts';
import { type ApkFiles, findResource, type Kind, type Resource } from './files.ts';

/** `{name, key}` in ConfigMaps or Secrets: the first of the kinds that has that name. */
export const referredClients = (
  list: Cursor,
  kinds: readonly Kind[],
  namespace: string | undefined,
  files: ApkFiles,
): readonly WrittenClient[] =>
  list.list().flatMap((reference) => {
    const referred = referredText(reference, kinds, namespace, files);
    return referred === undefined ? [] : clientsAt(referred.at, referred.content, referred.name);
  });

/** What a `{name, key}` means, and where it stands. */
export function referredText(
  reference: Cursor,
  kinds: readonly Kind[],
  namespace: string | undefined,
  files: ApkFiles,
): (Found & { readonly name: string }) | undefined {
  const name = reference.get('name').neededText('"mtls-configmap"');
  const key = reference.get('key').neededText('"tls.crt"');
  if (name === undefined || key === undefined) return undefined;
  const resource = findResource(files, { kinds, name, namespace }, reference);
  if (resource === undefined) return undefined;
  const value = readKey(resource, key);
  return typeof value === 'object' ? { name: `${name}/${key}`, ...value } : reference.get('key').error(value);
}

/** Certificates that stand in the list themselves, in YAML block texts. */
export const inlineClients = (list: Cursor, owner: string): readonly WrittenClient[] =>
  list.list().flatMap((element, i) => {
    const text = element.neededText('a certificate, from its BEGIN to its END');
    const alias = `${owner}/inline${i === 0 ? '' : `#${i + 1}`}`;
    return text === undefined ? [] : clientsAt(element, text, alias);
  });

type Found = { readonly content: string | Uint8Array; readonly at: Cursor };

/** Where a key's value stands in a ConfigMap or Secret, and it; or what is wrong. */
function readKey(resource: Resource, key: string): Found | string {
  const encoded = resource.kind === 'Secret' ? 'data' : 'binaryData';
  const plain = resource.kind === 'Secret' ? 'stringData' : 'data';
  // `stringData` overrides `data`, as Kubernetes has it.
  for (const table of [plain, encoded]) {
    const at = resource.at.get(table, key);
    if (at.value === undefined) continue;
    if (typeof at.value !== 'string')
      return `found ${at.found} at ${table}.${key} of the ${resource.kind} "${resource.name}"; write a text`;
    const content = table === plain ? at.value : decode(at.value);
    if (content === undefined)
      return `${table}.${key} of the ${resource.kind} "${resource.name}" is not base64; encode it, or write it into ${plain}`;
    return { content, at };
  }
  const known = [plain, encoded].flatMap((table) => resource.at.get(table).keys());
  return `found "${key}", which the ${resource.kind} "${resource.name}" does not have; ${known.length === 0 ? 'it is empty' : `it has: ${known.slice(0, 5).join(', ')}`}`;
}

/** Strictly: what Buffer passes over, somebody else may read. */
function decode(base64: string): Uint8Array | undefined {
  const joined = base64.replaceAll(/[\r\n]/g, '').trim();
  const bytes = Buffer.from(joined, 'base64');
  return bytes.toString('base64') === joined ? bytes : undefined;
}
