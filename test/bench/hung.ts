import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pki, preparePki } from '../../demo/pki.ts';
import { type Stack, startStack } from '../../demo/stack.ts';
import { type FoundEnvoy, findEnvoy } from '../../envoy/find-envoy.ts';
import { type Authority, createAuthority, type Issued } from '../support/certificate-authority.ts';
import { checkFrame, isAdmitted } from '../support/check-frames.ts';

const rounds = 9;
const perSlice = 300;
const perSecond = 100;
/** One in so many is a certificate that was never seen. */
const firstSightEvery = 20;
const path = '/partners/1';

/**
 * How long a Check takes, and a request through Envoy, while the OCSP responder takes every connection and answers none,
 * beside the same without revocation: both run at once and are asked in turns, at a steady rate.
 */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-hung-'));
  const responder = createServer(() => {}).listen(0, '127.0.0.1');
  await once(responder, 'listening');
  const url = `http://127.0.0.1:${(responder.address() as AddressInfo).port}`;
  const envoy = await findEnvoy((line) => process.stderr.write(`${line}\n`));
  const authority = await createAuthority({ subject: 'CN=Partner CA' });
  const known = await issue(authority, 'known');
  const shared = { folder, envoy, authority, pki: await preparePki(folder) };
  const without = await start(shared, 'without', '');
  const hung = await start(
    shared,
    'hung',
    `[enforcer.security.revocation]\nmode = "soft-fail"\nocspResponder = "${url}"\n`,
  );
  console.log(`Node ${process.version}, Envoy ${envoy.version}, ${cpus().length} × ${cpus()[0]?.model}`);
  console.log(
    `ms: p50, p99 of ${perSecond} requests a second; medians of ${rounds} rounds of ${perSlice}, in turns`,
  );
  console.log('certificate | without revocation | with it, its responder hanging');
  for (const [name, way] of Object.entries(ways)) {
    const opened = [await way(without, known, shared.pki), await way(hung, known, shared.pki)] as const;
    const found = opened.map(() => ({ known: [] as Span[], first: [] as Span[], refused: 0 }));
    for (let round = 0; round <= rounds; round++) {
      const strangers = await Promise.all(
        Array.from({ length: perSlice / firstSightEvery }, (_, i) => issue(authority, `new ${i}`)),
      );
      for (const [at, client] of opened.entries()) {
        const spans = await slice(client, known, strangers);
        // The first one warms up.
        if (round === 0) continue;
        for (const kind of ['known', 'first'] as const) found[at]![kind].push(spanOf(spans[kind]));
        found[at]!.refused += spans.refused;
      }
    }
    for (const [kind, text] of [
      ['known', 'known'],
      ['first', 'never seen'],
    ] as const)
      console.log(`${name}, ${text} | ${found.map((one) => textOf(one[kind])).join(' | ')}`);
    console.log(`${name}, not admitted | ${found.map(({ refused }) => refused).join(' | ')}`);
    for (const client of opened) client.close();
  }
  await Promise.all([without.stop(), hung.stop()]);
  responder.close();
  rmSync(folder, { recursive: true });
}

const issue = (authority: Authority, cn: string): Promise<Issued> =>
  authority.issue({ subject: `CN=${cn}`, extendedKeyUsage: 'client' });

type Shared = {
  readonly folder: string;
  readonly envoy: FoundEnvoy;
  readonly authority: Authority;
  readonly pki: Pki;
};

/** The demo's gateway, with an API for whatever the authority issued. */
async function start(
  { folder, envoy, authority, pki }: Shared,
  name: string,
  tables: string,
): Promise<Stack> {
  writeFileSync(join(folder, 'partner-ca-of-bench.pem'), authority.pem);
  return startStack({
    folder: join(folder, name),
    pki,
    envoy,
    mutualSSL: ['enableClientValidation = true'],
    edit: (toml) => `${toml}
${tables}
[[clients]]
alias = "bench"
caFile = "../partner-ca-of-bench.pem"
[[apis]]
name = "Bench"
version = "1"
basePath = "/partners"
aliases = ["bench"]
${/^backend = .*$/m.exec(toml)![0]}
`,
  });
}

type Client = {
  /** Whatever a new one needs beforehand, such as a handshake. */
  readonly meet: (leaf: Issued) => Promise<void>;
  /** Whether it is admitted. */
  readonly ask: (leaf: Issued) => Promise<boolean>;
  readonly close: () => void;
};

const ways: Readonly<Record<string, (stack: Stack, known: Issued, pki: Pki) => Promise<Client>>> = {
  'a Check over gRPC': async ({ ports }) => {
    const session = connect(`http://127.0.0.1:${ports.enforcer}`);
    await once(session, 'connect');
    return {
      meet: async () => {},
      ask: (leaf) => isAdmitted(session, checkFrame(path, leaf.pem)),
      close: () => session.close(),
    };
  },
  'a request through Envoy': async ({ ports }, known, { routerCaPem: ca }) => {
    const sessions = new Map<Issued, ClientHttp2Session>();
    const meet = async (leaf: Issued): Promise<void> => {
      const own = { cert: leaf.pem, key: leaf.privateKeyPem, ca, servername: 'localhost' };
      const session = connect(`https://localhost:${ports.router}`, own);
      await once(session, 'connect');
      sessions.set(leaf, session);
    };
    await meet(known);
    return {
      meet,
      ask: async (leaf) => {
        const session = sessions.get(leaf)!;
        const stream = session.request({ ':path': path });
        const [headers] = await once(stream, 'response');
        await once(stream.resume(), 'close');
        if (leaf !== known) session.close();
        return headers[':status'] === 200;
      },
      close: () => sessions.get(known)!.close(),
    };
  },
};

type Spans = { readonly known: number[]; readonly first: number[]; refused: number };

/** At a steady rate, whatever the answers take: who waits for one before asking the next hides the slow ones. */
async function slice(client: Client, known: Issued, strangers: readonly Issued[]): Promise<Spans> {
  for (const one of strangers) await client.meet(one);
  const spans: Spans = { known: [], first: [], refused: 0 };
  const begun = performance.now();
  const asked: Promise<void>[] = [];
  const ask = async (leaf: Issued, into: number[]): Promise<void> => {
    const from = performance.now();
    if (!(await client.ask(leaf))) spans.refused++;
    into.push(performance.now() - from);
  };
  for (let i = 0; i < perSlice; i++) {
    const wait = begun + (i * 1000) / perSecond - performance.now();
    if (wait > 0) await new Promise((next) => setTimeout(next, wait));
    const isFirst = i % firstSightEvery === 0;
    asked.push(isFirst ? ask(strangers[i / firstSightEvery]!, spans.first) : ask(known, spans.known));
  }
  await Promise.all(asked);
  return spans;
}

type Span = { readonly p50: number; readonly p99: number };

const spanOf = (spans: readonly number[]): Span => ({
  p50: quantile(spans, 0.5),
  p99: quantile(spans, 0.99),
});
const quantile = (numbers: readonly number[], share: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))]!;
const textOf = (spans: readonly Span[]): string =>
  (['p50', 'p99'] as const)
    .map((which) =>
      quantile(
        spans.map((one) => one[which]),
        0.5,
      ).toFixed(2),
    )
    .join(', ');
