import { serve as runService } from '../service/serve.ts';
import { type Command, configOf, configOption, exit, refuse } from './command.ts';
import { endWithoutReader } from './output.ts';
import { version } from './version.ts';

export const serve: Command = {
  usage: '[--config FILE]',
  summary: 'run the service that Envoy asks',
  help: `mtls-enforcer serve [--config FILE]

Runs the ext_authz service until SIGTERM or SIGINT: it then tells Envoy that it is going, answers the calls in
flight and exits 0 (a second signal ends it at once). SIGHUP reads the configuration and the files it names again:
if all is good the new one takes over in one step, else the last good one stays and the log says why.
Where it listens ([enforcer.authService]) is read at start only.

  mtls-enforcer serve --config /etc/mtls-enforcer/config.toml
  kill -HUP $(pidof -x mtls-enforcer)
`,
  options: configOption,
  run: async (values) => {
    // Else it is called node, or MainThread, and nobody finds it by its name.
    process.title = 'mtls-enforcer';
    const problems = await runService({
      file: configOf(values),
      env: process.env,
      version: version(),
      onSignal: (handler) => {
        for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
          process.on(signal, () => handler(signal));
      },
    });
    endWithoutReader();
    return problems.length === 0 ? exit.ok : refuse(problems);
  },
};
