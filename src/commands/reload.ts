import type { Command } from './command.ts';
import { ask, controlOptions } from './control.ts';

export const reload: Command = {
  usage: '[--config FILE]',
  summary: 'have the running service read its files again, and tell what came of it',
  help: `mtls-enforcer reload [--config FILE | --control PATH] [--timeout SECONDS]

Asks the running service to read config.toml and all files that it names again, waits until that is done, and says what
is in force then. Exits 0 if it is what the files say, 78 if they are refused (with what is wrong with them; the last good
configuration stays in force), 69 if nobody answers. Of several workers all are asked.
The socket is [enforcer.authService] control, which only the service's own user (and root) can use.

  mtls-enforcer reload --config /etc/mtls-enforcer/config.toml
`,
  options: controlOptions,
  run: (values) => ask('reload', values),
};

export const status: Command = {
  usage: '[--config FILE]',
  summary: 'tell which configuration is in force',
  help: `mtls-enforcer status [--config FILE | --control PATH] [--timeout SECONDS]

Asks the running service which configuration is in force: one line of JSON for each worker, with pid, version,
generation, since when, the digest of config.toml and the files it names, what is wrong with files that were refused
(refused), and with those of [[definitions]] (faulty). Exits 0 if what the files said last is in force, 78 if it was
refused, 69 if nobody answers.
The socket is [enforcer.authService] control, which only the service's own user (and root) can use.

  mtls-enforcer status --config /etc/mtls-enforcer/config.toml
`,
  options: controlOptions,
  run: (values) => ask('status', values),
};
