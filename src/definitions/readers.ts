import { readApk } from './apk.ts';
import { readBijira } from './bijira.ts';
import { readChoreoConnect } from './choreo-connect.ts';
import { readMicrogateway } from './microgateway.ts';
import type { Definition, DefinitionEntry } from './written.ts';

type Kind = DefinitionEntry['kind'];

export const kinds = [
  'microgateway',
  'choreo-connect',
  'apk',
  'api-manager',
  'bijira',
] as const satisfies readonly Kind[];

type Reader = (entry: DefinitionEntry) => Definition;

/** One reader for each foreign system. Never throws for what stands in the files. */
const readers: Readonly<Record<Kind, Reader | undefined>> = {
  microgateway: readMicrogateway,
  'choreo-connect': readChoreoConnect,
  apk: readApk,
  'api-manager': undefined,
  bijira: readBijira,
};

export function readDefinition(entry: DefinitionEntry): Definition {
  const reader = readers[entry.kind];
  if (reader === undefined) throw new Error(`no reader for ${entry.kind}`);
  return reader(entry);
}
