import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../demo/outcome.ts';
import { knownCertificateHeaders } from '../../src/client-certificate/formats/table.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { catalogue, Gateway, headerMode, peerMode, petstore, type Sent, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

describe('forgeries through a real Envoy', { skip }, () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await Gateway.start(envoy!, { watches: false });
  });
  after(() => gateway?.stop());
  const verdict = (sent: Sent) => gateway.verdict(sent);

  describe('in peer mode', () => {
    before(async () => assert.equal(await gateway.configure(peerMode), 'reloaded'));

    const identity = [
      'x-client-cert-alias',
      'x-client-cert-tier',
      'x-client-cert-sha256',
      'x-client-cert-subject',
      'x-token-client-id',
      'x-token-scopes',
      'x-token-subject',
      'x-jwt-assertion',
    ];
    const routes: readonly (readonly [words: string, sent: Sent, alias: string | undefined])[] = [
      ['mandatory, with the certificate', { path: petstore, certificate: 'acme' }, 'acme'],
      ['optional, with the certificate', { path: catalogue, certificate: 'acme' }, 'acme'],
      ['optional, without', { path: catalogue }, undefined],
      ['off', { path: status }, undefined],
      ['off, with a certificate', { path: status, certificate: 'acme' }, undefined],
    ];
    for (const protocol of ['http/1.1', 'h2'] as const) {
      for (const [words, sent, alias] of routes) {
        it(`identity headers never reach the backend: ${words}, ${protocol}`, async () => {
          const names = identity.flatMap((name) => [name, name.toUpperCase(), name.replaceAll('-', '_')]);
          const headers = names.flatMap((name): [string, string][] => [
            [name, 'forged'],
            [name, 'forged twice'],
          ]);
          const { seen } = await gateway.outcome({ ...sent, protocol, headers });
          assert.ok(seen, 'it was not admitted');
          assert.deepEqual(
            seen.headers.filter(([, value]) => value.includes('forged')),
            [],
          );
          assert.equal(seenHeader(seen, 'x-client-cert-alias'), alias);
        });
      }
    }

    it('naming our headers in Connection does not take them from the backend', async () => {
      const headers: [string, string][] = [
        // Envoy refuses more than ten names here.
        ['Connection', `close, ${identity.slice(0, 4).join(', ')}, x-forwarded-client-cert`],
      ];
      const { seen } = await gateway.outcome({ certificate: 'acme', headers });
      assert.equal(seenHeader(seen, 'x-client-cert-alias'), 'acme');
      assert.equal(seenHeader(seen, 'x-client-cert-tier'), 'Gold');
    });

    it('no certificate header of any kind reaches the backend', async () => {
      const names = knownCertificateHeaders.flatMap((name) => [name, name.replaceAll('-', '_')]);
      for (const [words, sent] of routes) {
        const headers = [...new Set(names)].map((name): [string, string] => [name, 'forged']);
        const { seen } = await gateway.outcome({ ...sent, headers });
        assert.ok(seen, `${words}: it was not admitted`);
        assert.deepEqual(
          seen.headers.filter(([, value]) => value.includes('forged')),
          [],
          words,
        );
      }
    });

    it('another client in the header and in X-Forwarded-Client-Cert changes nothing', async () => {
      const pem = encodeURIComponent(gateway.pki.clients.acme.certificatePem);
      const headers: [string, string][] = [
        [...gateway.headerOf('acme')],
        ['x-forwarded-client-cert', `Cert="${pem}";Chain="${pem}"`],
      ];
      assert.equal(await verdict({ headers }), '401 certificate_missing');
      assert.equal(await verdict({ headers, certificate: 'globex' }), '401 certificate_not_bound');
      const { seen } = await gateway.outcome({ headers, certificate: 'partner' });
      assert.equal(seenHeader(seen, 'x-client-cert-alias'), 'partners');
    });
  });

  describe('in header mode', () => {
    before(async () => assert.equal(await gateway.configure(headerMode), 'reloaded'));
    const stranger = '127.0.0.2';
    const forwarded: readonly (readonly [string, string])[] = [
      ['x-forwarded-for', '127.0.0.1'],
      ['x-envoy-external-address', '127.0.0.1'],
      ['x-real-ip', '127.0.0.1'],
      ['forwarded', 'for=127.0.0.1'],
    ];

    it('X-Forwarded-For makes no trusted sender of a stranger', async () => {
      const headers = [gateway.headerOf('acme'), ...forwarded];
      assert.equal(await verdict({ headers, localAddress: stranger }), '401 header_sender_untrusted');
    });

    it('X-Forwarded-For makes no stranger of a trusted sender', async () => {
      const headers = [gateway.headerOf('acme'), ['x-forwarded-for', '203.0.113.7'] as const];
      assert.equal(await verdict({ headers }), '200');
    });

    it('x-forwarded-proto does not make the connection plain, or TLS', async () => {
      const headers = [gateway.headerOf('acme'), ['x-forwarded-proto', 'http'] as const];
      assert.equal(await verdict({ headers }), '200');
    });

    it('a header named in Connection is no certificate', async () => {
      const headers = [gateway.headerOf('acme'), ['Connection', 'close, X-WSO2-CLIENT-CERTIFICATE'] as const];
      assert.equal(await verdict({ headers }), '401 certificate_missing');
    });

    it('a second certificate beside the first is refused', async () => {
      const headers = [gateway.headerOf('acme'), gateway.headerOf('globex')];
      assert.equal(await verdict({ headers }), '401 header_repeated');
    });

    it('the header with _ for - is no certificate', async () => {
      const headers = [gateway.headerOf('acme', 'X_WSO2_CLIENT_CERTIFICATE')];
      assert.equal(await verdict({ headers }), '401 certificate_missing');
    });

    it("a stranger's header is worth nothing where none is needed, and does not reach the backend", async () => {
      const headers = [gateway.headerOf('acme')];
      for (const path of [catalogue, status]) {
        const { seen } = await gateway.outcome({ path, headers, localAddress: stranger });
        assert.ok(seen, `${path}: it was not admitted`);
        assert.equal(seenHeader(seen, 'x-wso2-client-certificate'), undefined);
        assert.equal(seenHeader(seen, 'x-client-cert-alias'), undefined);
      }
    });
  });
});
