import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FoundEnvoy } from '../../envoy/find-envoy.ts';
import { askControl, type Status } from '../../src/service/control-socket.ts';
import { demoIssuer, Gateway, petstore } from '../e2e/gateway.ts';
import { type Authority, createAuthority, selfSigned } from '../support/certificate-authority.ts';
import type { ClientCertificate } from '../support/client.ts';
import { FreezableProxy } from '../support/freezable-proxy.ts';
import { Load } from '../support/load.ts';
import { opensslCa } from '../support/openssl-ca.ts';
import { noPostgres, type Postgres, startPostgres } from '../support/postgres.ts';
import { type SmallDisk, smallDisk } from '../support/small-disk.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';
import { Judge, type Verdict } from './judge.ts';
import { crlSource, keySource, ocspSource, type Source } from './sources.ts';

/** Somebody who asks all the time. */
export type Client = {
  readonly name: string;
  readonly path: string;
  readonly certificate?: ClientCertificate | undefined;
  readonly token?: string;
  /** While nothing is changed. */
  readonly verdict: Verdict;
  /** Of a process that has never seen it. */
  readonly firstSight?: Verdict;
};

/** Everything that is disturbed: Envoy, an enforcer of two processes, its files and sources; and all who ask. */
export type World = {
  readonly gateway: Gateway;
  /** Where config.toml is. */
  readonly folder: string;
  readonly judge: Judge;
  readonly loads: readonly Load[];
  readonly sources: Readonly<Record<'jwks' | 'crl' | 'ocsp', Source>>;
  readonly database: Database | undefined;
  /** That of the client `rotating`, and another one. */
  readonly rotating: ClientCertificate;
  readonly renewed: ClientCertificate;
  /** Of the foreign definition. */
  readonly employee: Client;
  /** That Envoy's files are on; or why it can't be full. */
  readonly envoyDisk: SmallDisk | string;
  /** Of whom a process knows nothing when they come for the first time, and what they are answered then. */
  readonly firstSights: ReadonlyMap<string, Verdict>;
  /** Issues what ends soon. */
  readonly shortLived: Authority;
  /** Of the configuration while nobody changes it. */
  readonly digest: string;
  /** Lets one more ask, until it is stopped. */
  ask(client: Client): Load;
  /** Of both processes. */
  status(asked: 'reload' | 'status'): Promise<readonly Status[]>;
  stop(): Promise<void>;
};

type Database = {
  readonly server: Postgres;
  /** The enforcer's way to it. */
  readonly proxy: FreezableProxy;
  /** Of the client in its table. */
  readonly certificatePem: string;
};

const dayMs = 86_400_000;
export const clientsOfRow = 'by-row';
export const row = `INSERT INTO AM_API_CLIENT_CERTIFICATE VALUES (-1234, '${clientsOfRow}', 1, $1, '0', 'Gold')`;

/** Milliseconds that each client pauses before it asks again. */
const pause = 15;

const apkApi = `name: "Employees"
basePath: "/employees"
version: "1.0"
type: "REST"
id: "employees"
operations:
  - target: "/list"
    verb: "GET"
    secured: true
    scopes: []
authentication:
  - authType: OAuth2
    required: optional
  - authType: mTLS
    required: mandatory
    certificates:
      - name: employees
        key: tls.crt
`;
const configMap = (pem: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: employees\ndata:\n  tls.crt: |\n${pem.replaceAll(/^/gm, '    ')}\n`;

export async function startWorld(envoy: FoundEnvoy): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), 'mtls-enforcer-chaos-'));
  const folder = join(root, 'run');
  // Of a reload most is otherwise the compiling of TypeScript for the thread that reads, which an installed one has not.
  process.env.NODE_COMPILE_CACHE = join(root, 'compiled');
  const dates = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 30 * dayMs) };
  const shortLived = await createAuthority({ subject: 'CN=Short-lived CA', ...dates });
  const [rotating, renewed, employed, byRow] = await Promise.all(
    ['rotating', 'rotating, renewed', 'employee', clientsOfRow].map(async (name) => {
      const { pem, privateKeyPem } = await selfSigned({ subject: `CN="${name}"`, ...dates });
      return { certificatePem: pem, privateKeyPem };
    }),
  );
  const [urlCa, fileCa, ocspCa] = ['URL CA', 'File CA', 'OCSP CA'].map((name) => opensslCa(name));
  const issued = [urlCa!, fileCa!, ocspCa!].map((ca) => [ca.issue('good'), ca.issue('revoked')] as const);
  fileCa!.revoke('revoked');
  ocspCa!.revoke('revoked');
  const idp = createTokenIssuer(Date.now(), { issuer: 'https://idp.test' });
  const sources = {
    jwks: await keySource(idp.jwks),
    crl: await crlSource(urlCa!, () => urlCa!.revoke('revoked')),
    ocsp: await ocspSource(ocspCa!),
  };
  const database = noPostgres ? undefined : await startDatabase(byRow!.certificatePem);

  write(folder, {
    'clients/rotating.pem': rotating!.certificatePem,
    'clients/short-lived.pem': shortLived.pem,
    'clients/url.pem': readFileSync(urlCa!.certificateFile),
    'clients/file.pem': readFileSync(fileCa!.certificateFile),
    'clients/ocsp.pem': readFileSync(ocspCa!.certificateFile),
    'crls/file.crl': fileCa!.crl({ seconds: 604_800 }),
    'apk/employees.apk-conf': apkApi,
    'apk/employees.yaml': configMap(employed!.certificatePem),
    'apim/readme.txt': 'Its APIs are in the database.\n',
  });
  const configure = (toml: string): string => {
    const backend = /https:\/\/127\.0\.0\.1:\d+/.exec(toml)![0];
    const api = (name: string, alias: string): string =>
      `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "/${name}"\naliases = ["${alias}"]\nbackend = "${backend}/${name}"\n`;
    const client = (name: string, revocation: string): string =>
      `[[clients]]\nalias = "${name}"\ncaFile = "clients/${name}.pem"\n${revocation && `[clients.revocation]\nmode = "hard-fail"\n${revocation}\n`}${api(name, name)}`;
    return `${toml
      .replace(/^port = .*$/m, 'socket = "authz.sock"\nworkers = 2\ncontrol = "control"')
      .replace('[router]\n', '[router]\ndynamicFolder = "envoy"\n')
      .replace(
        demoIssuer,
        `[[enforcer.security.tokenService]]\nname = "it"\nissuer = "${idp.issuer}"\njwksURL = "${sources.jwks.server.url}/jwks"\naudiences = ["https://api.test"]\n\n`,
      )}
[enforcer.audit]
decisions = "all"
file = "audit.log"
[enforcer.security.revocation]
cacheDir = "cache"
refresh = 30
timeout = 5
[[clients]]
alias = "rotating"
file = "clients/rotating.pem"
${api('rotating', 'rotating')}
${client('short-lived', '')}
${client('url', `crlUrls = ["${sources.crl.server.url}/ca.crl"]`)}
${client('file', 'crlFiles = ["crls/"]')}
${client('ocsp', `ocspResponder = "${sources.ocsp.server.url}"`)}
[[definitions]]
kind = "apk"
path = "apk/"
backend = "${backend}/employees"
${
  database
    ? `[[definitions]]\nkind = "api-manager"\npath = "apim/"\nbackend = "${backend}/rows"\ndatabase = "${database.server.url.replace(/:\d+\/postgres/, `:${database.proxy.port}/postgres`)}"\n`
    : ''
}`;
  };
  const envoyDisk = smallDisk(join(folder, 'envoy'), 2_048);
  const gateway = await Gateway.start(envoy, {
    folder: root,
    edit: configure,
    editEnvoy: () => readFileSync(join(folder, 'envoy', 'envoy.yaml'), 'utf8'),
  });
  const judge = new Judge();
  const loads: Load[] = [];
  const ask = ({ name, path, certificate, token, verdict, firstSight = verdict }: Client): Load => {
    judge.expect(name, firstSight);
    if (firstSight !== verdict) judge.announce({ [name]: verdict });
    return new Load({
      port: gateway.stack.ports.router,
      ca: gateway.pki.routerCaPem,
      path,
      certificate,
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      concurrency: 1,
      pause,
      begin: () => judge.begin(name),
    });
  };
  const status: World['status'] = (asked) =>
    Promise.all(['control', 'control.2'].map((name) => askControl(join(folder, name), asked, 60_000)));

  await gateway.stack.enforcer.line(/all workers serve/);
  await healthy({ gateway }, 2);
  const [{ digest }] = (await status('reload')) as [Status];

  const { acme, partner, globex, expired, stranger } = gateway.pki.clients;
  const long = { exp: Math.floor(Date.now() / 1000) + 86_400 };
  const boundTo = ({ certificatePem }: ClientCertificate) => ({
    cnf: {
      'x5t#S256': createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('base64url'),
    },
  });
  const accounts = '/accounts/1.0/list';
  const employee: Client = {
    name: 'employee',
    path: '/employees/1.0/list',
    certificate: employed,
    verdict: '200 employees/tls.crt',
  };
  const clients: readonly Client[] = [
    { name: 'acme', path: petstore, certificate: acme, verdict: '200 acme' },
    { name: 'a partner', path: petstore, certificate: partner, verdict: '200 partners' },
    { name: 'nobody', path: petstore, verdict: '401 certificate_missing' },
    {
      name: 'one that is not bound',
      path: petstore,
      certificate: globex,
      verdict: '401 certificate_not_bound',
    },
    { name: 'a stranger', path: petstore, certificate: stranger, verdict: '401 issuer_unknown' },
    { name: 'one that is over', path: petstore, certificate: expired, verdict: '401 certificate_expired' },
    { name: 'rotating', path: '/rotating/x', certificate: rotating, verdict: '200 rotating' },
    ...['url', 'file', 'ocsp'].flatMap((name, i): Client[] => {
      const same = {
        path: `/${name}/x`,
        ...(name === 'ocsp' && { firstSight: '401 revocation_pending' }),
      };
      const [good, revoked] = issued[i]!;
      return [
        { name: `${name}: good`, certificate: good, verdict: `200 ${name}`, ...same },
        { name: `${name}: revoked`, certificate: revoked, verdict: '401 certificate_revoked', ...same },
      ];
    }),
    {
      name: 'acme with a token',
      path: accounts,
      certificate: acme,
      token: idp.token({ ...long, ...boundTo(acme) }),
      verdict: '200 acme',
    },
    {
      name: 'a partner with the token of acme',
      path: accounts,
      certificate: partner,
      token: idp.token({ ...long, ...boundTo(acme) }),
      verdict: '401 token_certificate_mismatch',
    },
    {
      name: 'acme with a token of long ago',
      path: accounts,
      certificate: acme,
      token: idp.token({ exp: 1 }),
      verdict: '401 token_expired',
    },
    {
      // Has the keys fetched again, every ten seconds.
      name: 'acme with a token of an unknown key',
      path: accounts,
      certificate: acme,
      token: idp.token(long, { kid: 'nobody knows' }),
      verdict: '401 token_key_unknown',
    },
    employee,
    ...(database
      ? [{ name: clientsOfRow, path: '/rows/1.0/x', certificate: byRow, verdict: `200 ${clientsOfRow}` }]
      : []),
  ];
  const firstSights = new Map(
    clients.flatMap(({ name, firstSight }) => (firstSight === undefined ? [] : [[name, firstSight]])),
  );
  loads.push(...clients.map(ask));
  // By then the responder has told both processes of both certificates.
  await until(() => sources.ocsp.server.asked.length >= 4);
  await answered(loads, 10);
  judge.settle(clients.map(({ name }) => name));

  return {
    gateway,
    folder,
    judge,
    loads,
    sources,
    database,
    rotating: rotating!,
    renewed: renewed!,
    employee,
    envoyDisk,
    firstSights,
    shortLived,
    digest,
    ask,
    status,
    stop: async () => {
      await Promise.all(loads.map((load) => load.stop()));
      if (typeof envoyDisk !== 'string') envoyDisk.remove();
      await gateway.stop();
      database?.proxy.close();
      await database?.server.remove();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Until Envoy knows of so many processes that are well. */
export async function healthy({ gateway }: Pick<World, 'gateway'>, count: number): Promise<void> {
  await until(
    async () => (await gateway.stack.envoy!.statistic('cluster.enforcer.membership_healthy')) === count,
  );
}

/**
 * Asks again and again: for whatever tells nobody.
 *
 * @throws Error where it is not so after a minute
 */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const patience = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > patience) throw new Error(`not so after a minute: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Until each of them has so many more answers. */
export async function answered(loads: readonly Load[], more: number): Promise<void> {
  const least = loads.map((load) => load.answered + more);
  await until(() => loads.every((load, i) => load.answered >= least[i]!));
}

async function startDatabase(certificatePem: string): Promise<Database> {
  const server = await startPostgres();
  await server.query(`
    CREATE TABLE AM_API (API_ID INTEGER PRIMARY KEY, API_PROVIDER VARCHAR(200), API_NAME VARCHAR(200), API_VERSION VARCHAR(30), CONTEXT VARCHAR(256));
    CREATE TABLE AM_API_CLIENT_CERTIFICATE (
      TENANT_ID INTEGER NOT NULL, ALIAS VARCHAR(45) NOT NULL, API_ID INTEGER NOT NULL REFERENCES AM_API (API_ID),
      CERTIFICATE BYTEA NOT NULL, REMOVED BOOLEAN NOT NULL DEFAULT '0', TIER_NAME VARCHAR(512),
      PRIMARY KEY (ALIAS, TENANT_ID, REMOVED));
    INSERT INTO AM_API VALUES (1, 'admin', 'Rows', '1.0', '/rows/1.0');`);
  await server.query(row, [Buffer.from(certificatePem)]);
  return { server, certificatePem, proxy: await FreezableProxy.start(Number(new URL(server.url).port)) };
}

/** Each whole, and beside its place first. */
export function write(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
  }
}
