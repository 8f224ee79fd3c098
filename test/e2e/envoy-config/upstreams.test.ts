import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { meet } from '../../../src/provision/enforcer-handshake.ts';
import type { Authority } from '../../support/certificate-authority.ts';
import type { ClientCertificate } from '../../support/client.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import {
  clientCertificate,
  type Gateway,
  type GatewayOptions,
  newAuthority,
  serverCertificate,
  startGateway,
} from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const api = (backend: string, name = 'all', basePath = '/') => `
[[apis]]
name = "${name}"
version = "1"
basePath = "${basePath}"
mutualSSL = "off"
backend = "${backend}"
`;
const byAddress = 'https://BACKEND';
const byName = 'https://localhost:PORT';

let authority: Authority;
let intermediate: Authority;
let stranger: Authority;
let right: ClientCertificate;
let elsewhere: ClientCertificate;
let untrusted: ClientCertificate;
let byIntermediate: ClientCertificate;
before(async () => {
  [authority, stranger] = await Promise.all([newAuthority('CN=CA'), newAuthority('CN=Other CA')]);
  intermediate = await newAuthority('CN=Intermediate', authority);
  [right, elsewhere, untrusted, byIntermediate] = await Promise.all([
    serverCertificate(authority),
    serverCertificate(authority, ['elsewhere.test', '127.0.0.9']),
    serverCertificate(stranger),
    serverCertificate(intermediate),
  ]);
});

async function withGateway(options: GatewayOptions, use: (gateway: Gateway) => Promise<void>): Promise<void> {
  const gateway = await startGateway(envoy!.path, { authority, ...options });
  try {
    await use(gateway);
  } finally {
    await gateway.stop();
  }
}

const stats = async (gateway: Gateway, path: string): Promise<string> =>
  (await (await fetch(`http://${gateway.envoy.admin}${path}`)).text()).trim();

/** There is nothing to wait for but the answer. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, 'in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const backends: readonly [
  url: string,
  certificate: () => ClientCertificate,
  tls: string,
  status: number,
  why: string,
][] = [
  [byAddress, () => right, '', 200, 'a certificate for this address'],
  [byName, () => right, '', 200, 'a certificate for this name'],
  [byAddress, () => elsewhere, '', 503, 'a certificate for another address'],
  [byName, () => elsewhere, '', 503, 'a certificate for another name'],
  [
    byName,
    () => elsewhere,
    'verifyHostName = false',
    200,
    'a certificate for another name, which nobody asks for',
  ],
  [byAddress, () => untrusted, '', 503, 'a certificate of another CA'],
  [byAddress, () => untrusted, 'verifyHostName = false', 503, 'which is asked for without the name, too'],
  [byName, () => untrusted, 'disableSslVerification = true', 200, 'anything, where nothing is verified'],
];
for (const [url, certificate, upstreamTls, status, why] of backends) {
  test(`backend ${url} ${upstreamTls} -> ${status}: ${why}`, { skip }, () =>
    withGateway({ toml: api(url), upstreamTls, backendCertificate: certificate() }, async (gateway) => {
      assert.equal((await gateway.send({})).status, status);
      assert.equal(gateway.backend.seen.length, status === 200 ? 1 : 0);
    }),
  );
}

test('a backend in clear text, for HTTP/2 clients too', { skip }, async () => {
  const plain = await new Promise<Server>((resolve) => {
    const server = createServer((request, response) => response.end(`${request.headers.host}${request.url}`));
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
  const { port } = plain.address() as AddressInfo;
  try {
    await withGateway({ toml: api(`http://localhost:${port}/v2`) }, async (gateway) => {
      for (const protocol of ['http/1.1', 'h2'] as const) {
        assert.equal((await gateway.send({ path: '/x', protocol })).body, `localhost:${port}/v2/x`);
      }
    });
  } finally {
    plain.closeAllConnections();
    plain.close();
  }
});

test('routeTimeoutInSeconds and routeIdleTimeoutInSeconds are taken, 0 as no limit', { skip }, () =>
  withGateway(
    {
      toml: `[router.upstream.timeouts]\nrouteTimeoutInSeconds = 0\nrouteIdleTimeoutInSeconds = 0\n${api(byAddress)}`,
    },
    async (gateway) => assert.equal((await gateway.send({})).status, 200),
  ),
);

test('more connections than maxConnections are refused', { skip }, () =>
  withGateway({ toml: api(byAddress), router: 'maxConnections = 2' }, async (gateway) => {
    const held = [1, 2].map(() => connect(gateway.port, '127.0.0.1').on('error', () => {}));
    // The kernel takes connections before Envoy counts them.
    const active = `listener.127.0.0.1_${gateway.port}.downstream_cx_active`;
    await until(async () => (await stats(gateway, `/stats?filter=^${active}$`)) === `${active}: 2`);
    await assert.rejects(gateway.send({}));
    const admin = await fetch(`http://${gateway.envoy.admin}/ready`);
    assert.equal(admin.status, 200, 'but the operator still gets in');
    for (const socket of held) socket.destroy();
  }),
);

test('Prometheus finds every backend under the same names, by its host and port', { skip }, () =>
  withGateway(
    { toml: api(byAddress) + api(byName, 'named', '/n') + api('ws://chat.example.com', 'chat', '/c') },
    async (gateway) => {
      await gateway.send({});
      const text = await stats(gateway, '/stats/prometheus');
      const { port } = gateway.backend;
      const names = new Set(
        [...text.matchAll(/^(envoy_cluster_\w+)\{envoy_cluster_name="([^"]*)"/gm)].map(([, name]) => name!),
      );
      for (const cluster of ['enforcer', `127_0_0_1_${port}`, `localhost_${port}`, 'ws_chat_example_com_80'])
        assert.match(
          text,
          new RegExp(`^envoy_cluster_upstream_cx_total\\{envoy_cluster_name="${cluster}"\\}`, 'm'),
        );
      assert.match(
        text,
        new RegExp(
          `^envoy_cluster_upstream_rq\\{envoy_response_code="200",envoy_cluster_name="127_0_0_1_${port}"\\} 1$`,
          'm',
        ),
      );
      for (const name of names) assert.doesNotMatch(name, /\d_\d|example|localhost/);
    },
  ),
);

test('the enforcer on a unix socket', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  return withGateway(
    {
      toml: api(byAddress),
      folder,
      authz: { socket: join(folder, 'authz.sock') },
      authService: 'socket = "authz.sock"',
    },
    async (gateway) => assert.equal((await gateway.send({})).status, 200),
  );
});

type Case = {
  readonly why: string;
  readonly admitted: boolean;
  readonly certificate: () => ClientCertificate;
  /** What Envoy takes for the enforcer's own certificate. */
  readonly pinned?: () => ClientCertificate;
  readonly access?: GatewayOptions['access'];
  readonly clientCa?: () => Authority;
};
const envoys = { certPath: 'envoy.pem', keyPath: 'envoy.key' };
const overTls: readonly Case[] = [
  { why: 'by its own certificate', admitted: true, certificate: () => right },
  { why: 'by its own certificate, whatever name it has', admitted: true, certificate: () => elsewhere },
  {
    why: 'not by another of the same CA',
    admitted: false,
    certificate: () => right,
    pinned: () => elsewhere,
  },
  {
    why: 'by its CA and name',
    admitted: true,
    certificate: () => right,
    access: { trustedCertPath: 'ca.pem' },
  },
  {
    why: 'not by its CA and another name',
    admitted: false,
    certificate: () => elsewhere,
    access: { trustedCertPath: 'ca.pem' },
  },
  {
    why: 'not by another CA',
    admitted: false,
    certificate: () => untrusted,
    access: { trustedCertPath: 'ca.pem' },
  },
  { why: 'both ways', admitted: true, certificate: () => right, access: envoys, clientCa: () => authority },
  {
    why: 'not where it does not know Envoy',
    admitted: false,
    certificate: () => right,
    access: envoys,
    clientCa: () => stranger,
  },
  {
    why: 'not where it has an intermediate CA of Envoy’s without the root',
    admitted: false,
    certificate: () => right,
    access: envoys,
    clientCa: () => intermediate,
  },
  {
    why: 'by an intermediate CA without the root',
    admitted: true,
    certificate: () => byIntermediate,
    access: { trustedCertPath: 'intermediate.pem' },
  },
  {
    why: 'not where Envoy has no certificate',
    admitted: false,
    certificate: () => right,
    clientCa: () => authority,
  },
];
for (const { why, admitted, certificate, pinned = certificate, access, clientCa } of overTls) {
  test(`the enforcer over TLS, known ${why}`, { skip }, async () => {
    const own = await clientCertificate(clientCa?.() === intermediate ? intermediate : authority);
    const trusted = { 'ca.pem': authority.pem, 'intermediate.pem': intermediate.pem };
    const tls = { ...certificate(), ...(clientCa && { clientCaPem: clientCa().pem }) };
    await withGateway(
      {
        toml: api(byAddress),
        authz: { tls },
        authService: 'certPath = "enforcer.pem"\nkeyPath = "enforcer.key"',
        ...(access && { access }),
        files: {
          'intermediate.pem': intermediate.pem,
          'enforcer.pem': pinned().certificatePem,
          'envoy.pem': own.certificatePem,
          'envoy.key': own.privateKeyPem,
        },
      },
      async (gateway) => assert.equal((await gateway.send({})).status, admitted ? 200 : 503),
    );
    const ca = access?.trustedCertPath;
    const refusals = await meet({
      enforcer: { ...certificate(), clientCaPem: clientCa?.().pem },
      envoy: {
        trustedPem: ca === undefined ? pinned().certificatePem : trusted[ca as keyof typeof trusted],
        host: ca === undefined ? undefined : '127.0.0.1',
        pair: access?.certPath === undefined ? undefined : own,
      },
    });
    const meets = Object.values(refusals).every((refusal) => refusal === undefined);
    assert.equal(meets, admitted, `check-config thinks otherwise: ${JSON.stringify(refusals)}`);
  });
}

test('a client that holds more requests open than Envoy’s circuit breaker has keeps no other from that backend', {
  skip,
}, async () => {
  let held = 0;
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/feed')) return response.end('served');
    held++;
    return response.write('event');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const toml = api(`${host}/feed`, 'feed', '/feed') + api(`${host}/other`, 'other', '/other');
  const sessions: ClientHttp2Session[] = [];
  try {
    await withGateway({ toml }, async (gateway) => {
      // A busy machine refuses some of them: more connections, until enough are held.
      while (held <= 1024 && sessions.length < 30) {
        const session = connectHttp2(`https://localhost:${gateway.port}`, { ca: gateway.ca });
        sessions.push(session.on('error', () => {}));
        await Promise.all(Array.from({ length: 100 }, () => answered(session)));
      }
      assert.equal((await gateway.send({ path: '/other' })).status, 200);
      assert.ok(held > 1024, `${held} are held`);
    });
  } finally {
    for (const session of sessions) session.destroy();
    server.closeAllConnections();
    server.close();
  }
});

/** Once there is an answer's head, which may be all that ever comes. */
const answered = (session: ClientHttp2Session): Promise<unknown> =>
  new Promise((resolve) =>
    session
      .request({ ':path': '/feed' })
      .on('error', () => {})
      .on('response', resolve)
      .on('close', resolve),
  );
