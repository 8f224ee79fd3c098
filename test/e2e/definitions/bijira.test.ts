import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../../demo/outcome.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { ForeignGateway } from './foreign-gateway.ts';

const { envoy, skip } = await realEnvoy();
const read = (name: string): string =>
  readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8');
const example = read('bijira/reading-list.yaml');
const header = 'x-client-cert-x509';

describe("Bijira's policies through a real Envoy", { skip }, () => {
  let apis: ForeignGateway;
  before(async () => {
    apis = await ForeignGateway.start(envoy!, {
      definitions:
        '[[definitions]]\nkind = "bijira"\npath = "foreign/"\ntrustedSenders = ["127.0.0.1"]\nbackend = "BACKEND"\n',
      files: ({ clients, folder }) => ({
        'reading-list.yaml': example
          .replaceAll(
            encodeURIComponent(read('pki/acme.pem')),
            encodeURIComponent(clients.acme.certificatePem),
          )
          .replaceAll(
            encodeURIComponent(read('pki/partner-ca.pem')),
            encodeURIComponent(readFileSync(join(folder, 'partner-ca.pem'), 'utf8')),
          ),
      }),
    });
  });
  after(() => apis?.stop());

  const books = '/reading-list/v1.0/books';
  const rows: readonly (readonly [
    why: string,
    expected: number,
    sent: () => Parameters<ForeignGateway['answer']>[0],
  ])[] = [
    [
      'a good certificate and a token',
      200,
      () => ({
        path: books,
        method: 'POST',
        headers: [...apis.header(header, 'valid', 'encoded'), ...apis.token('valid')],
      }),
    ],
    [
      'no certificate, where it is needed',
      401,
      () => ({ path: books, method: 'POST', headers: apis.token('valid') }),
    ],
    [
      'a wrong one, where it is needed',
      401,
      () => ({
        path: books,
        method: 'POST',
        headers: [...apis.header(header, 'unknown', 'encoded'), ...apis.token('valid')],
      }),
    ],
    ['no certificate, where it is optional', 200, () => ({ path: books, headers: apis.token('valid') })],
    [
      'a wrong one, where it is optional',
      401,
      () => ({
        path: books,
        headers: [...apis.header(header, 'unknown', 'encoded'), ...apis.token('valid')],
      }),
    ],
    [
      'whoever the intermediate CA has issued',
      200,
      () => ({
        path: '/catalogue/v1.0/x',
        headers: [[header, encodeURIComponent(apis.gateway.pki.clients.partner.certificatePem)]],
      }),
    ],
    [
      'somebody else there',
      401,
      () => ({ path: '/catalogue/v1.0/x', headers: apis.header(header, 'valid', 'encoded') }),
    ],
    [
      'an expired one of that CA',
      401,
      () => ({
        path: '/catalogue/v1.0/x',
        headers: [[header, encodeURIComponent(apis.gateway.pki.clients.expired.certificatePem)]],
      }),
    ],
  ];
  for (const [why, expected, sent] of rows) {
    it(`${expected}: ${why}`, async () => assert.equal((await apis.answer(sent())).status, expected));
  }

  it('its error body, byte for byte', async () => {
    const { body, headers } = await apis.answer({ path: '/catalogue/v1.0/x' });
    assert.equal(
      body,
      '{"error_message":"Invalid Credentials","code":"900901","error_description":"Make sure you have provided the correct security credentials."}',
    );
    assert.equal(headers['content-type'], 'application/json');
  });

  it('the backend does not get the header', async () => {
    const headers = [[header, encodeURIComponent(apis.gateway.pki.clients.partner.certificatePem)]] as const;
    const { seen } = await apis.gateway.outcome({ path: '/catalogue/v1.0/x', headers });
    assert.equal(seenHeader(seen, header), undefined);
  });
});
