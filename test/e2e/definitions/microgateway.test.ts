import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../../demo/outcome.ts';
import { makeJks } from '../../support/key-stores.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { ForeignGateway } from './foreign-gateway.ts';

const { envoy, skip } = await realEnvoy();
const example = (name: string): string =>
  readFileSync(new URL(`../../../examples/microgateway/${name}`, import.meta.url), 'utf8');
const header = 'X-SSL-CERT';
const pet = '/petstore/v1/pet/1';

describe("API Microgateway's own files through a real Envoy", { skip }, () => {
  let apis: ForeignGateway;
  before(async () => {
    apis = await ForeignGateway.start(envoy!, {
      definitions:
        '[[definitions]]\nkind = "microgateway"\npath = "foreign/"\nhome = "foreign/home"\ntrustedSenders = ["127.0.0.3"]\nbackend = "BACKEND/v2"\n',
      files: ({ clients }) => ({
        'conf/micro-gw.conf': example('conf/micro-gw.conf'),
        'api_definitions/petstore.yaml': example('api_definitions/petstore.yaml'),
        'home/runtime/bre/security/ballerinaTruststore.p12': makeJks(
          [
            ['ballerina', new X509Certificate(clients.acme.certificatePem).raw],
            ['wso2apim310', new X509Certificate(clients.globex.certificatePem).raw],
          ],
          'ballerina',
        ),
      }),
    });
  });
  after(() => apis?.stop());

  it('the client directly: the certificate of the handshake', async () => {
    const { status, seen } = await apis.gateway.outcome({ path: pet, certificate: 'acme' });
    assert.equal(status, 200);
    assert.equal(seen?.path, '/v2/pet/1');
    assert.equal(seenHeader(seen, 'x-client-cert-alias'), 'ballerina');
    assert.equal(await apis.gateway.verdict({ path: pet, certificate: 'stranger' }), '401 issuer_unknown');
    const { body } = await apis.answer({ path: pet });
    assert.match(body, /^\{"fault":\{"code":900901,"message":"Invalid Credentials","description":"/);
  });

  it('through a load balancer: the header of this API, from its address only', async () => {
    const sent = { path: pet, headers: apis.header(header, 'valid', 'plain') };
    assert.equal(await apis.gateway.verdict({ ...sent, localAddress: '127.0.0.3' }), '200');
    assert.equal(await apis.gateway.verdict(sent), '401 certificate_missing');
    assert.equal(
      await apis.gateway.verdict({ ...sent, certificate: 'globex' }),
      '200',
      '3: a known client is no load balancer: its own certificate counts, the header does not',
    );
    const { seen } = await apis.gateway.outcome({ ...sent, certificate: 'globex' });
    assert.equal(seenHeader(seen, 'x-client-cert-alias'), 'wso2apim310');
    const renamed = { path: pet, headers: apis.header('X-WSO2-CLIENT-CERTIFICATE', 'valid', 'plain') };
    assert.equal(
      await apis.gateway.verdict({ ...renamed, localAddress: '127.0.0.3' }),
      '401 certificate_missing',
    );
  });

  it('a resource with security off still asks for the certificate', async () => {
    assert.equal(await apis.gateway.verdict({ path: '/petstore/v1/health' }), '401 certificate_missing');
    assert.equal(await apis.gateway.verdict({ path: '/petstore/v1/health', certificate: 'acme' }), '200');
  });

  it('a trust store with another password keeps all as it was', async () => {
    const wrong = example('conf/micro-gw.conf').replace(
      'trustStorePassword = "ballerina"',
      'trustStorePassword = "x"',
    );
    assert.equal(await apis.rewrite({ 'conf/micro-gw.conf': wrong }), 'reloaded');
    assert.equal(await apis.gateway.verdict({ path: pet, certificate: 'acme' }), '200');
    assert.match(
      apis.gateway.stack.enforcer.lines.join('\n'),
      /micro-gw\.conf:\d+: .*can not be opened with this password/,
    );
  });
});
