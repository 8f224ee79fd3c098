import { parseArgs } from 'node:util';
import { certs } from './commands/certs.ts';
import { checkConfig } from './commands/check-config.ts';
import { type Command, type Exit, exit, say, UsageError } from './commands/command.ts';
import { diff } from './commands/diff.ts';
import { envoyConfig } from './commands/envoy-config.ts';
import { explainDecision } from './commands/explain.ts';
import { health } from './commands/health.ts';
import { importFiles } from './commands/import.ts';
import { OutputError } from './commands/output.ts';
import { rateLimitConfig } from './commands/ratelimit-config.ts';
import { reload, status } from './commands/reload.ts';
import { revocation } from './commands/revocation.ts';
import { serve } from './commands/serve.ts';
import { version } from './commands/version.ts';
import { inert } from './observability/paper.ts';
import { ListenError } from './service/listen-trouble.ts';

const commands: Readonly<Record<string, Command>> = {
  serve,
  'check-config': checkConfig,
  'envoy-config': envoyConfig,
  explain: explainDecision,
  certs,
  diff,
  'ratelimit-config': rateLimitConfig,
  health,
  reload,
  status,
  import: importFiles,
  revocation,
};

const help = `mtls-enforcer: client-certificate authentication for Envoy (ext_authz v3)

${Object.entries(commands)
  .map(([name, { usage, summary }]) => `  ${`mtls-enforcer ${name} ${usage}`.padEnd(60)}${summary}`)
  .join('\n')}
  mtls-enforcer --version
  mtls-enforcer COMMAND --help

FILE is config.toml in this folder unless given. Exit codes: 0 good, 1 the answer is no, 64 wrong usage, 69 can't
listen or not serving, 74 can't write its output, 78 wrong configuration.
`;

/** Of any command, or of none. */
const general = {
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const;

async function main(args: readonly string[]): Promise<Exit> {
  // The command may stand behind options of its own.
  const every = Object.values(commands).map(({ options }) => options);
  const [name] = parse(args, Object.assign({}, ...every, general)).positionals;
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  const { values, positionals } = parse(args, { ...command?.options, ...general });
  if (values.version) return say(`mtls-enforcer ${version()}\n`);
  if (name === undefined) {
    if (values.help) return say(help);
    throw new UsageError('which command?');
  }
  if (command === undefined) throw new UsageError(`unknown: ${positionals.join(' ')}`);
  if (values.help) return say(command.help);
  if (positionals.length > 1 && !command.takesPath) throw new UsageError(`unknown: ${positionals.join(' ')}`);
  return command.run(values, positionals.slice(1));
}

function parse(args: readonly string[], options: Command['options']) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function ended(error: unknown): Exit {
  const tell = (text: string | undefined): boolean => process.stderr.write(`mtls-enforcer: ${text}\n`);
  if (error instanceof UsageError) {
    tell(`${inert(error.message)}\n\n${help}`);
    return exit.usage;
  }
  if (error instanceof ListenError || error instanceof OutputError) {
    tell(error.message);
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
