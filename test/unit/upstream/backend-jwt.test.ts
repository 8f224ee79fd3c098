import assert from 'node:assert/strict';
import { verify, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { importX509, jwtVerify } from 'jose';
import { type BackendIdentity, BackendJwtSigner } from '../../../src/upstream/backend-jwt.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';

const rsa = await selfSigned({ subject: 'CN=signer', keyAlgorithm: 'RSA-2048' });
const options = {
  certificatePem: rsa.pem,
  privateKeyPem: rsa.privateKeyPem,
  claimDialect: 'http://wso2.org/claims',
  encoding: 'base64url',
  lifetime: 900_000,
} as const;
const identity: BackendIdentity = {
  api: { name: 'Petstore', version: '1', basePath: '/petstore/1' },
  subject: 'alice',
  alias: 'acme',
  tier: 'Gold',
  clientId: 'app-1',
  scopes: ['a', 'b'],
  claims: { department: 'sales', iss: 'forged', 'http://wso2.org/claims/tier': 'forged', exp: 9_999_999_999 },
  ends: Infinity,
};
const key = await importX509(rsa.pem, 'RS256');

test('a backend JWT says what we know, whatever the token’s own claims are called', async () => {
  const { payload } = await jwtVerify(await new BackendJwtSigner(options).sign(identity, now), key, {
    currentDate: new Date(now),
  });
  assert.deepEqual(payload, {
    department: 'sales',
    iss: 'wso2.org/products/am',
    sub: 'alice',
    iat: now / 1000,
    exp: now / 1000 + 900,
    'http://wso2.org/claims/apicontext': '/petstore/1',
    'http://wso2.org/claims/apiname': 'Petstore',
    'http://wso2.org/claims/version': '1',
    'http://wso2.org/claims/enduser': 'alice',
    'http://wso2.org/claims/tier': 'Gold',
    'http://wso2.org/claims/clientalias': 'acme',
    'http://wso2.org/claims/clientid': 'app-1',
    'http://wso2.org/claims/scope': 'a b',
  });
});

test('a mapped claim never passes for ours, also where we have nothing to say', async () => {
  const dialect = 'http://wso2.org/claims';
  const claims = Object.fromEntries(
    [
      'sub',
      'aud',
      'nbf',
      'jti',
      ...['clientalias', 'tier', 'enduser', 'scope'].map((name) => `${dialect}/${name}`),
      // As case-blind readers read them; and ſ, which Go takes for an s.
      ...['Sub', 'ISS', '\u017fub', ' sub', `${dialect}/ClientAlias`, `${dialect}//tier`, `${dialect}/tier/`],
      ...[
        'HTTP://wso2.org/claims/tier',
        `${dialect}/t\uff49er`,
        `${dialect}/t\u0131er`,
        `${dialect}/t\u0130er`,
        'iss\0',
        `${dialect}/\u200btier`,
      ],
    ].map((name) => [name, 'forged']),
  );
  for (const claimDialect of [dialect, `${dialect}/`]) {
    const nobody = { ...identity, subject: undefined, alias: undefined, tier: undefined, scopes: [], claims };
    const jwt = await new BackendJwtSigner({ ...options, claimDialect }).sign(nobody, now);
    assert.doesNotMatch(Buffer.from(jwt.split('.')[1]!, 'base64url').toString(), /forged/);
  }
});

test('near the end of a token or certificate one is signed once, too', async () => {
  const signer = new BackendJwtSigner(options);
  const short = { ...identity, ends: now + 60_000 };
  const first = await signer.sign(short, now);
  assert.equal(await signer.sign(short, now + 50_000), first);
  assert.notEqual(await signer.sign(short, now + 55_000), first, 'some time is left to read it');
});

test('encoding base64: as WSO2 writes it, and the signature is over what is written', async () => {
  const jwt = await new BackendJwtSigner({ ...options, encoding: 'base64' }).sign(identity, now);
  const [head = '', body = '', signature = ''] = jwt.split('.');
  assert.equal(Buffer.from(head, 'base64').toString('base64'), head, 'with padding');
  assert.equal((JSON.parse(Buffer.from(body, 'base64').toString()) as { sub: string }).sub, 'alice');
  const { publicKey } = new X509Certificate(rsa.pem);
  assert.ok(verify('sha256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64')));
});

test('one is signed once an identity, and again near its end', async () => {
  const signer = new BackendJwtSigner(options);
  const [first, meanwhile] = await Promise.all([signer.sign(identity, now), signer.sign(identity, now)]);
  assert.equal(meanwhile, first);
  assert.equal(signer.sign({ ...identity }, now + 809_000), first, 'what is signed already is there at once');
  assert.notEqual(await signer.sign(identity, now + 811_000), first);
  assert.notEqual(await signer.sign({ ...identity, tier: 'Silver' }, now), first);
  assert.notEqual(await signer.sign({ ...identity, alias: undefined, tier: 'acme' }, now), first);
});

test('it never outlives what it rests on', async () => {
  const jwt = await new BackendJwtSigner(options).sign({ ...identity, ends: now + 60_000 }, now);
  const { payload } = await jwtVerify(jwt, key, { currentDate: new Date(now) });
  assert.equal(payload.exp, now / 1000 + 60);
});

test('a key of another kind, or of another certificate, does not sign', async () => {
  const ec = await selfSigned({ subject: 'CN=ec' });
  const other = await selfSigned({ subject: 'CN=other', keyAlgorithm: 'RSA-2048' });
  assert.throws(
    () => new BackendJwtSigner({ ...options, certificatePem: ec.pem, privateKeyPem: ec.privateKeyPem }),
    /no RSA key of 2048 bits/,
  );
  assert.throws(
    () => new BackendJwtSigner({ ...options, certificatePem: other.pem }),
    /do not belong together/,
  );
});
