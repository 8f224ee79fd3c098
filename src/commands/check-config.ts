import { countClients } from '../provision/load-config.ts';
import { type Command, configOf, configOption, exit, say } from './command.ts';
import { load } from './load.ts';

export const checkConfig: Command = {
  usage: '[--config FILE]',
  summary: 'say what is wrong with a configuration',
  help: `mtls-enforcer check-config [--config FILE]

Reads the configuration and the files it names as "serve" would, and those that Envoy will open, prints every error
and warning with file, line and key, and exits 0 (good, maybe with warnings) or 78.

  mtls-enforcer check-config --config config.toml && kill -HUP $(pidof -x mtls-enforcer)
`,
  options: configOption,
  run: async (values) => {
    const file = configOf(values);
    const loaded = await load(file);
    if (typeof loaded === 'number') return loaded;
    const { config, ignored, problems, warnings } = loaded;
    if (problems.length > 0) return exit.config;
    if (ignored.length > 0) process.stderr.write(`not ours, and ignored: ${ignored.join(' ')}\n`);
    const counts = [
      counted(config.apis.length, 'API'),
      counted(countClients(config), 'client'),
      counted(warnings.length, 'warning'),
    ];
    return say(`${file}: good (${counts.join(', ')})\n`);
  },
};

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
