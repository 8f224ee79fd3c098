import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../../demo/outcome.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { ForeignGateway, rowName } from './foreign-gateway.ts';
import { certificateCases, tables, tokenCases } from './tables.ts';

const { envoy, skip } = await realEnvoy();
const header = 'X-WSO2-CLIENT-CERTIFICATE';
const example = (name: string): string =>
  readFileSync(new URL(`../../../examples/api-manager/${name}`, import.meta.url), 'utf8');
const shack = 'PizzaShack-1.0.0';
const clients = `${shack}/Client-certificates/client_certificates.yaml`;

describe("API Manager's own exports through a real Envoy", { skip }, () => {
  let apis: ForeignGateway;
  before(async () => {
    apis = await ForeignGateway.start(envoy!, {
      definitions:
        '[[definitions]]\nkind = "api-manager"\npath = "foreign/"\ntrustedSenders = ["127.0.0.3"]\nbackend = "BACKEND"\n',
      files: (pki) => ({
        'deployment.toml': example('repository/conf/deployment.toml').replace(
          'chain_validation = false',
          'chain_validation = true',
        ),
        [`${shack}/api.yaml`]: example(`${shack}/api.yaml`),
        [`${shack}/Definitions/swagger.yaml`]: example(`${shack}/Definitions/swagger.yaml`),
        [clients]: `${example(clients)}  - alias: partners\n    certificate: ca.crt\n    tierName: Silver\n`,
        [`${shack}/Client-certificates/acme.crt`]: pki.clients.acme.certificatePem,
        [`${shack}/Client-certificates/ca.crt`]: readFileSync(join(pki.folder, 'partner-ca.pem'), 'utf8'),
      }),
    });
  });
  after(() => apis?.stop());
  const menu = '/pizzashack/1.0.0/menu';

  for (const row of tables['api-manager']) {
    for (const certificate of certificateCases) {
      it(`${rowName(row)}, either admits: certificate ${certificate}`, async () => {
        for (const [i, token] of tokenCases.entries()) {
          const headers = [...apis.header(header, certificate, 'encoded'), ...apis.token(token)];
          const { status, body } = await apis.answer({ path: menu, headers, localAddress: '127.0.0.3' });
          assert.equal(status, row.statuses[certificate][i], `token ${token}`);
          if (status === 401) assert.match(body, /^\{"code":"90090[12]","message":"[^"]+","description":"/);
        }
      });
    }
  }

  it('tiers, and a chain: whoever an uploaded CA has issued', async () => {
    const of = async (certificate: 'acme' | 'partner') => {
      const { status, seen } = await apis.gateway.outcome({ path: menu, certificate });
      return [status, seenHeader(seen, 'x-client-cert-alias'), seenHeader(seen, 'x-client-cert-tier')];
    };
    assert.deepEqual(await of('acme'), [200, 'acme', 'Gold']);
    assert.deepEqual(await of('partner'), [200, 'partners', 'Silver']);
    assert.equal(
      await apis.gateway.verdict({ path: menu, certificate: 'expired' }),
      '401 certificate_expired',
    );
    assert.equal(await apis.gateway.verdict({ path: menu, certificate: 'stranger' }), '401 issuer_unknown');
  });

  it('a certificate that is removed counts no more, without a restart', async () => {
    assert.equal(
      await apis.rewrite({ [clients]: 'data:\n  - alias: partners\n    certificate: ca.crt\n' }),
      'reloaded',
    );
    assert.match(await apis.gateway.verdict({ path: menu, certificate: 'acme' }), /^401 /);
    assert.equal(await apis.gateway.verdict({ path: menu, certificate: 'partner' }), '200');
  });
});
