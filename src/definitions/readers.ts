import { readApiManager } from './api-manager.ts';
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
const readers: Readonly<Record<Kind, Reader>> = {
  microgateway: readMicrogateway,
  'choreo-connect': readChoreoConnect,
  apk: readApk,
  'api-manager': readApiManager,
  bijira: readBijira,
};

export const readDefinition = (entry: DefinitionEntry): Definition => readers[entry.kind](entry);
