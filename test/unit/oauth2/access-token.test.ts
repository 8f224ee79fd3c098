import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { Header } from '../../../src/attributes.ts';
import { judgeAccessToken } from '../../../src/oauth2/access-token.ts';
import { algorithms } from '../../../src/oauth2/algorithms.ts';
import { readBearerToken } from '../../../src/oauth2/bearer-token.ts';
import type { Possession } from '../../../src/oauth2/confirmation.ts';
import type { Issuer, TokenPolicy } from '../../../src/oauth2/issuer.ts';
import { issuerKeys } from '../../../src/oauth2/issuer-keys.ts';
import { SignatureLimit } from '../../../src/oauth2/signature-limit.ts';
import { request } from '../../support/attributes.ts';
import { createTokenIssuer, part, signToken } from '../../support/token-issuer.ts';

const now = Date.UTC(2026, 5, 1);
const seconds = now / 1000;
const idp = createTokenIssuer(now);
const rsaIdp = createTokenIssuer(now, { kid: 'rsa', kind: 'RS256' });
const stranger = createTokenIssuer(now);

const issuer: Issuer = {
  name: 'idp',
  issuer: idp.issuer,
  keys: issuerKeys({ jwks: () => keys, refresh: () => {} }, undefined),
  signatureLimit: new SignatureLimit(),
  algorithms: new Set(algorithms),
  tokenTypes: new Set(['at+jwt']),
  audiences: new Set(['https://api.test']),
  clockSkew: 5000,
  clientClaims: ['azp', 'client_id'],
  scopeClaims: ['scope', 'scp'],
  boundTokens: undefined,
  takesHexThumbprint: false,
  claimMapping: new Map(),
};
const keys = [idp.jwk, rsaIdp.jwk];
const policy: TokenPolicy = {
  issuers: new Map([[issuer.issuer, issuer]]),
  audiences: undefined,
  scopes: [],
  scopesMatch: 'all',
  consumerKeys: undefined,
  boundTokens: undefined,
};
const sha256 = '5c'.repeat(32);
const thumbprint = Buffer.from(sha256, 'hex').toString('base64url');
const owner: Possession = { kind: 'certificate', sha256, notBefore: now - 1, notAfter: now + 1 };

type Changes = {
  readonly issuer?: Partial<Issuer>;
  readonly policy?: Partial<TokenPolicy>;
  readonly possession?: Possession;
  readonly at?: number;
  readonly header?: string;
  readonly headers?: readonly Header[];
};
async function judge(token: string, changes: Changes = {}): Promise<string> {
  const own = { ...issuer, ...changes.issuer };
  const name = changes.header ?? 'authorization';
  const headers = changes.headers ?? [[name, `Bearer ${token}`]];
  const verdict = await judgeAccessToken(
    readBearerToken(request({ headers }), { name, forward: false }),
    { ...policy, issuers: new Map([[own.issuer, own]]), ...changes.policy },
    () => changes.possession ?? { kind: 'none' },
    changes.at ?? now,
  );
  return verdict.kind === 'wrong' || verdict.kind === 'stolen'
    ? `${verdict.kind}: ${verdict.code}`
    : verdict.kind;
}

const good = idp.token();
const [head = '', body = '', signature = ''] = good.split('.');
const hs256 = (): string => {
  const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'key-1' })}.${body}`;
  const secret = idp.publicKey.export({ type: 'spki', format: 'pem' });
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const embedded = (header: Record<string, unknown>): string =>
  signToken(
    { alg: 'ES256', typ: 'at+jwt', ...header },
    JSON.parse(Buffer.from(body, 'base64url').toString()),
    own.privateKey,
  );

const attacks: readonly [why: string, token: string, expected: string][] = [
  [
    'not signed at all (RFC 8725 3.1)',
    `${part({ alg: 'none', typ: 'at+jwt' })}.${body}.`,
    'token_algorithm_refused',
  ],
  [
    'alg none, the signature kept',
    `${part({ alg: 'none', typ: 'at+jwt' })}.${body}.${signature}`,
    'token_algorithm_refused',
  ],
  ['alg nOnE', `${part({ alg: 'nOnE', typ: 'at+jwt' })}.${body}.`, 'token_algorithm_refused'],
  ['HMAC with the public key as its secret (RFC 8725 2.1)', hs256(), 'token_algorithm_refused'],
  ['an algorithm of another kind of key', idp.token({}, { alg: 'RS256' }), 'token_key_unknown'],
  [
    'an algorithm of the same kind that the key is not for',
    idp.token({}, { alg: 'ES384' }),
    'token_key_unknown',
  ],
  [
    'a key of its own in jwk',
    embedded({ kid: 'key-1', jwk: own.publicKey.export({ format: 'jwk' }) }),
    'token_signature_invalid',
  ],
  [
    'a key of its own in jwk, and no kid',
    embedded({ jwk: own.publicKey.export({ format: 'jwk' }) }),
    'token_signature_invalid',
  ],
  ['a set of its own in jku', embedded({ kid: 'evil', jku: 'https://evil.test/jwks' }), 'token_key_unknown'],
  [
    'a certificate of its own in x5c',
    embedded({ kid: 'key-1', x5c: ['AAAA'], x5u: 'https://evil.test' }),
    'token_signature_invalid',
  ],
  ['a kid that is a path', idp.token({}, { kid: '../../../../dev/null' }), 'token_key_unknown'],
  ['a kid that is a member of every object', idp.token({}, { kid: '__proto__' }), 'token_key_unknown'],
  ['a kid that is no text', idp.token({}, { kid: { a: 1 } }), 'token_malformed'],
  ['a critical header (RFC 7515 4.1.11)', idp.token({}, { crit: ['exp'] }), 'token_extension_refused'],
  ['crit that names nothing', idp.token({}, { crit: [] }), 'token_extension_refused'],
  ['an unencoded payload (RFC 7797)', idp.token({}, { b64: false }), 'token_extension_refused'],
  ['longer than any header', idp.token({ pad: 'x'.repeat(20_000) }), 'token_too_long'],
  [
    'a claim twice',
    signToken(
      head && JSON.parse(Buffer.from(head, 'base64url').toString()),
      `{"iss":"${idp.issuer}","exp":9999999999,"exp":1,"aud":"https://api.test"}`,
      idp.privateKey,
    ),
    'token_member_repeated',
  ],
  [
    'a claim twice, once with an escape',
    signToken(
      { alg: 'ES256', typ: 'at+jwt', kid: 'key-1' },
      `{"iss":"${idp.issuer}","exp":9999999999,"\\u0065xp":1}`,
      idp.privateKey,
    ),
    'token_member_repeated',
  ],
  [
    'a header member twice',
    signToken('{"alg":"ES256","alg":"none","typ":"at+jwt"}', {}, idp.privateKey),
    'token_member_repeated',
  ],
  ['signed by another', stranger.token(), 'token_signature_invalid'],
  [
    'its claims changed',
    `${head}.${part({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), sub: 'mallory' })}.${signature}`,
    'token_signature_invalid',
  ],
  ['its signature cut', good.slice(0, -6), 'token_signature_invalid'],
  ['no signature', `${head}.${body}.`, 'token_signature_invalid'],
  [
    'ES256 with a signature of zeros',
    `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    'token_signature_invalid',
  ],
  [
    'another last character of the same signature',
    `${head}.${body}.${signature.slice(0, -1)}${signature.endsWith('B') ? 'C' : 'B'}`,
    'token_malformed',
  ],
  ['padding', `${head}.${body}.${signature}==`, 'token_malformed'],
  ['two parts', `${head}.${body}`, 'token_malformed'],
  ['five parts (JWE)', `${head}.${body}.${signature}.${signature}.${signature}`, 'token_malformed'],
  ['an opaque token', '0ee9aa70-d631-3401-b152-521b431036ca', 'token_malformed'],
  ['a header that is no JSON', `${part('no')}.${body}.${signature}`, 'token_malformed'],
  ['a header that is a list', `${part([])}.${body}.${signature}`, 'token_malformed'],
  ['no alg', `${part({ typ: 'at+jwt' })}.${body}.${signature}`, 'token_malformed'],
  [
    'bytes that are no UTF-8',
    `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${body}.${signature}`,
    'token_malformed',
  ],
  ['nested deeper than anything', `${head}.${part('['.repeat(6000))}.${signature}`, 'token_malformed'],
  ['an ID token', idp.token({}, { typ: 'JWT' }), 'token_type_refused'],
  ['no typ', idp.token({}, { typ: undefined }), 'token_type_refused'],
  ['a typ that is called none', idp.token({}, { typ: 'none' }), 'token_type_refused'],
  ['another issuer', idp.token({ iss: 'https://evil.test' }), 'token_issuer_unknown'],
  ['an issuer with a slash more', idp.token({ iss: `${idp.issuer}/` }), 'token_issuer_unknown'],
  ['an issuer that is a list', idp.token({ iss: [idp.issuer] }), 'token_issuer_unknown'],
  ['no issuer', idp.token({ iss: undefined }), 'token_issuer_unknown'],
  ['an unknown kid', idp.token({}, { kid: 'key-2' }), 'token_key_unknown'],
  ['expired', idp.token({ exp: seconds - 6 }), 'token_expired'],
  ['no exp', idp.token({ exp: undefined }), 'token_claims_malformed'],
  ['an exp that is a text', idp.token({ exp: '9999999999' }), 'token_claims_malformed'],
  [
    'an exp beyond all numbers',
    signToken(
      { alg: 'ES256', typ: 'at+jwt', kid: 'key-1' },
      `{"iss":"${idp.issuer}","exp":1e999}`,
      idp.privateKey,
    ),
    'token_claims_malformed',
  ],
  ['not yet valid', idp.token({ nbf: seconds + 6 }), 'token_not_yet_valid'],
  ['an nbf that is a date', idp.token({ nbf: '2026' }), 'token_claims_malformed'],
  ['another audience', idp.token({ aud: 'https://other.test' }), 'token_audience_wrong'],
  ['no audience', idp.token({ aud: undefined }), 'token_audience_wrong'],
  ['an audience that is a number', idp.token({ aud: 7 }), 'token_claims_malformed'],
  ['a client that is an object', idp.token({ azp: {} }), 'token_claims_malformed'],
  ['a scope that is a number', idp.token({ scope: 7 }), 'token_claims_malformed'],
];
for (const [why, token, expected] of attacks) {
  test(`${expected}: ${why}`, async () => assert.equal(await judge(token), `wrong: ${expected}`));
}

const fine: readonly [why: string, token: string, changes?: Changes][] = [
  ['as RFC 9068 has it', good],
  ['the long form of its type', idp.token({}, { typ: 'application/AT+JWT' })],
  ['without kid, where only one key fits', idp.token({}, { kid: undefined })],
  ['by an RSA key', rsaIdp.token()],
  ['a jwk that it carries is not looked at', idp.token({}, { jwk: own.publicKey.export({ format: 'jwk' }) })],
  ['a list of audiences', idp.token({ aud: ['https://other.test', 'https://api.test'] })],
  ['just before its end, the clocks differ', idp.token({ exp: seconds - 4 })],
  ['just before its beginning', idp.token({ nbf: seconds + 4 })],
  [
    'the audience of the API in place of the issuer’s',
    idp.token({ aud: 'x' }),
    { policy: { audiences: new Set(['x']) } },
  ],
  ['no audience asked for', idp.token({ aud: undefined }), { issuer: { audiences: new Set() } }],
  [
    'type JWT, where it is taken',
    idp.token({}, { typ: 'JWT' }),
    { issuer: { tokenTypes: new Set(['jwt']) } },
  ],
  [
    'no type, where none is taken',
    idp.token({}, { typ: undefined }),
    { issuer: { tokenTypes: new Set(['none']) } },
  ],
  ['scopes as a list', idp.token({ scope: ['a', 'b'] }), { policy: { scopes: ['b', 'a'] } }],
  [
    'one of several scopes',
    idp.token({ scope: 'b' }),
    { policy: { scopes: ['a', 'b'], scopesMatch: 'any' } },
  ],
  ['a client that may call', good, { policy: { consumerKeys: new Set(['app-1']) } }],
];
for (const [why, token, changes] of fine) {
  test(`verified: ${why}`, async () => assert.equal(await judge(token, changes), 'verified'));
}

const policies: readonly [why: string, token: string, changes: Changes, expected: string][] = [
  [
    'an algorithm that is not listed',
    good,
    { issuer: { algorithms: new Set(['RS256']) } },
    'token_algorithm_refused',
  ],
  ['a scope missing', good, { policy: { scopes: ['orders:read', 'orders:write'] } }, 'token_scope_missing'],
  [
    'a scope that is part of another',
    idp.token({ scope: 'orders:readall' }),
    { policy: { scopes: ['orders:read'] } },
    'token_scope_missing',
  ],
  [
    'none of several scopes',
    good,
    { policy: { scopes: ['a', 'b'], scopesMatch: 'any' } },
    'token_scope_missing',
  ],
  ['another client', good, { policy: { consumerKeys: new Set(['app-2']) } }, 'token_client_refused'],
  [
    'no client named',
    idp.token({ client_id: undefined }),
    { policy: { consumerKeys: new Set(['app-1']) } },
    'token_client_refused',
  ],
  [
    'azp before client_id',
    idp.token({ azp: 'app-9' }),
    { policy: { consumerKeys: new Set(['app-1']) } },
    'token_client_refused',
  ],
  ['no issuer taken', good, { policy: { issuers: new Map() } }, 'token_issuer_unknown'],
];
for (const [why, token, changes, expected] of policies) {
  test(`${expected}: ${why}`, async () => assert.equal(await judge(token, changes), `wrong: ${expected}`));
}

const bound = idp.token({ cnf: { 'x5t#S256': thumbprint } });
const other: Possession = { kind: 'certificate', sha256: 'ab'.repeat(32), notBefore: 0, notAfter: now + 1 };
const bindings: readonly [why: string, token: string, changes: Changes, expected: string][] = [
  ['bound, with its certificate', bound, { possession: owner }, 'verified'],
  ['bound, without any', bound, {}, 'stolen: token_certificate_missing'],
  ['bound, with another', bound, { possession: other }, 'stolen: token_certificate_mismatch'],
  [
    'bound, with one that can not be read',
    bound,
    { possession: { kind: 'unreadable', detail: 'x' } },
    'stolen: token_certificate_unusable',
  ],
  [
    'bound, its certificate expired',
    bound,
    { possession: { ...owner, notAfter: now - 1 } },
    'stolen: token_certificate_not_current',
  ],
  [
    'bound, its certificate not valid yet',
    bound,
    { possession: { ...owner, notBefore: now + 1 } },
    'stolen: token_certificate_not_current',
  ],
  [
    'cnf that is null',
    idp.token({ cnf: null }),
    { possession: owner },
    'stolen: token_confirmation_malformed',
  ],
  [
    'cnf that is a text',
    idp.token({ cnf: thumbprint }),
    { possession: owner },
    'stolen: token_confirmation_malformed',
  ],
  [
    'bound in another way (DPoP)',
    idp.token({ cnf: { jkt: thumbprint } }),
    { possession: owner },
    'stolen: token_confirmation_unsupported',
  ],
  ['cnf of nothing', idp.token({ cnf: {} }), { possession: owner }, 'stolen: token_confirmation_unsupported'],
  [
    'a thumbprint with padding',
    idp.token({ cnf: { 'x5t#S256': `${thumbprint}=` } }),
    { possession: owner },
    'stolen: token_confirmation_malformed',
  ],
  [
    'a thumbprint in hex',
    idp.token({ cnf: { 'x5t#S256': sha256 } }),
    { possession: owner },
    'stolen: token_confirmation_malformed',
  ],
  [
    'a thumbprint in hex, where it is taken',
    idp.token({ cnf: { 'x5t#S256': sha256.toUpperCase() } }),
    { possession: owner, issuer: { takesHexThumbprint: true } },
    'verified',
  ],
  [
    'a thumbprint that is a list',
    idp.token({ cnf: { 'x5t#S256': [thumbprint] } }),
    { possession: owner },
    'stolen: token_confirmation_malformed',
  ],
  ['not bound, where it need not be', good, {}, 'verified'],
  ['not bound, where it must be', good, { policy: { boundTokens: 'required' } }, 'wrong: token_unbound'],
  [
    'not bound, where its issuer says it must be',
    good,
    { issuer: { boundTokens: 'required' }, policy: { boundTokens: 'off' } },
    'wrong: token_unbound',
  ],
  ['bound, where nobody looks', bound, { issuer: { boundTokens: 'off' } }, 'verified'],
  [
    'bound, where only one of two does not look',
    bound,
    { issuer: { boundTokens: 'off' }, policy: { boundTokens: 'when-present' } },
    'stolen: token_certificate_missing',
  ],
  [
    'bound to another, and a scope missing: the theft is what counts',
    bound,
    { possession: other, policy: { scopes: ['x'] } },
    'stolen: token_certificate_mismatch',
  ],
  [
    'bound and expired: what it says is worth nothing',
    idp.token({ cnf: { 'x5t#S256': thumbprint }, exp: 1 }),
    {},
    'wrong: token_expired',
  ],
];
for (const [why, token, changes, expected] of bindings) {
  test(`RFC 8705: ${expected}: ${why}`, async () => assert.equal(await judge(token, changes), expected));
}

test('RFC 8705: the example of its section 3.1, which has two bits set that no SHA-256 has', async () => {
  const cnf = { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' };
  const hex = '6f070ad1eb1cdc0082dc3076639fe5112b1713ca3d96d734e4ef3d8dd37e760d';
  assert.equal(await judge(idp.token({ cnf }), { possession: { ...owner, sha256: hex } }), 'verified');
  assert.equal(await judge(idp.token({ cnf }), { possession: owner }), 'stolen: token_certificate_mismatch');
});

const sent: readonly [why: string, headers: readonly Header[], expected: string, header?: string][] = [
  ['no header', [], 'none'],
  ['Bearer in any case', [['authorization', `bearer ${good}`]], 'verified'],
  ['several spaces', [['authorization', `Bearer   ${good} `]], 'verified'],
  ['another scheme', [['authorization', 'Basic YTpi']], 'none'],
  ['another scheme with a token in it', [['authorization', `DPoP ${good}`]], 'none'],
  ['Bearer and nothing', [['authorization', 'Bearer']], 'wrong: token_malformed'],
  ['Bearer and two words', [['authorization', `Bearer ${good} x`]], 'wrong: token_malformed'],
  ['a token without Bearer', [['authorization', good]], 'wrong: token_malformed'],
  [
    'twice',
    [
      ['authorization', `Bearer ${good}`],
      ['authorization', `Bearer ${good}`],
    ],
    'wrong: token_repeated',
  ],
  [
    'twice, of which one is Basic',
    [
      ['authorization', `Bearer ${good}`],
      ['authorization', 'Basic YTpi'],
    ],
    'wrong: token_repeated',
  ],
  ['twice, joined on the way', [['authorization', `Bearer ${good},Bearer ${good}`]], 'wrong: token_repeated'],
  ['Bearer and a tab', [['authorization', `Bearer\t${good}`]], 'wrong: token_malformed'],
  [
    'Bearer and a tab, and something behind it',
    [['authorization', `Bearer\t${good} x`]],
    'wrong: token_malformed',
  ],
  ['Bearer and a comma', [['authorization', `Bearer,${good} x`]], 'wrong: token_repeated'],
  ['Bearer in quotes', [['authorization', `"Bearer" ${good}`]], 'wrong: token_malformed'],
  ['a token without Bearer, and a word', [['authorization', `${good} x`]], 'wrong: token_malformed'],
  [
    'twice, joined on the way, the first of another scheme',
    [['authorization', `Basic YTpi,Bearer ${good}`]],
    'wrong: token_repeated',
  ],
  [
    'another scheme with a list of its own',
    [['authorization', 'Digest username="a", realm="bearers"']],
    'none',
  ],
  ['in a header of its own', [['x-token', `Bearer ${good}`]], 'verified', 'x-token'],
  ['in a header of its own, without Bearer', [['x-token', good]], 'verified', 'x-token'],
  [
    'in Authorization, where another header is meant',
    [['authorization', `Bearer ${good}`]],
    'none',
    'x-token',
  ],
  ['rubbish in a header of its own', [['x-token', 'a b c']], 'wrong: token_malformed', 'x-token'],
];
for (const [why, headers, expected, header] of sent) {
  test(`${expected}: ${why}`, async () =>
    assert.equal(await judge('', { headers, ...(header && { header }) }), expected));
}

test('a key that leaves the JWKS takes with it what was verified by it; one that stays keeps it', async () => {
  let jwks: readonly unknown[] | undefined = [idp.jwk];
  let refreshes = 0;
  const changes: Changes = {
    issuer: { keys: issuerKeys({ jwks: () => jwks, refresh: () => refreshes++ }, undefined) },
  };
  const rotated = createTokenIssuer(now, { kid: 'key-2' });
  assert.equal(await judge(good, changes), 'verified');
  assert.equal(await judge(rotated.token(), changes), 'wrong: token_key_unknown');
  assert.equal(refreshes, 1, 'an unknown key asks for newer ones');
  jwks = [idp.jwk, rotated.jwk];
  assert.equal(await judge(rotated.token(), changes), 'verified');
  assert.equal(await judge(good, changes), 'verified');
  jwks = [rotated.jwk];
  assert.equal(await judge(good, changes), 'wrong: token_key_unknown');
  jwks = undefined;
  assert.equal(await judge(good, changes), 'wrong: token_keys_unavailable');
});

test('beyond the ceiling unseen tokens are refused at once, forged ones and good ones, and those that are known go on', async () => {
  const known = idp.token();
  assert.equal(await judge(known), 'verified');
  const limited = { issuer: { signatureLimit: new SignatureLimit({ perSecond: 1 }) } };
  const forged = stranger.token({ iss: idp.issuer });
  assert.equal(await judge(forged, limited), 'wrong: token_signature_invalid');
  const refused = judgeAccessToken(
    readBearerToken(request({ headers: [['authorization', `Bearer ${idp.token({ sub: 'new' })}`]] }), {
      name: 'authorization',
      forward: false,
    }),
    { ...policy, issuers: new Map([[issuer.issuer, { ...issuer, ...limited.issuer }]]) },
    () => ({ kind: 'none' }),
    now,
  );
  assert.ok(!(refused instanceof Promise), 'nothing is waited for');
  assert.equal(refused.kind === 'wrong' && refused.code, 'token_checks_limited');
  assert.equal(await judge(known, limited), 'verified');
  assert.equal(await judge(idp.token({ sub: 'new' }), { ...limited, at: now + 1000 }), 'verified');
});

test('a remembered signature does not keep a token alive', async () => {
  const token = idp.token({ exp: seconds + 60 });
  assert.equal(await judge(token), 'verified');
  assert.equal(await judge(token, { at: now + 66_000 }), 'wrong: token_expired');
});

const { alg: _, ...withoutAlg } = rsaIdp.jwk;
const namesake = createTokenIssuer(now, { kid: 'rsa', kind: 'RS256' });
const nth = (n: number) => Array.from({ length: n }, () => createTokenIssuer(now).jwk);
const noKid = { kid: undefined };
const sets: readonly [why: string, jwks: readonly unknown[], token: string, expected: string][] = [
  ['the same key twice', [rsaIdp.jwk, rsaIdp.jwk], rsaIdp.token(), 'verified'],
  ['the same key, once with x5c', [rsaIdp.jwk, { ...rsaIdp.jwk, x5c: ['MIIC'] }], rsaIdp.token(), 'verified'],
  ['the same key, once without alg', [withoutAlg, rsaIdp.jwk], rsaIdp.token(), 'verified'],
  [
    'the same key for two algorithms',
    [rsaIdp.jwk, { ...rsaIdp.jwk, alg: 'PS256' }],
    rsaIdp.token(),
    'verified',
  ],
  [
    'the same key under two kids, and none asked for',
    [rsaIdp.jwk, { ...rsaIdp.jwk, kid: 'b' }],
    rsaIdp.token({}, noKid),
    'verified',
  ],
  ['another key of the same kid before it', [namesake.jwk, rsaIdp.jwk], rsaIdp.token(), 'verified'],
  ['another key of the same kid behind it', [rsaIdp.jwk, namesake.jwk], rsaIdp.token(), 'verified'],
  [
    'two keys of one kid, and by neither',
    [idp.jwk, idp.jwk, stranger.jwk],
    createTokenIssuer(now).token(),
    'wrong: token_signature_invalid',
  ],
  ['no kid, the last of eight', [...nth(7), idp.jwk], idp.token({}, noKid), 'verified'],
  [
    'no kid, and more keys than are tried',
    [...nth(8), idp.jwk],
    idp.token({}, noKid),
    'wrong: token_key_unknown',
  ],
  [
    'more keys than are tried, and one is meant',
    [...nth(8), { ...idp.jwk, kid: 'mine' }],
    idp.token({}, { kid: 'mine' }),
    'verified',
  ],
];
for (const [why, jwks, token, expected] of sets) {
  test(`JWKS: ${why}: ${expected}`, async () => {
    const changes = { issuer: { keys: issuerKeys({ jwks: () => jwks, refresh: () => {} }, undefined) } };
    assert.equal(await judge(token, changes), expected);
    assert.equal(await judge(token, changes), expected, 'and when it is remembered');
  });
}

const unscoped = { scope: undefined };
const scopeClaims: readonly [
  why: string,
  claims: object,
  claimsRead: readonly string[] | undefined,
  expected: string,
][] = [
  ['Okta, Hydra: scp as a list', { ...unscoped, scp: ['orders:read'] }, undefined, 'verified'],
  ['Entra ID: scp as a text', { ...unscoped, scp: 'orders:read offline' }, undefined, 'verified'],
  ['scope counts before scp', { scope: 'x', scp: ['orders:read'] }, undefined, 'wrong: token_scope_missing'],
  [
    'Entra ID, a service: roles are not read unasked',
    { ...unscoped, roles: ['orders:read'] },
    undefined,
    'wrong: token_scope_missing',
  ],
  ['roles, where they are named', { ...unscoped, roles: ['orders:read'] }, ['scope', 'roles'], 'verified'],
  [
    'the names that are given take the place of ours',
    { ...unscoped, scp: ['orders:read'] },
    ['roles'],
    'wrong: token_scope_missing',
  ],
  ['scp that is a number', { ...unscoped, scp: 7 }, undefined, 'wrong: token_claims_malformed'],
  [
    'an element with a space is one scope',
    { scope: ['orders:read orders:write'] },
    undefined,
    'wrong: token_scope_missing',
  ],
];
for (const [why, claims, read, expected] of scopeClaims) {
  test(`scopes: ${why}`, async () => {
    const changes = { policy: { scopes: ['orders:read'] }, ...(read && { issuer: { scopeClaims: read } }) };
    assert.equal(await judge(idp.token({ ...claims }), changes), expected);
  });
}

test('the log says where scopes were looked for, and found', async () => {
  const scopes = { policies: { ...policy, scopes: ['orders:write'] } };
  const detail = async (claims: object): Promise<string> => {
    const verdict = await judgeAccessToken(
      { kind: 'token', text: idp.token({ ...claims }) },
      scopes.policies,
      () => ({ kind: 'none' }),
      now,
    );
    return 'detail' in verdict ? verdict.detail : verdict.kind;
  };
  assert.equal(
    await detail({ scope: undefined, scp: ['a'] }),
    'of ["orders:write"], all needed, it has ["a"] in scp',
  );
  assert.equal(
    await detail({ scope: undefined }),
    'of ["orders:write"], all needed, it has [] in none of scope, scp',
  );
});

for (const claims of [{ sub: 'a\ud800' }, { client_id: '\udfff' }, { scope: ['\ud800'] }])
  test(`half a surrogate pair in ${Object.keys(claims)[0]}: no text, since all of them are the same bytes`, async () =>
    assert.equal(await judge(idp.token(claims)), 'wrong: token_claims_malformed'));
