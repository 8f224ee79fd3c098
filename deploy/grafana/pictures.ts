import 'reflect-metadata';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { X509CrlGenerator } from '@peculiar/x509';
import { bearer } from '../../demo/bearer.ts';
import type { Holder } from '../../demo/requests.ts';
import { findEnvoy } from '../../envoy/find-envoy.ts';
import { Gateway, petstore } from '../../test/e2e/gateway.ts';
import { type Authority, createAuthority, selfSigned } from '../../test/support/certificate-authority.ts';
import { Child } from '../../test/support/child.ts';
import type { ClientCertificate } from '../../test/support/client.ts';
import { freePort } from '../../test/support/free-port.ts';
import { Load, type LoadOptions } from '../../test/support/load.ts';
import { type Answers, drawPanels, type Line, type Panel, type Row } from './svg.ts';

/**
 * `npm run pictures [SECONDS]`: the pictures of docs/monitoring.md. A real Envoy and a real enforcer are under load while
 * things go wrong, a real Prometheus watches (Debian's: apt-get install prometheus), and each panel of the dashboard is
 * drawn of what it answers. Grafana has no part in it.
 */
const seconds = Number(process.argv[2] ?? 480);
/** Of all the time; what comes when is told in docs/monitoring.md. */
const scenes = { renewed: 0.2, burst: 0.3, calm: 0.45, stranger: 0.5, refused: 0.65, dark: 0.7 };
/** Seconds: until all rates have two scrapes to be made of. */
const before = 25;

const pictures: Readonly<Record<string, readonly string[]>> = {
  decisions: ['Now', 'Decisions'],
  time: ['Tiers, as Envoy and its rate limit service count', 'Time'],
  certificates: ['Certificates', 'What is fetched', 'The process'],
};

type Dashboard = {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
};
const dashboard = JSON.parse(
  readFileSync(new URL('mtls-enforcer.json', import.meta.url), 'utf8'),
) as Dashboard;

/** As Grafana fills them in. */
const filled = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '20s')
    .replaceAll('$job', 'mtls-enforcer')
    .replace(/\$(instance|api)/g, '.*');

const day = (days: number) => new Date(Date.now() + days * 86_400_000);
const folder = mkdtempSync(join(tmpdir(), 'pictures-'));
const stops: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  await play();
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function play(): Promise<void> {
  const [watch, asked] = [await freePort(), await freePort()];
  const hooli = await createAuthority({ subject: 'CN=Hooli CA', notBefore: day(-300), notAfter: day(24) });
  const [initech, wayne, client] = [
    await selfSigned({ subject: 'CN=initech', notBefore: day(-85), notAfter: day(5.2) }),
    await selfSigned({ subject: 'CN=wayne', notBefore: day(-10), notAfter: day(80) }),
    await hooli.issue({
      subject: 'CN=hooli',
      extendedKeyUsage: 'client',
      notBefore: day(-9),
      notAfter: day(20),
    }),
  ];
  for (const [name, { pem }] of Object.entries({ initech, wayne, 'hooli-ca': hooli }))
    writeFileSync(join(folder, `${name}.pem`), pem);
  const crls = await serveCrl(await crlOf(hooli));
  stops.push(crls.stop);
  const known = (alias: string, key: 'file' | 'caFile', file: string): string =>
    `[[clients]]\nalias = "${alias}"\n${key} = "${join(folder, file)}"\n`;
  const gateway = await Gateway.start(await findEnvoy(() => {}), {
    edit: (toml) =>
      `${toml.replace('aliases = ["acme", "partners"]', 'aliases = ["acme", "partners", "initech", "hooli"]')}
${known('initech', 'file', 'initech.pem')}
${known('hooli', 'caFile', 'hooli-ca.pem')}
[[tiers]]
name = "Gold"
requests = 60
per = "second"
[[tiers]]
name = "Bronze"
requests = 5
per = "second"
stopOnQuotaReach = false
[enforcer.metrics]
port = ${watch}
[enforcer.audit]
file = "${join(folder, 'record.log')}"
[enforcer.security.revocation]
mode = "soft-fail"
sources = ["crl"]
crlUrls = ["${crls.url}"]
refresh = 30
`,
  });
  stops.push(() => gateway.stop());
  const { stack, pki } = gateway;
  const prometheus = await startPrometheus(asked, watch, stack.envoy!.admin);
  stops.push(() => prometheus.stop());

  const load = (certificate: ClientCertificate | undefined, more: Partial<LoadOptions>): Load => {
    const started = new Load({
      port: stack.ports.router,
      ca: pki.routerCaPem,
      path: petstore,
      certificate,
      concurrency: 1,
      pause: 100,
      ...more,
    });
    stops.push(() => started.stop());
    return started;
  };
  const of = (holder: Holder): ClientCertificate => pki.clients[holder];
  const pairOf = ({ pem, privateKeyPem }: { pem: string; privateKeyPem: string }): ClientCertificate => ({
    certificatePem: pem,
    privateKeyPem,
  });
  load(of('acme'), { concurrency: 4 });
  load(of('acme'), {
    path: '/accounts/1.0/list',
    pause: 300,
    headers: { authorization: bearer(pki, { boundTo: 'acme' }) },
  });
  const partner = load(of('partner'), { concurrency: 2 });
  load(pairOf(initech), { pause: 250 });
  load(pairOf(client), { pause: 250 });
  load(of('globex'), { path: '/orders/1' });
  load(undefined, { path: '/catalogue/items', pause: 200 });
  load(undefined, { pause: 1_500 });
  load(of('expired'), { pause: 700 });

  const began = Date.now() + before * 1000;
  const at = (share: number) =>
    pause(Math.max(0, began + share * seconds * 1000 - Date.now()), undefined, { ref: true });
  const scan = async (): Promise<void> => {
    for (; Date.now() < began + seconds * 1000; await pause(1_000)) {
      const certificate = pairOf(await selfSigned({ subject: 'CN=scanner' }));
      await gateway.answer({ certificate }).catch(() => {});
    }
  };
  const scanning = scan();
  const tell = (what: string): void => void process.stderr.write(`${new Date().toISOString()} ${what}\n`);
  await at(scenes.renewed);
  tell('a client more, by a good reload');
  appendFileSync(stack.configFile, known('wayne', 'file', 'wayne.pem'));
  await at(scenes.burst);
  tell('acme asks for more than its tier has');
  const burst = load(of('acme'), { concurrency: 5, pause: 60 });
  await at(scenes.calm);
  await burst.stop();
  await at(scenes.stranger);
  tell('the partner comes with a certificate of a CA that nobody here knows');
  await partner.stop();
  load(of('stranger'), { concurrency: 2 });
  await at(scenes.refused);
  tell('the operator adds that CA, and forgets its file');
  appendFileSync(stack.configFile, known('partners', 'caFile', 'partner-ca-2.pem'));
  await at(scenes.dark);
  tell('the server of the CRL goes down');
  await crls.stop();
  await at(1);
  await scanning;

  const [from, to, step] = [began / 1000, began / 1000 + seconds, Math.max(1, Math.round(seconds / 120))];
  const answers = await answersOf(`http://127.0.0.1:${asked}`, from, to, step);
  for (const [name, rows] of Object.entries(pictures)) {
    const file = fileURLToPath(new URL(`../../docs/pictures/dashboard-${name}.svg`, import.meta.url));
    writeFileSync(file, drawPanels(below(rows), answers));
    tell(`written: ${file}`);
  }
}

/** Those rows of the dashboard, with what stands below each. */
function below(rows: readonly string[]): readonly Panel[] {
  let isIn = false;
  return dashboard.panels
    .toSorted((a, b) => a.gridPos.y - b.gridPos.y)
    .filter(({ type, title }) => {
      if (type === 'row') isIn = rows.includes(title);
      return isIn;
    });
}

/** All that the panels ask for. */
async function answersOf(prometheus: string, from: number, to: number, step: number): Promise<Answers> {
  type Result = {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
    readonly values: readonly (readonly [number, string])[];
  };
  const ask = async (path: string, parameters: Readonly<Record<string, string>>) => {
    const answer = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: readonly Result[] };
    };
    if (status !== 'success') throw new Error(`${parameters.query}: ${error}`);
    return data.result;
  };
  const times = { start: String(from), end: String(to), step: String(step) };
  const lines = new Map<Panel, readonly Line[]>();
  const rows = new Map<Panel, readonly Row[]>();
  for (const panel of dashboard.panels)
    for (const { expr, legendFormat } of panel.targets ?? []) {
      const query = filled(expr);
      if (panel.type === 'timeseries') {
        const found = await ask('query_range', { query, ...times });
        const more = found.map(({ metric, values }) => ({
          name: legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '').trim(),
          points: values
            .map(([at, value]) => [at, Number(value)] as const)
            .filter(([, v]) => Number.isFinite(v)),
        }));
        lines.set(panel, [...(lines.get(panel) ?? []), ...more]);
      } else {
        const found = await ask('query', { query, time: String(to) });
        rows.set(
          panel,
          found.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) })),
        );
      }
    }
  const changes: number[] = [];
  for (const { expr } of dashboard.annotations.list)
    for (const { values } of await ask('query_range', { query: filled(expr), ...times, step: '1' }))
      changes.push(values[0]![0]);
  const drawn = { changes, from, to, step };
  return { lines: (panel) => lines.get(panel) ?? [], rows: (panel) => rows.get(panel) ?? [], ...drawn };
}

async function startPrometheus(port: number, watch: number, envoyAdmin: string): Promise<Child> {
  const page = (job: string, path: string, target: string) => ({
    job_name: job,
    metrics_path: path,
    static_configs: [{ targets: [target], labels: { instance: 'gateway-1' } }],
  });
  const file = join(folder, 'prometheus.yml');
  writeFileSync(
    file,
    JSON.stringify({
      global: { scrape_interval: '2s', scrape_timeout: '2s' },
      scrape_configs: [
        page('mtls-enforcer', '/metrics', `127.0.0.1:${watch}`),
        page('envoy', '/stats/prometheus', envoyAdmin),
      ],
    }),
  );
  const child = new Child('prometheus', [
    'prometheus',
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await child.line(/Server is ready to receive web requests/);
  return child;
}

async function crlOf({ subject, keys }: Authority): Promise<Buffer> {
  const crl = await X509CrlGenerator.create({
    issuer: subject,
    thisUpdate: day(-0.1),
    nextUpdate: day(2),
    signingKey: keys.privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return Buffer.from(crl.rawData);
}

async function serveCrl(crl: Buffer): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const server = createServer((_, response) => response.end(crl));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const stop = (): Promise<void> =>
    new Promise((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooli.crl`, stop };
}
