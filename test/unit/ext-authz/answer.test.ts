import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Header } from '../../../src/attributes.ts';
import {
  type Admission,
  type ApiName,
  type Decision,
  type DenialCode,
  denials,
} from '../../../src/decision.ts';
import { decide } from '../../../src/enforcer.ts';
import { writeAnswer } from '../../../src/ext-authz/answer.ts';
import { writeCheckResponse } from '../../../src/ext-authz/check-response.ts';
import { encodeCheckResponse } from '../../../src/ext-authz/encode.ts';
import type { AccessToken } from '../../../src/oauth2/claims.ts';
import { type Certificate, readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { CertificateCache } from '../../../src/pki/certificate/certificate-cache.ts';
import type { AnswerSettings } from '../../../src/snapshot.ts';
import { plainAnswers } from '../../support/apis.ts';
import { request } from '../../support/attributes.ts';
import { createAuthority } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { makeCredentials } from '../../truth-tables/credentials.ts';
import { apisToml, basePathOf, readTable, tokenCases } from '../../truth-tables/table.ts';

const authority = await createAuthority({ subject: 'CN=Clients' });
const certificates = await Promise.all(
  ['CN=acme', 'CN=acme', 'CN=Zoë,O="a, b"', '', 'CN=a+O=b, C=DE', 'CN=a\\\\, CN=" b "'].map(async (subject) =>
    readCertificate((await authority.issue({ subject })).der),
  ),
);

const settings: AnswerSettings = {
  ...plainAnswers,
  identityHeaders: {
    alias: 'x-alias',
    tier: 'x-tier',
    sha256: 'x-sha256',
    subject: 'x-subject',
    clientId: 'x-client-id',
    scopes: 'x-scopes',
    tokenSubject: 'x-token-subject',
  },
  outbound: { format: 'rfc9440', header: 'client-cert', chainHeader: 'client-cert-chain' },
  headersToRemove: ['x-wso2-client-certificate'],
};
const apis: readonly ApiName[] = ['choreo-connect', 'problem+json'].flatMap((errorFormat) =>
  ['Petstore', 'Pizza'].flatMap((name) =>
    [true, false].map(
      (hasOperations) =>
        ({ name, version: '1', basePath: `/${name}`, errorFormat, hasOperations }) as ApiName,
    ),
  ),
);

/** Few values of each, so that many answers are the same and many differ in one thing only. */
const name = fc.constantFrom(undefined, '', 'acme', 'globex', 'a b', 'ä');
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const client = fc.record({
  alias: fc.constantFrom('acme', 'globex'),
  isOwn: fc.boolean(),
  tier: fc.constantFrom(undefined, 'Gold'),
  certificate: fc.constantFrom(...certificates),
  intermediates: fc.subarray(certificates.map(({ der }) => der)),
});
const token = fc
  .record({
    clientId: name,
    subject: name,
    scopes: fc.subarray(['read', 'write', 'read write']),
    claims: name,
  })
  .map((parts) => parts as unknown as AccessToken);
const admission = fc
  .record({
    api: fc.constantFrom(...apis),
    client: optional(client),
    token: optional(token),
    tokenHeader: fc.constantFrom('untouched', 'verified', 'unverified'),
  })
  .map(
    ({ client, token, ...rest }): Decision => ({
      outcome: 'allow',
      ...rest,
      ...(client && { client }),
      ...(token && { token }),
    }),
  );
const denial = fc
  .record({
    code: fc.constantFrom(...(Object.keys(denials) as DenialCode[])),
    api: optional(fc.constantFrom(...apis)),
    certificate: optional(fc.constantFrom(...certificates)),
    scopes: optional(fc.subarray(['read', 'write'])),
  })
  .map(
    ({ code, api, certificate, scopes }): Decision => ({
      outcome: 'deny',
      code,
      detail: 'secret detail',
      ...(api && { api }),
      ...(certificate && { certificate }),
      ...(scopes && { scopes }),
    }),
  );
const headers = fc.subarray<Header>([
  ['x-request-id', 'id-1'],
  ['x-request-id', 'not an id'],
  ['content-type', 'application/grpc'],
  ['content-type', 'text/xml'],
  ['soapaction', ''],
  ['x_alias', 'forged'],
  ['x-wso2.client-certificate', 'forged'],
  ['accept', '*/*'],
]);
const jwt = fc.constantFrom(undefined, 'a.b.c', 'd.e.f');

const plain = (decision: Decision, received: readonly Header[], backendJwt?: string): string =>
  encodeCheckResponse(writeCheckResponse(decision, settings, received, backendJwt)).toString('hex');

test('whatever was answered before, an answer is byte for byte what the plain writer writes', () => {
  const one = fc.tuple(fc.oneof(admission, denial), headers, jwt);
  fc.assert(
    fc.property(fc.array(one, { minLength: 10, maxLength: 60 }), (sequence) => {
      for (const [decision, received, backendJwt] of sequence)
        assert.equal(
          writeAnswer(decision, settings, received, backendJwt).toString('hex'),
          plain(decision, received, backendJwt),
        );
    }),
    { numRuns: 200 },
  );
});

test('the same admission is the same bytes, also after more answers than are kept at a time', () => {
  const [api] = apis;
  const cache = new CertificateCache();
  const read = () => cache.read(certificates[0]!.der) as Certificate;
  const of = (alias: string, certificate: Certificate): Admission => ({
    outcome: 'allow',
    api: api!,
    client: { alias, isOwn: false, tier: undefined, certificate, intermediates: [] },
    tokenHeader: 'untouched',
  });
  const write = (decision: Decision) => writeAnswer(decision, settings, []);
  const passing = of('acme', read());
  assert.notEqual(write(passing), write(passing), 'not of who came once');
  const known = read();
  const acme = of('acme', known);
  write(acme);
  assert.equal(write(acme), write(acme));
  for (let i = 0; i < 20_000; i++) {
    if (i % 1000 === 0) assert.equal(writeAnswer(acme, settings, []).toString('hex'), plain(acme, []));
    writeAnswer(of(`alias ${i}`, known), settings, []);
  }
  const seventh = of('alias 7', known);
  assert.equal(writeAnswer(seventh, settings, []).toString('hex'), plain(seventh, []));
});

test('a client whom each API knows by another alias gets the same bytes at each', () => {
  const certificate = readCertificate(certificates[0]!.der);
  const at = (alias: string, i: number): Buffer => {
    // As `decide` has it: one path, and another client each time.
    const client = { alias, isOwn: false, tier: undefined, certificate, intermediates: [] };
    return writeAnswer({ outcome: 'allow', api: apis[i]!, client, tokenHeader: 'untouched' }, settings, []);
  };
  const asked = () => [at('acme', 0), at('partner', 1)];
  asked();
  asked();
  const known = asked();
  for (const [i, answer] of asked().entries()) assert.equal(answer, known[i]);
  assert.notEqual(known[0]!.toString('hex'), known[1]!.toString('hex'));
});

test('other settings are other answers', () => {
  const allow: Decision = { outcome: 'allow', api: apis[0]!, tokenHeader: 'untouched' };
  const renamed = { ...settings, headersToRemove: ['x-other'] };
  assert.ok(writeAnswer(allow, settings, []).includes('x-wso2-client-certificate'));
  assert.ok(!writeAnswer(allow, renamed, []).includes('x-wso2-client-certificate'));
});

const rows = readTable();
const { files, certificateHeader, authorization, toml, at } = await makeCredentials(authority);
const { snapshot } = load(toml + apisToml(rows).replaceAll('BACKEND', 'http://127.0.0.1:1'), files, at);

test('every cell of the truth tables is answered, while it is remembered and before, as the plain writer answers it', async () => {
  const ids = ['one', 'two', 'three', 'four', 'five'].map((id): Header => ['x-request-id', id]);
  for (const row of rows)
    for (const token of tokenCases)
      for (const id of ids) {
        const headers = [...certificateHeader(row.certificate), ...authorization(token), id];
        const attributes = request({ path: basePathOf(row), headers, source: '10.0.0.1' });
        const decision = await decide(attributes, snapshot, at);
        assert.equal(
          writeAnswer(decision, snapshot.answers, headers).toString('hex'),
          encodeCheckResponse(writeCheckResponse(decision, snapshot.answers, headers)).toString('hex'),
        );
      }
});
