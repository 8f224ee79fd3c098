import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { docker, output } from './engine.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const project = 'mtls-enforcer-test';

type Service = { ports?: readonly string[]; readonly healthcheck?: { interval: string } };
type File = { readonly services: Readonly<Record<string, Service>> };

/** What docker-compose.yml describes, running; its images are built by deploy/Dockerfile. */
export class Compose {
  readonly #command: readonly [string, ...string[]];
  readonly #folder: string;

  private constructor(command: readonly [string, ...string[]], folder: string) {
    this.#command = command;
    this.#folder = folder;
  }

  static async up(command: readonly [string, ...string[]]): Promise<Compose> {
    // The host's network: an engine without iptables gives no other way out, which npm needs.
    for (const [target, tag] of [
      ['enforcer', 'mtls-enforcer'],
      ['tools', 'mtls-enforcer-tools'],
    ] as const)
      await docker(
        ...['build', '--network', 'host', '--file', join(repository, 'deploy/Dockerfile')],
        ...['--target', target, '--tag', tag, repository],
      );
    const folder = await mkdtemp(join(tmpdir(), 'compose-'));
    const file = parse(await readFile(join(repository, 'docker-compose.yml'), 'utf8'), {
      merge: true,
    }) as File;
    // Any port that is free, as the one in the file may be taken here; health that we need not wait for. All else is
    // as it stands.
    file.services.backend!.ports = ['127.0.0.1::9095'];
    for (const { healthcheck } of Object.values(file.services)) if (healthcheck) healthcheck.interval = '2s';
    await writeFile(join(folder, 'docker-compose.yml'), JSON.stringify(file));
    const compose = new Compose(command, folder);
    await compose.run('down', '--volumes');
    try {
      await compose.run('up', '--detach', '--no-build');
      return compose;
    } catch (error) {
      const lines = await compose.run('logs');
      await compose.down();
      throw new Error(`${lines}\n${error}`);
    }
  }

  run(...args: string[]): Promise<string> {
    const files = ['-p', project, '-f', join(this.#folder, 'docker-compose.yml')];
    const [program, ...words] = this.#command;
    return output(program, ...words, ...files, ...args);
  }

  /** ID of a service's container. */
  id = (service: string): Promise<string> => {
    const labels = { project, service };
    const filters = Object.entries(labels).map(([key, value]) => `label=com.docker.compose.${key}=${value}`);
    return docker('ps', '--quiet', '--no-trunc', ...filters.flatMap((filter) => ['--filter', filter]));
  };

  /** Another container in the place of a service's own, and the rest left as it is. */
  replace = (service: string): Promise<string> =>
    this.run('up', '--detach', '--no-build', '--no-deps', '--force-recreate', service);

  /** Port of this host at which Envoy answers. */
  async port(): Promise<number> {
    return Number((await this.run('port', 'backend', '9095')).split(':').at(-1));
  }

  /** A command in a service's container, as its user. */
  async exec(service: string, ...command: string[]): Promise<string> {
    return docker('exec', await this.id(service), ...command);
  }

  volume = (name: string): string => `${project}_${name}`;

  async down(): Promise<void> {
    await this.run('down', '--volumes', '--timeout', '20');
    await rm(this.#folder, { recursive: true, force: true });
  }
}
