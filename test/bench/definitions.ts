import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problemLine } from '../../src/config/problem.ts';
import { decide } from '../../src/enforcer.ts';
import { isProblems, loadConfig } from '../../src/provision/load-config.ts';
import type { Provisioned } from '../../src/provision/provision.ts';
import { Configuration, type ConfigurationEvent } from '../../src/service/configuration.ts';
import { request } from '../support/attributes.ts';
import { now, selfSigned } from '../support/certificate-authority.ts';

const clientsEach = 5;
const distinct = 2_000;

/** Time and memory to load and reload many APIs of foreign files (APK's), and what a decision among them costs. */
export async function run(): Promise<void> {
  process.stdout.write(`making ${distinct} certificates…\n`);
  const pems: string[] = [];
  for (let i = 0; i < distinct; i++) pems.push((await selfSigned({ subject: `CN=client ${i}` })).pem);
  process.stdout.write(
    '\n| APIs | aliases | load, s | reload of one changed file, s (of CPU) | of the same, s (of CPU) | of that no Check is answered, s | heap, MB | a decision, µs |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n',
  );
  for (const count of [100, 1_000, 10_000]) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'));
    writeApis(folder, count, pems);
    global.gc?.();
    const before = process.memoryUsage().heapUsed;
    const [, loadTime] = timed(() => load(folder));
    const { loaded, changed, same, stall } = await reloaded(folder);
    global.gc?.();
    const heap = process.memoryUsage().heapUsed - before;
    const cost = await decision(loaded, count, pems);
    process.stdout.write(
      `| ${count} | ${count * clientsEach} | ${(loadTime / 1000).toFixed(2)} | ${changed} | ${same} | ${(stall / 1000).toFixed(2)} | ${(heap / 1e6).toFixed(0)} | ${cost.toFixed(1)} |\n`,
    );
    rmSync(folder, { recursive: true });
  }
}

/** The clients of API `i`, none of them shared with its neighbours. */
const clientsOf = (i: number, pems: readonly string[]): readonly string[] =>
  Array.from({ length: clientsEach }, (_, j) => pems[(i * clientsEach + j) % pems.length]!);

function writeApis(folder: string, count: number, pems: readonly string[]): void {
  mkdirSync(join(folder, 'apis'));
  for (let i = 0; i < count; i++) {
    const data = clientsOf(i, pems)
      .map((pem, j) => `  c${j}: |\n${pem.replaceAll(/^/gm, '    ')}\n`)
      .join('');
    writeFileSync(
      join(folder, 'apis', `${i}.yaml`),
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clients-${i}\ndata:\n${data}`,
    );
    writeFileSync(
      join(folder, 'apis', `${i}.apk-conf`),
      `name: "api-${i}"\nbasePath: "/api-${i}"\nversion: "1"\ntype: "REST"\nid: "api-${i}"\noperations:\n  - target: "/items/{id}"\n    verb: "GET"\n    secured: true\nauthentication:\n  - authType: OAuth2\n    enabled: false\n  - authType: mTLS\n    required: mandatory\n    certificates:\n${clientsOf(
        i,
        pems,
      )
        .map((_, j) => `      - name: clients-${i}\n        key: c${j}\n`)
        .join('')}`,
    );
  }
  writeFileSync(join(folder, 'config.toml'), '[[definitions]]\nkind = "apk"\npath = "apis/"\n');
}

function load(folder: string): Provisioned {
  const loaded = loadConfig(join(folder, 'config.toml'), {}, now);
  if (isProblems(loaded)) throw new Error(loaded.map(problemLine).slice(0, 3).join('\n'));
  if (loaded.problems.length > 0) throw new Error(loaded.problems.map(problemLine).slice(0, 3).join('\n'));
  return loaded;
}

/** Reloads as the service does them, and the longest time meanwhile in which no Check would have been answered. */
async function reloaded(folder: string): Promise<{
  readonly loaded: Provisioned;
  readonly changed: string;
  readonly same: string;
  readonly stall: number;
}> {
  let done = (_: ConfigurationEvent): void => {};
  const configuration = new Configuration({
    file: join(folder, 'config.toml'),
    env: {},
    tell: (event) => done(event),
  });
  await configuration.start();
  let last = performance.now();
  let stall = 0;
  const beat = setInterval(() => {
    stall = Math.max(stall, performance.now() - last);
    last = performance.now();
  }, 1);
  const reload = async (): Promise<string> => {
    const began = performance.now();
    const cpu = process.cpuUsage();
    await new Promise<void>((resolve, reject) => {
      done = (event) => {
        if (event.kind === 'in-force' && !event.reading) resolve();
        if (event.kind === 'refused' || event.kind === 'refused-whole')
          reject(new Error(JSON.stringify(event)));
      };
      configuration.reload();
    });
    const { user, system } = process.cpuUsage(cpu);
    return `${((performance.now() - began) / 1000).toFixed(2)} (${((user + system) / 1e6).toFixed(2)})`;
  };
  // The API's own certificates are known by then, as after any start.
  const one = join(folder, 'apis', '0.apk-conf');
  writeFileSync(one, readFileSync(one, 'utf8').replace('{id}', '{other}'));
  const changed = await reload();
  const same = await reload();
  clearInterval(beat);
  const loaded = configuration.inForce;
  await configuration.close();
  return { loaded, changed, same, stall };
}

function timed<T>(work: () => T): readonly [T, number] {
  const began = performance.now();
  const result = work();
  return [result, performance.now() - began];
}

/** µs, warm, median of rounds, over APIs from all over. */
async function decision({ snapshot }: Provisioned, count: number, pems: readonly string[]): Promise<number> {
  const requests = Array.from({ length: 50 }, (_, k) => {
    const i = Math.floor((k * count) / 50);
    return request({
      path: `/api-${i}/1/items/7`,
      certificate: encodeURIComponent(clientsOf(i, pems)[0]!),
    });
  });
  const rounds: number[] = [];
  for (let round = 0; round < 21; round++) {
    const copies = Array.from({ length: 10 }, () => structuredClone(requests)).flat();
    const began = performance.now();
    for (const each of copies) {
      const decided = await decide(each, snapshot, now);
      if (decided.outcome !== 'allow') throw new Error(decided.code);
    }
    rounds.push(((performance.now() - began) * 1000) / copies.length);
  }
  return rounds.toSorted((a, b) => a - b)[rounds.length >> 1]!;
}
