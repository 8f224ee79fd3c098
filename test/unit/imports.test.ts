import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';

const src = resolve(import.meta.dirname, '../../src');

/** From the cellar up: a file imports from its own room or from a lower floor. See docs/architecture.md. */
const floors: readonly (readonly string[])[] = [
  ['attached', 'doorkeeper'],
  ['pki', 'documents', 'attributes', 'grpc', 'server-certificate', 'soon'],
  ['client-certificate', 'oauth2'],
  ['apis'],
  ['decision'],
  ['weighing', 'upstream', 'error-body'],
  ['snapshot', 'observability'],
  ['enforcer'],
  ['config'],
  ['definitions'],
  ['feeds'],
  ['provision'],
  ['ext-authz', 'envoy-config', 'explain', 'inventory', 'comparison'],
  ['service'],
  ['commands'],
  ['main'],
  ['start'],
];

test('the page names every room on its floor, every folder, and no file that is not there', () => {
  const page = readFileSync(resolve(src, '../docs/architecture.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (?:cellar|ground|\d+) \| (.+) \|$/gm)].map(([, rooms]) => rooms!);
  const rowOf = (name: string): number => rows.findIndex((row) => row.includes(`\`${name}\``));
  const named = floors.flat().map((name) => rowOf(name));
  assert.deepEqual(
    named,
    named.toSorted((a, b) => a - b),
    'the rooms stand in another order',
  );
  for (const name of floors.flat()) assert.notEqual(rowOf(name), -1, `nothing is said of ${name}`);
  for (const folder of globSync('**/', { cwd: src }).filter((name) => name !== '.'))
    assert.match(page, new RegExp(`\`(?:[\\w-]+/)*${basename(folder)}/?\``), `nothing is said of ${folder}`);
  for (const [name] of page.matchAll(/[a-z0-9-]+(?:\/[a-z0-9-]+)*\.(?:test\.)?ts\b/g)) {
    const isThere = [name, `../${name}`].some((path) => existsSync(resolve(src, path)));
    assert.ok(isThere || files.some((file) => file.endsWith(`/${name}`)), `${name} is not there`);
  }
});

/** Who may import a package. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@grpc/grpc-js': ['ext-authz'],
  '@grpc/proto-loader': ['ext-authz'],
  '@grpc/reflection': ['ext-authz'],
  'toml/lib/parser': ['documents'],
  'toml/lib/compiler': ['documents'],
  winston: ['observability'],
  zod: ['config'],
  yaml: ['envoy-config', 'documents', 'definitions'],
  jose: ['oauth2', 'upstream'],
  'node-forge': ['pki'],
  saxes: ['documents'],
  pg: ['feeds'],
};

const files = globSync('**/*.ts', { cwd: src }).map((name) => resolve(src, name));
const room = (file: string): string => relative(src, file).split('/')[0]!.replace(/\.ts$/, '');
const floor = (name: string): number => floors.findIndex((names) => names.includes(name));
const withoutComments = (file: string): string =>
  readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
const imports = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from |import |import\(|require\(|\)\()\s*'([^']+)'/g)].map(
    (match) => match[1]!,
  );

/** Names, or what is taken of a file, with the file that they are taken of. */
const takings =
  /(?:(?:import|export) (?:type )?\{([^}]*)\} from |\{([^}]*)\} = await import\()'(\.[^']+)'|\(await import\('(\.[^']+)'\)\)\.(\w+)/g;
const namesIn = (list: string): readonly string[] =>
  [...list.matchAll(/(\w+)(?: as \w+|: \w+)?\s*(?:,|$)/g)].map(([, name]) => name!);

test('what a file exports another one imports', () => {
  const taken = new Set<string>();
  const root = resolve(src, '..');
  for (const name of globSync('{src,test,demo,docs,deploy,envoy,examples}/**/*.ts', { cwd: root }))
    for (const [, listed, awaited, from, whole, member] of readFileSync(resolve(root, name), 'utf8').matchAll(
      takings,
    ))
      for (const taking of namesIn(listed ?? awaited ?? member!))
        taken.add(`${resolve(root, dirname(name), from ?? whole!)} ${taking}`);
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const declared = [...text.matchAll(/^export (?:async )?(?:function\*?|const|class|type|let) (\w+)/gm)];
    const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list]) =>
      namesIn(list!),
    );
    for (const name of [...declared.map(([, name]) => name!), ...passedOn])
      assert.ok(
        taken.has(`${file} ${name}`),
        `${relative(src, file)} exports ${name}, which no other file imports`,
      );
  }
});

test('every room has its floor', () => {
  for (const file of files)
    assert.notEqual(floor(room(file)), -1, `${relative(src, file)} stands on no floor`);
});

test('a file imports from its own room or from a lower floor', () => {
  for (const file of files) {
    for (const name of imports(file).filter((name) => name.startsWith('.'))) {
      const [from, to] = [room(file), room(resolve(dirname(file), name))];
      assert.ok(from === to || floor(to) < floor(from), `${relative(src, file)} imports ${name}`);
    }
  }
});

test('no file imports itself, by whatever way round, be it for a type', () => {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const circle = way.indexOf(file);
    if (circle !== -1)
      assert.fail([...way.slice(circle), file].map((name) => relative(src, name)).join(' -> '));
    if (done.has(file)) return;
    for (const name of imports(file).filter((name) => name.startsWith('.')))
      visit(resolve(dirname(file), name), [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test('a package is imported by its own room only', () => {
  for (const file of files) {
    for (const name of imports(file).filter((name) => !name.startsWith('.') && !name.startsWith('node:'))) {
      assert.ok(packages[name]?.includes(room(file)), `${relative(src, file)} imports ${name}`);
    }
  }
});

/** What comes with a file when it is loaded: neither types, nor what is imported where it is used. */
const loaded = (file: string): string[] =>
  [
    ...readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) (?!type )[^;']*?from '([^']+)';|\)\('([^']+)'\)/gm,
    ),
  ].map(([, name, required]) => name ?? required!);

test('a supervisor, which lives long, and a health check, which comes each second, load little', () => {
  const loads: readonly (readonly [names: readonly string[], packages: readonly string[]])[] = [
    [
      ['main.ts', 'commands/serve.ts', 'service/supervisor.ts'],
      ['toml/lib/compiler', 'toml/lib/parser', 'winston'],
    ],
    [['main.ts', 'commands/health.ts', 'ext-authz/health-client.ts'], ['@grpc/grpc-js']],
  ];
  for (const [names, packages] of loads) {
    const all = new Set(names.map((name) => resolve(src, name)));
    const found = new Set<string>();
    for (const file of all)
      for (const name of loaded(file))
        if (name.startsWith('.')) all.add(resolve(dirname(file), name));
        else if (!name.startsWith('node:')) found.add(name);
    assert.deepEqual([...found].sort(), packages, names.join(' '));
  }
});

/**
 * What of Node each room may use, and what one of its files may beyond that: what is not listed is none of its
 * business. `net` stands for its pure parts alone, `net*` for all of it.
 */
const modules: Readonly<Record<string, readonly string[]>> = {
  pki: ['crypto'],
  documents: ['buffer', 'module', 'path', 'zlib'],
  'documents/files': ['fs'],
  'documents/stamps': ['fs', 'fs/promises'],
  'documents/toml': ['crypto'],
  grpc: ['http2', 'net*'],
  'server-certificate': ['crypto', 'tls'],
  'client-certificate': ['crypto', 'net'],
  oauth2: ['crypto'],
  apis: ['crypto', 'net', 'querystring', 'url'],
  upstream: ['crypto', 'util'],
  observability: ['perf_hooks', 'stream'],
  'observability/audit-file': ['fs/promises'],
  'observability/audit-syslog': ['dgram', 'net'],
  config: ['net'],
  definitions: ['path'],
  feeds: ['crypto', 'http', 'https', 'net*'],
  'feeds/public-address': ['dns'],
  'feeds/crl-thread': ['fs', 'worker_threads'],
  'feeds/revocation-cache': ['fs/promises', 'path'],
  provision: ['crypto', 'net', 'path', 'tls'],
  // Its own process reads, by `documents/files` (here it is only asked whether it can be started); what Envoy opens is only asked whether it can be opened.
  'provision/reading-process': ['child_process', 'fs', 'module', 'os'],
  'provision/reader': ['v8'],
  'provision/version': ['fs'],
  'provision/router-files': ['fs'],
  'provision/enforcer-handshake': ['events', 'net*'],
  'envoy-config': ['net', 'path'],
  'ext-authz': ['url'],
  'ext-authz/health-client': ['tls'],
  'ext-authz/grpc-js-lane': ['net*', 'url'],
  'ext-authz/unix-socket': ['fs/promises', 'net*', 'path'],
  service: ['child_process'],
  'service/control-socket': ['net*'],
  'service/envoy-certificates': ['fs/promises'],
  'service/envoy-folder': ['fs/promises', 'path'],
  'service/file-watcher': ['fs', 'fs/promises', 'path'],
  'service/audit-trail': ['os', 'timers/promises'],
  'service/heap': ['perf_hooks', 'v8'],
  'service/traces': ['crypto', 'http', 'https'],
  'service/metrics-port': ['http', 'net*', 'stream', 'stream/promises'],
  commands: ['child_process', 'fs', 'os', 'path', 'util'],
  main: ['util'],
};
const pureOfNet = /^(type )?(isIP|isIPv4|isIPv6|BlockList|SocketAddress)$/;

/** A room, and the file by its own name in it. */
const owners = (file: string): readonly string[] => [
  room(file),
  relative(src, file).replaceAll('\\', '/').replace(/\.ts$/, ''),
];
const allowedOf = (file: string): readonly string[] => owners(file).flatMap((name) => modules[name] ?? []);

test('a room uses of Node what its work is, so that what decides can neither read nor wait', () => {
  for (const file of files) {
    const allowed = allowedOf(file);
    for (const name of imports(file).filter((name) => name.startsWith('node:'))) {
      const module = name.slice('node:'.length);
      const isAllowed = allowed.includes(module) || allowed.includes(`${module}*`);
      assert.ok(isAllowed, `${relative(src, file)} imports ${name}`);
    }
    const text = readFileSync(file, 'utf8');
    for (const [, names] of text.matchAll(/import (?:type )?((?:(?!import ).)+?) from 'node:net'/gs)) {
      const isPure = [...names!.matchAll(/[\w ]+/g)].every(
        ([name]) => pureOfNet.test(name.trim()) || name.trim() === '',
      );
      assert.ok(isPure || allowed.includes('net*'), `${relative(src, file)} imports ${names} of node:net`);
    }
  }
});

test('whoever connects by TLS has Node live through a server on brainpool', () => {
  const ways = /import (?!type )([^;]+?) from '(?:node:https|node:tls|node:http2|pg|@grpc\/grpc-js)'/g;
  const connecting = files.filter((file) =>
    [...withoutComments(file).matchAll(ways)].some(([, names]) =>
      /\b(request|connect|Client)\b/.test(names!),
    ),
  );
  assert.equal(connecting.length, 5, 'those that are known');
  for (const file of connecting) {
    const isSafe = imports(file).some((name) => name.endsWith('/server-certificate.ts'));
    assert.ok(isSafe, `${relative(src, file)} connects without server-certificate.ts`);
  }
});

test('nobody is allowed what he does not use', () => {
  for (const [owner, allowed] of Object.entries(modules)) {
    const used = files.filter((file) => owners(file).includes(owner)).flatMap(imports);
    for (const module of allowed)
      assert.ok(used.includes(`node:${module.replace('*', '')}`), `${owner} does not import node:${module}`);
  }
});

/** Rooms, or files of them, that live in time; all others are told it. */
const withClocks = [
  'grpc',
  'feeds',
  'provision/reading-process',
  'provision/slices',
  'ext-authz/server',
  'ext-authz/health-client',
  'service',
  'commands',
  'main',
];

test('what decides, and what it decides by, has no clock of its own', () => {
  for (const file of files.filter((file) => !owners(file).some((name) => withClocks.includes(name)))) {
    const clock = /Date\.now|performance\.now|new Date\(\)|\bset(Timeout|Interval|Immediate)\(|hrtime/.exec(
      withoutComments(file),
    );
    assert.equal(clock?.[0], undefined, `${relative(src, file)} has a clock`);
  }
});

/** Whose process it is; all others are told what they need of it. */
const withProcess = [
  'observability',
  'feeds/revocation-cache',
  'provision/reader',
  'service',
  'commands',
  'main',
  'start',
];

test('the process belongs to the command line, lots are drawn where time passes, and every request shows as an import', () => {
  for (const file of files) {
    const text = withoutComments(file);
    const isFree = (names: readonly string[]): boolean => owners(file).some((name) => names.includes(name));
    const itself = isFree(withProcess) ? null : /(?<!-)\bprocess\.\w+/.exec(text);
    assert.equal(itself?.[0], undefined, `${relative(src, file)} uses the process`);
    const lot = isFree(withClocks) ? null : /\bMath\.random\b/.exec(text);
    assert.equal(lot?.[0], undefined, `${relative(src, file)} draws lots`);
    const hidden = /(?<![.\w#])fetch\(|\bnew WebSocket\(/.exec(text);
    assert.equal(hidden?.[0], undefined, `${relative(src, file)} uses the network without an import`);
  }
});

test('what is published imports nothing that is not installed with it', () => {
  const { dependencies } = JSON.parse(readFileSync(resolve(src, '../package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>;
  };
  for (const file of files) {
    for (const name of imports(file).filter((name) => !name.startsWith('.') && !name.startsWith('node:'))) {
      const of = name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : name.split('/')[0]!;
      assert.ok(Object.hasOwn(dependencies, of), `${relative(src, file)} imports ${name}, no dependency`);
    }
  }
  const imported = new Set(
    files.flatMap(imports).map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    ),
  );
  for (const name of Object.keys(dependencies))
    assert.ok(imported.has(name), `${name} is imported by nobody`);
});
