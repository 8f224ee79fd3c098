import { extname } from 'node:path';
import { Cursor, noFindings } from '../../documents/cursor.ts';
import { attempt, type Files, isUnlisted } from '../../documents/files.ts';
import { slipOf } from '../../documents/near.ts';
import { type Problem, shown } from '../../documents/problem.ts';
import { readYaml } from '../../documents/yaml.ts';

/** A Kubernetes resource as it stands in a file. */
export type Resource = {
  readonly at: Cursor;
  readonly kind: string;
  readonly name: string;
  /** undefined: whatever `kubectl apply -n` says. */
  readonly namespace: string | undefined;
};

export type ApkFiles = {
  readonly confs: readonly Cursor[];
  readonly resources: ReadonlyMap<Kind, readonly Resource[]>;
  /** By kind and name. */
  readonly named: ReadonlyMap<string, readonly Resource[]>;
  readonly problems: readonly Problem[];
  /** Those that can't be read, with what can be found in them all the same. */
  readonly broken: readonly BrokenFile[];
  /** Something that may have been meant to close an API, and can't be read: nobody knows which API. */
  readonly lost: readonly Problem[];
};

/** A file that is no YAML. */
export type BrokenFile = {
  readonly file: string;
  readonly text: string;
  readonly problem: Problem;
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
  const confs: Cursor[] = [];
  const found: Resource[] = [];
  const broken: BrokenFile[] = [];
  const [wrong, lost] = [noFindings(), noFindings()];
  const files = attempt(path, wrong, () => disk.list(path)) ?? [];
  for (const file of files) {
    if (!(file === path || isUnlisted(file) || /^\.(apk-conf|ya?ml|json)$/.test(extname(file)))) continue;
    const own = noFindings();
    const text = attempt(file, own, () => disk.text(file)) ?? '';
    const documents = own.problems.length > 0 ? undefined : attempt(file, own, () => readYaml(text));
    for (const document of documents ?? []) sort(Cursor.of(file, document, lost), confs, found);
    const [problem] = own.problems;
    if (problem === undefined) continue;
    wrong.problems.push(problem);
    broken.push({ file, text, problem });
    // It can be read no further, but it wanted to close something.
    if (extname(file) !== '.apk-conf' && (text === '' || naming.test(text))) lost.problems.push(problem);
  }
  return {
    confs,
    resources: Map.groupBy(found, ({ kind }) => kind as Kind),
    named: Map.groupBy(found, ({ kind, name }) => nameKey(kind, name)),
    problems: wrong.problems,
    broken,
    lost: lost.problems,
  };
}

/** A manifest that names an Authentication. */
const naming = /^[ \t-]*["']?kind["']?[ \t]*:[ \t]*["']?Authentication\b/m;

/** What is said at the cursor itself is lost: nobody knows which API it may have been meant for. */
function sort(at: Cursor, confs: Cursor[], found: Resource[]): void {
  if (!at.isTable) {
    if (extname(at.file) === '.apk-conf' && at.value !== undefined) confs.push(at);
    return;
  }
  const kind = at.get('kind').value;
  const items = at.get('items');
  // `kubectl get -o yaml` writes all it found into one list.
  if (typeof kind === 'string' && kind.endsWith('List') && items.isList) {
    for (const item of items.list()) sort(item, confs, found);
    return;
  }
  if (isConf(at)) {
    confs.push(at);
    return;
  }
  const apiVersion = at.get('apiVersion').value;
  const group = typeof apiVersion === 'string' ? apiVersion.replace(/\/?[^/]*$/, '') : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(groups, kind)) {
    const isOfApk = group !== undefined && slipOf(group, [apkGroup]) !== undefined;
    const meant = typeof kind === 'string' ? slipOf(kind, Object.keys(groups)) : undefined;
    if (asksForSecurity(at) || (isOfApk && (kind === undefined || meant !== undefined)))
      at.get('kind').error(`found ${shown(kind)}; is it kind: ${meant ?? 'Authentication'}?`);
    return;
  }
  const ownGroup = groups[kind as Kind];
  if (group !== ownGroup) {
    // Kubernetes takes no resource of a group that it does not know; dropped here, nobody would hear of it.
    const isMeant = kind === 'Authentication' && (group === undefined || asksForSecurity(at));
    if (isMeant || (group !== undefined && slipOf(group, [ownGroup]) !== undefined))
      at.get('apiVersion').error(`found ${shown(apiVersion)}; is it ${ownGroup}/v1alpha2?`);
    return;
  }
  const name = at.get('metadata', 'name').value;
  const namespace = at.get('metadata', 'namespace').value;
  const isNamed = typeof name === 'string' && name !== '';
  if (!isNamed && kind === 'Authentication')
    at.get('metadata', 'name').error('is missing; write it, so that the resource can be told');
  // An API keeps its place without a name; nothing else can be asked for without one.
  else if (isNamed || kind === 'API')
    found.push({
      at,
      kind,
      name: isNamed ? name : '',
      namespace: typeof namespace === 'string' && namespace !== '' ? namespace : undefined,
    });
}

/** What only an Authentication has, whatever it is called. */
const asksForSecurity = (at: Cursor): boolean =>
  ['default', 'override'].some((level) =>
    ['mtls', 'authTypes'].some((key) => at.get('spec', level, key).value !== undefined),
  );

/** By the file's name; one that goes by another has the keys that an apk-conf must have. */
const isConf = (at: Cursor): boolean =>
  extname(at.file) === '.apk-conf' ||
  (!at.keys().includes('kind') && ['name', 'basePath', 'operations'].every((key) => at.keys().includes(key)));

const nameKey = (kind: string, name: string): string => JSON.stringify([kind, name]);

type Wanted = {
  /** The first that has it. */
  readonly kinds: readonly Kind[];
  readonly name: string;
  /** Either side may leave it to `kubectl apply -n`. */
  readonly namespace: string | undefined;
};

/** The resource that is meant at a cursor; what is wrong with it goes where that cursor's goes. */
export function findResource(
  { named }: ApkFiles,
  { kinds, name, namespace }: Wanted,
  asking: Cursor,
): Resource | undefined {
  const of = (kind: Kind): readonly Resource[] =>
    (named.get(nameKey(kind, name)) ?? []).filter(
      (resource) =>
        namespace === undefined || resource.namespace === undefined || resource.namespace === namespace,
    );
  const kind = kinds.find((kind) => of(kind).length > 0) ?? kinds[0]!;
  const [first, ...others] = of(kind);
  const full = `${kind} "${name}"${namespace === undefined ? '' : ` of namespace "${namespace}"`}`;
  if (first === undefined)
    return asking.error(`no file of this definition has the ${full}; put its manifest beside the others`);
  if (others.length > 0) {
    const files = [first, ...others.slice(0, 2)].map(({ at }) => at.file).join(', ');
    return asking.error(`the ${full} stands in several places (${files}); leave one of them`);
  }
  return { ...first, at: first.at.into(asking) };
}
