import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../../demo/outcome.ts';
import { callGrpc } from '../../support/client.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { ForeignGateway, rowName } from './foreign-gateway.ts';
import { certificateCases, tables, tokenCases } from './tables.ts';

const { envoy, skip } = await realEnvoy();
const header = 'X-WSO2-CLIENT-CERTIFICATE';
const example = (name: string): string =>
  readFileSync(new URL(`../../../examples/apk/${name}`, import.meta.url), 'utf8');

const configMap = (pem: string, name = 'mtls-configmap'): string => `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
data:
  tls.crt: |
${pem.replaceAll(/^/gm, '    ')}
`;

describe("APK's own files through a real Envoy", { skip }, () => {
  let apis: ForeignGateway;
  before(async () => {
    apis = await ForeignGateway.start(envoy!, {
      definitions:
        '[[definitions]]\nkind = "apk"\npath = "foreign/"\ntrustedSenders = ["127.0.0.1"]\nbackend = "BACKEND/v2"\n',
      files: (pki) => ({
        'configmap.yaml': configMap(pki.clients.acme.certificatePem),
        'employee.apk-conf': example('employee.apk-conf'),
        'starwars.apk-conf': example('starwars.apk-conf'),
        'student.apk-conf': example('student.apk-conf'),
        'starwars.yaml': configMap(pki.clients.acme.certificatePem, 'starwars-clients'),
        ...Object.fromEntries(
          tables.apk.map((row) => [
            `${rowName(row)}.apk-conf`,
            `name: "${rowName(row)}"
basePath: "/${rowName(row)}"
version: "1.0"
type: "REST"
id: "${rowName(row)}"
operations:
  - target: "/employee"
    verb: "GET"
    secured: true
    scopes: []
authentication:
  - authType: OAuth2
    required: ${row.oauth2}
  - authType: mTLS
    required: ${row.mutualSSL}
    certificates:
      - name: mtls-configmap
        key: tls.crt
`,
          ]),
        ),
      }),
    });
  });
  after(() => apis?.stop());

  for (const row of tables.apk) {
    for (const certificate of certificateCases) {
      it(`mTLS ${row.mutualSSL}, OAuth2 ${row.oauth2}, certificate ${certificate}`, async () => {
        for (const [i, token] of tokenCases.entries()) {
          const headers = [...apis.header(header, certificate, 'encoded'), ...apis.token(token)];
          const { status, body } = await apis.answer({ path: `/${rowName(row)}/1.0/employee`, headers });
          assert.equal(status, row.statuses[certificate][i], `token ${token}`);
          if (status === 401)
            assert.match(body, /^\{"error_message":"[^"]+","code":"90090[12]","error_description":"/);
        }
      });
    }
  }

  it("the document's walk-through: curl with the certificate in a header", async () => {
    const path = '/employee/3.14/employee';
    const { seen } = await apis.gateway.outcome({ path, headers: apis.header(header, 'valid', 'plain') });
    assert.equal(seen?.path, '/v2/employee');
    assert.equal(seenHeader(seen, 'x-client-cert-alias'), 'mtls-configmap/tls.crt');
    assert.equal(seenHeader(seen, header), undefined);
    assert.equal((await apis.answer({ path })).status, 401);
    const methods = await apis.answer({
      path,
      method: 'DELETE',
      headers: apis.header(header, 'valid', 'plain'),
    });
    assert.equal(methods.status, 405);
  });

  it('a public certificate in a header is none, from somebody who is no load balancer', async () => {
    const verdict = await apis.gateway.verdict({
      path: '/employee/3.14/employee',
      headers: apis.header(header, 'valid', 'plain'),
      localAddress: '127.0.0.2',
    });
    assert.match(verdict, /^401 header_sender_untrusted$/);
  });

  it('GraphQL, both mandatory: the one resource that it has', async () => {
    const path = '/graphql/3.14';
    const call = (...headers: (readonly [string, string])[]) =>
      apis.gateway.verdict({ path, method: 'POST', headers, body: Buffer.from('{"query":"{hero{name}}"}') });
    const [certificate, token] = [apis.header(header, 'valid', 'encoded'), apis.token('valid')];
    assert.equal(await call(...certificate, ...token), '200');
    assert.equal(await call(...certificate), '401 token_missing');
    assert.equal(await call(...token), '401 certificate_missing');
  });

  it('gRPC, mutual TLS alone', async () => {
    const call = async (method: string, headers: (readonly [string, string])[]) => {
      const answer = await callGrpc({
        port: apis.gateway.stack.ports.router,
        ca: apis.gateway.pki.routerCaPem,
        path: `/org.apk.v1.student_service.StudentService/${method}`,
        headers,
      });
      return answer.headers['grpc-status'];
    };
    assert.equal(await call('GetStudent', [...apis.header(header, 'valid', 'encoded')]), '0');
    assert.equal(await call('GetStudent', []), '16');
    assert.equal(await call('Other', [...apis.header(header, 'valid', 'encoded')]), '12');
  });

  it('a file that breaks keeps its API as it was; the others go on', async () => {
    const path = '/employee/3.14/employee';
    const headers = apis.header(header, 'valid', 'encoded');
    assert.equal(await apis.rewrite({ 'employee.apk-conf': 'name: "Employee\n' }), 'reloaded');
    assert.equal(await apis.gateway.verdict({ path, headers }), '200');
    assert.equal(await apis.gateway.verdict({ path: '/mandatory-optional/1.0/employee', headers }), '200');
    assert.match(apis.gateway.stack.enforcer.lines.join('\n'), /error .*employee\.apk-conf:/);
  });
});
