import { dirname, join, resolve } from 'node:path';
import type { Cursor, Findings } from '../../documents/cursor.ts';
import { FileProblem } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { readKeyStore } from '../../pki/containers/key-store.ts';
import { type KeyStoreEntry, KeyStoreError } from '../../pki/containers/key-store-entry.ts';
import { certificateProblem, pemOf } from '../pem-clients.ts';
import { adviceFor, type DefinitionEntry, filesOf, type WrittenClient } from '../written.ts';
import type { Binding } from './binding.ts';

/** By aliases without case, as Java stores them; or why it was never opened. */
export type TrustStore =
  | { readonly entries: ReadonlyMap<string, readonly KeyStoreEntry[]> }
  | { readonly problem: Problem };

/** What the product takes where its file says nothing. */
const defaults = {
  trustStorePath: '${' + 'mgw-runtime.home}/runtime/bre/security/ballerinaTruststore.p12',
  trustStorePassword: 'ballerina',
};

/** @param listener `[listenerConfig]` */
export function openTrustStore(listener: Cursor, entry: DefinitionEntry): TrustStore {
  const at = listener.get('trustStorePath');
  const written = at.value ?? defaults.trustStorePath;
  const password = listener.get('trustStorePassword').value ?? defaults.trustStorePassword;
  if (typeof written !== 'string' || typeof password !== 'string')
    return {
      problem: at.problem('trustStorePath and trustStorePassword need to be texts; write both in quotes'),
    };
  const path = pathOf(written, entry.home);
  if (path === undefined)
    return {
      problem: at.problem(
        `found ${JSON.stringify(written)}, and where the Microgateway is installed is not known; ${adviceFor(entry).home}`,
      ),
    };
  const store = resolve(dirname(listener.file), path);
  try {
    const entries = readKeyStore(filesOf(entry).bytes(store), password);
    return { entries: Map.groupBy(entries, ({ alias }) => alias.toLowerCase()) };
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof KeyStoreError)) throw error;
    return { problem: at.problem(`found ${store}, which ${error.message}`) };
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
export function clientsOf(binding: Binding, store: TrustStore, found: Findings): readonly WrittenClient[] {
  if ('problem' in store) {
    found.problems.push(store.problem);
    return [];
  }
  const at = binding.at.get('aliasList').into(found);
  return binding.aliases.flatMap((alias): readonly WrittenClient[] => {
    const entries = store.entries.get(alias.toLowerCase()) ?? [];
    const [first] = entries;
    if (first === undefined) {
      const known = [...store.entries.keys()].slice(0, 8).join(', ');
      at.warn(
        `found "${alias}", which the trust store does not have: it is not admitted; the store has: ${known}`,
      );
      return [];
    }
    const problem = entryProblem(first, entries.length);
    if (problem === undefined) return [{ alias, pem: pemOf(first.der) }];
    at.error(`found "${alias}", ${problem}`);
    return [];
  });
}

function entryProblem(entry: KeyStoreEntry, count: number): string | undefined {
  if (count > 1) return `and the trust store has ${count} that differ by case only; rename one`;
  if (entry.kind === 'private-key')
    return "which is the entry of a private key; import the client's certificate alone under that alias";
  const problem = certificateProblem(entry.der);
  return problem === undefined
    ? undefined
    : `whose certificate in the trust store of trustStorePath can't be read: ${problem}`;
}
