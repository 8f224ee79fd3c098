import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Attributes } from '../../../src/attributes.ts';
import type { Decision } from '../../../src/decision.ts';
import { decide } from '../../../src/enforcer.ts';
import type { Soon } from '../../../src/soon.ts';
import { createAuthority, now } from '../../support/certificate-authority.ts';
import { RawClient, startService } from '../../support/check-services.ts';
import { load } from '../../support/enforcer.ts';
import { freePort } from '../../support/free-port.ts';
import { codec } from '../../support/plain-codec.ts';
import { program } from '../../support/program.ts';

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const ca = await createAuthority({ subject: 'CN=CA' });
const { pem } = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const { snapshot } = load(
  `[[clients]]\nalias = "acme"\nfile = "acme.pem"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["acme"]\n`,
  { 'acme.pem': pem },
);
const request = (path: string, certificate = '') => ({
  attributes: {
    source: { certificate: encodeURIComponent(certificate) },
    request: { http: { method: 'GET', host: 'h', scheme: 'https', path } },
  },
});
const admitted = request('/a', pem);
const refused = request('/a');

/** `/a/slow` is never decided. */
const deciding = (attributes: Attributes): Soon<Decision> =>
  attributes.http.path === '/a/slow' ? new Promise(() => {}) : decide(attributes, snapshot, now);

const go = program('go', 'https://go.dev/doc/install');
const grpcurl = program('grpcurl', 'go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest');

test('grpc-go is answered as grpc-js is, and comes back when the server does', {
  skip: go.skip,
  timeout: 120_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'grpc-go-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const binary = join(folder, 'client');
  try {
    await run(go.found!, ['build', '-o', binary, '.'], { cwd: here('grpc-go') });
  } catch (error) {
    if (process.env.CI) throw error;
    return t.skip(`it could not be built: ${(error as Error).message}`);
  }
  const port = await freePort(); // no connection of the client's may take it meanwhile
  let service = await startService(now, { snapshot, decide: deciding, port });
  t.after(() => service.close());
  const raw = new RawClient(service.address);
  const answers = await Promise.all(
    [admitted, refused].map((each) => raw.check(codec.requestSerialize(each))),
  );
  raw.close();
  const messages = [admitted, refused, request('/a/slow')].map((each) =>
    codec.requestSerialize(each).toString('hex'),
  );
  const client = spawn(binary, [service.address, ...messages], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => client.kill('SIGKILL'));
  const told: string[] = [];
  for await (const line of createInterface({ input: client.stdout })) {
    const { call, code, message, answer } = JSON.parse(line) as Record<string, string>;
    // What an end is called is up to who comes first: the client's own clock, or the connection.
    const isRace = code === 'DeadlineExceeded' || code === 'Unavailable';
    told.push([call, code, isRace ? '' : message, answer].filter((text) => text !== '').join(': '));
    if (call === 'watch' && answer === 'SERVING')
      void service.server.drain(1000).then(async () => {
        service = await startService(now, { snapshot, decide: deciding, port });
        client.stdin.end('\n');
      });
  }
  assert.deepEqual(told, [
    `admitted: OK: ${answers[0]!.message}`,
    `refused: OK: ${answers[1]!.message}`,
    'slow: DeadlineExceeded',
    'compressed: Unimplemented: messages compressed by gzip are not taken',
    'oversized: ResourceExhausted: a message of 100000 bytes; 65536 are taken',
    'garbage: Internal: no CheckRequest',
    'unknown method: Unimplemented: there is no method /envoy.service.auth.v3.Authorization/Uncheck',
    `a thousand: OK: 1000 OK ${answers[0]!.message}`,
    'health : OK: SERVING',
    'health envoy.service.auth.v3.Authorization: OK: SERVING',
    'health nobody: NotFound: unknown service: UNKNOWN',
    'watch: OK: SERVING',
    'watch: OK: NOT_SERVING',
    'watch: Unavailable: UNKNOWN',
    `again: OK: ${answers[0]!.message}`,
  ]);
});

test('grpcurl reads what it is answered', { skip: grpcurl.skip, timeout: 60_000 }, async (t) => {
  const service = await startService(now, { snapshot });
  t.after(() => service.close());
  const protos = [
    '-import-path',
    here('../../../proto'),
    '-proto',
    'envoy/service/auth/v3/external_auth.proto',
  ];
  const ask = async (method: string, message: object): Promise<string> => {
    const data = JSON.stringify(message);
    const args = ['-plaintext', ...protos, '-d', data, service.address, method];
    return run(grpcurl.found!, args).then(
      ({ stdout }) => stdout,
      ({ stderr }: { stderr: string }) => stderr,
    );
  };
  const check = 'envoy.service.auth.v3.Authorization/Check';
  const { okResponse } = JSON.parse(await ask(check, admitted)) as Record<string, { headers: object[] }>;
  assert.deepEqual(okResponse?.headers[0], { header: { key: 'x-client-cert-alias', value: 'acme' } });
  const { deniedResponse } = JSON.parse(await ask(check, refused)) as Record<string, { headers: object[] }>;
  assert.deepEqual(deniedResponse?.headers[0], {
    header: { key: 'x-mtls-reason', value: 'certificate_missing' },
  });
  const oversized = request('/'.repeat(100_000));
  assert.match(
    await ask(check, oversized),
    /Code: ResourceExhausted\n\s+Message: a message of \d+ bytes; 65536/,
  );
});
