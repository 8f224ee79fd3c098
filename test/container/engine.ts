import { run } from '../../envoy/run-program.ts';

const install =
  'apt-get install docker.io docker-compose, and where no service starts it: dockerd --iptables=false --bridge=none &';

/** What a program says. @throws Error with what it complains of, if it fails */
export async function output(...command: [string, ...string[]]): Promise<string> {
  const { code, stdout, stderr } = await run(command, { env: process.env });
  if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
  return stdout.trim();
}

export const docker = (...args: string[]): Promise<string> => output('docker', ...args);

/**
 * The command of Compose, of either generation, where a container engine runs; else why a test is skipped. In CI that
 * is a failure.
 *
 * @throws Error in CI
 */
export async function engine(): Promise<
  | { readonly compose: readonly [string, ...string[]]; readonly skip: false }
  | { readonly compose: undefined; readonly skip: string }
> {
  const works = async (...command: [string, ...string[]]): Promise<boolean> =>
    (await run(command, { env: process.env })).code === 0;
  if (await works('docker', 'info')) {
    if (await works('docker', 'compose', 'version')) return { compose: ['docker', 'compose'], skip: false };
    if (await works('docker-compose', 'version')) return { compose: ['docker-compose'], skip: false };
  }
  const skip = `no container engine with Compose runs here: ${install}`;
  if (process.env.CI) throw new Error(skip);
  return { compose: undefined, skip };
}
