import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { importX509, jwtVerify } from 'jose';
import { seenHeader } from '../../demo/outcome.ts';
import { preparePki } from '../../demo/pki.ts';
import {
  type AuthorizationServer,
  audience,
  startAuthorizationServer,
} from '../support/authorization-server.ts';
import { createAuthority, type Issued } from '../support/certificate-authority.ts';
import { callGrpc } from '../support/client.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { demoIssuer, Gateway, type Sent } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** APIs beside the demo's, by base path. */
const apis: readonly (readonly [basePath: string, lines: string])[] = [
  ['/token', 'mutualSSL = "off"\napplicationSecurity = "mandatory"'],
  ['/both', 'aliases = ["acme"]\napplicationSecurity = "mandatory"'],
  ['/either', 'aliases = ["acme"]\nmutualSSL = "optional"\napplicationSecurity = "optional"'],
  ['/bound', 'mutualSSL = "off"\napplicationSecurity = "mandatory"\ncertificateBoundTokens = "required"'],
  [
    '/ops',
    `aliases = ["acme"]
applicationSecurity = "mandatory"
mutualSSL = "off"
[[apis.operations]]
path = "/orders/{id}"
methods = ["GET"]
scopes = ["orders:read"]
[[apis.operations]]
path = "/orders/{id}"
methods = ["PUT"]
scopes = ["orders:write"]
[[apis.operations]]
path = "/health"
secured = false
[[apis.operations]]
path = "/vault"
secured = false
mutualSSL = "mandatory"`,
  ],
  ['/problem', 'mutualSSL = "off"\napplicationSecurity = "mandatory"\nerrorFormat = "problem+json"'],
];

describe('OAuth2 and certificate-bound tokens, with a real authorization server and a real Envoy', {
  skip,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'oauth2-'));
  let gateway: Gateway;
  let server: AuthorizationServer;
  let signer: Issued;
  let bound: string;
  let plain: string;

  before(async () => {
    const dates = {
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
    };
    const ca = await createAuthority({ subject: 'CN=AS CA', ...dates });
    const own = await ca.issue({
      subject: 'CN=as',
      subjectAltNames: ['127.0.0.1'],
      extendedKeyUsage: 'server',
      ...dates,
    });
    signer = await ca.issue({ subject: 'CN=backend jwt', keyAlgorithm: 'RSA-2048', ...dates });
    writeFileSync(join(folder, 'as-ca.pem'), ca.pem);
    writeFileSync(join(folder, 'signer.pem'), signer.pem);
    writeFileSync(join(folder, 'signer.key'), signer.privateKeyPem);
    // The demo's clients: the authorization server knows them by the same certificates.
    const { clients } = await preparePki(folder);
    server = await startAuthorizationServer(
      { certificatePem: own.pem, privateKeyPem: own.privateKeyPem, caPem: ca.pem },
      {
        'app-acme': { certificatePem: clients.acme.certificatePem, bound: true },
        'app-plain': { certificatePem: clients.acme.certificatePem, bound: false },
      },
    );
    bound = await server.token('app-acme', clients.acme);
    plain = await server.token('app-plain', clients.acme);
    gateway = await Gateway.start(envoy!, { folder, edit: (toml) => configure(toml) });
  });
  after(async () => {
    await gateway?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const configure = (toml: string): string => {
    const backend = /https:\/\/127\.0\.0\.1:\d+/.exec(toml)?.[0];
    const written = apis.map(([basePath, lines]) => {
      const [own = '', ...operations] = lines.split(/(?=\[\[apis\.operations\]\])/);
      return `[[apis]]\nname = "${basePath.slice(1)}"\nversion = "1"\nbasePath = "${basePath}"\nbackend = "${backend}"\n${own}\n${operations.join('')}\n`;
    });
    return `${toml
      .replace(demoIssuer, '')
      .replace('[router.keystore]', '[router.downstream.tls]\nmTLSAPIsEnabled = true\n\n[router.keystore]')
      .replace(
        '[[clients]]',
        `[[enforcer.security.tokenService]]
name = "real"
issuer = "${server.issuer}"
jwksURL = "${server.jwksUrl}"
jwksCaPath = "${join(folder, 'as-ca.pem')}"
audiences = ["${audience}"]

[enforcer.jwtGenerator]
enabled = true
encoding = "base64url"
publicCertificatePath = "${join(folder, 'signer.pem')}"
privateKeyPath = "${join(folder, 'signer.key')}"

[[clients]]`,
      )}
${written.join('')}`;
  };
  const by = (token: string): NonNullable<Sent['headers']> => [['authorization', `Bearer ${token}`]];

  const rows: readonly (readonly [why: string, expected: string, sent: () => Sent])[] = [
    ['a token of the real server', '200', () => ({ path: '/token', headers: by(plain) })],
    ['no token', '401 token_missing', () => ({ path: '/token' })],
    [
      'a bound token, with its certificate',
      '200',
      () => ({ path: '/token', headers: by(bound), certificate: 'acme' }),
    ],
    [
      'over HTTP/2',
      '200',
      () => ({ path: '/token', headers: by(bound), certificate: 'acme', protocol: 'h2' }),
    ],
    [
      'a bound token, with another certificate',
      '401 token_certificate_mismatch',
      () => ({ path: '/token', headers: by(bound), certificate: 'globex' }),
    ],
    [
      'a bound token, with a certificate that is none of ours',
      '401 token_certificate_mismatch',
      () => ({ path: '/token', headers: by(bound), certificate: 'stranger' }),
    ],
    [
      'a bound token, without certificate',
      '401 token_certificate_missing',
      () => ({ path: '/token', headers: by(bound) }),
    ],
    [
      'a bound token, with its certificate in a header',
      '401 token_certificate_missing',
      () => ({ path: '/token', headers: [...by(bound), gateway.headerOf('acme')] }),
    ],
    [
      'only bound tokens: a bound one',
      '200',
      () => ({ path: '/bound', headers: by(bound), certificate: 'acme' }),
    ],
    [
      'only bound tokens: another',
      '401 token_unbound',
      () => ({ path: '/bound', headers: by(plain), certificate: 'acme' }),
    ],
    ['both mandatory, both there', '200', () => ({ path: '/both', headers: by(plain), certificate: 'acme' })],
    [
      'both mandatory, no certificate',
      '401 certificate_missing',
      () => ({ path: '/both', headers: by(plain) }),
    ],
    ['both mandatory, no token', '401 token_missing', () => ({ path: '/both', certificate: 'acme' })],
    ['either: the certificate', '200', () => ({ path: '/either', certificate: 'acme' })],
    ['either: the token', '200', () => ({ path: '/either', headers: by(plain) })],
    ['either: neither', '401 credentials_missing', () => ({ path: '/either' })],
    [
      'either: a wrong certificate is refused before the token is looked at',
      '401 certificate_not_bound',
      () => ({ path: '/either', headers: by(bound), certificate: 'globex' }),
    ],
    ['an operation whose scope the token has', '200', () => ({ path: '/ops/orders/7', headers: by(plain) })],
    [
      'one whose scope it lacks',
      '403 token_scope_missing',
      () => ({ path: '/ops/orders/7', method: 'PUT', headers: by(plain) }),
    ],
    ['one that is not secured', '200', () => ({ path: '/ops/health' })],
    [
      'one that is not secured, and asks for a certificate',
      '401 certificate_missing',
      () => ({ path: '/ops/vault', headers: by(plain) }),
    ],
    ['the same, with it', '200', () => ({ path: '/ops/vault', certificate: 'acme' })],
  ];
  for (const [why, expected, sent] of rows) {
    it(`${expected}: ${why}`, async () => {
      assert.equal(await gateway.verdict(sent()), expected);
    });
  }

  it('the backend learns client, scopes and subject, and not the token', async () => {
    const headers = [
      ...by(plain),
      ['x-token-client-id', 'forged'],
      ['x_token_scopes', 'forged'],
      ['X-JWT-Assertion', 'forged'],
      ['x-client-cert-alias', 'forged'],
    ] as const;
    const { seen } = await gateway.outcome({ path: '/token', headers });
    assert.equal(seenHeader(seen, 'x-token-client-id'), 'app-plain');
    assert.equal(seenHeader(seen, 'x-token-scopes'), 'orders:read');
    assert.equal(seenHeader(seen, 'x_token_scopes'), undefined);
    assert.equal(seenHeader(seen, 'x-client-cert-alias'), undefined);
    assert.equal(seenHeader(seen, 'authorization'), undefined);
    assert.doesNotMatch(JSON.stringify(seen), /forged/);
  });

  it('the backend gets a JWT that only we can have signed', async () => {
    const { seen } = await gateway.outcome({ path: '/both', headers: by(plain), certificate: 'acme' });
    const jwt = seenHeader(seen, 'x-jwt-assertion') ?? '';
    const { payload, protectedHeader } = await jwtVerify(jwt, await importX509(signer.pem, 'RS256'));
    const dialect = (name: string): unknown => payload[`http://wso2.org/claims/${name}`];
    assert.deepEqual(
      ['apiname', 'version', 'apicontext', 'clientalias', 'tier', 'clientid', 'scope'].map(dialect),
      ['both', '1', '/both', 'acme', 'Gold', 'app-plain', 'orders:read'],
    );
    assert.equal(
      protectedHeader.x5t,
      Buffer.from(new X509Certificate(signer.pem).fingerprint.replaceAll(':', ''), 'hex').toString(
        'base64url',
      ),
    );
    const again = await gateway.outcome({ path: '/both', headers: by(plain), certificate: 'acme' });
    assert.equal(seenHeader(again.seen, 'x-jwt-assertion'), jwt, 'signed once');
  });

  it('nobody known, no JWT; and a client’s own is gone', async () => {
    const headers = [['x-jwt-assertion', 'forged']] as const;
    const { seen } = await gateway.outcome({ path: '/ops/health', headers });
    assert.equal(seenHeader(seen, 'x-jwt-assertion'), undefined);
  });

  it('a token that is not looked at does not reach the backend, Basic does', async () => {
    const unlooked = await gateway.outcome({ path: '/ops/health', headers: by(plain) });
    assert.equal(seenHeader(unlooked.seen, 'authorization'), undefined);
    const basic = await gateway.outcome({ path: '/ops/health', headers: [['authorization', 'Basic YTpi']] });
    assert.equal(seenHeader(basic.seen, 'authorization'), 'Basic YTpi');
    const wrong = await gateway.outcome({
      path: '/either',
      certificate: 'acme',
      headers: by(`${plain.slice(0, -8)}AAAAAAAA`),
    });
    assert.equal(wrong.status, 200);
    assert.equal(seenHeader(wrong.seen, 'authorization'), undefined);
    const off = await gateway.outcome({ path: '/status/now', headers: by(plain) });
    assert.equal(seenHeader(off.seen, 'authorization'), `Bearer ${plain}`);
  });

  it('denials say in WWW-Authenticate what is asked for (RFC 6750)', async () => {
    const challenge = async (sent: Sent) => String((await gateway.answer(sent)).headers['www-authenticate']);
    assert.equal(await challenge({ path: '/token' }), 'Bearer realm="Choreo Connect"');
    assert.match(
      await challenge({ path: '/token', headers: by('a.b.c') }),
      /^Bearer realm="Choreo Connect", error="invalid_token", error_description="The access token is not a JWT/,
    );
    assert.match(
      await challenge({ path: '/ops/orders/7', method: 'PUT', headers: by(plain) }),
      /^Bearer .*error="insufficient_scope".*, scope="orders:write"$/,
    );
    assert.match(
      await challenge({ path: '/either' }),
      /^Mutual SSL realm=.*, Bearer realm="Choreo Connect"$/,
    );
  });

  it('SOAP callers get a fault, gRPC callers a status, others as errorFormat says', async () => {
    const soap11 = await gateway.answer({
      path: '/token',
      method: 'POST',
      headers: [
        ['content-type', 'text/xml'],
        ['soapaction', '""'],
      ],
      body: Buffer.from('<x/>'),
    });
    assert.equal(soap11.status, 401);
    assert.match(String(soap11.headers['content-type']), /^text\/xml/);
    assert.match(soap11.body, /<faultstring>Missing Credentials<\/faultstring><detail><code>900902<\/code>/);
    const soap12 = await gateway.answer({
      path: '/ops/orders/7',
      method: 'PUT',
      headers: [['content-type', 'application/soap+xml; charset=utf-8'], ...by(plain)],
      body: Buffer.from('<x/>'),
    });
    assert.equal(soap12.status, 403);
    assert.match(soap12.body, /2003\/05\/soap-envelope.*<code>900908<\/code>/);
    const grpc = await callGrpc({
      port: gateway.stack.ports.router,
      ca: gateway.pki.routerCaPem,
      path: '/token/Do',
      headers: by('a.b.c'),
    });
    assert.equal(grpc.headers['grpc-status'], '16');
    assert.match(decodeURIComponent(String(grpc.headers['grpc-message'])), /^The access token is not a JWT/);
    const problem = await gateway.answer({ path: '/problem' });
    assert.equal(problem.headers['content-type'], 'application/problem+json');
    assert.deepEqual(JSON.parse(problem.body), {
      type: 'about:blank',
      title: 'Missing Credentials',
      status: 401,
      detail: 'This API needs an access token, and none was sent.',
      code: 'token_missing',
      number: '900902',
    });
    const usual = await gateway.answer({ path: '/token' });
    assert.deepEqual(JSON.parse(usual.body), {
      code: '900902',
      error_message: 'Missing Credentials',
      error_description:
        'Make sure your API invocation call has a header: Authorization: Bearer ACCESS_TOKEN',
    });
  });

  it('no token ever stands in the log', async () => {
    const lines = gateway.stack.enforcer.lines.join('\n');
    for (const token of [plain, bound]) {
      assert.ok(!lines.includes(token));
      assert.ok(!lines.includes(token.split('.')[2]!));
    }
    assert.match(lines, /fetched an issuer's keys/);
  });

  it('the authorization server may go away: what it signed goes on, and no request waits for it', async () => {
    await server.stop();
    assert.equal(await gateway.verdict({ path: '/token', headers: by(plain) }), '200');
    assert.equal(await gateway.stack.enforcer.reload(), 'reloaded');
    assert.equal(await gateway.verdict({ path: '/token', headers: by(plain) }), '200');
    const [head = '', ...rest] = plain.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
    const unknown = Buffer.from(JSON.stringify({ ...header, kid: 'new' })).toString('base64url');
    const began = performance.now();
    assert.equal(
      await gateway.verdict({ path: '/token', headers: by([unknown, ...rest].join('.')) }),
      '401 token_key_unknown',
    );
    assert.ok(performance.now() - began < 5000);
  });
});
