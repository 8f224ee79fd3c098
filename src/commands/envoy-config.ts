import { join, relative, resolve } from 'node:path';
import { writeEnvoyConfig } from '../envoy-config/bootstrap.ts';
import { bootstrapFile, dynamicEnvoyFiles } from '../envoy-config/dynamic.ts';
import { createFindings } from '../provision/findings.ts';
import { resolver } from '../provision/own-config.ts';
import { checkWorkersGiven } from '../provision/service.ts';
import { EnvoyFolder } from '../service/envoy-folder.ts';
import { type Command, configOf, configOption, exit, refuse, say } from './command.ts';
import { load } from './load.ts';
import { OutputError, printLines } from './output.ts';
import { workersOf, workersOption } from './workers.ts';

export const envoyConfig: Command = {
  usage: '[--config FILE] [--workers N|auto] [--dynamic FOLDER]',
  summary: "print Envoy's bootstrap for it",
  help: `mtls-enforcer envoy-config [--config FILE] [--workers N|auto] [--dynamic FOLDER]

Prints the whole static bootstrap for Envoy, made from the same file: listeners, TLS, routes, backends, and the
ext_authz filter that asks this enforcer. Relative paths in it are relative to the folder you are in: start Envoy there.
--workers: as "serve" is given it; where neither is, [enforcer.authService] workers counts.
--dynamic FOLDER: written into files of that folder instead, which Envoy watches (LDS, RDS, CDS, SDS), with absolute
paths: start Envoy once with envoy.yaml of it. With [router] dynamicFolder = "FOLDER" the running service keeps them up to
date, so that a new API, host, backend or certificate is in force without touching Envoy.

  mtls-enforcer envoy-config --config config.toml > envoy.yaml && envoy -c envoy.yaml --disable-hot-restart
  mtls-enforcer envoy-config --config config.toml --dynamic envoy && envoy -c envoy/envoy.yaml --disable-hot-restart
`,
  options: { ...configOption, ...workersOption, dynamic: { type: 'string' } },
  run: async (values) => {
    const file = configOf(values);
    const workers = workersOf(values);
    const loaded = await load(file, { alwaysEnvoy: true, workers });
    if (typeof loaded === 'number') return loaded;
    const { config, ownApis, crowding, foreignFiles, tiers } = loaded;
    const findings = createFindings(file, loaded.text.lineOf);
    checkWorkersGiven(loaded, { workers }, findings);
    if (findings.errors.length > 0) return refuse(findings.errors);
    const { enforcer } = config.router;
    const options = { workers, ownApis, crowding, foreignFiles, tiers, enforcer };
    if (typeof values.dynamic !== 'string')
      return say(writeEnvoyConfig(config, { ...options, resolvePath: (path) => seenFromHere(file, path) }));
    const folder = resolve(values.dynamic);
    try {
      const files = dynamicEnvoyFiles(config, { ...options, resolvePath: resolver(file) }, folder);
      await new EnvoyFolder(() => {}).writeAll({ folder, files });
    } catch (error) {
      throw new OutputError(`can't write into ${folder}: ${(error as Error).message}`);
    }
    await printLines([join(folder, bootstrapFile)]);
    return exit.ok;
  },
};

/** A relative path of config.toml, relative to the folder that we are in: the output names no other folder. */
const seenFromHere = (file: string, path: string): string =>
  path.startsWith('/') ? path : relative(process.cwd(), resolve(file, '..', path));
