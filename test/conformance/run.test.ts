import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createAuthority, now } from '../support/certificate-authority.ts';
import { sequence } from '../unit/pki/der-writer.ts';
import { certify, dayMs, entity, nothing } from '../unit/pki/forge.ts';
import { type CrlParts, entry, forgeCrlDer } from '../unit/pki/revocation/crl-forge.ts';
import { certId, forgeOcsp } from '../unit/pki/revocation/ocsp-forge.ts';
import type { Case } from './case.ts';
import { describe, isClean, runSuites } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
after(() => rmSync(folder, { recursive: true }));

const base64 = ({ der }: { readonly der: Uint8Array }): string => Buffer.from(der).toString('base64');
const root = await createAuthority();
const client = await root.issue({
  subject: 'CN=client',
  extendedKeyUsage: 'client',
  subjectAltNames: ['a@b.example'],
});
const good: Case = {
  id: 'good',
  suite: 'own',
  kind: 'client',
  roots: [base64(root)],
  inters: [],
  leaf: base64(client),
  crls: [],
  time: new Date(now).toISOString(),
  expected: true,
};

function file(name: string, cases: readonly Case[]): string {
  const path = join(folder, name);
  const text = cases.map((one) => `${JSON.stringify(one)}\n`).join('');
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}

const wrong: Case = { ...good, id: 'wrong', expected: false };
const untrusted: Case = { ...good, id: 'untrusted', roots: [] };
const [result] = runSuites([file('a.jsonl', [good, wrong]), file('b.jsonl.gz', [untrusted])], {}, now);

test('agreement is counted over all files of a suite', () => {
  assert.equal(describe(result!)[0], 'own: 1/3 agree, 1 false accept, 1 false reject');
  assert.deepEqual(
    result!.disagreements.map(({ id, kind, code }) => `${id} ${kind} ${code}`),
    ['wrong false accept valid', 'untrusted false reject issuer_unknown'],
  );
});

test('a run is clean when exceptions name exactly the disagreements', () => {
  const files = [file('c.jsonl', [good, wrong])];
  const clean = (reasons: Record<string, string>): boolean =>
    runSuites(files, { own: reasons }, now).every(isClean);
  assert.equal(clean({ wrong: 'a reason' }), true);
  assert.equal(clean({}), false);
  assert.equal(clean({ wrong: 'a reason', good: 'agrees' }), false);
  assert.equal(clean({ wrong: 'a reason', absent: 'names no case' }), false);
});

const judged: readonly (readonly [sentence: string, given: Partial<Case>, code: string])[] = [
  ['a peer that is in the certificate', { peers: [{ kind: 'RFC822', value: 'a@b.example' }] }, 'valid'],
  ['a peer that is not', { peer: { kind: 'RFC822', value: 'b@b.example' } }, 'harness:peer_name_mismatch'],
  ['no server', { kind: 'server' }, 'extended_key_usage_not_server'],
  ['any purpose', { kind: 'any' }, 'valid'],
  ['a key usage that it has', { ku: ['digitalSignature'] }, 'valid'],
  ['a key usage that it has not', { ku: ['contentCommitment'] }, 'harness:key_usage_mismatch'],
  ['CRLs that cover nothing', { crls: ['AAAA'] }, 'revocation_unknown'],
];

for (const [sentence, given, code] of judged) {
  test(`${sentence}: ${code}`, () => {
    const expected = code !== 'valid';
    const [own] = runSuites([file('d.jsonl', [{ ...good, ...given, expected }])], {}, now);
    assert.equal(own!.disagreements[0]?.code, code);
  });
}

test('a status other than the one expected is a disagreement', () => {
  const given: Case = { ...good, crls: ['AAAA'], expected: false, status: 'revoked' };
  const [own] = runSuites([file('e.jsonl', [given, { ...given, status: 'unknown' }])], {}, now);
  assert.deepEqual(
    own!.disagreements.map(({ kind, code }) => `${kind} ${code}`),
    ['other status revocation_unknown'],
  );
});

const [ca, leafEntity] = [entity('CA'), entity('leaf')];
const issuer = certify(ca, ca);
const end = certify(ca, leafEntity);
const ofCa = { suite: 'status', ca: base64(issuer), leaf: base64(end), time: new Date(now).toISOString() };
const list = (parts: Partial<CrlParts> = {}) => ({
  ...ofCa,
  kind: 'crl' as const,
  ca: [ofCa.ca],
  crls: [Buffer.from(forgeCrlDer(ca, parts)).toString('base64')],
});
const answer = (from = ca) => ({
  ...ofCa,
  kind: 'ocsp' as const,
  ocsp: Buffer.from(forgeOcsp(from, { responses: [{ id: certId(ca, end) }] })).toString('base64'),
});
const bySerial = { revokedCertificates: sequence(entry(end.serialNumber)) };
const bare = { crlExtensions: nothing, nextUpdate: nothing, version: nothing };
const statusRows: readonly (readonly [sentence: string, given: Omit<Case, 'id'>])[] = [
  ['a CRL without it', { ...list(), status: 'good' }],
  ['a CRL with it', { ...list(bySerial), status: 'revoked' }],
  ['one of version 1, without nextUpdate', { ...list({ ...bare, ...bySerial }), status: 'revoked' }],
  ['a CRL older than maxAge', { ...list(), maxAge: 3600, status: 'unknown' }],
  ['a CRL that is over', { ...list(), time: new Date(now + 2 * dayMs).toISOString(), status: 'unknown' }],
  ['an OCSP response', { ...answer(), status: 'good' }],
  ['one by somebody else', { ...answer(entity('CA')), status: 'unknown' }],
  ['one older than maxAge', { ...answer(), maxAge: 3600, status: 'unknown' }],
  ['bytes that are none', { ...answer(), ocsp: 'AAAA', status: 'unknown' }],
];
test('CRLs and OCSP responses are judged by themselves, in a line a suite', () => {
  const cases = statusRows.map(([id, given]): Case => ({ id, ...given }));
  const [own] = runSuites([file('f.jsonl', cases)], {}, now);
  assert.deepEqual(own!.disagreements, []);
  assert.equal(describe(own!)[0], 'status: 9/9 agree, 0 false accepts, 0 false rejects');
  const [wrong] = runSuites(
    [
      file(
        'g.jsonl',
        cases.map((one) => ({ ...one, status: 'good' as const })),
      ),
    ],
    {},
    now,
  );
  assert.equal(wrong!.falseRejects, 7);
});
