import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { findEnvoy } from '../../envoy/find-envoy.ts';
import { Gateway, petstore } from '../e2e/gateway.ts';
import type { ClientCertificate } from '../support/client.ts';
import { ca, certify, dns, type Entity, entity, subjectAltName, validity } from '../unit/pki/forge.ts';

const seconds = 10;
const aliases = 100;
const made = 300;

/** What acme waits for, through a real Envoy, while others open connections with certificates made to be searched for long. */
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
  const folder = mkdtempSync(join(tmpdir(), 'attack-'));
  const gateway = await Gateway.start(await findEnvoy((line) => process.stderr.write(`${line}\n`)), {
    folder,
    edit: (toml) => `${toml}\n${config}`,
  });
  try {
    const { port, ca: routerCa } = { port: gateway.stack.ports.router, ca: gateway.pki.routerCaPem };
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
      ['nobody', 0, '', () => []],
    ];
    console.log(`acme asks 50 times a second for ${seconds} s; ${aliases} caFile aliases; ms\n`);
    console.log(
      '| beside | a second | opened | acme: 200 | else | p50 | p99 | worst |\n| --- | --- | --- | --- | --- | --- | --- | --- |',
    );
    for (const [who, rate, path, make] of attacks) {
      const certificates = make();
      const attack = rate === 0 ? undefined : startAttack({ port, ca: routerCa, rate, path, certificates });
      const result = await askAsAcme(port, routerCa, gateway.pki.clients.acme);
      const opened = (await attack?.stop()) ?? 0;
      const at = (share: number) =>
        result.times[Math.min(result.times.length - 1, Math.floor(result.times.length * share))]!.toFixed(1);
      console.log(
        `| ${who} | ${rate} | ${opened} | ${result.good} | ${result.bad} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`,
      );
    }
  } finally {
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

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
