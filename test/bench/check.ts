import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Mode, Served, ServerName } from './check-server.ts';

const calls = 1000;
const concurrency = 32;
/** Of all lanes together. */
const allSlices = 250;

const lanes: Readonly<Record<string, { readonly server: ServerName; readonly mode?: Mode }>> = {
  constant: { server: 'constant' },
  'enforcer-on-grpc-js': { server: 'enforcer-on-grpc-js' },
  enforcer: { server: 'enforcer', mode: 'bare' },
  watched: { server: 'enforcer', mode: 'watched' },
  recorded: { server: 'enforcer', mode: 'recorded' },
  shadowed: { server: 'shadowed', mode: 'watched' },
};

/**
 * What one Check costs the enforcer: CPU of the serving process, by a gRPC client in this one. The same CheckRequest,
 * warm, in alternating slices: grpc-js and proto-loader with a constant answer, the enforcer behind grpc-js, as it is,
 * watched by all that watches, with a record of everything, and with the same configuration as its shadow.
 *
 * `npm run bench -- check enforcer watched`: these two alone, which a busy machine tells apart more easily.
 */
export async function run(): Promise<void> {
  const chosen = process.argv.slice(3);
  const names = Object.keys(lanes).filter((name) => chosen.length === 0 || chosen.includes(name));
  const slices = Math.floor(allSlices / names.length);
  const servers = new Map<ServerName, Server>();
  for (const name of names) {
    const { server } = lanes[name]!;
    if (!servers.has(server)) servers.set(server, await start(server));
  }
  const costs = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let slice = 0; slice <= slices; slice++) {
    // To and fro: each comes as often before its neighbour as after it.
    for (const name of slice % 2 === 0 ? names : names.toReversed()) {
      const { server, mode = 'bare' } = lanes[name]!;
      const cost = await measure(servers.get(server)!, mode);
      if (slice > 0) costs.get(name)!.push(cost); // the first one warms up
    }
  }
  for (const { child } of servers.values()) child.kill();
  const [base] = names;
  process.stdout.write(
    `node ${process.version}, ${cpus()[0]?.model}, ${calls} calls a slice, median of ${slices} slices\n`,
  );
  for (const name of names) {
    // Slice by slice: what else the machine does meets neighbours alike.
    const ratios = costs.get(name)!.map((cost, i) => cost / costs.get(base!)![i]!);
    process.stdout.write(
      `${name.padEnd(20)} ${median(costs.get(name)!).toFixed(1)} µs CPU a call, ${median(ratios).toFixed(3)} of ${base}; undisturbed ${undisturbed(costs.get(name)!).toFixed(1)}, ${(undisturbed(costs.get(name)!) / undisturbed(costs.get(base!)!)).toFixed(3)}\n`,
    );
  }
}

/** On a busy machine the cheapest tenth of the slices is nearer to what it costs alone. */
const undisturbed = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 10)]!;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

type Server = { readonly child: ReturnType<typeof fork>; readonly served: Served };

async function start(name: ServerName): Promise<Server> {
  const child = fork(fileURLToPath(new URL('check-server.ts', import.meta.url)), [name]);
  const [served] = (await once(child, 'message')) as [Served];
  return { child, served };
}

/** @returns µs of CPU that the server spent on one call; every answer is checked */
async function measure({ child, served }: Server, mode: Mode): Promise<number> {
  const before = await cpuOf(child, mode);
  await drive(served);
  return ((await cpuOf(child, mode)) - before) / calls;
}

async function cpuOf(child: Server['child'], mode: Mode): Promise<number> {
  child.send(mode);
  const [micros] = (await once(child, 'message')) as [number];
  return micros;
}

function drive({ port, request, answer }: Served): Promise<void> {
  const session = connect(`http://127.0.0.1:${port}`);
  const frame = Buffer.from(request, 'base64');
  let sent = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const next = (): void => {
      if (sent++ >= calls) return;
      const stream = session.request({
        ':method': 'POST',
        ':path': '/envoy.service.auth.v3.Authorization/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        if (Buffer.concat(parts).toString('base64') !== answer) return reject(new Error('a wrong answer'));
        if (++done === calls) session.close(() => resolve());
        else next();
      });
      stream.end(frame);
    };
    for (let i = 0; i < concurrency; i++) next();
  });
}
