import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, generateKeys } from '../support/certificate-authority.ts';
import { checkFrame, isAdmitted } from '../support/check-frames.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';

const slices = 12;
const perSlice = 500;
const concurrency = 8;

/**
 * What a Check costs whose certificate was never seen before, beside one that was, in turns: CPU of the service's whole
 * process, its garbage collector's and compiler's threads with it, and what it has in memory before and after.
 */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-unseen-'));
  const ca = await createAuthority({ subject: 'CN=Partner CA,O=Bench', keyAlgorithm: 'RSA-2048' });
  writeFileSync(join(folder, 'ca.pem'), ca.pem);
  const config = join(folder, 'config.toml');
  writeFileSync(
    config,
    `[enforcer.authService]\naddress = "127.0.0.1"\nport = ${await freePort()}\n[enforcer.log]\nlevel = "info"\n[[clients]]\nalias = "partners"\ncaFile = "ca.pem"\n[[apis]]\nname = "Partners"\nversion = "1"\nbasePath = "/partners"\naliases = ["partners"]\n`,
  );
  const keys = await generateKeys('RSA-2048');
  const frameOf = async (name: string): Promise<Buffer> =>
    checkFrame(
      '/partners/1',
      (
        await ca.issue({
          subject: `CN=${name},O=Acme Inc`,
          keys,
          extendedKeyUsage: 'client',
          subjectAltNames: [`${name}.example.com`],
        })
      ).pem,
    );
  const enforcer = await EnforcerProcess.start(config);
  const session = connect(`http://${enforcer.listening[0]}`);
  const before = rssOf(enforcer.pid);
  const known = await frameOf('known');
  const costs = { unseen: [] as number[], seen: [] as number[] };
  for (let slice = 0; slice <= slices; slice++) {
    const unseen: Buffer[] = [];
    for (let i = 0; i < perSlice; i++) unseen.push(await frameOf(`new-${slice}-${i}`));
    for (const [kind, frames] of [
      ['unseen', unseen],
      ['seen', unseen.map(() => known)],
    ] as const) {
      const cost = await measure(enforcer.pid, session, frames);
      if (slice > 0) costs[kind].push(cost); // the first one warms up
    }
  }
  session.close();
  process.stdout.write(
    `node ${process.version}, ${cpus()[0]?.model}, ${perSlice} calls a slice, medians of ${slices} slices in turns\n`,
  );
  for (const [kind, all] of Object.entries(costs))
    process.stdout.write(`${kind.padEnd(8)}${median(all).toFixed(1).padStart(8)} µs CPU a call\n`);
  process.stdout.write(
    `RSS ${before} MB, and ${rssOf(enforcer.pid)} MB after ${(slices + 1) * perSlice} certificates\n`,
  );
  await enforcer.stop();
  rmSync(folder, { recursive: true });
}

/** @returns µs of CPU a call; every answer is checked */
async function measure(pid: number, session: ClientHttp2Session, frames: readonly Buffer[]): Promise<number> {
  const before = cpuOf(pid);
  const left = [...frames];
  const work = async (): Promise<void> => {
    for (let frame = left.pop(); frame !== undefined; frame = left.pop())
      if (!(await isAdmitted(session, frame))) throw new Error('not admitted');
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return (cpuOf(pid) - before) / frames.length;
}

/** utime and stime of all its threads, in µs: counted by the kernel in steps of 10 ms. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const rssOf = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024);

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
