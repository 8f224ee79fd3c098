import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endWithoutReader, OutputError, print } from './commands/output.ts';
import { eachOnce, type Problem, problemLine } from './config/problem.ts';
import { kinds } from './config/schema/definitions.ts';
import { underRules } from './definitions/api-rules.ts';
import { readDefinition } from './definitions/readers.ts';
import { writeToml } from './definitions/write-toml.ts';
import { disk } from './documents/files.ts';
import { writeEnvoyConfig } from './envoy-config/bootstrap.ts';
import { askHealth } from './ext-authz/health-client.ts';
import { ClientCertificateTables } from './feeds/api-manager-table.ts';
import { createFindings } from './provision/findings.ts';
import {
  countClients,
  databasesOf,
  isProblems,
  type LoadedConfig,
  loadConfig,
} from './provision/load-config.ts';
import { checkRouterFiles } from './provision/router-files.ts';
import { readServiceAddress } from './provision/service-address.ts';
import { ListenError, listenersOf, serve } from './service/serve.ts';

/** Exit codes by sysexits(3). */
const EX_OK = 0;
const EX_USAGE = 64;
const EX_UNAVAILABLE = 69;
const EX_SOFTWARE = 70;
const EX_IOERR = 74;
const EX_CONFIG = 78;

const help = `mtls-enforcer: client-certificate authentication for Envoy (ext_authz v3)

  mtls-enforcer serve [--config FILE]         run the service that Envoy asks
  mtls-enforcer check-config [--config FILE]  say what is wrong with a configuration
  mtls-enforcer envoy-config [--config FILE]  print Envoy's bootstrap for it
  mtls-enforcer health [--config FILE]        ask the running service whether it serves
  mtls-enforcer import --from KIND PATH       print a WSO2 system's files as our own config.toml
  mtls-enforcer --version
  mtls-enforcer COMMAND --help

FILE is config.toml in this folder unless given. Exit codes: 0 good, 64 wrong usage, 69 can't
listen or not serving, 74 can't write its output, 78 wrong configuration.
`;

const commandHelp: Readonly<Record<string, string>> = {
  serve: `mtls-enforcer serve [--config FILE]

Runs the ext_authz service until SIGTERM or SIGINT: it then tells Envoy that it is going, answers the calls in
flight and exits 0 (a second signal ends it at once). SIGHUP reads the configuration and the files it names again:
if all is good the new one takes over in one step, else the last good one stays and the log says why.
Where it listens ([enforcer.authService]) is read at start only.

  mtls-enforcer serve --config /etc/mtls-enforcer/config.toml
  kill -HUP $(pidof -x mtls-enforcer)
`,
  'check-config': `mtls-enforcer check-config [--config FILE]

Reads the configuration and the files it names as "serve" would, and those that Envoy will open, prints every error
and warning with file, line and key, and exits 0 (good, maybe with warnings) or 78.

  mtls-enforcer check-config --config config.toml && kill -HUP $(pidof -x mtls-enforcer)
`,
  'envoy-config': `mtls-enforcer envoy-config [--config FILE]

Prints the whole static bootstrap for Envoy, made from the same file: listeners, TLS, routes, backends, and the
ext_authz filter that asks this enforcer. Relative paths in it are relative to the folder you are in: start Envoy there.

  mtls-enforcer envoy-config --config config.toml > envoy.yaml && envoy -c envoy.yaml
`,
  health: `mtls-enforcer health [--config FILE]

Asks the service that runs with this configuration, over gRPC as Envoy does, whether it serves; for a container's
health check. Exits 0 if so, 69 if not. Where mutual TLS is configured, give it a socket as well: that is asked then.

  mtls-enforcer health --config /etc/mtls-enforcer/config.toml
`,
  import: `mtls-enforcer import --from KIND [--home FOLDER] [--trusted-sender ADDRESS]... PATH

Prints what a foreign system's files say as our own config.toml, with a comment at each place where the meaning had to
be chosen. KIND is ${kinds.join(', ')}. PATH is a file, a folder or a glob.
Nothing needs to be moved over: [[definitions]] in config.toml reads the same files as they are.

  mtls-enforcer import --from choreo-connect projects/ >> config.toml
`,
};

const commands: Readonly<Record<string, (file: string) => number | Promise<number>>> = {
  serve: runService,
  'check-config': checkConfig,
  'envoy-config': envoyConfig,
  health,
};

async function main(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof readArguments>;
  try {
    parsed = readArguments(args);
  } catch (error) {
    return usage((error as Error).message);
  }
  const { values, positionals } = parsed;
  const [command, ...rest] = positionals;
  if (values.version) return say(`mtls-enforcer ${version()}\n`);
  if (command === undefined) return values.help ? say(help) : usage('which command?');
  if (command === 'import' && !values.help) return importFiles(values, rest);
  if (command === 'import') return say(commandHelp[command]!);
  const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (run === undefined || rest.length > 0) return usage(`unknown: ${[command, ...rest].join(' ')}`);
  if (values.help) return say(commandHelp[command]!);
  return run(values.config);
}

const readArguments = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string', default: 'config.toml' },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', default: false },
      from: { type: 'string' },
      home: { type: 'string' },
      'trusted-sender': { type: 'string', multiple: true },
    },
  });

async function runService(file: string): Promise<number> {
  // Else it is called node, or MainThread, and nobody finds it by its name.
  process.title = 'mtls-enforcer';
  const problems = await serve({
    file,
    env: process.env,
    version: version(),
    onSignal: (handler) => {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
        process.on(signal, () => handler(signal));
    },
  });
  endWithoutReader();
  return problems.length === 0 ? EX_OK : refuse(problems);
}

async function checkConfig(file: string): Promise<number> {
  const loaded = await load(file);
  if (typeof loaded === 'number') return loaded;
  if (loaded.problems.length > 0) return EX_CONFIG;
  const { apis } = loaded.config;
  if (loaded.ignored.length > 0) process.stderr.write(`not ours, and ignored: ${loaded.ignored.join(' ')}\n`);
  return say(
    `${file}: good (${counted(apis.length, 'API')}, ${counted(countClients(loaded.config), 'client')}, ${counted(loaded.warnings.length, 'warning')})\n`,
  );
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

async function envoyConfig(file: string): Promise<number> {
  const loaded = await load(file, { alwaysEnvoy: true });
  if (typeof loaded === 'number') return loaded;
  return say(
    writeEnvoyConfig(loaded.config, {
      enforcer: loaded.config.router.enforcer,
      resolvePath: (path) => seenFromHere(file, path),
    }),
  );
}

async function importFiles(
  { from, home, 'trusted-sender': trustedSenders }: ReturnType<typeof readArguments>['values'],
  paths: readonly string[],
): Promise<number> {
  const kind = kinds.find((name) => name === from);
  const [path] = paths;
  if (kind === undefined) return usage(`import needs --from, one of ${kinds.join(', ')}`);
  if (path === undefined || paths.length > 1) return usage('import needs one PATH; put a glob into quotes');
  const read = readDefinition({
    kind,
    path: resolve(path),
    home: home === undefined ? undefined : resolve(home),
    trustedSenders,
    backend: undefined,
    isImport: true,
  });
  const definition = underRules(read, disk);
  for (const warning of eachOnce(definition.warnings))
    process.stderr.write(`warning: ${problemLine(warning)}\n`);
  await print(writeToml(definition));
  const problems = eachOnce([...definition.problems, ...definition.apis.flatMap((api) => api.problems)]);
  return problems.length === 0 ? EX_OK : refuse(problems);
}

async function health(file: string): Promise<number> {
  const service = readServiceAddress(file, process.env);
  if (isProblems(service)) return refuse(service);
  const listener = listenersOf(service).at(-1)!; // the socket, where there is one
  const trouble = await askHealth(listener, 2000);
  if (trouble === undefined) return say('SERVING\n');
  process.stderr.write(`mtls-enforcer: ${trouble}\n`);
  return EX_UNAVAILABLE;
}

/** A relative path of config.toml, relative to the folder that we are in: the output names no other folder. */
const seenFromHere = (file: string, path: string): string =>
  path.startsWith('/') ? path : relative(process.cwd(), resolve(file, '..', path));

/** What "serve" would read, and what Envoy would, unless the file says nothing of Envoy. */
async function load(file: string, { alwaysEnvoy = false } = {}): Promise<LoadedConfig | number> {
  const tables = new ClientCertificateTables((event) => {
    if (event.kind === 'failed') process.stderr.write(`error: ${event.from}: ${event.reason}\n`);
  });
  const rows = await tables.use(databasesOf(file, process.env));
  await tables.close();
  const loaded = loadConfig(file, process.env, Date.now(), { tables: rows });
  if (isProblems(loaded)) return refuse(loaded);
  for (const problem of loaded.problems) process.stderr.write(`error: ${problemLine(problem)}\n`);
  const forEnvoy = createFindings(file, loaded.text.lineOf);
  if (alwaysEnvoy || loaded.text.isWritten(['router'])) checkRouterFiles(loaded.config, forEnvoy, Date.now());
  const warnings = [...loaded.warnings, ...forEnvoy.warnings];
  for (const warning of warnings) process.stderr.write(`warning: ${problemLine(warning)}\n`);
  return forEnvoy.errors.length > 0 ? refuse(forEnvoy.errors) : { ...loaded, warnings };
}

function refuse(problems: readonly Problem[]): number {
  for (const problem of problems) process.stderr.write(`error: ${problemLine(problem)}\n`);
  return EX_CONFIG;
}

function usage(message: string): number {
  process.stderr.write(`mtls-enforcer: ${message}\n\n${help}`);
  return EX_USAGE;
}

async function say(text: string): Promise<number> {
  await print(text);
  return EX_OK;
}

const version = (): string =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;

// Whoever reads the log may go away: that is no reason to stop deciding.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

main(process.argv.slice(2)).then(
  (code) => {
    // Not process.exit(): what is still on its way to a pipe would be lost.
    process.exitCode = code;
  },
  (error: unknown) => {
    const isForeseen = error instanceof ListenError || error instanceof OutputError;
    const text = error instanceof Error && !isForeseen ? error.stack : String((error as Error).message);
    process.stderr.write(`mtls-enforcer: ${text}\n`);
    process.exitCode =
      error instanceof ListenError ? EX_UNAVAILABLE : error instanceof OutputError ? EX_IOERR : EX_SOFTWARE;
  },
);
