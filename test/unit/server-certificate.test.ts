import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, isIP, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect, createServer, setDefaultCACertificates, TLSSocket } from 'node:tls';
import { frame } from '../../src/grpc/message.ts';
import { GrpcServer } from '../../src/grpc/server.ts';
import { request } from '../support/attributes.ts';
import { bytes, implicit, name, oid, sequence, set, utf8 } from './pki/der-writer.ts';
import {
  ca,
  dayMs,
  dns,
  extensions,
  forgeDer,
  generateEc,
  spkiOf,
  subjectAltName,
  validity,
} from './pki/forge.ts';

/** Who a server is: said of one on a curve at which Node dies as Node says it of others. */

const [before, today, later] = [-2, 0, 2].map((days) => Date.now() + days * dayMs) as [
  number,
  number,
  number,
];
const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;

const cn = (text: string): Uint8Array => sequence(oid('2.5.4.3'), utf8(text));
const ou = (text: string): Uint8Array => sequence(oid('2.5.4.11'), utf8(text));
const called = (...attributes: readonly Uint8Array[]): Uint8Array => sequence(set(...attributes));
const ip = (hex: string): Uint8Array => implicit(7, bytes(hex));
const uri = (text: string): Uint8Array => implicit(6, Buffer.from(text));
const alt = 'ERR_TLS_CERT_ALTNAME_INVALID';

type Row = {
  readonly subject?: Uint8Array;
  readonly names?: readonly Uint8Array[];
  readonly host: string;
  readonly verdict?: string;
  readonly isOver?: boolean;
  readonly issuer?: 'Root' | 'Stranger' | 'itself';
};
const rows: Readonly<Record<string, Row>> = {
  'its name': { names: [dns('a.example')], host: 'a.example' },
  'its second name': { names: [dns('a.example'), dns('b.example')], host: 'b.example' },
  'in capitals': { names: [dns('A.example')], host: 'a.EXAMPLE' },
  'another name': { names: [dns('a.example')], host: 'b.example', verdict: alt },
  'a name above its own': { names: [dns('a.example')], host: 'example', verdict: alt },
  'a name below its own': { names: [dns('a.example')], host: 'x.a.example', verdict: alt },
  'a name that begins as its own': { names: [dns('a.example')], host: 'a.example.org', verdict: alt },
  'below a wildcard': { names: [dns('*.b.example')], host: 'a.b.example' },
  'two below a wildcard': { names: [dns('*.b.example')], host: 'x.a.b.example', verdict: alt },
  'at a wildcard': { names: [dns('*.b.example')], host: 'b.example', verdict: alt },
  'a wildcard below a top level': { names: [dns('*.example')], host: 'a.example', verdict: alt },
  'a wildcard for a part': { names: [dns('a*.b.example')], host: 'ab.b.example' },
  'a wildcard that is not first': { names: [dns('a.*.example')], host: 'a.b.example', verdict: alt },
  'IDN, by its A-label': { names: [dns('xn--bcher-kva.example')], host: 'xn--bcher-kva.example' },
  'IDN below a wildcard': { names: [dns('*.b.example')], host: 'xn--bcher-kva.b.example' },
  'a wildcard in an A-label': {
    names: [dns('xn--*.b.example')],
    host: 'xn--bcher-kva.b.example',
    verdict: alt,
  },
  'a name with a comma and another in it': {
    names: [dns('x, DNS:a.example')],
    host: 'a.example',
    verdict: alt,
  },
  'a name with a quote and another in it': {
    names: [dns('x", DNS:a.example, DNS:"')],
    host: 'a.example',
    verdict: alt,
  },
  'a name that goes on behind a zero': { names: [dns('a.example\0.b')], host: 'a.example', verdict: alt },
  'its address': { names: [ip('7f000001')], host: '127.0.0.1' },
  'another address': { names: [ip('0a000001')], host: '127.0.0.1', verdict: alt },
  'an address as a name': { names: [dns('127.0.0.1')], host: '127.0.0.1', verdict: alt },
  'an address as CN': { subject: called(cn('127.0.0.1')), host: '127.0.0.1', verdict: alt },
  'a URI': { names: [uri('https://a.example')], host: 'a.example', verdict: alt },
  'by its CN': { subject: called(cn('a.example')), host: 'a.example' },
  'by a wildcard as CN': { subject: called(cn('*.b.example')), host: 'a.b.example' },
  'another CN': { subject: called(cn('b.example')), host: 'a.example', verdict: alt },
  'by its CN beside a URI': { subject: called(cn('a.example')), names: [uri('urn:x')], host: 'a.example' },
  'by its CN beside an address': {
    subject: called(cn('a.example')),
    names: [ip('0a000001')],
    host: 'a.example',
  },
  'by its CN beside another name': {
    subject: called(cn('a.example')),
    names: [dns('b.example')],
    host: 'a.example',
    verdict: alt,
  },
  'by the second of its CNs': {
    subject: sequence(set(cn('b.example')), set(cn('a.example'))),
    host: 'a.example',
  },
  'by a CN beside an OU in one RDN': { subject: called(cn('a.example'), ou('x')), host: 'a.example' },
  'an OU with what looks like a CN': {
    subject: called(ou('x\nCN=a.example')),
    host: 'a.example',
    verdict: alt,
  },
  'an OU with what looks like one more': {
    subject: called(ou('x + CN=a.example')),
    host: 'a.example',
    verdict: alt,
  },
  'an OU that looks like a CN': { subject: called(ou('CN=a.example')), host: 'a.example', verdict: alt },
  'a CN that goes on behind a line': {
    subject: called(cn('a.example\n.b')),
    host: 'a.example',
    verdict: alt,
  },
  'a CN that goes on behind a separator': {
    subject: called(cn('a.example\u2028.b')),
    host: 'a.example',
    verdict: alt,
  },
  'a CN that goes on behind a plus': {
    subject: called(cn('a.example + b')),
    host: 'a.example',
    verdict: alt,
  },
  'a CN that goes on behind a zero': {
    subject: called(cn('a.example\0.b')),
    host: 'a.example',
    verdict: alt,
  },
  'an empty CN': { subject: called(cn('')), host: 'a.example', verdict: alt },
  'no name at all': { host: 'a.example', verdict: alt },
  'its name, but over': {
    names: [dns('a.example')],
    host: 'a.example',
    isOver: true,
    verdict: 'CERT_HAS_EXPIRED',
  },
  'its name, by a CA that is not trusted': {
    names: [dns('a.example')],
    host: 'a.example',
    issuer: 'Stranger',
    verdict: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  },
  'its name, by itself': {
    names: [dns('a.example')],
    host: 'a.example',
    subject: called(ou('itself')),
    issuer: 'itself',
    verdict: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
};

type Curves = { readonly leaf?: string; readonly root?: string };
const plain: Curves = {};
const deadly: Readonly<Record<string, Curves>> = {
  'below a root on brainpool': { root: 'brainpoolP256r1' },
  'below a root on secp256k1': { root: 'secp256k1' },
  'itself on brainpool': { leaf: 'brainpoolP256r1' },
  'all of it on brainpool': { leaf: 'brainpoolP384r1', root: 'brainpoolP512r1' },
};

/** A server's files, and the CA that its client trusts. */
function made(
  { subject = sequence(), names = [], isOver = false, issuer = 'Root' }: Omit<Row, 'host'>,
  curves: Curves,
) {
  const [own, trusted, stranger] = [curves.leaf, curves.root, curves.root].map((curve) => generateEc(curve));
  const root = forgeDer(
    {
      issuer: name('CN=Root'),
      subject: name('CN=Root'),
      subjectPublicKeyInfo: spkiOf(trusted!),
      validity: validity(before, later),
      extensions: extensions(ca()),
    },
    trusted,
  );
  const certificate = forgeDer(
    {
      issuer: issuer === 'itself' ? subject : name(`CN=${issuer}`),
      subject,
      subjectPublicKeyInfo: spkiOf(own!),
      validity: validity(before, isOver ? today - dayMs : later),
      extensions: extensions(...(names.length > 0 ? [subjectAltName(...names)] : [])),
    },
    { Root: trusted, Stranger: stranger, itself: own }[issuer],
  );
  const key = own!.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { cert: pem(certificate), key, ca: pem(root) };
}

const folder = mkdtempSync(join(tmpdir(), 'server-certificate-'));
const rootFile = join(folder, 'root.pem');
const servers: Server[] = [];
after(() => {
  rmSync(folder, { recursive: true });
  for (const server of servers) server.close();
});
async function listening(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** What Node's client makes of a server with such a certificate. */
async function verdict(row: Row, curves: Curves): Promise<string | undefined> {
  const { cert, key, ca } = made(row, curves);
  const server = createServer({ cert, key });
  server.on('tlsClientError', () => {});
  const socket = connect({
    port: await listening(server),
    host: '127.0.0.1',
    ca,
    ...(isIP(row.host) === 0 && { servername: row.host }),
  });
  try {
    await once(socket, 'secureConnect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
    server.close();
  }
}

const { getPeerCertificate } = TLSSocket.prototype;
const byNode = new Map<string, string | undefined>();
for (const [sentence, row] of Object.entries(rows)) byNode.set(sentence, await verdict(row, plain));
const { fetchBytes } = await import('../../src/feeds/fetch.ts');
const { TableConnection } = await import('../../src/feeds/api-manager-connection.ts');
const { Traces } = await import('../../src/service/traces.ts');
const { askHealth } = await import('../../src/ext-authz/health-client.ts');
assert.notEqual(TLSSocket.prototype.getPeerCertificate, getPeerCertificate, 'all before was by Node alone');

for (const [sentence, row] of Object.entries(rows))
  test(`a server that is asked for as ${row.host}, ${sentence}: ${row.verdict ?? 'taken'}`, async () => {
    assert.equal(byNode.get(sentence), row.verdict, 'by Node alone');
    for (const [where, curves] of Object.entries({ ...deadly, 'on P-256': plain }))
      assert.equal(await verdict(row, curves), row.verdict, where);
  });

/** Whatever of the service connects by TLS, at a server that is localhost. */
const clients: Readonly<Record<string, (files: ReturnType<typeof made>) => Promise<void>>> = {
  'what is fetched': async ({ cert, key, ca }) => {
    const port = await listening(createHttps({ cert, key }, (_, response) => response.end('here')));
    const options = { accept: '*/*', caPem: ca, maxBytes: 99, signal: AbortSignal.timeout(5_000) };
    assert.equal(`${await fetchBytes(`https://localhost:${port}`, options)}`, 'here');
  },
  'spans that are sent': async ({ cert, key, ca }) => {
    const port = await listening(createHttps({ cert, key }, (_, response) => response.end()));
    setDefaultCACertificates([ca]);
    const url = new URL(`https://localhost:${port}`);
    const told: unknown[] = [];
    const tell = (trouble: unknown): void => void told.push(trouble);
    const traces = new Traces({ url, headers: {}, timeout: 5_000, resource: {}, version: '1', tell });
    const trace = {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentId: 'b7ad6b7169203331',
      isSampled: true,
    };
    const denial = { outcome: 'deny', code: 'certificate_missing', detail: '' } as const;
    traces.decided(request({}), denial, { now: 0, microseconds: 1, generation: 1, trace });
    await traces.close();
    assert.deepEqual(told, []);
  },
  'a database': async ({ cert, key, ca }) => {
    const greeted: string[] = [];
    const server = createTcp((socket) =>
      socket.once('data', () => {
        socket.write('S');
        const secure = new TLSSocket(socket, { isServer: true, cert, key });
        secure.on('error', () => {});
        secure.once('data', (startup) => {
          greeted.push(`${startup}`);
          secure.end();
        });
      }),
    );
    writeFileSync(rootFile, ca);
    const url = `postgres://user:p@localhost:${await listening(server)}/d?sslmode=verify-full&sslrootcert=${rootFile}`;
    const heard = { signal: AbortSignal.timeout(5_000), readIn: () => {} };
    await assert.rejects(new TableConnection(url).rows(heard), /terminated unexpectedly/);
    assert.match(greeted.join(), /mtls-enforcer/);
  },
  'the health check, and the service that asks it for a certificate': async ({ cert, key, ca }) => {
    const check = { kind: 'unary', handle: () => frame(Uint8Array.of(8, 1)) } as const;
    const methods = new Map([['/grpc.health.v1.Health/Check', check]]);
    const server = new GrpcServer({ methods, maxMessageBytes: 99, onError: assert.fail });
    const tls = { certificatePem: cert + ca, privateKeyPem: key, clientCaPem: ca };
    const port = await server.listen({ host: '127.0.0.1', port: 0 }, tls);
    const trouble = await askHealth({ address: '127.0.0.1', port, tls }, 5_000, tls);
    await server.close();
    assert.equal(trouble, undefined);
  },
};

for (const [sentence, ask] of Object.entries(clients))
  for (const [where, curves] of Object.entries(deadly))
    test(`${sentence}, where a server is ${where}`, () => ask(made({ names: [dns('localhost')] }, curves)));

test('a connection goes on with a session of before, where Node looks at no name again', async () => {
  const { cert, key, ca } = made({ names: [dns('localhost')] }, { leaf: 'brainpoolP256r1' });
  const port = await listening(createServer({ cert, key }, (socket) => socket.end('.').resume()));
  const options = { port, host: '127.0.0.1', servername: 'localhost', ca };
  const first = connect(options);
  const [session] = (await once(first.resume(), 'session')) as [Buffer];
  assert.equal(first.getPeerCertificate().subjectaltname, 'DNS:localhost', 'a second time as well');
  const second = connect({ ...options, session });
  await once(second, 'secureConnect');
  assert.ok(second.isSessionReused() && second.authorized);
  assert.deepEqual(second.getPeerCertificate(), {});
  for (const socket of [first, second]) socket.destroy();
});
