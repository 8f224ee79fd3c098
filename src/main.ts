import { parseArgs } from 'node:util';
import { type Command, type Exit, exit, InputError, say, UsageError } from './commands/command.ts';
import { OutputError } from './commands/output.ts';
import { slipOf } from './documents/near.ts';
import { inert } from './observability/paper.ts';
import { version } from './provision/version.ts';
import { ListenError } from './service/listen-trouble.ts';

/**
 * Each is loaded where it is asked for, and loads what it needs where it runs: a supervisor lives long, a health check
 * runs each second, and neither reads certificates.
 */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serve,
  'check-config': async () => (await import('./commands/check-config.ts')).checkConfig,
  'envoy-config': async () => (await import('./commands/envoy-config.ts')).envoyConfig,
  explain: async () => (await import('./commands/explain.ts')).explainDecision,
  certs: async () => (await import('./commands/certs.ts')).certs,
  diff: async () => (await import('./commands/diff.ts')).diff,
  'ratelimit-config': async () => (await import('./commands/ratelimit-config.ts')).rateLimitConfig,
  health: async () => (await import('./commands/health.ts')).health,
  reload: async () => (await import('./commands/reload.ts')).reload,
  status: async () => (await import('./commands/reload.ts')).status,
  import: async () => (await import('./commands/import.ts')).importFiles,
  revocation: async () => (await import('./commands/revocation.ts')).revocation,
};

const loadAll = async (): Promise<readonly (readonly [string, Command])[]> =>
  Promise.all(Object.entries(commands).map(async ([name, load]) => [name, await load()] as const));

const help =
  async (): Promise<string> => `mtls-enforcer: client-certificate authentication for Envoy (ext_authz v3)

${(await loadAll())
  .map(([name, { usage, summary }]) => `  ${`mtls-enforcer ${name} ${usage}`.padEnd(58)}  ${summary}`)
  .join('\n')}
  mtls-enforcer --version
  mtls-enforcer COMMAND --help

FILE is config.toml in this folder unless given. Exit codes: 0 good, 1 the answer is no, 64 wrong usage, 69 can't
listen or not serving, 74 can't write its output or, for the moment, read its files, 78 wrong configuration.
`;

/** Of any command, or of none. */
const general = {
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const;

async function main(args: readonly string[]): Promise<Exit> {
  const name = await nameIn(args);
  const command = name !== undefined && Object.hasOwn(commands, name) ? await commands[name]!() : undefined;
  if (command !== undefined) hint = `mtls-enforcer ${name} --help says how it is used`;
  const { values, positionals } = parse(args, { ...command?.options, ...general });
  if (values.version) return say(`mtls-enforcer ${version()}\n`);
  if (name === undefined) {
    if (values.help) return say(await help());
    process.stderr.write(`mtls-enforcer: which command?\n\n${await help()}`);
    return exit.usage;
  }
  if (command === undefined)
    throw new UsageError(`unknown command ${name}${slip(name, Object.keys(commands))}`);
  if (values.help) return say(command.help);
  const [, path] = positionals;
  if (path !== undefined && !command.takesPath)
    throw new UsageError(
      `unknown: ${path}; ${name} takes options alone${'config' in command.options ? `, as in --config ${path}` : ''}`,
    );
  return command.run(values, positionals.slice(1));
}

/** For whoever has used a command wrongly; all of its help would bury what is wrong. */
let hint = 'mtls-enforcer --help lists the commands';

const slip = (written: string, known: readonly string[]): string => {
  const begun = known.filter((name) => name.startsWith(written));
  const meant = begun.length === 1 ? begun[0] : slipOf(written, known);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
};

/** The command's. It may stand behind options of its own: then only those of all commands tell which word it is. */
async function nameIn(args: readonly string[]): Promise<string | undefined> {
  const [first] = args;
  if (first !== undefined && Object.hasOwn(commands, first)) return first;
  const every = (await loadAll()).map(([, { options }]) => options);
  return parse(args, Object.assign({}, ...every, general)).positionals[0];
}

function parse(args: readonly string[], options: Command['options']) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    const { message } = error as Error;
    const [, unknown] = /^Unknown option '([^']+)'/.exec(message) ?? [];
    if (unknown === undefined) throw new UsageError(message);
    const known = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(`unknown option ${unknown}${slip(unknown, known)}`);
  }
}

function ended(error: unknown): Exit {
  const tell = (text: string | undefined): boolean => process.stderr.write(`mtls-enforcer: ${text}\n`);
  if (error instanceof UsageError) {
    tell(inert(error.message));
    if (!(error instanceof InputError)) process.stderr.write(`${hint}\n`);
    return exit.usage;
  }
  if (error instanceof ListenError || error instanceof OutputError) {
    tell(inert(error.message));
    return error instanceof ListenError ? exit.unavailable : exit.ioError;
  }
  tell(error instanceof Error ? error.stack : String(error));
  return exit.software;
}

// Whoever reads the log may go away: that is no reason to stop deciding.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

main(process.argv.slice(2))
  .catch(ended)
  .then((code) => {
    // Not process.exit(): what is still on its way to a pipe would be lost.
    process.exitCode = code;
  });
