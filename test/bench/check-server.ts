import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { madeFor } from '../../src/apis/made-for.ts';
import type { Attributes } from '../../src/attributes.ts';
import { stampsNow } from '../../src/documents/stamps.ts';
import { decide } from '../../src/enforcer.ts';
import { startServer } from '../../src/ext-authz/server.ts';
import { CheckCounters } from '../../src/observability/check-counters.ts';
import { createLog } from '../../src/observability/log.ts';
import { traceSettings } from '../../src/observability/trace-settings.ts';
import { isProblems, loadConfig } from '../../src/provision/load-config.ts';
import { AuditTrail } from '../../src/service/audit-trail.ts';
import { checking } from '../../src/service/check.ts';
import { FileWatcher } from '../../src/service/file-watcher.ts';
import { Shadow } from '../../src/service/shadow.ts';
import { Traces } from '../../src/service/traces.ts';
import { after } from '../../src/soon.ts';
import { createAuthority } from '../support/certificate-authority.ts';
import { isAdmission } from '../support/check-frames.ts';
import { freePort } from '../support/free-port.ts';

/** shadowed: watched, and decided by the same configuration once more. */
export type ServerName = 'constant' | 'enforcer-on-grpc-js' | 'enforcer' | 'shadowed';
/**
 * What `enforcer` does, the one or the other: two processes of the same differ more than these do. bare: it decides and
 * answers. watched: it counts, records denials, sends spans of what is sampled (the request is not), and looks at its
 * files. recorded: and it records each decision, in a file.
 */
export type Mode = 'bare' | 'watched' | 'recorded';
/** Where it listens, one gRPC frame to send and the one to get back, base64. */
export type Served = { readonly port: number; readonly request: string; readonly answer: string };

/** A server for test/bench/check.ts, in a process of its own so that its CPU can be told from the client's. */
const protos = fileURLToPath(new URL('../../proto/', import.meta.url));
const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [protos],
  keepCase: true,
  longs: Number,
});
type Codec = { requestSerialize: (value: object) => Buffer };
const codec = (definition['envoy.service.auth.v3.Authorization'] as unknown as { Check: Codec }).Check;

const ca = await createAuthority({ subject: 'CN=Bench CA' });
const { pem } = await ca.issue({
  subject: 'CN=acme,O=Acme Inc',
  extendedKeyUsage: 'client',
  keyAlgorithm: 'RSA-2048',
});
const header = (key: string, value: string) => ({ key, raw_value: Buffer.from(value) });
const message = codec.requestSerialize({
  attributes: {
    source: {
      address: { socket_address: { address: '10.1.2.3', port_value: 41234 } },
      certificate: encodeURIComponent(pem),
    },
    request: {
      http: {
        method: 'GET',
        path: '/petstore/1.0.5/pet/1?x=1',
        host: 'api.example.com',
        scheme: 'https',
        protocol: 'HTTP/2',
        header_map: {
          headers: [
            ...Array.from({ length: 20 }, (_, i) =>
              header(`x-header-${i}`, `a value of some length, number ${i}`),
            ),
            header('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'),
          ],
        },
      },
    },
    context_extensions: {
      name: 'Petstore',
      version: '1',
      vHost: '*',
      basePath: '/petstore/1.0.5',
      madeFor: madeFor(undefined, undefined),
    },
  },
});
const frame = Buffer.concat([Buffer.from([0]), Buffer.alloc(4), message]);
frame.writeUInt32BE(message.length, 1);

const name = process.argv[2] as ServerName;
let mode: Mode = name === 'shadowed' ? 'watched' : 'bare';
const port = name === 'constant' ? await constant() : await enforcer(name);
process.send!({ port, request: frame.toString('base64'), answer: await firstAnswer(port) } satisfies Served);
process.on('message', (next: Mode) => {
  mode = next;
  const { user, system } = process.cpuUsage();
  process.send!(user + system);
});

async function enforcer(name: ServerName): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  writeFileSync(join(folder, 'ca.pem'), ca.pem);
  const file = join(folder, 'config.toml');
  writeFileSync(
    file,
    '[[clients]]\nalias = "acme"\ncaFile = "ca.pem"\ntier = "Gold"\n[[apis]]\nname = "Petstore"\nversion = "1"\nbasePath = "/petstore/1.0.5"\naliases = ["acme"]\n',
  );
  const loaded = loadConfig(file, {}, Date.now());
  if (isProblems(loaded)) throw new Error(JSON.stringify(loaded));
  const { snapshot } = loaded;
  const metrics = { checks: new CheckCounters() };
  const recording = (decisions: 'all' | 'denied'): AuditTrail => {
    const audit = new AuditTrail({
      file,
      worker: undefined,
      tell: (trouble) => process.stderr.write(`${trouble}\n`),
    });
    const common = { oneIn: 1, syslog: undefined, maxMegabytes: 1, files: 1 };
    audit.use({ ...common, decisions, file: `${decisions}.log` });
    return audit;
  };
  const compared = Promise.withResolvers<void>();
  const shadow = new Shadow({
    env: {},
    tell: () => compared.resolve(),
    differed: () => {},
    onError: compared.reject,
  });
  if (name === 'shadowed') {
    shadow.use(file, false);
    await compared.promise;
  }
  process.once('disconnect', () => rmSync(folder, { recursive: true }));
  const log = { now: createLog({ level: 'error', format: 'text' }) };
  const inForce = { ...loaded, generation: 1 };
  // Nobody takes what is never sent.
  const settings = traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  if (settings === undefined || 'problem' in settings) throw new Error('no traces');
  const traces = new Traces({ ...settings.ok, version: '0', tell: () => {} });
  const watcher = new FileWatcher(
    () => {},
    () => {},
  );
  watcher.watch(await stampsNow([file, join(folder, 'ca.pem')]));
  const circumstances = { configuration: { inForce }, log, metrics, shadow, traces };
  const checks = {
    bare: (attributes: Attributes) =>
      after(decide(attributes, snapshot, Date.now()), (decision) => ({
        decision,
        answers: snapshot.answers,
        backendJwt: undefined,
      })),
    watched: checking({ ...circumstances, audit: recording('denied') }),
    recorded: checking({ ...circumstances, audit: recording('all') }),
  };
  const server = await startServer({
    listeners: [{ address: '127.0.0.1', port: 0, tls: undefined }],
    check: (attributes) => checks[mode](attributes),
    onAnswered: (milliseconds, decided) => {
      if (mode !== 'bare') metrics.checks.answered(milliseconds, decided);
    },
    answers: () => snapshot.answers,
    maxMessageBytes: 1_048_576,
    reflection: name === 'enforcer-on-grpc-js',
    onError: (error) => {
      throw error;
    },
  });
  return Number(server.addresses[0]!.split(':').at(-1));
}

async function constant(): Promise<number> {
  const server = new Server();
  const path = 'envoy.service.auth.v3.Authorization'.split('.');
  const root = loadPackageDefinition(definition);
  const { service } = path.reduce<unknown>(
    (at, part) => (at as GrpcObject)[part],
    root,
  ) as ServiceClientConstructor;
  server.addService(service, {
    Check: (_: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) =>
      callback(null, { status: { code: 0 }, ok_response: {} }),
  });
  const free = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${free}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return free;
}

/** It must be an admission: an `ok_response` behind code 0. */
function firstAnswer(at: number): Promise<string> {
  const session = connect(`http://127.0.0.1:${at}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/envoy.service.auth.v3.Authorization/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end(frame);
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      const answer = Buffer.concat(parts);
      if (!isAdmission(answer)) reject(new Error('not admitted'));
      else resolve(answer.toString('base64'));
    });
  });
}
