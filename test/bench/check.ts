import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Served, ServerName } from './check-server.ts';

const calls = 1000;
/** Of all lanes together. */
const allSlices = 250;
const concurrency = 32;

const lanes: readonly ServerName[] = [
  'constant',
  'enforcer-on-grpc-js',
  'enforcer',
  'watched',
  'recorded',
  'shadowed',
];

/**
 * What one Check costs the enforcer: CPU of the serving process, by a gRPC client in this one. The same CheckRequest,
 * warm, in alternating slices: grpc-js and proto-loader with a constant answer, the enforcer behind grpc-js, as it is,
 * watched by all that watches, with a record of everything, and with the same configuration as its shadow.
 *
 * `npm run bench -- check enforcer watched`: these two alone, which a busy machine tells apart more easily.
 */
export async function run(): Promise<void> {
  const chosen = process.argv.slice(3);
  const names = chosen.length === 0 ? lanes : lanes.filter((name) => chosen.includes(name));
  const slices = Math.floor(allSlices / names.length);
  const servers = await Promise.all(names.map(start));
  const costs = new Map<ServerName, number[]>(names.map((name) => [name, []]));
  for (let slice = 0; slice <= slices; slice++) {
    // To and fro: whoever comes after another is the other's neighbour as often before it.
    for (const server of slice % 2 === 0 ? servers : servers.toReversed()) {
      const cost = await measure(server);
      if (slice > 0) costs.get(server.name)!.push(cost); // the first one warms up
    }
  }
  for (const { child } of servers) child.kill();
  const [base] = names;
  process.stdout.write(
    `node ${process.version}, ${cpus()[0]?.model}, ${calls} calls a slice, median of ${slices} slices\n`,
  );
  for (const name of names) {
    // Slice by slice: what else the machine does meets neighbours alike.
    const ratios = costs.get(name)!.map((cost, i) => cost / costs.get(base!)![i]!);
    process.stdout.write(
      `${name.padEnd(20)} ${median(costs.get(name)!).toFixed(1)} µs CPU a call, ${median(ratios).toFixed(3)} of ${base}\n`,
    );
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

type Server = { readonly name: ServerName; readonly child: ReturnType<typeof fork>; readonly served: Served };

async function start(name: ServerName): Promise<Server> {
  const child = fork(fileURLToPath(new URL('check-server.ts', import.meta.url)), [name]);
  const [served] = (await once(child, 'message')) as [Served];
  return { name, child, served };
}

/** @returns µs of CPU that the server spent on one call; every answer is checked */
async function measure({ child, served }: Server): Promise<number> {
  const before = await cpuOf(child);
  await drive(served);
  return ((await cpuOf(child)) - before) / calls;
}

async function cpuOf(child: Server['child']): Promise<number> {
  child.send('cpu');
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
