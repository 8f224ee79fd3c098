import type { ParseArgsOptionsConfig } from 'node:util';
import { type Problem, problemLine } from '../config/problem.ts';
import { print, tellLines } from './output.ts';

/** Exit codes by sysexits(3). */
export const exit = {
  ok: 0,
  /** The answer to what was asked is no. */
  no: 1,
  usage: 64,
  unavailable: 69,
  software: 70,
  ioError: 74,
  config: 78,
} as const;
export type Exit = (typeof exit)[keyof typeof exit];

export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

export type Command = {
  /** Behind its name in the list of commands. */
  readonly usage: string;
  readonly summary: string;
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Arguments that are no options. */
  readonly takesPath?: true;
  readonly run: (values: Values, paths: readonly string[]) => Promise<Exit>;
};

/** Wrong use of the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the command line names is not there, or is no such thing: how to use the command is not the question. */
export class InputError extends UsageError {}

/** Which configuration: `config.toml` in this folder unless given. */
export const configOption = { config: { type: 'string', default: 'config.toml' } } as const;
export const configOf = ({ config }: Values): string => typed('--config', String(config));

/** Of a service that was asked where the configuration has it, and where nobody is. */
export const askedWhere = (values: Values): string =>
  `mtls-enforcer: asked where ${configOf(values)} has the service: [enforcer.authService], and its defaults where it says nothing; if that was changed since the service started (address, port, socket, control, workers), restart it: there it counts from a start on`;

/**
 * A path as it was typed: a variable that is not set leaves nothing of it, and a shell that completes it ends a folder by
 * a slash, which among files stands for one that can't be listed.
 *
 * @throws UsageError
 */
export function typed(what: string, path: string): string {
  if (path === '') throw new UsageError(`${what} is empty; write the path of a file`);
  return path.replace(/(?<=[^/])\/+$/, '');
}

export function refuse(problems: readonly Problem[]): Exit {
  tellLines(...problems.map((problem) => `error: ${problemLine(problem)}`));
  return exit.config;
}

export async function say(text: string): Promise<Exit> {
  await print(text);
  return exit.ok;
}
