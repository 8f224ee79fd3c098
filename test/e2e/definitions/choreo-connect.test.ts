import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../../demo/outcome.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import type { Sent } from '../gateway.ts';
import { ForeignGateway, rowName } from './foreign-gateway.ts';
import { type CertificateCase, certificateCases, holderOf, tables, tokenCases } from './tables.ts';

const { envoy, skip } = await realEnvoy();
const header = 'SSL-CLIENT-CERT';
const example = (name: string): string =>
  readFileSync(new URL(`../../../examples/choreo-connect/petstore/${name}`, import.meta.url), 'utf8');

/** `securityScheme` of each row of the table. */
const schemes: Readonly<Record<string, string>> = {
  'mandatory-mandatory': 'mutualssl, mutualssl_mandatory, oauth2, oauth_basic_auth_api_key_mandatory',
  'mandatory-optional': 'mutualssl, mutualssl_mandatory, oauth2',
  'optional-mandatory': 'mutualssl, oauth2, oauth_basic_auth_api_key_mandatory',
};

/** The three ways in which a certificate comes there; no TLS client can present a malformed one. */
const modes: readonly {
  readonly name: string;
  readonly mutualSSL: readonly string[];
  readonly cases: readonly CertificateCase[];
  readonly send: (apis: ForeignGateway, which: CertificateCase) => Pick<Sent, 'certificate' | 'headers'>;
}[] = [
  {
    name: 'peer',
    mutualSSL: ['enableClientValidation = true'],
    cases: ['none', 'valid', 'unknown'],
    send: (apis, which) => {
      const holder = holderOf[which];
      return holder === undefined || holder === 'malformed'
        ? {}
        : { certificate: apis.gateway.pki.clients[holder] };
    },
  },
  ...(['encoded', 'plain'] as const).map((coding) => ({
    name: `header, ${coding}`,
    mutualSSL: [
      `certificateHeader = "${header}"`,
      'enableClientValidation = false',
      `clientCertificateEncode = ${coding === 'encoded'}`,
      'trustedSenders = ["127.0.0.1"]',
    ],
    cases: certificateCases,
    send: (apis: ForeignGateway, which: CertificateCase) => ({ headers: apis.header(header, which, coding) }),
  })),
];

describe("Choreo Connect's own projects through a real Envoy", { skip }, () => {
  let apis: ForeignGateway;
  before(async () => {
    apis = await ForeignGateway.start(envoy!, {
      definitions: '[[definitions]]\nkind = "choreo-connect"\npath = "foreign/"\nbackend = "BACKEND"\n',
      files: ({ clients }) => ({
        'petstore/api.yaml': example('api.yaml'),
        'petstore/Definitions/swagger.yaml': example('Definitions/swagger.yaml'),
        'petstore/Client-certificates/client_certificates.yaml': example(
          'Client-certificates/client_certificates.yaml',
        ),
        'petstore/Client-certificates/acme.crt': clients.acme.certificatePem,
        ...Object.fromEntries(
          tables['choreo-connect'].flatMap((row) => {
            const name = rowName(row);
            return [
              [
                `${name}/api.yaml`,
                `type: api\nversion: v4\ndata:\n  name: ${name}\n  version: "1.0"\n  context: /${name}\n  securityScheme: [${schemes[name]}]\n`,
              ],
              [
                `${name}/Client-certificates/client_certificates.yaml`,
                'type: client_certificates\nversion: v4\ndata:\n  - alias: Acme\n    certificate: a.crt\n    tierName: Gold\n',
              ],
              [`${name}/Client-certificates/a.crt`, clients.acme.certificatePem],
            ];
          }),
        ),
      }),
    });
  });
  after(() => apis?.stop());

  for (const mode of modes) {
    describe(mode.name, () => {
      before(async () => assert.equal(await apis.gateway.configure(mode.mutualSSL), 'reloaded'));
      for (const row of tables['choreo-connect']) {
        for (const which of mode.cases) {
          it(`mTLS ${row.mutualSSL}, OAuth2 ${row.oauth2}, certificate ${which}`, async () => {
            for (const [i, token] of tokenCases.entries()) {
              const sent = mode.send(apis, which);
              const headers = [...(sent.headers ?? []), ...apis.token(token)];
              const { status, body } = await apis.answer({
                ...sent,
                path: `/${rowName(row)}/1.0/x`,
                headers,
              });
              assert.equal(
                status,
                row.statuses[which][i],
                `token ${token}${row.differs ? ` (${row.differs})` : ''}`,
              );
              if (status === 401) assert.match(body, /^\{"code":"90090[12]","error_message":"/);
            }
          });
        }
      }
    });
  }

  it("the document's walk-through: key and certificate with curl", async () => {
    assert.equal(await apis.gateway.configure(['enableClientValidation = true']), 'reloaded');
    const path = '/petstore/1.0.5/pet/1';
    const { status, seen } = await apis.gateway.outcome({ path, certificate: 'acme' });
    assert.equal(status, 200);
    assert.deepEqual(
      [seenHeader(seen, 'x-client-cert-alias'), seenHeader(seen, 'x-client-cert-tier')],
      ['acme', 'Gold'],
    );
    assert.equal(await apis.gateway.verdict({ path }), '401 certificate_missing');
    assert.equal(
      await apis.gateway.verdict({
        path,
        method: 'DELETE',
        certificate: 'acme',
        headers: apis.token('valid'),
      }),
      '200',
      'an optional token without the scope counts as none',
    );
    assert.equal(
      await apis.gateway.verdict({ path: '/petstore/1.0.5/health' }),
      '401 certificate_missing',
      '10',
    );
    assert.equal(
      await apis.gateway.verdict({ path: '/petstore/1.0.5/nothing', certificate: 'acme' }),
      '404 operation_not_found',
    );
  });

  it('8: one bad PEM stops nothing: its API stays as it was, the others follow', async () => {
    const { acme, globex } = apis.gateway.pki.clients;
    assert.equal(
      await apis.rewrite({
        'petstore/Client-certificates/acme.crt': 'rubbish',
        'mandatory-optional/Client-certificates/a.crt': globex.certificatePem,
      }),
      'reloaded',
    );
    const path = '/petstore/1.0.5/pet/1';
    assert.equal(await apis.gateway.verdict({ path, certificate: 'acme' }), '200');
    assert.equal(
      await apis.gateway.verdict({ path: '/mandatory-optional/1.0/x', certificate: 'globex' }),
      '200',
    );
    assert.equal(
      await apis.rewrite({ 'petstore/Client-certificates/acme.crt': acme.certificatePem }),
      'reloaded',
    );
  });
});
