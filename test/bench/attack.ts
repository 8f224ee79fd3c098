import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type FoundEnvoy, findEnvoy } from '../../envoy/find-envoy.ts';
import { Gateway, petstore } from '../e2e/gateway.ts';
import { Child } from '../support/child.ts';
import type { ClientCertificate } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { ca, certify, dns, type Entity, entity, subjectAltName, validity } from '../unit/pki/forge.ts';

const seconds = 6;
const rounds = 3;
const aliases = 100;
const made = 300;

/**
 * What acme waits for, through a real Envoy, while others open connections with certificates made to be searched for
 * long; and the same with a server in the enforcer's place that looks at nothing. What that one can't help is Envoy's
 * handshakes, this program's own work, and the machine's.
 */
export async function run(): Promise<void> {
  const partners = Array.from({ length: aliases }, (_, i) => entity(`Partner ${i}`));
  const root = entity('Insider Root');
  const issuing = entity('Insider Issuing');
  const insider = entity('insider');
  const chain = [certify(issuing, insider, [], lasting), certify(root, issuing, [ca()], lasting)];
  const names = partners.map(({ name }) => name);
  const config = [
    ...[...partners, root].map(
      (each) =>
        `[[clients]]\nalias = "${each.name}"\ncaPem = '''\n${pem(certify(each, each, [ca()], lasting).der)}'''\n`,
    ),
    api('big', names),
    api('own', [root.name]),
  ].join('\n');
  const strangers = (bundle: () => readonly Uint8Array[]) =>
    Array.from({ length: made }, () => {
      const leaf = entity('stranger');
      const from = entity('Insider Issuing');
      return holder(leaf, [certify(from, leaf, [], lasting).der, ...bundle()]);
    });
  const insiders = (bundle: () => readonly Uint8Array[]) =>
    Array.from({ length: 40 }, () => holder(insider, [chain[0]!.der, ...bundle()]));
  const attacks: readonly (readonly [string, number, string, () => readonly ClientCertificate[]])[] = [
    ['nobody', 0, '', () => []],
    ['strangers, a leaf each', 200, petstore, () => strangers(() => [])],
    ['strangers, nine certificates of others behind it', 200, petstore, () => strangers(() => others())],
    ['strangers, a ring of nine', 200, petstore, () => strangers(() => ring(issuing))],
    [
      'strangers, nine keys, by name under a trusted CA',
      200,
      petstore,
      () => strangers(() => crowd(root.name)),
    ],
    ['an insider, its own chain', 2, '/big', () => insiders(() => [chain[1]!.der])],
    [
      'an insider, a ring of nine',
      2,
      '/big',
      () => insiders(() => [...ring(issuing).slice(1), chain[1]!.der]),
    ],
    [
      'an insider, a ring that leads to five aliases',
      2,
      '/big',
      () => insiders(() => ring(issuing, names.slice(0, 5))),
    ],
    ['an insider, nine keys that lead to an alias', 2, '/big', () => insiders(() => crowd(names[50]!))],
  ];
  const envoy = await findEnvoy((line) => process.stderr.write(`${line}\n`));
  const lanes: Lane[] = [];
  try {
    for (const name of ['enforcer', 'constant'] as const)
      lanes.push(await startLane(name, envoy, (toml) => `${toml}\n${config}`));
    console.log(
      `acme asks 50 times a second for ${seconds} s, ${rounds} times each; ${aliases} caFile aliases; medians; ms\n`,
    );
    console.log(
      '| beside | a second | answered by | opened | acme: 200 | else | p50 | p99 | worst | its CPU, % | Envoy, % |',
    );
    console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
    for (const [who, rate, path, make] of attacks) {
      const certificates = make();
      const results = lanes.map((): Result[] => []);
      for (let round = 0; round < rounds; round++)
        for (const [i, lane] of lanes.entries())
          results[i]!.push(await measure(lane, { rate, path, certificates }));
      for (const [i, { name }] of lanes.entries()) {
        const of = (value: (result: Result) => number) => median(results[i]!.map(value)).toFixed(1);
        const sum = (value: (result: Result) => number) =>
          results[i]!.reduce((total, result) => total + value(result), 0);
        const times = [of((r) => r.p50), of((r) => r.p99), of((r) => r.worst)].join(' | ');
        console.log(
          `| ${who} | ${rate} | ${name} | ${sum((r) => r.opened)} | ${sum((r) => r.good)} | ${sum((r) => r.bad)} | ${times} | ${of((r) => r.own)} | ${of((r) => r.envoy)} |`,
        );
      }
    }
  } finally {
    for (const lane of lanes) await lane.stop();
  }
}

/** An Envoy, and who answers it. */
type Lane = {
  readonly name: 'enforcer' | 'constant';
  readonly gateway: Gateway;
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

async function startLane(
  name: Lane['name'],
  envoy: FoundEnvoy,
  edit: (toml: string) => string,
): Promise<Lane> {
  const folder = mkdtempSync(join(tmpdir(), 'attack-'));
  const port = await freePort();
  let constant: Child | undefined;
  const stop = async () => {
    await constant?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const gateway = await Gateway.start(envoy, {
    folder,
    edit,
    editEnvoy: (yaml) =>
      name === 'enforcer' ? yaml : yaml.replace(/(name: "?enforcer"?\n[\s\S]*?port_value: )\d+/, `$1${port}`),
  });
  if (name === 'constant') {
    const { certificatePem } = gateway.pki.clients.acme;
    const known = encodeURIComponent(certificatePem.split('\n').slice(1, 8).join('\n'));
    const server = fileURLToPath(new URL('constant-server.ts', import.meta.url));
    constant = new Child('constant', [process.execPath, server, String(port), known]);
    await constant.line(/listening/);
  }
  return {
    name,
    gateway,
    pid: constant?.pid ?? gateway.stack.enforcer.pid,
    stop: async () => {
      await gateway.stop();
      await stop();
    },
  };
}

type Result = {
  readonly opened: number;
  readonly good: number;
  readonly bad: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** Of one core, percent. */
  readonly own: number;
  readonly envoy: number;
};

async function measure(
  { gateway, pid }: Lane,
  { rate, path, certificates }: Pick<Attack, 'rate' | 'path' | 'certificates'>,
): Promise<Result> {
  const { router: port } = gateway.stack.ports;
  const ca = gateway.pki.routerCaPem;
  const pids = [pid, gateway.stack.envoy!.pid];
  const before = pids.map(cpuSeconds);
  const attack = rate === 0 ? undefined : startAttack({ port, ca, rate, path, certificates });
  const { times, good, bad } = await askAsAcme(port, ca, gateway.pki.clients.acme);
  const opened = (await attack?.stop()) ?? 0;
  const [own, envoy] = pids.map((each, i) => ((cpuSeconds(each) - before[i]!) / seconds) * 100);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { opened, good, bad, p50: at(0.5), p99: at(0.99), worst: at(1), own: own!, envoy: envoy! };
}

/** Fields 14 and 15 of proc(5)'s stat, in clock ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const day = 86_400_000;
const lasting = { validity: validity(Date.now() - day, Date.now() + day) };

const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END CERTIFICATE-----\n`;

const api = (name: string, names: readonly string[]): string =>
  `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "/${name}"\naliases = ${JSON.stringify(names)}\n`;

const holder = ({ keys }: Entity, ders: readonly Uint8Array[]): ClientCertificate => ({
  certificatePem: ders.map(pem).join(''),
  privateKeyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
});

/** CAs of one name and key that certify each other, some of them in the name of others. */
const ring = (of: Entity, leadsTo: readonly string[] = []): readonly Uint8Array[] =>
  Array.from({ length: 9 }, (_, i) => {
    const issuer = leadsTo[i] === undefined ? of : { ...of, name: leadsTo[i] };
    return certify(issuer, of, [ca(), subjectAltName(dns(`n${i}.example`))], lasting).der;
  });

/** As many bytes, and nothing to search: what a search costs is beyond what these cost. */
const others = (): readonly Uint8Array[] =>
  Array.from({ length: 9 }, () => certify(entity('Somebody'), entity('Somebody Else'), [ca()], lasting).der);

/** CAs of one name and nine keys, the last of them in another's name. */
function crowd(leadsTo: string): readonly Uint8Array[] {
  const all = Array.from({ length: 9 }, () => entity('Insider Issuing'));
  return all.map(
    (each, i) => certify(i === 0 ? { ...each, name: leadsTo } : all[(i + 1) % 9]!, each, [ca()], lasting).der,
  );
}

type Attack = {
  readonly port: number;
  readonly ca: string;
  readonly rate: number;
  readonly path: string;
  readonly certificates: readonly ClientCertificate[];
};

/** On a thread of its own: new connections at this rate, whatever comes of them. */
function startAttack(attack: Attack): { stop(): Promise<number> } {
  const worker = new Worker(
    `const { workerData: { port, ca, rate, path, certificates }, parentPort } = require('node:worker_threads');
     const { request } = require('node:https');
     let opened = 0, next = 0;
     const timer = setInterval(() => {
       const { certificatePem: cert, privateKeyPem: key } = certificates[next++ % certificates.length];
       const sent = request({ host: '127.0.0.1', port, path, ca, cert, key, servername: 'localhost', agent: false, headers: { connection: 'close' } },
         (answer) => answer.resume());
       sent.on('error', () => {});
       sent.end();
       opened++;
     }, 1000 / rate);
     parentPort.on('message', () => { clearInterval(timer); parentPort.postMessage(opened); parentPort.close(); });`,
    { eval: true, workerData: attack },
  );
  return {
    stop: () =>
      new Promise((resolve) => {
        worker.once('message', (opened: number) => {
          void worker.terminate();
          resolve(opened);
        });
        worker.postMessage('stop');
      }),
  };
}

/** On one connection that stays open, as a client that is known. */
async function askAsAcme(
  port: number,
  ca: string,
  { certificatePem: cert, privateKeyPem: key }: ClientCertificate,
) {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca, cert, key });
  const times: number[] = [];
  let [good, bad] = [0, 0];
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const began = performance.now();
      const sent = request(
        { host: '127.0.0.1', port, path: petstore, servername: 'localhost', agent },
        (answer) => {
          answer.resume();
          answer.on('end', () => {
            times.push(performance.now() - began);
            if (answer.statusCode === 200) good++;
            else bad++;
            resolve();
          });
        },
      );
      sent.on('error', () => {
        bad++;
        resolve();
      });
      sent.end();
    });
  for (let i = 0; i < 20; i++) await ask();
  times.length = good = bad = 0;
  const pending: Promise<void>[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    pending.push(ask());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(pending);
  agent.destroy();
  return { times: times.toSorted((a, b) => a - b), good, bad };
}
