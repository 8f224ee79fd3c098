import { problemLine } from '../config/problem.ts';
import { socketPathTrouble } from '../config/worker.ts';
import { jsonEscapes } from '../observability/paper.ts';
import { serviceOfWorker } from '../provision/service.ts';
import { readServiceAddress } from '../provision/service-address.ts';
import { askControl, type ControlWord } from '../service/control-socket.ts';
import {
  askedWhere,
  configOf,
  configOption,
  type Exit,
  exit,
  InputError,
  UsageError,
  type Values,
} from './command.ts';
import { print, tellLines } from './output.ts';

/** Of the commands that ask a running service about its configuration. */
export const controlOptions = {
  ...configOption,
  control: { type: 'string' },
  timeout: { type: 'string', default: '120' },
} as const;

/** Asks every worker; what each says is a line. */
export async function ask(asked: ControlWord, values: Values): Promise<Exit> {
  const seconds = Number(values.timeout);
  if (!(seconds > 0 && seconds <= 3600)) throw new UsageError('--timeout needs seconds, from 1 to 3600');
  const answers = await Promise.all(
    socketsOf(values).map((path) =>
      askControl(path, asked, seconds * 1000).catch((error: NodeJS.ErrnoException) => ({
        trouble: trouble(path, error),
        isNobody: isNobody(error),
      })),
    ),
  );
  for (const answer of answers) {
    if ('trouble' in answer) tellLines(`mtls-enforcer: ${answer.trouble}`);
    else await print(`${jsonEscapes(JSON.stringify(answer))}\n`);
  }
  if (values.control === undefined && answers.some((answer) => 'trouble' in answer && answer.isNobody))
    tellLines(askedWhere(values));
  const told = new Set(answers.flatMap((answer) => ('trouble' in answer ? [] : answer.refused)));
  tellLines(...[...told].map((problem) => `error: ${problem}`));
  const digests = new Set(answers.map((answer) => ('trouble' in answer ? undefined : answer.digest)));
  if (digests.size > 1 && !digests.has(undefined))
    tellLines('warning: the workers have different configurations in force');
  if (answers.some((answer) => 'trouble' in answer)) return exit.unavailable;
  return told.size > 0 ? exit.config : exit.ok;
}

function socketsOf(values: Values): readonly string[] {
  if (values.control === '')
    throw new UsageError('--control needs a path, for example /run/mtls-enforcer/control.sock');
  if (typeof values.control === 'string') return [values.control];
  const { service, workers, problems } = readServiceAddress(configOf(values), process.env);
  if (service.control === undefined) {
    tellLines(...problems.map((problem) => `error: ${problemLine(problem)}`));
    const left = problems.length === 0 ? '' : 'what can be read of ';
    throw new InputError(
      `${left}[enforcer.authService] of ${configOf(values)} has no control, so that nobody can be asked; write control = "/run/mtls-enforcer/control.sock" and restart, or give --control PATH`,
    );
  }
  return Array.from({ length: workers }, (_, i) => serviceOfWorker(service, i + 1).control!);
}

const isNobody = ({ code }: NodeJS.ErrnoException): boolean => code === 'ENOENT' || code === 'ECONNREFUSED';

function trouble(path: string, error: NodeJS.ErrnoException): string {
  if (isNobody(error)) return `nobody answers on ${path}`;
  if (error.code === 'EACCES') return `this user may not use ${path}; the service's own and root may`;
  return `${path}: ${socketPathTrouble(path) ?? error.message}`;
}
