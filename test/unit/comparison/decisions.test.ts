import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differing } from '../../../src/comparison/decisions.ts';
import type { Admission, Decision } from '../../../src/decision.ts';
import { readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { selfSigned } from '../../support/certificate-authority.ts';

const [certificate, renewed] = [
  readCertificate((await selfSigned()).der),
  readCertificate((await selfSigned()).der),
];
const api = {
  name: 'Orders',
  version: '1',
  basePath: '/orders',
  errorFormat: 'choreo-connect',
  hasOperations: false,
} as const;
const client = { alias: 'acme', isOwn: false, tier: 'Gold', certificate, intermediates: [] };
const token = { clientId: 'app', subject: 'u', scopes: ['a', 'b'] } as unknown as Admission['token'];
const admitted = { outcome: 'allow', api, client, token: token!, tokenHeader: 'verified' } as const;
const denied = { outcome: 'deny', code: 'certificate_missing', detail: 'none', api } as const;

for (const [what, one, other, differs] of [
  ['the same twice', admitted, { ...admitted }, []],
  ['another detail alone', denied, { ...denied, detail: 'other words' }, []],
  ['other circumstances alone', admitted, { ...admitted, operation: '/x', certificateFrom: 'header' }, []],
  ['the same API at another place', admitted, { ...admitted, api: { ...api, basePath: '/o' } }, []],
  ['admitted, denied', admitted, denied, ['outcome']],
  ['another reason', denied, { ...denied, code: 'alias_disabled' }, ['reason']],
  ['another API of one name', denied, { ...denied, api: { ...api, version: '2' } }, ['apiVersion']],
  [
    'no API any more',
    denied,
    { ...denied, api: undefined, code: 'api_not_found' },
    ['api', 'apiVersion', 'reason'],
  ],
  ['another alias', admitted, { ...admitted, client: { ...client, alias: 'acme-inc' } }, ['alias']],
  ['another tier', admitted, { ...admitted, client: { ...client, tier: undefined } }, ['tier']],
  [
    'another certificate of it',
    admitted,
    { ...admitted, client: { ...client, certificate: renewed } },
    ['sha256'],
  ],
  ['no certificate asked for', admitted, { ...admitted, client: undefined }, ['alias', 'tier', 'sha256']],
  ['no token asked for', { ...admitted, token: undefined }, admitted, ['clientId', 'scopes', 'tokenSubject']],
  ['a token that is left alone', admitted, { ...admitted, tokenHeader: 'untouched' }, ['tokenHeader']],
] as const)
  test(`${what}: ${differs.join(', ') || 'no difference'}, either way round`, () => {
    assert.deepEqual(differing(one as Decision, other as Decision), differs);
    assert.deepEqual(differing(other as Decision, one as Decision), differs);
  });
