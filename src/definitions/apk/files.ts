import { extname } from 'node:path';
import { FileProblem, type Files } from '../../documents/files.ts';
import { slipOf } from '../../documents/near.ts';
import { readYaml, YamlProblem } from '../../documents/yaml.ts';
import { below, documentPlace, isTable, type Place, problemAt, shown } from '../place.ts';
import type { DefinitionProblem } from '../written.ts';

/** A Kubernetes resource as it stands in a file. */
export type Resource = Place & {
  readonly kind: string;
  readonly name: string;
  /** undefined: whatever `kubectl apply -n` says. */
  readonly namespace: string | undefined;
};

export type ApkFiles = {
  readonly confs: readonly Place[];
  readonly resources: ReadonlyMap<Kind, readonly Resource[]>;
  /** By kind and name. */
  readonly named: ReadonlyMap<string, readonly Resource[]>;
  readonly problems: readonly DefinitionProblem[];
  /** Those that can't be read, with what can be found in them all the same. */
  readonly broken: readonly BrokenFile[];
  /** Something that may have been meant to close an API, and can't be read: nobody knows which API. */
  readonly lost: readonly DefinitionProblem[];
};

/** A file that is no YAML. */
export type BrokenFile = {
  readonly file: string;
  readonly text: string;
  readonly problem: DefinitionProblem;
};

const apkGroup = 'dp.wso2.com';

/** The kinds that say something to us, and the API group that makes them what they are. */
const groups = {
  Authentication: 'dp.wso2.com',
  API: 'dp.wso2.com',
  APIPolicy: 'dp.wso2.com',
  Backend: 'dp.wso2.com',
  GQLRoute: 'dp.wso2.com',
  Scope: 'dp.wso2.com',
  TokenIssuer: 'dp.wso2.com',
  HTTPRoute: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
  ConfigMap: '',
  Secret: '',
} as const;
export type Kind = keyof typeof groups;

/** All `*.apk-conf` and manifests at a path. Other files are none of ours, unless they are named one by one. */
export function readApkFiles(path: string, disk: Files): ApkFiles {
  const confs: Place[] = [];
  const found: Resource[] = [];
  const problems: DefinitionProblem[] = [];
  const broken: BrokenFile[] = [];
  const lost: DefinitionProblem[] = [];
  const files = list(path, disk, problems);
  for (const file of files) {
    if (!(file === path || /^\.(apk-conf|ya?ml|json)$/.test(extname(file)))) continue;
    let text = '';
    try {
      text = disk.text(file);
      for (const document of readYaml(text)) sort(documentPlace(file, document), confs, found, lost);
    } catch (error) {
      if (!(error instanceof FileProblem || error instanceof YamlProblem)) throw error;
      const line = error instanceof YamlProblem ? error.line : 1;
      const problem = { file, line, key: '', message: error.message };
      problems.push(problem);
      broken.push({ file, text, problem });
      // It can be read no further, but it wanted to close something.
      if (
        extname(file) !== '.apk-conf' &&
        (text === '' || /^[\s-]*["']?kind["']?\s*:\s*["']?Authentication\b/m.test(text))
      )
        lost.push(problem);
    }
  }
  return {
    confs,
    resources: Map.groupBy(found, ({ kind }) => kind as Kind),
    named: Map.groupBy(found, ({ kind, name }) => nameKey(kind, name)),
    problems,
    broken,
    lost,
  };
}

function list(path: string, disk: Files, problems: DefinitionProblem[]): readonly string[] {
  try {
    return disk.list(path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    problems.push({ file: path, line: 1, key: '', message: error.message });
    return [];
  }
}

function sort(place: Place, confs: Place[], found: Resource[], lost: DefinitionProblem[]): void {
  const { value, file } = place;
  if (!isTable(value)) {
    if (extname(file) === '.apk-conf' && value !== null && value !== undefined) confs.push(place);
    return;
  }
  const kind = below(place, 'kind').value;
  // `kubectl get -o yaml` writes all it found into one list.
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(value.items)) {
    value.items.forEach((_, i) => {
      sort(below(place, 'items', i), confs, found, lost);
    });
    return;
  }
  if (isConf(place)) {
    confs.push(place);
    return;
  }
  const apiVersion = below(place, 'apiVersion').value;
  const group = typeof apiVersion === 'string' ? apiVersion.replace(/\/?[^/]*$/, '') : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(groups, kind)) {
    const isOfApk = group !== undefined && slipOf(group, [apkGroup]) !== undefined;
    const meant = typeof kind === 'string' ? slipOf(kind, Object.keys(groups)) : undefined;
    if (asksForSecurity(place) || (isOfApk && (kind === undefined || meant !== undefined)))
      lost.push(
        problemAt(below(place, 'kind'), `found ${shown(kind)}; is it kind: ${meant ?? 'Authentication'}?`),
      );
    return;
  }
  const ownGroup = groups[kind as Kind];
  if (group !== ownGroup) {
    // Kubernetes takes no resource of a group that it does not know; dropped here, nobody would hear of it.
    const isMeant = kind === 'Authentication' && (group === undefined || asksForSecurity(place));
    if (isMeant || (group !== undefined && slipOf(group, [ownGroup]) !== undefined))
      lost.push(
        problemAt(below(place, 'apiVersion'), `found ${shown(apiVersion)}; is it ${ownGroup}/v1alpha2?`),
      );
    return;
  }
  const name = below(place, 'metadata', 'name').value;
  const namespace = below(place, 'metadata', 'namespace').value;
  const isNamed = typeof name === 'string' && name !== '';
  if (!isNamed && kind === 'Authentication') lost.push(missing(place, 'metadata', 'name'));
  // An API keeps its place without a name; nothing else can be asked for without one.
  else if (isNamed || kind === 'API')
    found.push({
      ...place,
      kind,
      name: isNamed ? name : '',
      namespace: typeof namespace === 'string' && namespace !== '' ? namespace : undefined,
    });
}

/** What only an Authentication has, whatever it is called. */
const asksForSecurity = (place: Place): boolean =>
  ['default', 'override'].some((level) =>
    ['mtls', 'authTypes'].some((key) => below(place, 'spec', level, key).value !== undefined),
  );

const missing = (place: Place, ...keys: readonly string[]): DefinitionProblem =>
  problemAt(below(place, ...keys), 'is missing; write it, so that the resource can be told');

/** By the file's name; one that goes by another has the keys that an apk-conf must have. */
const isConf = (place: Place): boolean =>
  extname(place.file) === '.apk-conf' ||
  (isTable(place.value) &&
    !Object.hasOwn(place.value, 'kind') &&
    ['name', 'basePath', 'operations'].every((key) => Object.hasOwn(place.value as object, key)));

const nameKey = (kind: string, name: string): string => JSON.stringify([kind, name]);

/**
 * The resource of that name. Either side may leave the namespace to `kubectl apply -n`.
 * @returns why there is none, as the end of a sentence
 */
export function findResource(
  files: ApkFiles,
  kind: Kind,
  name: string,
  namespace: string | undefined,
): Resource | string {
  const all = (files.named.get(nameKey(kind, name)) ?? []).filter(
    (resource) =>
      namespace === undefined || resource.namespace === undefined || resource.namespace === namespace,
  );
  const [first, second] = all;
  const full = `${kind} "${name}"${namespace === undefined ? '' : ` of namespace "${namespace}"`}`;
  if (first === undefined)
    return `no file of this definition has the ${full}; put its manifest beside the others`;
  if (second !== undefined)
    return `the ${full} stands in several places (${all.map(({ file }) => file).join(', ')}); leave one of them`;
  return first;
}
