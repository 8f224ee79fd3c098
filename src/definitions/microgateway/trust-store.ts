import { dirname, join, resolve } from 'node:path';
import { FileProblem } from '../../documents/files.ts';
import { readKeyStore } from '../../pki/containers/key-store.ts';
import { type KeyStoreEntry, KeyStoreError } from '../../pki/containers/key-store-entry.ts';
import { certificateProblem, pemOf } from '../pem-clients.ts';
import { isTable } from '../place.ts';
import {
  adviceFor,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
  type WrittenClient,
} from '../written.ts';
import type { Binding } from './binding.ts';

/** By aliases without case, as Java stores them; or why it was never opened. */
export type TrustStore =
  | { readonly entries: ReadonlyMap<string, readonly KeyStoreEntry[]> }
  | { readonly problem: DefinitionProblem };

/** What the product takes where its file says nothing. */
const defaults = {
  trustStorePath: '${' + 'mgw-runtime.home}/runtime/bre/security/ballerinaTruststore.p12',
  trustStorePassword: 'ballerina',
};

/** @param listener `[listenerConfig]` */
export function openTrustStore(
  listener: unknown,
  file: string,
  entry: DefinitionEntry,
  problemAt: (path: readonly string[], message: string) => DefinitionProblem,
): TrustStore {
  const fail = (message: string): TrustStore => ({
    problem: problemAt(['listenerConfig', 'trustStorePath'], message),
  });
  const { trustStorePath: written, trustStorePassword: password } = {
    ...defaults,
    ...(isTable(listener) ? listener : {}),
  };
  if (typeof written !== 'string' || typeof password !== 'string')
    return fail('trustStorePath and trustStorePassword need to be texts; write both in quotes');
  const path = pathOf(written, entry.home);
  if (path === undefined)
    return fail(
      `found ${JSON.stringify(written)}, and where the Microgateway is installed is not known; ${adviceFor(entry).home}`,
    );
  const store = resolve(dirname(file), path);
  try {
    const entries = readKeyStore(filesOf(entry).bytes(store), password);
    return { entries: Map.groupBy(entries, ({ alias }) => alias.toLowerCase()) };
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof KeyStoreError)) throw error;
    return fail(`found ${store}, which ${error.message}`);
  }
}

/** Of 3.0 `ballerina.home`, which lies in the runtime. undefined: nobody knows where that is. */
function pathOf(written: string, home: string | undefined): string | undefined {
  const [whole, name] = /^\$\{(mgw-runtime|ballerina)\.home\}/.exec(written) ?? [];
  if (whole === undefined) return written;
  if (home === undefined) return undefined;
  return join(home, name === 'ballerina' ? 'runtime' : '', written.slice(whole.length));
}

/** An alias that is not there keeps nobody else out: whoever takes a certificate out of the store means its client. */
export function clientsOf(
  binding: Binding,
  store: TrustStore,
  problems: DefinitionProblem[],
  warnings: DefinitionProblem[],
): readonly WrittenClient[] {
  const say = (list: DefinitionProblem[], message: string): readonly WrittenClient[] => {
    const { file, line, key } = binding;
    list.push({ file, line, key: `${key}.aliasList`, message });
    return [];
  };
  if ('problem' in store) {
    problems.push(store.problem);
    return [];
  }
  return binding.aliases.flatMap((alias): readonly WrittenClient[] => {
    const found = store.entries.get(alias.toLowerCase()) ?? [];
    const [first] = found;
    if (first === undefined) {
      const known = [...store.entries.keys()].slice(0, 8).join(', ');
      return say(
        warnings,
        `found "${alias}", which the trust store does not have: it is not admitted; the store has: ${known}`,
      );
    }
    if (found.length > 1)
      return say(
        problems,
        `found "${alias}", and the trust store has ${found.length} that differ by case only; rename one`,
      );
    if (first.kind === 'private-key')
      return say(
        problems,
        `found "${alias}", which is the entry of a private key; import the client's certificate alone under that alias`,
      );
    const problem = certificateProblem(first.der);
    if (problem !== undefined)
      return say(
        problems,
        `found "${alias}", whose certificate in the trust store of trustStorePath can't be read: ${problem}`,
      );
    return [{ alias, pem: pemOf(first.der) }];
  });
}
