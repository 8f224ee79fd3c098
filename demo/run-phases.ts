import { createServer } from 'node:net';
import { differences, type Send } from './outcome.ts';
import { bold, dim, print, printNotSent, printResult, red } from './print.ts';
import { type Phase, phases } from './requests.ts';
import type { Stack } from './stack.ts';

export type Counts = { readonly right: number; readonly wrong: number; readonly skipped: number };

/** Sends every request, one after the other, and says what came of it, until `isStopped`. */
export async function runPhases(stack: Stack, send: Send, isStopped: () => boolean): Promise<Counts> {
  const counts = { right: 0, wrong: 0, skipped: 0 };
  for (const [number, phase] of phases.entries()) {
    if (isStopped()) return counts;
    await enter(phase, number > 0, stack);
    for (const request of phase.requests) {
      if (isStopped()) return counts;
      if (stack.envoy && request.from && !(await hasAddress(request.from))) {
        counts.skipped++;
        printNotSent(request, `Not sent: this machine has no address ${request.from}.`);
        continue;
      }
      try {
        const outcome = await send(request, phase);
        const wrong = differences(request, outcome);
        counts[wrong.length === 0 ? 'right' : 'wrong']++;
        printResult(request, outcome, wrong);
      } catch (error) {
        if (isStopped()) return counts;
        counts.wrong++;
        print(`${red('WRONG ')}${bold(request.name)}`);
        print(`      no answer: ${(error as Error).message}`);
      }
    }
  }
  return counts;
}

/** Has config.toml say what the phase is about, and the running enforcer read it. */
async function enter({ title, mutualSSL }: Phase, reload: boolean, stack: Stack): Promise<void> {
  print();
  print(bold(title));
  for (const line of mutualSSL) print(dim(`      ${line}`));
  if (!reload) return;
  stack.configure(mutualSSL);
  const result = await stack.enforcer.reload();
  if (result !== 'reloaded')
    throw new Error(`config.toml was refused:\n${stack.enforcer.lines.slice(-5).join('\n')}`);
  print(dim(`      config.toml edited, SIGHUP sent to the enforcer; Envoy as it was`));
}

/** Linux has all of 127.0.0.0/8, macOS 127.0.0.1 only. */
const hasAddress = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(0, address, () => server.close(() => resolve(true)));
  });
