import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selfSigned } from '../support/certificate-authority.ts';
import { checkFrame, isAdmitted } from '../support/check-frames.ts';
import { Child } from '../support/child.ts';

const apis = 10_000;
const clientsEach = 5;
const distinct = 2_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
/** What users run: built. */
const start = join(root, 'dist', 'start.js');
const monitor = fileURLToPath(new URL('loading-server.ts', import.meta.url));
const patience = 180_000;

/**
 * What it takes to start the service with 10,000 APIs of five clients each, and to reload it while 100 Checks a second
 * come: as the system sees it (Linux), all its processes together. Both sides of a change: the same bench in two trees, in
 * turns.
 */
export async function run(): Promise<void> {
  execFileSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: 'inherit' });
  const pems: string[] = [];
  for (let i = 0; i < distinct; i++) pems.push((await selfSigned({ subject: `CN=client ${i}` })).pem);
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`);
  console.log(
    '| | on the clock, s | CPU, s | RSS at most, MB | RSS 10 s later, MB | longest hold, ms of CPU | longest Check, ms |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const [name, write] of Object.entries({ 'config.toml': writeOwn, 'files of APK': writeForeign })) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-loading-'));
    const change = write(folder, pems);
    const began = performance.now();
    const child = new Child('enforcer', [
      process.execPath,
      '--import',
      monitor,
      start,
      'serve',
      '--config',
      join(folder, 'config.toml'),
    ]);
    const measured = new Measured(child);
    await child.line(/info +started/, 0, patience);
    const session = connect('http://localhost', {
      createConnection: () => connectSocket(join(folder, 'authz.sock')),
    });
    // On a busy machine foreign files may be in force only a while after it.
    const last = checkFrame(pathOf(apis - 1), pems[clientOf(apis - 1, 0)]!);
    while (!(await isAdmitted(session, last))) await new Promise((later) => setTimeout(later, 100));
    await measured.row(`${name}: start`, began);
    await holdsWhatItSays(session, pems);
    for (const what of ['the same', 'one API changed', 'and again', 'and again']) {
      if (what !== 'the same') change();
      await measured.hold();
      const from = child.lines.length;
      const asked = askSteadily(session, pems);
      const at = performance.now();
      measured.begin();
      child.kill('SIGHUP');
      await child.line(/info +reloaded/, from, patience);
      await measured.row(`${name}: reload, ${what}`, at, asked);
    }
    await holdsWhatItSays(session, pems);
    session.destroy();
    measured.close();
    await child.stop();
    rmSync(folder, { recursive: true });
  }
}

const head = '[enforcer.authService]\nsocket = "authz.sock"\n[enforcer.reload]\nwatch = false\n';
/** The clients of API `i`, none of them shared with its neighbours. */
const clientOf = (i: number, j: number): number => (i * clientsEach + j) % distinct;

/** @returns changes one API at each call */
function writeOwn(folder: string, pems: readonly string[]): () => void {
  mkdirSync(join(folder, 'clients'));
  for (const [i, pem] of pems.entries()) writeFileSync(join(folder, 'clients', `${i}.pem`), pem);
  const clients = Array.from(
    { length: apis * clientsEach },
    (_, i) => `[[clients]]\nalias = "client-${i}"\nfile = "clients/${i % distinct}.pem"\n`,
  );
  const own = Array.from({ length: apis }, (_, i) => {
    const aliases = Array.from({ length: clientsEach }, (_, j) => `"client-${i * clientsEach + j}"`);
    return `[[apis]]\nname = "api-${i}"\nversion = "1"\nbasePath = "/api-${i}/1"\naliases = [${aliases.join(', ')}]\n[[apis.operations]]\npath = "/items/{id}"\nmethods = ["GET"]\n`;
  });
  const file = join(folder, 'config.toml');
  writeFileSync(file, [head, ...clients, ...own].join(''));
  return changing(file);
}

function writeForeign(folder: string, pems: readonly string[]): () => void {
  mkdirSync(join(folder, 'apis'));
  for (let i = 0; i < apis; i++) {
    const each = Array.from({ length: clientsEach }, (_, j) => j);
    const data = each.map((j) => `  c${j}: |\n${pems[clientOf(i, j)]!.replaceAll(/^/gm, '    ')}\n`);
    writeFileSync(
      join(folder, 'apis', `${i}.yaml`),
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clients-${i}\ndata:\n${data.join('')}`,
    );
    const certificates = each.map((j) => `      - name: clients-${i}\n        key: c${j}\n`);
    writeFileSync(
      join(folder, 'apis', `${i}.apk-conf`),
      `name: "api-${i}"\nbasePath: "/api-${i}"\nversion: "1"\ntype: "REST"\nid: "api-${i}"\noperations:\n  - target: "/items/{id}"\n    verb: "GET"\n    secured: true\nauthentication:\n  - authType: OAuth2\n    enabled: false\n  - authType: mTLS\n    required: mandatory\n    certificates:\n${certificates.join('')}`,
    );
  }
  writeFileSync(join(folder, 'config.toml'), `${head}[[definitions]]\nkind = "apk"\npath = "apis/"\n`);
  return changing(join(folder, 'apis', '0.apk-conf'));
}

/** To and fro. */
const changing = (file: string) => (): void => {
  const text = readFileSync(file, 'utf8');
  const [from, to] = text.includes('/items/{id}') ? ['{id}', '{other}'] : ['{other}', '{id}'];
  writeFileSync(file, text.replace(`/items/${from}`, `/items/${to}`));
};

/** A process, and those that it started. */
class Measured {
  readonly #child: Child;
  readonly #timer: NodeJS.Timeout;
  #cpu = 0;
  #most = 0;

  constructor(child: Child) {
    this.#child = child;
    this.#timer = setInterval(() => {
      this.#most = Math.max(this.#most, this.#rss());
    }, 20);
  }

  begin(): void {
    this.#cpu = this.#seconds();
    this.#most = 0;
  }

  async row(what: string, began: number, asked?: () => Promise<number>): Promise<void> {
    const clock = (performance.now() - began) / 1000;
    const cpu = this.#seconds() - this.#cpu;
    await new Promise((later) => setTimeout(later, 10_000));
    const longest = await asked?.();
    const cells = [clock.toFixed(1), cpu.toFixed(1), this.#most.toFixed(0), this.#rss().toFixed(0)];
    const waits = asked === undefined ? ['', ''] : [await this.hold(), longest!.toFixed(0)];
    console.log(`| ${[what, ...cells, ...waits].join(' | ')} |`);
  }

  /** Since it was last asked for. */
  async hold(): Promise<string> {
    const from = this.#child.lines.length;
    this.#child.kill('SIGPWR');
    return /\d+/.exec(await this.#child.line(/^longest hold/, from))![0];
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Of those that have ended as well. */
  #seconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
  }

  #rss(): number {
    let kilobytes = 0;
    for (const pid of withChildren(this.#child.pid))
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        kilobytes += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
      } catch {
        // It has ended.
      }
    return kilobytes / 1024;
  }
}

const withChildren = (pid: number): readonly number[] => {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const children = threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(withChildren)];
  } catch {
    return [pid];
  }
};

/** Clients of APIs from all over are admitted, and those of their neighbours refused. */
async function holdsWhatItSays(session: ClientHttp2Session, pems: readonly string[]): Promise<void> {
  for (let i = 0; i < apis; i += 50) {
    const [own, other] = [clientOf(i, i % clientsEach), clientOf(i + 1, 0)];
    if (!(await isAdmitted(session, checkFrame(pathOf(i), pems[own]!))))
      throw new Error(`api-${i}: not admitted`);
    if (await isAdmitted(session, checkFrame(pathOf(i), pems[other]!))) throw new Error(`api-${i}: admitted`);
  }
}

/** 100 a second, whatever the answers take. @returns stops it; resolves to the longest of all, in milliseconds */
function askSteadily(session: ClientHttp2Session, pems: readonly string[]): () => Promise<number> {
  const frames = Array.from({ length: 50 }, (_, k) =>
    checkFrame(pathOf(k * 200), pems[clientOf(k * 200, 0)]!),
  );
  const asked: Promise<number>[] = [];
  const ask = async (frame: Buffer): Promise<number> => {
    const began = performance.now();
    if (!(await isAdmitted(session, frame))) throw new Error('not admitted');
    return performance.now() - began;
  };
  const timer = setInterval(() => asked.push(ask(frames[asked.length % frames.length]!)), 10);
  return async () => {
    clearInterval(timer);
    return Math.max(...(await Promise.all(asked)));
  };
}

const pathOf = (i: number): string => `/api-${i}/1/items/7`;
