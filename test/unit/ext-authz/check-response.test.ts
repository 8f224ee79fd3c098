import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../src/attributes.ts';
import { type ApiName, type Decision, type Denial, type DenialCode, denials } from '../../../src/decision.ts';
import { type CheckResponse, writeCheckResponse as write } from '../../../src/ext-authz/check-response.ts';
import { readCertificate } from '../../../src/pki/certificate/certificate.ts';
import type { AnswerSettings } from '../../../src/snapshot.ts';
import { plainAnswers } from '../../support/apis.ts';
import { createAuthority } from '../../support/certificate-authority.ts';

const answers: AnswerSettings = {
  ...plainAnswers,
  identityHeaders: {
    ...plainAnswers.identityHeaders,
    alias: 'x-client-cert-alias',
    tier: 'x-client-cert-tier',
    sha256: 'x-client-cert-sha256',
    subject: 'x-client-cert-subject',
  },
  headersToRemove: ['x-wso2-client-certificate'],
};
const api = {
  name: 'Petstore',
  version: '1',
  basePath: '/petstore',
  errorFormat: 'choreo-connect',
  hasOperations: false,
} as const;
/** By these some backends choose another path than the one that was judged. */
const paths = ['x-original-url', 'x-rewrite-url', 'script_name', 'script-name', 'x-script-name'];
const allow = { outcome: 'allow', api, tokenHeader: 'untouched' } as const;
const authority = await createAuthority();
const issued = await authority.issue({ subject: 'CN=Zoë,O=Acme' });
const certificate = readCertificate(issued.der);
const client = { alias: 'acme', isOwn: false, tier: 'Gold', certificate, intermediates: [] };
const deny = (code: DenialCode, rest: Partial<Denial> = {}): Denial => ({
  outcome: 'deny',
  code,
  detail: 'secret detail',
  ...rest,
});
const writeCheckResponse = (
  decision: Decision,
  settings: AnswerSettings,
  grpc: boolean,
  received: readonly Header[] = [],
): CheckResponse =>
  write(decision, settings, grpc ? [['content-type', 'application/grpc'], ...received] : received);
const headersOf = (response: CheckResponse): Record<string, string> =>
  Object.fromEntries(
    [...(response.ok_response?.headers ?? []), ...(response.denied_response?.headers ?? [])].map(
      ({ header }) => [header.key, header.value],
    ),
  );
const metadataOf = (
  response: CheckResponse,
): {
  readonly outbound?: string;
  readonly fingerprint?: string;
  readonly subject?: string;
  readonly account?: string;
  readonly errorFormat?: string;
} =>
  Object.fromEntries(
    Object.entries(response.dynamic_metadata.fields).map(([name, { stringValue }]) => [name, stringValue]),
  );

for (const code of Object.keys(denials) as DenialCode[]) {
  test(`${code} is refused on the wire: a code other than 0, a denied_response, a 4xx`, () => {
    for (const grpc of [false, true]) {
      const response = writeCheckResponse(deny(code), answers, grpc);
      assert.ok(response.status.code > 0 && response.status.code <= 16);
      assert.equal(response.ok_response, undefined);
      assert.equal(response.denied_response?.status.code, denials[code].status);
      assert.ok(denials[code].status >= 400 && denials[code].status < 500);
      assert.equal(headersOf(response)['x-mtls-reason'], code);
      assert.doesNotMatch(JSON.stringify(response), /secret detail/);
    }
  });
}

test("a 401 has Choreo Connect's body byte for byte, its content type and its challenge", () => {
  const response = writeCheckResponse(deny('certificate_missing'), answers, false);
  assert.equal(
    response.denied_response?.body,
    '{"code":"900901","error_message":"Invalid Credentials","error_description":"Make sure you have provided the correct security credentials"}',
  );
  assert.equal(headersOf(response)['content-type'], 'application/json');
  assert.equal(
    headersOf(response)['www-authenticate'],
    'Mutual SSL realm="Choreo Connect", error="invalid_token", error_description="The provided token is invalid"',
  );
});

test('a gRPC caller gets the sentence, which Envoy makes grpc-message of', () => {
  const response = writeCheckResponse(deny('certificate_missing'), answers, true);
  assert.equal(response.denied_response?.body, denials.certificate_missing.sentence);
});

test('the reason header can be switched off, and stays in the metadata', () => {
  const response = writeCheckResponse(
    deny('certificate_missing', { api }),
    { ...answers, reasonHeader: undefined },
    false,
  );
  assert.equal(headersOf(response)['x-mtls-reason'], undefined);
  assert.deepEqual(metadataOf(response), { api: 'Petstore', version: '1', reason: 'certificate_missing' });
});

test('a denial tells the log of Envoy whose certificate it was', () => {
  const { fingerprint, subject } = metadataOf(
    writeCheckResponse(deny('certificate_expired', { certificate }), answers, false),
  );
  assert.deepEqual([fingerprint, subject], [certificate.sha256, 'O=Acme,CN=Zo\\C3\\AB']);
});

test('an admitted client is told to the backend, every forgery overwritten', () => {
  const response = writeCheckResponse({ ...allow, client }, answers, false);
  assert.equal(response.status.code, 0);
  assert.equal(response.denied_response, undefined);
  assert.deepEqual(headersOf(response), {
    'x-client-cert-alias': 'acme',
    'x-client-cert-tier': 'Gold',
    'x-client-cert-sha256': certificate.sha256,
    'x-client-cert-subject': 'O=Acme,CN=Zo\\C3\\AB',
  });
  assert.deepEqual(response.ok_response?.headers_to_remove, [
    'x-wso2-client-certificate',
    ...paths,
    'x-jwt-assertion',
  ]);
  assert.deepEqual(metadataOf(response), {
    api: 'Petstore',
    version: '1',
    alias: 'acme',
    tier: 'Gold',
    fingerprint: certificate.sha256,
    subject: 'O=Acme,CN=Zo\\C3\\AB',
    account: 'acme',
    errorFormat: 'choreo-connect',
  });
});

test('who has no tier is counted under nothing, and Envoy is told no format of errors for it', () => {
  const withoutTier = { ...allow, client: { ...client, tier: undefined } } as const;
  for (const decision of [allow, withoutTier]) {
    const { account, errorFormat } = metadataOf(writeCheckResponse(decision, answers, false));
    assert.deepEqual([account, errorFormat], [undefined, undefined]);
  }
});

/** Names that would be one if they were only joined. */
const owned: readonly [alias: string, api: Partial<ApiName>][] = [
  ['acme', {}],
  ['acme', { name: 'Orders' }],
  ['acme', { version: '2' }],
  ['acme', { basePath: '/of/another/tenant' }],
  ['acme\\@Petstore', { name: '1', version: '/petstore' }],
  ['acme\\@Petstore\\@1', { name: '/petstore' }],
];
test('an API’s own client is counted apart from those of its alias that other APIs have, and that all may have', () => {
  const accountOf = (alias: string, isOwn: boolean, api: Partial<ApiName>): string | undefined =>
    metadataOf(
      writeCheckResponse(
        { ...allow, api: { ...allow.api, ...api }, client: { ...client, alias, isOwn } },
        answers,
        false,
      ),
    ).account;
  const accounts = [
    ...owned.map(([alias, api]) => accountOf(alias, true, api)),
    ...owned.map(([alias]) => accountOf(alias, false, {})),
  ];
  assert.equal(accounts[0], 'acme\\@Petstore\\@1\\@/petstore');
  assert.equal(new Set(accounts).size, owned.length + new Set(owned.map(([alias]) => alias)).size);
  for (const [alias, api] of owned) assert.equal(accountOf(alias, false, api), accountOf(alias, false, {}));
});

test('without a client every identity header is removed', () => {
  const response = writeCheckResponse(allow, answers, false);
  assert.deepEqual(headersOf(response), {});
  assert.deepEqual(response.ok_response?.headers_to_remove, [
    'x-wso2-client-certificate',
    ...paths,
    'x-client-cert-alias',
    'x-client-cert-tier',
    'x-client-cert-sha256',
    'x-client-cert-subject',
    'x-jwt-assertion',
  ]);
});

test('a client without a tier has a forged tier removed', () => {
  const response = writeCheckResponse({ ...allow, client: { ...client, tier: undefined } }, answers, false);
  assert.ok(response.ok_response?.headers_to_remove.includes('x-client-cert-tier'));
});

test('an identity header that is switched off is neither set nor removed', () => {
  const off = { ...answers, identityHeaders: { ...answers.identityHeaders, tier: undefined } };
  assert.doesNotMatch(
    JSON.stringify(writeCheckResponse({ ...allow, client }, off, false).ok_response),
    /tier/,
  );
});

const spellings: readonly [why: string, received: string, removed: boolean][] = [
  ['an identity header with one `_`', 'x-client_cert-alias', true],
  ['an identity header with `_` throughout', 'x_client_cert_alias', true],
  ['an identity header with dots, of which PHP makes `_`', 'x.client.cert.alias', true],
  ['an identity header with whatever else a name may hold', 'x-client~cert!alias', true],
  ['an identity header with a `:` that begins no pseudo-header', 'x:client-cert-alias', true],
  ['a removed certificate header', 'x_wso2_client_certificate', true],
  ['an identity header as it is meant, which is overwritten', 'x-client-cert-alias', false],
  ['a path in the place of the one that was judged', 'x_original_url', true],
  ['the same with dots', 'x.rewrite.url', true],
  ['a part of the path that is none of it', 'script.name', true],
  ['a method in the place of the one that was judged', 'x_http_method_override', true],
  ['a longer name', 'x_client_cert_alias_2', false],
  ['a header of the application', 'x_request_id', false],
];
for (const [why, received, removed] of spellings) {
  test(`${why}: ${removed ? 'removed, since CGI reads both as one' : 'left alone'}`, () => {
    const decision = { ...allow, client } as const;
    const response = writeCheckResponse(decision, answers, false, [[received, 'forged']]);
    assert.equal(response.ok_response?.headers_to_remove.includes(received), removed);
  });
}

const methods = ['x-http-method-override', 'x-http-method', 'x-method-override'];
for (const hasOperations of [true, false])
  test(`another method in a header is ${hasOperations ? 'removed where the API lists operations, which are judged by the method' : 'the backend’s where the API lists no operations (OData)'}; another path is always removed`, () => {
    const { ok_response } = writeCheckResponse({ ...allow, api: { ...api, hasOperations } }, answers, false);
    const removed = ok_response?.headers_to_remove ?? [];
    for (const name of paths) assert.ok(removed.includes(name), name);
    for (const name of methods) assert.equal(removed.includes(name), hasOperations, name);
  });

test('a header that is misspelled twice is removed once', () => {
  const response = writeCheckResponse({ ...allow, client }, answers, false, [
    ['x_client_cert_alias', 'forged'],
    ['x_client_cert_alias', 'twice'],
  ]);
  assert.deepEqual(response.ok_response?.headers_to_remove, [
    'x-wso2-client-certificate',
    ...paths,
    'x_client_cert_alias',
    'x-jwt-assertion',
  ]);
});

test('a name configured with `_` is not removed as its own misspelling, one with `-` is', () => {
  const settings = { ...answers, identityHeaders: { ...answers.identityHeaders, alias: 'x_alias' } };
  const response = writeCheckResponse({ ...allow, client }, settings, false, [
    ['x_alias', 'forged'],
    ['x-alias', 'forged'],
  ]);
  assert.deepEqual(response.ok_response?.headers_to_remove, [
    'x-wso2-client-certificate',
    ...paths,
    'x-alias',
    'x-jwt-assertion',
  ]);
});

const challengesOf: readonly [
  code: DenialCode,
  format: 'apk' | 'problem+json',
  expected: readonly string[],
][] = [
  [
    'certificate_not_bound',
    'apk',
    [
      'Mutual SSL realm="Choreo Connect", error="invalid_token", error_description="The provided token is invalid"',
    ],
  ],
  [
    'certificate_not_bound',
    'problem+json',
    [
      'Mutual-TLS realm="API", error="certificate_not_bound", error_description="The certificate is valid, but it is not one of those that may call this API."',
    ],
  ],
  ['token_missing', 'apk', ['Bearer realm="Choreo Connect"']],
  ['token_missing', 'problem+json', ['Bearer realm="API"']],
  [
    'token_expired',
    'problem+json',
    ['Bearer realm="API", error="invalid_token", error_description="The access token has expired."'],
  ],
];
for (const [code, errorFormat, expected] of challengesOf)
  test(`${code}, ${errorFormat}: its challenges name what is asked for`, () => {
    const { denied_response } = writeCheckResponse(
      deny(code, { api: { ...api, errorFormat } }),
      answers,
      false,
    );
    const values = denied_response?.headers.filter(({ header }) => header.key === 'www-authenticate');
    assert.deepEqual(
      values?.map(({ header }) => header.value),
      expected,
    );
  });

test('the outbound certificate is the verified one, and not removed again', () => {
  const outbound = {
    format: 'percent-pem',
    header: 'x-wso2-client-certificate',
    chainHeader: undefined,
  } as const;
  const response = writeCheckResponse({ ...allow, client }, { ...answers, outbound }, false);
  const sent = headersOf(response)['x-wso2-client-certificate'] ?? '';
  assert.equal(decodeURIComponent(sent).replaceAll(/\s/g, ''), issued.pem.replaceAll(/\s/g, ''));
  assert.deepEqual(response.ok_response?.headers_to_remove, [...paths, 'x-jwt-assertion']);
  assert.equal(metadataOf(response).outbound, 'x-wso2-client-certificate');
});

test('the outbound chain is the verified path, without leaf and trust anchor', () => {
  const outbound = { format: 'rfc9440', header: 'client-cert', chainHeader: 'client-cert-chain' } as const;
  const chained = { ...client, intermediates: [authority.der] };
  const response = writeCheckResponse({ ...allow, client: chained }, { ...answers, outbound }, false);
  const sent: Record<string, string | undefined> = headersOf(response);
  assert.equal(sent['client-cert'], `:${Buffer.from(certificate.der).toString('base64')}:`);
  assert.equal(sent['client-cert-chain'], `:${Buffer.from(authority.der).toString('base64')}:`);
});

test('without a client there is no outbound certificate, and what came under its name is removed', () => {
  const outbound = {
    format: 'percent-pem',
    header: 'x-wso2-client-certificate',
    chainHeader: undefined,
  } as const;
  const response = writeCheckResponse(allow, { ...answers, outbound }, false);
  assert.ok(response.ok_response?.headers_to_remove.includes('x-wso2-client-certificate'));
  assert.equal(metadataOf(response).outbound, undefined);
});
