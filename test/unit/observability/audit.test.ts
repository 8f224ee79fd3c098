import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditLine, shadowLine } from '../../../src/observability/audit.ts';
import { readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { request } from '../../support/attributes.ts';
import { createAuthority } from '../../support/certificate-authority.ts';

const now = Date.UTC(2026, 5, 1, 12);
const ca = await createAuthority({ subject: 'CN=Partners' });
const issued = await ca.issue({
  subject: 'CN=acme',
  serialNumber: '0a0b',
  subjectAltNames: ['a.example.com'],
  notBefore: new Date(now),
  notAfter: new Date(now + 1000),
});
const certificate = readCertificate(issued.der);
const api = {
  name: 'Petstore',
  version: '1',
  basePath: '/p',
  errorFormat: 'choreo-connect',
  hasOperations: false,
} as const;
const traceId = '0af7651916cd43dd8448eb211c80319c';
const decided = { now, microseconds: 21.4, generation: 3 };
const secret = 'eyJ0aGlzIjoic2VjcmV0In0';
const attributes = request({
  method: 'POST',
  host: `user:${secret}@api.example.com`,
  path: `/p/pets?token=${secret}`,
  source: '10.1.2.3',
  certificate: secret,
  headers: [
    ['authorization', `Bearer ${secret}`],
    ['cookie', secret],
    ['x-request-id', 'f00'],
    ['traceparent', `00-${traceId}-b7ad6b7169203331-01`],
  ],
});
const identity = {
  subject: 'CN=acme',
  names: 'dns:a.example.com',
  issuer: 'CN=Partners',
  notBefore: '2026-06-01T12:00:00.000Z',
  notAfter: '2026-06-01T12:00:01.000Z',
  serial: certificate.serialNumber,
  sha256: certificate.sha256,
};
const common = {
  type: 'decision',
  time: '2026-06-01T12:00:00.000Z',
  requestId: 'f00',
  api: 'Petstore',
  apiVersion: '1',
  method: 'POST',
  host: '…@api.example.com',
  path: '/p/pets',
  source: '10.1.2.3',
  operation: '/pets',
  traceId,
  certificateFrom: 'peer',
  ...identity,
  generation: 3,
  microseconds: 21,
};
const circumstances = { api, operation: '/pets', certificateFrom: 'peer' } as const;

test('an admission: every field that is documented, and no other', () => {
  const client = { alias: 'acme', isOwn: false, tier: undefined, certificate, intermediates: [] };
  const decision = { outcome: 'allow', ...circumstances, client, tokenHeader: 'untouched' } as const;
  const line = auditLine(attributes, decision, decided);
  assert.deepEqual(JSON.parse(line), { ...common, outcome: 'allow', alias: 'acme' });
});

test('a denial: with reason and detail; and nothing that was secret is in either', () => {
  const decision = {
    outcome: 'deny',
    code: 'certificate_expired',
    detail: 'CN=acme ended',
    ...circumstances,
    certificate,
  } as const;
  const line = auditLine(attributes, decision, decided, 2);
  assert.deepEqual(JSON.parse(line), {
    ...common,
    outcome: 'deny',
    reason: 'certificate_expired',
    detail: 'CN=acme ended',
    worker: 2,
  });
  assert.ok(!line.includes(secret));
});

for (const [what, path] of [
  ['a line break', '/p/\n{"type":"decision"}'],
  ['a separator that some readers break at', '/p/\u2028x'],
  ['an escape sequence of terminals', '/p/\u001b[2J'],
] as const)
  test(`one decision is one line, whatever the client writes: ${what}`, () => {
    const decision = { outcome: 'deny', code: 'api_not_found', detail: 'none' } as const;
    const line = auditLine(request({ path }), decision, decided);
    assert.match(line, /^[ -~]*\n$/);
    assert.equal((JSON.parse(line) as { path: string }).path, path);
  });

test('what another configuration says of it stands beside the record of what counted, and nothing that was secret', () => {
  const client = { alias: 'acme', isOwn: false, tier: 'Gold', certificate, intermediates: [] };
  const decision = { outcome: 'allow', ...circumstances, client, tokenHeader: 'untouched' } as const;
  const next = {
    outcome: 'deny',
    code: 'certificate_not_bound',
    detail: 'nobody of it',
    api: { ...api, version: '2' },
    certificateFrom: 'peer',
    certificate,
  } as const;
  const line = shadowLine(
    { attributes, decision, decided },
    { decision: next, decided: { now, microseconds: 7.6, generation: 1 }, differs: ['outcome'] },
    2,
  );
  assert.deepEqual(JSON.parse(line), {
    ...common,
    type: 'shadow',
    outcome: 'allow',
    alias: 'acme',
    tier: 'Gold',
    worker: 2,
    differs: ['outcome'],
    next: {
      outcome: 'deny',
      reason: 'certificate_not_bound',
      detail: 'nobody of it',
      api: 'Petstore',
      apiVersion: '2',
      certificateFrom: 'peer',
      sha256: certificate.sha256,
      generation: 1,
      microseconds: 8,
    },
  });
  assert.ok(!line.includes(secret));
});
