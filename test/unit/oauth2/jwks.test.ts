import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { hasRepeatedMember } from '../../../src/documents/repeated-members.ts';
import { parseJwks } from '../../../src/oauth2/jwks.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

const { jwk } = createTokenIssuer(0);
const rsa2048 = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const full = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

const rows: readonly [why: string, text: string, expected: RegExp | number][] = [
  ['a set of one key', JSON.stringify({ keys: [jwk] }), 1],
  ['an issuer that has called back all keys', '{"keys":[]}', 0],
  ['no JSON', '<html>', /^is no JSON$/],
  ['a list', '[]', /no list "keys"/],
  ['keys that are an object', '{"keys":{}}', /no list "keys"/],
  ['a secret', JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA', kid: 's' }] }), /key "s" is a secret/],
  ['a private key', JSON.stringify({ keys: [full] }), /has its private part in it/],
  [
    'an RSA key whose exponent is 1, by which everybody signs',
    JSON.stringify({ keys: [{ ...rsa2048, e: 'AQ' }] }),
    /kind, size or algorithm/,
  ],
  [
    'an RSA key whose exponent is even',
    JSON.stringify({ keys: [{ ...rsa2048, e: 'Ag' }] }),
    /kind, size or algorithm/,
  ],
  ['an RSA key that is too short', JSON.stringify({ keys: [rsa1024] }), /kind, size or algorithm/],
  ['for encryption', JSON.stringify({ keys: [{ ...jwk, use: 'enc' }] }), /not for signatures/],
  ['for signing only', JSON.stringify({ keys: [{ ...jwk, key_ops: ['sign'] }] }), /not for verifying/],
  ['HMAC by a public key', JSON.stringify({ keys: [{ ...jwk, alg: 'HS256' }] }), /kind, size or algorithm/],
  ['rubbish', JSON.stringify({ keys: [{ ...jwk, x: 7 }] }), /can not be read/],
  ['too many', JSON.stringify({ keys: Array(201).fill(jwk) }), /more than 200/],
  ['one good and one not', JSON.stringify({ keys: [jwk, rsa1024] }), 2],
];
for (const [why, text, expected] of rows) {
  test(`JWKS: ${why}`, () => {
    const read = parseJwks(text);
    if (typeof expected === 'number') assert.equal(typeof read === 'object' && read.keys.length, expected);
    else assert.match(String(read), expected);
  });
}

const members: readonly [json: string, repeated: boolean][] = [
  ['{"a":1,"b":{"a":2}}', false],
  ['{"a":1,"a":2}', true],
  ['{"a":[{"b":1},{"b":2}]}', false],
  ['{"a":{"b":1,"b":2}}', true],
  ['{"a":"a","b":"a"}', false],
  ['{"a":["x","x"],"x":1}', false],
  ['{"a":"{\\"a\\":1,\\"a\\":2}"}', false],
  ['{"\\u0061":1,"a":2}', true],
  ['["a","a"]', false],
  ['{}', false],
];
for (const [json, repeated] of members) {
  test(`${json} ${repeated ? 'says something twice' : 'says everything once'}`, () =>
    assert.equal(hasRepeatedMember(json), repeated));
}
