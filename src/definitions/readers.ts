import { readApiManager } from './api-manager/api-manager.ts';
import { readApk } from './apk/apk.ts';
import { readBijira } from './bijira/bijira.ts';
import { readChoreoConnect } from './choreo-connect/choreo-connect.ts';
import { readMicrogateway } from './microgateway/microgateway.ts';
import type { Definition, DefinitionEntry } from './written.ts';

type Kind = DefinitionEntry['kind'];

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
