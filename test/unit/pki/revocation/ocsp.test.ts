import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { byTheBook } from '../../../../src/pki/revocation/freshness.ts';
import { judgeOcsp, type OcspQuestion } from '../../../../src/pki/revocation/ocsp.ts';
import { writeOcspRequest } from '../../../../src/pki/revocation/ocsp-request.ts';
import { OcspError, readOcspResponse } from '../../../../src/pki/revocation/ocsp-response.ts';
import { now } from '../../../support/certificate-authority.ts';
import { boolean, bytes, der, extension, octets, oid, sequence } from '../der-writer.ts';
import { ca, certify, dayMs, entity, keyUsage, validity } from '../forge.ts';
import { certId, forgeOcsp, good, type ResponseParts, revoked, unknown } from './ocsp-forge.ts';

const [root, inter, end, responder, stranger] = ['Root', 'CA', 'leaf', 'Responder', 'Stranger'].map((cn) =>
  entity(cn),
) as [
  ReturnType<typeof entity>,
  ReturnType<typeof entity>,
  ReturnType<typeof entity>,
  ReturnType<typeof entity>,
  ReturnType<typeof entity>,
];
const issuer = certify(root, inter, [ca()]);
const leaf = certify(inter, end);
const id = certId(inter, leaf);
const forSigning = extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.9')));
const nocheck = extension('1.3.6.1.5.5.7.48.1.5', der(0x05));
const delegate = certify(inter, responder, [forSigning, nocheck]);
const plain = { responses: [{ id }] };
const nonce = Buffer.from('a nonce of some length');
const nonceExtension = (value: Uint8Array) => extension('1.3.6.1.5.5.7.48.1.2', octets(value));

type Row = readonly [sentence: string, bytes: Uint8Array, result: RegExp, question?: Partial<OcspQuestion>];
const by = (parts: Partial<ResponseParts>, from = inter): Uint8Array =>
  forgeOcsp(from, { ...plain, ...parts });
const says = (status: Uint8Array) => by({ responses: [{ id, status }] });

const rows: readonly Row[] = [
  ['good, by the issuer', by({}), /^good$/],
  ['good, by name', by({ responderName: 'CA' }), /^good$/],
  ['good, CertID by SHA-256', by({ responses: [{ id: certId(inter, leaf, 'sha256') }] }), /^good$/],
  ['CertID by MD5', by({ responses: [{ id: certId(inter, leaf, 'md5') }] }), /about other certificates/],
  ['revoked', says(revoked()), /^revoked undefined$/],
  ['revoked, with a reason', says(revoked(1)), /^revoked 1$/],
  ['unknown to the responder', says(unknown), /^unknown$/],
  ['version written out', by({ version: 0 }), /^good$/],
  ['version 2', by({ version: 1 }), /another version/],
  [
    'another serial number',
    by({ responses: [{ id: certId(inter, leaf, 'sha1', '0A0B') }] }),
    /other certificates/,
  ],
  ["another issuer's key", by({ responses: [{ id: certId(stranger, leaf) }] }), /other certificates/],
  ['no answers', by({ responses: [] }), /other certificates/],
  [
    'the right one among several',
    by({ responses: [{ id: certId(inter, leaf, 'sha1', '01'), status: revoked() }, { id }] }),
    /^good$/,
  ],
  ['good and revoked', by({ responses: [{ id }, { id, status: revoked() }] }), /^revoked/],
  ['good and unknown', by({ responses: [{ id }, { id, status: unknown }] }), /^unknown$/],
  [
    'unknown and revoked',
    by({
      responses: [
        { id, status: unknown },
        { id, status: revoked() },
      ],
    }),
    /^revoked/,
  ],
  [
    'revoked in an old answer, good in the current one',
    by({ responses: [{ id, status: revoked(), nextUpdate: now - 5000 }, { id }] }),
    /^good$/,
  ],
  ['without nextUpdate', by({ responses: [{ id, nextUpdate: null }] }), /^good$/],
  ['over', by({ responses: [{ id, nextUpdate: now - 1000 }] }), /out of date/],
  ['in its last second', by({ responses: [{ id, nextUpdate: now }] }), /^good$/, { now: now + 999 }],
  ['not yet', by({ responses: [{ id, thisUpdate: now + 1000 }] }), /out of date/],
  [
    'not yet, but for the clocks',
    by({ responses: [{ id, thisUpdate: now + 1000 }] }),
    /^good$/,
    { freshness: { ...byTheBook, clockSkew: 2000 } },
  ],
  ['older than what is taken', by({}), /out of date/, { freshness: { ...byTheBook, maxAge: dayMs - 1000 } }],
  ['just as old', by({}), /^good$/, { freshness: { ...byTheBook, maxAge: dayMs } }],
  ['produced in the future', by({ producedAt: now + 1000 }), /in the future/],
  ['signed by another key', by({ signedBy: stranger }), /not signed by the key of/],
  ['by a stranger', by({}, stranger), /neither the issuer nor authorised/],
  [
    "by a stranger in the issuer's name",
    by({ responderName: 'CA', signedBy: stranger }),
    /not signed by the key/,
  ],
  ['by a delegate', by({ certificates: [delegate] }, responder), /^good$/],
  ['by a delegate whose certificate is left out', by({}, responder), /neither the issuer nor/],
  ['by a delegate that the operator named', by({}, responder), /^good$/, { responders: [delegate] }],
  [
    'by one certified for something else',
    by(
      {
        certificates: [
          certify(inter, responder, [extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.2')))]),
        ],
      },
      responder,
    ),
    /not for OCSP signing/,
  ],
  ['by one without a purpose', by({ certificates: [certify(inter, responder)] }, responder), /not for OCSP/],
  [
    'by one for any purpose',
    by(
      { certificates: [certify(inter, responder, [extension('2.5.29.37', sequence(oid('2.5.29.37.0')))])] },
      responder,
    ),
    /not for OCSP signing/,
  ],
  [
    'by one of another CA',
    by({ certificates: [certify(root, responder, [forSigning])] }, responder),
    /not issued by/,
  ],
  [
    'by one of another key of that name',
    by({ certificates: [certify(entity('CA'), responder, [forSigning])] }, responder),
    /not signed by the key of CN=CA/,
  ],
  [
    'by one whose certificate is over',
    by(
      {
        certificates: [
          certify(inter, responder, [forSigning], { validity: validity(now - 2 * dayMs, now - dayMs) }),
        ],
      },
      responder,
    ),
    /not valid now/,
  ],
  [
    'by one whose key is for keys',
    by({ certificates: [certify(inter, responder, [forSigning, keyUsage('20')])] }, responder),
    /not for signatures/,
  ],
  [
    'by one with a critical extension that nobody knows',
    by(
      { certificates: [certify(inter, responder, [forSigning, extension('1.2.3', der(0x05), true)])] },
      responder,
    ),
    /critical extension 1\.2\.3/,
  ],
  [
    'with certificates that say nothing, and the right one',
    by({ certificates: [leaf, issuer, delegate] }, responder),
    /^good$/,
  ],
  [
    'a critical extension of the response',
    by({ extensions: [extension('1.2.3', der(0x05), true)] }),
    /critical extension 1\.2\.3/,
  ],
  ['an extension of the response', by({ extensions: [extension('1.2.3', der(0x05))] }), /^good$/],
  [
    'a critical extension of the answer',
    by({ responses: [{ id, extensions: [extension('1.2.4', der(0x05), true)] }] }),
    /critical extension 1\.2\.4/,
  ],
  [
    'an extension of the answer',
    by({ responses: [{ id, extensions: [extension('1.2.4', der(0x05))] }] }),
    /^good$/,
  ],
  ['the nonce', by({ extensions: [nonceExtension(nonce)] }), /^good$/, { nonce }],
  ['no nonce where one was asked with', by({}), /repeat the nonce/, { nonce }],
  ['another nonce', by({ extensions: [nonceExtension(Buffer.from('b'))] }), /repeat the nonce/, { nonce }],
  ['a nonce that nobody asked for', by({ extensions: [nonceExtension(nonce)] }), /^good$/],
  [
    'a nonce without its inner tag',
    by({ extensions: [extension('1.3.6.1.5.5.7.48.1.2', nonce)] }),
    /^good$/,
    { nonce },
  ],
  [
    'an extension twice',
    by({ extensions: [nonceExtension(nonce), nonceExtension(nonce)] }),
    /no OCSPResponse/,
  ],
  ['an answer of another type', by({ type: '1.2.3' }), /type 1\.2\.3/],
  ['more fields than it has', by({ tail: boolean(true) }), /no OCSPResponse/],
  ['malformedRequest', by({ status: 1 }), /malformedRequest/],
  ['internalError', by({ status: 2 }), /internalError/],
  ['tryLater', by({ status: 3 }), /tryLater/],
  ['sigRequired', by({ status: 5 }), /sigRequired/],
  ['unauthorized', by({ status: 6 }), /unauthorized/],
  ['a status that there is not', by({ status: 9 }), /status 9/],
  ['successful and nothing else', bytes('30030a0100'), /nothing else/],
  ['a status that is none', by({ responses: [{ id, status: der(0x83) }] }), /no OCSPResponse/],
  ['good with something in it', by({ responses: [{ id, status: der(0x80, good) }] }), /no OCSPResponse/],
];

const question: OcspQuestion = {
  certificate: leaf,
  issuer,
  responders: [],
  freshness: byTheBook,
  weakAlgorithms: { sha1: false, md5: false, minRsaBits: 2048 },
  nonce: undefined,
  now,
};

function resultOf(bytes: Uint8Array, given: Partial<OcspQuestion> = {}): string {
  try {
    const answer = judgeOcsp(readOcspResponse(bytes), { ...question, ...given });
    if (answer.status === 'unusable') return answer.reason;
    return answer.status === 'revoked' ? `revoked ${answer.entry.reasonCode}` : answer.status;
  } catch (error) {
    assert.ok(error instanceof OcspError, String(error));
    return error.message;
  }
}

for (const [sentence, response, result, given] of rows)
  test(`${sentence}: ${result.source}`, () => assert.match(resultOf(response, given), result));

test('of a good answer the delegate is told who signed it, for lists that may have him', () => {
  const byDelegate = by({ certificates: [delegate] }, responder);
  const told = (bytes: Uint8Array, responders: readonly (typeof delegate)[] = []) => {
    const result = judgeOcsp(readOcspResponse(bytes), { ...question, responders });
    return result.status === 'good' ? result.delegate : assert.fail();
  };
  assert.deepEqual(told(byDelegate), new Uint8Array(delegate.serialOctets));
  assert.deepEqual([told(byDelegate, [delegate]), told(by({}))], [undefined, undefined]);
});

test('whatever is changed in a good answer, it is read or refused, and never good for another', () => {
  const answer = by({ certificates: [delegate] }, responder);
  fc.assert(
    fc.property(fc.nat(answer.length - 1), fc.nat(255), fc.nat(answer.length), (at, byte, cut) => {
      const changed = Uint8Array.from(answer);
      changed[at] = byte;
      resultOf(cut % 4 === 0 ? changed.subarray(0, cut) : changed);
      if (byte !== answer[at]) assert.notEqual(resultOf(changed, { certificate: issuer }), 'good');
    }),
    { numRuns: 500 },
  );
});

test('OpenSSL reads our requests, with and without a nonce', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ocsp-'));
  try {
    for (const asked of [undefined, nonce]) {
      writeFileSync(join(folder, 'request.der'), writeOcspRequest(leaf, issuer, asked));
      const text = execFileSync(
        'openssl',
        ['ocsp', '-reqin', join(folder, 'request.der'), '-req_text', '-noverify'],
        {
          encoding: 'utf8',
        },
      );
      assert.match(text, new RegExp(`Serial Number: 0*${leaf.serialNumber}`));
      assert.equal(text.includes('OCSP Nonce'), asked !== undefined);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
