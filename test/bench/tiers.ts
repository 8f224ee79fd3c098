import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { findEnvoy } from '../../envoy/find-envoy.ts';
import { run as runProgram } from '../../envoy/run-program.ts';
import { Gateway, petstore } from '../e2e/gateway.ts';
import { freePort } from '../support/free-port.ts';
import { program } from '../support/program.ts';
import { type RateLimitService, startRateLimitService } from '../support/rate-limit-service.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const requests = 4_000;
const atOnce = 32;
const rounds = 7;

type Variant = { readonly name: string; readonly toml: string; readonly status: 200 | 429 };
const tier = (name: string, count: number) =>
  `[[tiers]]\nname = "${name}"\nrequests = ${count}\nper = "day"\n`;
const many = 4_000_000_000;
const others = (count: number) => Array.from({ length: count }, (_, i) => tier(`Other ${i}`, many)).join('');
const variants: readonly Variant[] = [
  { name: 'no tiers', toml: '', status: 200 },
  { name: 'one tier', toml: tier('Gold', many), status: 200 },
  { name: 'three tiers', toml: tier('Gold', many) + others(2), status: 200 },
  { name: 'ten tiers', toml: tier('Gold', many) + others(9), status: 200 },
  { name: 'beyond the limit', toml: tier('Gold', 1), status: 429 },
];

/** What a request through Envoy costs, by the kernel's count, with tiers and without, a round of each in turn. */
export async function run(): Promise<void> {
  const envoy = await findEnvoy(() => {});
  const found = [];
  const service = program('service_cmd', 'go install github.com/envoyproxy/ratelimit/src/service_cmd@latest');
  const redis = program('redis-server', 'apt-get install redis-server');
  let limits: RateLimitService | undefined;
  try {
    for (const variant of variants)
      found.push({ ...variant, gateway: await start(envoy, variant.toml), cpu: [0], enforcer: [0], ms: [0] });
    if (service.found !== undefined && redis.found !== undefined) {
      const port = await freePort();
      const toml = `[router.rateLimit]\nservice = "127.0.0.1:${port}"\nfailureMode = "deny"\n${tier('Gold', many)}`;
      const gateway = await start(envoy, toml);
      const { stdout } = await runProgram(
        [process.execPath, main, 'ratelimit-config', '--config', gateway.stack.configFile],
        { env: process.env },
      );
      limits = await startRateLimitService({ service: service.found, redis: redis.found }, port, stdout);
      found.push({
        ...{ name: 'one tier, counted by the service', toml, status: 200 as const },
        ...{ gateway, cpu: [0], enforcer: [0], ms: [0] },
      });
    }
    for (let round = 0; round <= rounds; round++)
      for (const each of found) {
        const { envoy: envoyProcess, enforcer } = each.gateway.stack;
        const before = [cpuOf(envoyProcess!.pid), cpuOf(enforcer.pid), performance.now()] as const;
        await load(each.gateway, each.status);
        if (round === 0) continue; // warms up
        each.cpu.push((cpuOf(envoyProcess!.pid) - before[0]) / requests);
        each.enforcer.push((cpuOf(enforcer.pid) - before[1]) / requests);
        each.ms.push(((performance.now() - before[2]) * 1000) / requests);
      }
    process.stdout.write(
      '| configuration | Envoy, µs CPU | enforcer, µs CPU | µs passed |\n| --- | --- | --- | --- |\n',
    );
    for (const { name, cpu, enforcer, ms } of found)
      process.stdout.write(`| ${name} | ${median(cpu)} | ${median(enforcer)} | ${median(ms)} |\n`);
  } finally {
    for (const { gateway } of found) await gateway.stop();
    await limits?.stop();
  }
}

const start = (envoy: Awaited<ReturnType<typeof findEnvoy>>, toml: string): Promise<Gateway> =>
  Gateway.start(envoy, { edit: (text) => text.replace('[[apis]]', `${toml}\n[[apis]]`) });

/** Microseconds of user and system time. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const median = ([, ...values]: readonly number[]): number =>
  Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN);

async function load({ pki, stack }: Gateway, status: 200 | 429): Promise<void> {
  const session = connect(`https://localhost:${stack.ports.router}`, {
    ca: pki.routerCaPem,
    cert: pki.clients.acme.certificatePem,
    key: pki.clients.acme.privateKeyPem,
  });
  let left = requests;
  let others = 0;
  const one = async (): Promise<void> => {
    while (left-- > 0) if ((await statusOf(session)) !== status) others++;
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  session.close();
  // A machine with other work lets some wait for the enforcer for too long.
  if (others > requests / 100) throw new Error(`${others} of ${requests} were not answered ${status}`);
}

const statusOf = (session: ClientHttp2Session): Promise<number> =>
  new Promise((resolve, reject) => {
    let status = 0;
    session
      .request({ ':path': petstore })
      .on('response', (headers) => {
        status = Number(headers[':status']);
      })
      .on('error', reject)
      .on('end', () => resolve(status))
      .resume();
  });
