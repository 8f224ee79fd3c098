import { readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EnvoyNotFound, type FoundEnvoy, findEnvoy } from '../envoy/find-envoy.ts';
import { printCurlLines } from './curl-lines.ts';
import type { Send } from './outcome.ts';
import { preparePki } from './pki.ts';
import { bold, dim, green, print, printWrapped, red } from './print.ts';
import { phases } from './requests.ts';
import { runPhases } from './run-phases.ts';
import { type Stack, startStack } from './stack.ts';
import { throughEnvoy } from './through-envoy.ts';
import { withoutEnvoy } from './without-envoy.ts';

const help = `npm run demo [-- --keep] [-- --without-envoy]

Starts a backend, the enforcer and a real Envoy on free loopback ports, sends requests with good, bad and forged
certificates through Envoy, edits config.toml in between, and says of each what came back and why.

  --keep           leave it all running, until Ctrl-C, with curl lines to try
  --without-envoy  no Envoy: the same questions straight to the enforcer, over gRPC
  --help
`;

const repository = fileURLToPath(new URL('..', import.meta.url));
const state = join(repository, '.demo');
/** As a person sees it from where they typed the command. */
const shown = (path: string) => relative(process.env.INIT_CWD ?? process.cwd(), path) || '.';

/** The first signal ends the demo in good order, a second one at once: what it started dies with it. */
let signals = 0;
const interrupted = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => (++signals === 1 ? resolve(signal) : process.exit(130)));
  }
});

async function main(options: { readonly keep: boolean; readonly withoutEnvoy: boolean }): Promise<number> {
  const envoy = options.withoutEnvoy ? undefined : await lookForEnvoy();
  if (envoy === 'none') return 1;
  removeLeftovers();
  const pki = await preparePki(state);
  const folder = join(state, `run-${process.pid}`);
  const stack = await startStack({ folder, pki, envoy, mutualSSL: phases[0]!.mutualSSL });
  let keepFiles = true;
  try {
    printParts(stack, envoy);
    const grpc = envoy ? undefined : withoutEnvoy(pki, `127.0.0.1:${stack.ports.enforcer}`);
    const send: Send = grpc?.send ?? throughEnvoy(pki, stack.ports.router);
    const work = runPhases(stack, send, () => signals > 0).finally(() => grpc?.close());
    const counts = await Promise.race([work, interrupted]);
    keepFiles = typeof counts !== 'string' && counts.wrong > 0;
    if (typeof counts === 'string') return 130;
    summarise(counts);
    if (keepFiles) print(`The enforcer's last lines:\n${stack.enforcer.lines.slice(-20).join('\n')}`);
    if (options.keep) {
      printCurlLines(stack, pki, shown);
      await interrupted;
    }
    return counts.wrong > 0 ? 1 : 0;
  } finally {
    await stack.stop();
    if (!keepFiles) rmSync(folder, { recursive: true, force: true });
    else print(dim(`Its files stay in ${shown(folder)}.`));
  }
}

async function lookForEnvoy(): Promise<FoundEnvoy | 'none'> {
  try {
    return await findEnvoy((line) => process.stderr.write(`${line}\n`));
  } catch (error) {
    if (!(error instanceof EnvoyNotFound)) throw error;
    process.stderr.write(
      `${error.message}\n  - see the enforcer's answers without it: npm run demo -- --without-envoy\n`,
    );
    return 'none';
  }
}

/** Folders of demos that were killed, or failed. */
function removeLeftovers(): void {
  for (const name of readdirSync(repository).includes('.demo') ? readdirSync(state) : []) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(state, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function printParts({ ports, configFile }: Stack, envoy: FoundEnvoy | undefined): void {
  print(bold('mtls-enforcer demo'));
  const origin = envoy && { ENVOY_BIN: 'ENVOY_BIN', PATH: 'on PATH', PyPI: 'from PyPI' }[envoy.origin];
  print(
    envoy
      ? `  Envoy     https://localhost:${ports.router}  (${envoy.version}, ${origin})`
      : '  Envoy     none',
  );
  print(`  enforcer  127.0.0.1:${ports.enforcer}`);
  print(`  backend   https://127.0.0.1:${ports.backend}`);
  print(`  files     ${shown(configFile)}`);
}

function summarise({ right, wrong, skipped }: { right: number; wrong: number; skipped: number }): void {
  print();
  const all = `${right} of ${right + wrong} requests were answered as expected`;
  printWrapped(`${all}${skipped > 0 ? `, ${skipped} not sent` : ''}.`, 0, wrong === 0 ? green : red);
}

function options(): { keep: boolean; 'without-envoy': boolean; help: boolean } | string {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { keep: flag, 'without-envoy': flag, help: flag } }).values;
  } catch (error) {
    return (error as Error).message;
  }
}

const chosen = options();
if (typeof chosen === 'string') {
  process.stderr.write(`${chosen}\n\n${help}`);
  process.exitCode = 64;
} else if (chosen.help) print(help);
else {
  const code = main({ keep: chosen.keep, withoutEnvoy: chosen['without-envoy'] }).catch((error: Error) => {
    if (signals > 0) return 130;
    process.stderr.write(`The demo could not go on: ${error.message}\n`);
    return 1;
  });
  process.exit(await code);
}
