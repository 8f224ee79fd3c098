import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run as runProgram } from '../../envoy/run-program.ts';
import { createAuthority } from '../support/certificate-authority.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const rounds = 5;

/** What `mtls-enforcer diff` takes from its start to its end: 10,000 APIs of two operations each, 2,000 clients. */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-diff-'));
  try {
    writeFileSync(join(folder, 'ca.pem'), (await createAuthority({ subject: 'CN=Partners' })).pem);
    writeFileSync(join(folder, 'old.toml'), configuration('"c6"'));
    writeFileSync(join(folder, 'new.toml'), configuration('"c5"'));
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      const { code, stdout, stderr } = await runProgram(
        [process.execPath, start, 'diff', 'old.toml', 'new.toml'],
        { env: process.env, cwd: folder },
      );
      times.push(performance.now() - began);
      if (code !== 0 || !stdout.includes('may call now')) throw new Error(`${code}: ${stdout}${stderr}`);
    }
    const [least, , median] = times.toSorted((a, b) => a - b) as [number, number, number];
    const seconds = (time: number): string => (time / 1000).toFixed(1);
    process.stdout.write(
      `node ${process.version}, ${cpus()[0]?.model}: ${seconds(least)} s at least, ${seconds(median)} s the median of ${rounds}\n`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param sixth whom those APIs list that c6 may call in the old one */
function configuration(sixth: string): string {
  const clients = Array.from(
    { length: 2_000 },
    (_, i) => `[[clients]]\nalias = "c${i}"\ncaFile = "ca.pem"\nsubject = "CN=c${i}"\n`,
  );
  const apis = Array.from({ length: 10_000 }, (_, i) => {
    const aliases = [`"c${i % 2_000}"`, `"c${(i * 7) % 2_000}"`].map((one) => (one === '"c6"' ? sixth : one));
    return `[[apis]]\nname = "api${i}"\nversion = "1"\nbasePath = "/api${i}"\naliases = [${[...new Set(aliases)].join(', ')}]\n[[apis.operations]]\npath = "/x/{id}"\nmethods = ["GET"]\n[[apis.operations]]\npath = "/y"\n`;
  });
  return [...clients, ...apis].join('');
}
