import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { test } from 'node:test';
import { createAuthority, now, selfSigned } from '../../support/certificate-authority.ts';
import { load, outcome } from '../../support/enforcer.ts';
import { createTokenIssuer, signToken } from '../../support/token-issuer.ts';

const idp = createTokenIssuer(now);
const authority = await createAuthority({ subject: 'CN=CA' });
const acme = await authority.issue({ subject: 'CN=acme' });
const signer = await selfSigned({ subject: 'CN=idp', keyAlgorithm: 'RSA-2048' });
const ecSigner = await selfSigned({ subject: 'CN=idp' });
const files = {
  'jwks.json': idp.jwks,
  'bad.json': '{}',
  'acme.pem': acme.pem,
  'idp.pem': signer.pem,
  'idp.key': signer.privateKeyPem,
  'ec.pem': ecSigner.pem,
  'ec.key': ecSigner.privateKeyPem,
};
const service = (lines = 'jwksPath = "jwks.json"\naudiences = ["https://api.test"]', name = 'idp'): string =>
  `[[enforcer.security.tokenService]]\nname = "${name}"\nissuer = "https://${name}.test"\n${lines}\n`;
const api = (lines = 'mutualSSL = "off"\napplicationSecurity = "mandatory"'): string =>
  `[[apis]]\nname = "n"\nversion = "1"\nbasePath = "/n"\n${lines}\n`;
const operations = (count: number, keys = ''): string =>
  Array.from({ length: count }, (_, i) => `[[apis.operations]]\npath = "/${i}"\n${keys}`).join('');

const wrong: readonly [why: string, toml: string, message: RegExp][] = [
  [
    'no issuer at all',
    api(),
    /apis\[0\]: "n" asks for access tokens, but nobody who issues them is known; write \[\[enforcer\.security\.tokenService\]\]/,
  ],
  [
    'no issuer at all, for an API with operations: one error',
    api(`mutualSSL = "off"\napplicationSecurity = "mandatory"\n${operations(16)}`),
    /^Error: (?!.*\n)\S+: apis\[0\]: "n" asks for access tokens, but nobody who issues them is known; .* \(16 of its operations as well\)$/,
  ],
  [
    'no issuer at all, for operations alone',
    api(`mutualSSL = "off"\n${operations(2, 'applicationSecurity = "mandatory"\n')}`),
    /^Error: (?!.*\n)\S+: apis\[0\]: "n" asks for access tokens, .* \(2 of its operations as well\)$/,
  ],
  [
    'one that is not there, for an API with operations: one error',
    service() +
      api(`mutualSSL = "off"\napplicationSecurity = "mandatory"\nissuers = ["ipd"]\n${operations(3)}`),
    /^Error: (?!.*\n)\S+: apis\[0\]\.issuers\[0\]: found "ipd"/,
  ],
  [
    'one that is not there, for two operations: each is told, where it stands',
    service() +
      api(`mutualSSL = "off"\n${operations(2, 'applicationSecurity = "mandatory"\nissuers = ["ipd"]\n')}`),
    /operations\[0\]\.issuers\[0\]: found "ipd".*\n.*operations\[1\]\.issuers\[0\]: found "ipd"/,
  ],
  [
    'several, and none chosen',
    service() + service(undefined, 'other') + api(),
    /several who issue them; write issuers = \["…"\], of "idp", "other"/,
  ],
  [
    'one that is not there',
    service() + api('mutualSSL = "off"\napplicationSecurity = "mandatory"\nissuers = ["ipd"]'),
    /apis\[0\]\.issuers\[0\]: found "ipd", which no tokenService is called; did you mean "idp"\?/,
  ],
  [
    'an issuer without keys',
    service('') + api(),
    /tokenService\[0\]: "idp" has no keys to verify its tokens by; write jwksURL, jwksPath or certificateFilePath/,
  ],
  ['two of one name', service() + service() + api(), /tokenService\[1\]\.name: found "idp" a second time/],
  [
    'two places of keys',
    service('jwksPath = "jwks.json"\njwksURL = "https://idp.test/jwks"') + api(),
    /jwksPath: found beside jwksURL; write one of them/,
  ],
  [
    'a JWKS that is none',
    service('jwksPath = "bad.json"') + api(),
    /jwksPath: found "bad\.json", which is no JWK Set/,
  ],
  [
    'an algorithm that is never good',
    service('jwksPath = "jwks.json"\nalgorithms = ["none"]') + api(),
    /algorithms\[0\]: found "none"; write one of "RS256"/,
  ],
  [
    'an issuer with a blank at its end, which no token has',
    service().replace(/issuer = "([^"]*)"/, 'issuer = "$1 "') + api(),
    /issuer: found .*; write it without blanks around it/,
  ],
  [
    'an issuer that is empty: one thing is wrong with it, not two',
    service().replace(/issuer = "[^"]*"/, 'issuer = ""') + api(),
    /issuer: found ""; write the issuer(?!.*without blanks)/s,
  ],
  [
    'HMAC',
    service('jwksPath = "jwks.json"\nalgorithms = ["HS256"]') + api(),
    /algorithms\[0\]: found "HS256"; write one of/,
  ],
  [
    'subscriptions that nobody can look up',
    service('jwksPath = "jwks.json"\nvalidateSubscription = true') + api(),
    /"n" takes tokens of "idp", which has validateSubscription = true.*write consumerKeys/,
  ],
  [
    'scopes where no token is asked for',
    service() + api('mutualSSL = "off"\nscopes = ["a"]'),
    /apis\[0\]\.scopes: found beside applicationSecurity = "off"/,
  ],
  [
    'scopes of an operation that is not secured',
    service() +
      api(
        'mutualSSL = "off"\napplicationSecurity = "mandatory"\n[[apis.operations]]\npath = "/x"\nsecured = false\nscopes = ["a"]',
      ),
    /operations\[0\]\.scopes: found where no token is asked for/,
  ],
  [
    'an unsigned JWT for the backend',
    '[enforcer.jwtGenerator]\nsigningAlgorithm = "NONE"\n',
    /jwtGenerator\.signingAlgorithm: found "NONE"; write "SHA256withRSA"; an unsigned JWT could be anybody’s/,
  ],
  [
    'a JWT for the backend without its key',
    '[enforcer.jwtGenerator]\nenabled = true\n',
    /jwtGenerator\.publicCertificatePath: found "\/home\/wso2\/security\/truststore\/mg\.pem", which does not exist.*jwtGenerator\.privateKeyPath: found "\/home\/wso2\/security\/keystore\/mg\.key", which does not exist/s,
  ],
  [
    'one whose key is no RSA key',
    '[enforcer.jwtGenerator]\nenable = true\npublicCertificatePath = "ec.pem"\nprivateKeyPath = "ec.key"\n',
    /privateKeyPath: found "ec\.key", which can not be used to sign with publicCertificatePath: the key is no RSA key/,
  ],
  [
    'on and off at once',
    '[enforcer.jwtGenerator]\nenable = true\nenabled = false\n',
    /jwtGenerator\.enable: found true, and enabled = false, which means the same; write one/,
  ],
  ...['sub', 'exp', 'http://wso2.org/claims/clientalias', 'http://wso2.org/claims/scope'].map(
    (claim): [string, string, RegExp] => [
      `a claim mapped to our own ${claim}`,
      `${service(`jwksPath = "jwks.json"\naudiences = ["x"]\nclaimMapping = [{ remoteClaim = "a", localClaim = "${claim}" }]`)}`,
      /tokenService\[0\]\.claimMapping\[0\]\.localClaim: found "[^"]*", by which the backend's JWT says what was verified here; write another name/,
    ],
  ),
  [
    'a JWT header that is an identity header',
    '[enforcer.jwtGenerator]\nheader = "x-token-subject"\n',
    /jwtGenerator\.header: found "x-token-subject", which tokenSubjectHeader has already/,
  ],
];
for (const [why, toml, message] of wrong) {
  test(`${why} is an error`, () => assert.throws(() => load(toml, files), message));
}

const databases: readonly [url: string, warned: boolean][] = [
  ['postgres://reader:pw@db.example.com/apim', true],
  ['postgres://reader:pw@db.example.com/apim?sslmode=disable', true],
  ['postgres://reader:pw@db.example.com/apim?sslmode=no-verify', true],
  ['postgres://reader:pw@db.example.com/apim?uselibpqcompat=true&sslmode=require', true],
  ['postgres://reader:pw@db.example.com/apim?sslmode=require', false],
  ['postgres://reader:pw@db.example.com/apim?sslmode=verify-full', false],
  ['postgres://reader:pw@127.0.0.1/apim', false],
  ['postgres://reader:pw@[::1]/apim', false],
];
for (const [url, warned] of databases) {
  test(`${url}: ${warned ? 'warned about, since it can be forged on the way' : 'no warning'}`, () => {
    const { warnings } = load(
      `[[definitions]]\nkind = "api-manager"\npath = "readme.txt"\ndatabase = "${url}"\n`,
      { 'readme.txt': '' },
    );
    const told = warnings.filter(({ key }) => key === 'definitions[0].database');
    assert.equal(told.length, warned ? 1 : 0);
    assert.doesNotMatch(JSON.stringify(warnings), /pw/);
    if (warned)
      assert.match(
        told[0]!.message,
        /^found "postgres:\/\/reader@db\.example\.com\/apim…", without TLS that verifies/,
      );
  });
}

const bearer = (token: string) => ({ path: '/n', headers: [['authorization', `Bearer ${token}`]] }) as const;

test("Choreo Connect's own file: its tokens are of type JWT, or of none", async () => {
  const toml = (own: string): string =>
    `${own}[[enforcer.security.tokenService]]\nname = "Resident Key Manager"\nissuer = "https://idp.test"\ncertificateAlias = "wso2carbon"\njwksURL = ""\nvalidateSubscription = false\nconsumerKeyClaim = "azp"\ncertificateFilePath = "idp.pem"\n[[enforcer.security.tokenService.claimMapping]]\nremoteClaim = "department"\nlocalClaim = "dept"\n${api()}`;
  const whole = load(toml('[adapter]\nport = 1\n'), files);
  const token = (typ: string | undefined) => signedBy(signer.privateKeyPem, typ);
  assert.equal(await outcome(bearer(token('JWT')), whole.snapshot), 'token');
  assert.equal(await outcome(bearer(token(undefined)), whole.snapshot), 'token');
  const ours = load(toml(''), files);
  assert.equal(await outcome(bearer(token('JWT')), ours.snapshot), 'token_type_refused');
  assert.equal(await outcome(bearer(token('at+jwt')), ours.snapshot), 'token');
});

test('of two keys and a certificate, a kid says which: the JWKS; without it, the certificate', async () => {
  const toml =
    service('jwksPath = "jwks.json"\ncertificateFilePath = "idp.pem"\naudiences = ["https://api.test"]') +
    api();
  const { snapshot } = load(toml, files);
  assert.equal(await outcome(bearer(idp.token()), snapshot), 'token');
  assert.equal(await outcome(bearer(signedBy(signer.privateKeyPem, 'at+jwt')), snapshot), 'token');
  assert.equal(await outcome(bearer(idp.token({}, { kid: undefined })), snapshot), 'token_key_unknown');
});

test('an operation’s own scopes, issuers and audiences take the place of the API’s; bound tokens add up', async () => {
  const toml = `${service()}${api(`mutualSSL = "off"
applicationSecurity = "mandatory"
scopes = ["api"]
certificateBoundTokens = "required"
[[apis.operations]]
path = "/own"
scopes = ["orders:read"]
certificateBoundTokens = "off"
[[apis.operations]]
path = "/any"
scopes = ["x", "orders:read"]
scopesMatch = "any"
audiences = ["other"]
[[apis.operations]]
path = "/open"
secured = false
[[apis.operations]]
path = "/maybe"
applicationSecurity = "optional"`)}`;
  const { snapshot } = load(toml, files);
  const call = (path: string, claims: object = {}) =>
    outcome({ ...bearer(idp.token(claims as Record<string, unknown>)), path: `/n${path}` }, snapshot);
  assert.equal(await call('/own'), 'token_unbound');
  assert.equal(await call('/any'), 'token_audience_wrong');
  assert.equal(await call('/open'), 'allowed');
  assert.equal(await call('/maybe', { scope: 'none' }), 'allowed');
});

function signedBy(pem: string, typ: string | undefined): string {
  return signToken(
    { alg: 'RS256', ...(typ && { typ }) },
    { iss: 'https://idp.test', aud: 'https://api.test', exp: now / 1000 + 60, azp: 'app-1' },
    createPrivateKey(pem),
  );
}
