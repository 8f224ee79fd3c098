import { relative, resolve } from 'node:path';
import { writeEnvoyConfig } from '../envoy-config/bootstrap.ts';
import { type Command, configOf, configOption, say } from './command.ts';
import { load } from './load.ts';
import { workersOf, workersOption } from './workers.ts';

export const envoyConfig: Command = {
  usage: '[--config FILE] [--workers N|auto]',
  summary: "print Envoy's bootstrap for it",
  help: `mtls-enforcer envoy-config [--config FILE] [--workers N|auto]

Prints the whole static bootstrap for Envoy, made from the same file: listeners, TLS, routes, backends, and the
ext_authz filter that asks this enforcer. Relative paths in it are relative to the folder you are in: start Envoy there.
--workers: as "serve" is given it; where neither is, [enforcer.authService] workers counts.

  mtls-enforcer envoy-config --config config.toml > envoy.yaml && envoy -c envoy.yaml
`,
  options: { ...configOption, ...workersOption },
  run: async (values) => {
    const file = configOf(values);
    const workers = workersOf(values);
    const loaded = await load(file, { alwaysEnvoy: true });
    if (typeof loaded === 'number') return loaded;
    const { config, ownApis } = loaded;
    return say(
      writeEnvoyConfig(config, {
        workers,
        ownApis,
        enforcer: config.router.enforcer,
        resolvePath: (path) => seenFromHere(file, path),
      }),
    );
  },
};

/** A relative path of config.toml, relative to the folder that we are in: the output names no other folder. */
const seenFromHere = (file: string, path: string): string =>
  path.startsWith('/') ? path : relative(process.cwd(), resolve(file, '..', path));
