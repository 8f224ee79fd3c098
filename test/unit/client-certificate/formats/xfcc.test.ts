import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../../../../src/client-certificate/formats/reading.ts';
import type { PresentedErrorCode } from '../../../../src/client-certificate/presented.ts';
import { base64, escaped, intermediate, leaf, pem, read, rfc8705, root, sha256 } from '../samples.ts';

/** A stranger's certificate, public as any, whose holder is to be impersonated. */
const victim = rfc8705;
const cert = (der: Uint8Array): string => `Cert="${escaped(pem(der))}"`;
const chain = (...ders: readonly Uint8Array[]): string => `Chain="${escaped(ders.map(pem).join(''))}"`;
const element = (der: Uint8Array): string => `Hash=${sha256(der)};${cert(der)}`;
const json = (...elements: readonly object[]): string => JSON.stringify(elements);
const jsonElement = { hash: sha256(leaf), cert: pem(leaf) };

type Row = readonly [sentence: string, code: PresentedErrorCode, value: string];

const refused: readonly Row[] = [
  [
    'a URI from inside the certificate that brings an element of its own',
    'xfcc_element_count',
    `${element(leaf)};URI=urn:x,Hash=${sha256(victim)};${cert(victim)}`,
  ],
  [
    'the same as Envoy 1.40 wrote it of a real certificate',
    'xfcc_element_count',
    `By=spiffe://a;${element(leaf)};${chain(leaf)};Subject="CN=evil";URI=;DNS=x,Hash=${sha256(victim)};${cert(victim)};Issuer="CN=evil"`,
  ],
  ['the same behind DNS', 'xfcc_element_count', `${element(leaf)};DNS=x,${element(victim)}`],
  ['a URI that brings a second Cert', 'xfcc_key_repeated', `${element(leaf)};URI=urn:x;${cert(victim)}`],
  [
    'a URI that brings a second Hash',
    'xfcc_key_repeated',
    `${element(leaf)};URI=urn:x;Hash=${sha256(victim)}`,
  ],
  [
    'a URI that brings Cert where the sender writes none',
    'certificate_hash_mismatch',
    `Hash=${sha256(leaf)};URI=urn:x;${cert(victim)}`,
  ],
  [
    'a URI that brings Cert and Hash where the sender writes no Cert',
    'xfcc_key_repeated',
    `Hash=${sha256(leaf)};URI=urn:x;hASH=${sha256(victim)};${cert(victim)}`,
  ],
  [
    'a URI that opens a quote to swallow what follows',
    'header_coding_invalid',
    `${element(leaf)};URI=urn:x";DNS=y"`,
  ],
  [
    'a URI that brings a foreign Chain',
    'chain_leaf_mismatch',
    `${element(leaf)};URI=urn:x;${chain(victim, root)}`,
  ],
  ['a second element', 'xfcc_element_count', `${element(leaf)},${element(leaf)}`],
  ['Chain twice', 'xfcc_key_repeated', `${element(leaf)};${chain(leaf)};${chain(leaf)}`],
  ['Subject twice', 'xfcc_key_repeated', `${element(leaf)};Subject="CN=a";Subject="CN=b"`],
  ['no Hash', 'certificate_hash_mismatch', cert(leaf)],
  ['the Hash of another', 'certificate_hash_mismatch', `Hash=${sha256(root)};${cert(leaf)}`],
  ['no Cert', 'xfcc_without_cert', `Hash=${sha256(leaf)}`],
  [
    'a Chain of another, without Cert',
    'certificate_hash_mismatch',
    `Hash=${sha256(leaf)};${chain(victim, leaf)}`,
  ],
  ['a Chain alone, without Hash', 'certificate_hash_mismatch', chain(leaf)],
  ['a Chain without Cert that is no PEM', 'chain_coding_invalid', `Hash=${sha256(leaf)};Chain="x"`],
  [
    'a URI that brings Cert where the sender writes Chain alone',
    'certificate_hash_mismatch',
    `Hash=${sha256(leaf)};${chain(leaf)};URI=urn:x;${cert(victim)}`,
  ],
  [
    'JSON: a Chain of another, without Cert',
    'certificate_hash_mismatch',
    json({ hash: sha256(leaf), chain: [pem(victim)] }),
  ],
  [
    'two certificates in Cert',
    'header_is_list',
    `Hash=${sha256(leaf)};Cert="${escaped(pem(leaf) + pem(root))}"`,
  ],
  [
    'a Chain that begins with another',
    'chain_leaf_mismatch',
    `${element(leaf)};${chain(intermediate, root)}`,
  ],
  ['a Chain that is no PEM', 'chain_coding_invalid', `${element(leaf)};Chain="x"`],
  ['eleven in Chain', 'too_many_certificates', `${element(leaf)};${chain(leaf, ...Array(10).fill(root))}`],
  ['a quote without end', 'header_coding_invalid', `Hash=${sha256(leaf)};Cert="${escaped(pem(leaf))}`],
  ['a quote that is not escaped within quotes', 'header_coding_invalid', `${element(leaf)};Subject="CN="a""`],
  ['a quote behind an escaped backslash', 'header_coding_invalid', `${element(leaf)};Subject="CN=a\\\\"b"`],
  ['text after a quote', 'header_coding_invalid', `${element(leaf)}x`],
  ['a pair without =', 'header_coding_invalid', `${element(leaf)};URI`],
  ['an empty pair at the end', 'header_coding_invalid', `${element(leaf)};`],
  ['an empty element', 'header_coding_invalid', `,${element(leaf)}`],
  ['bare base64', 'header_coding_invalid', base64(leaf).replace(/=+$/, '')],
  ['JSON: two elements', 'xfcc_element_count', json(jsonElement, jsonElement)],
  ['JSON: no element', 'xfcc_element_count', '[]'],
  ['JSON: no Cert', 'xfcc_without_cert', json({ hash: sha256(leaf) })],
  ['JSON: the Hash of another', 'certificate_hash_mismatch', json({ ...jsonElement, hash: sha256(root) })],
  [
    'JSON: a key twice',
    'xfcc_key_repeated',
    json(jsonElement).replace('}', `,"cert":${JSON.stringify(pem(victim))}}`),
  ],
  ['JSON: cert that is no text', 'header_coding_invalid', json({ ...jsonElement, cert: [pem(leaf)] })],
  ['JSON: a chain that is no array', 'header_coding_invalid', json({ ...jsonElement, chain: pem(leaf) })],
  ['JSON: a chain of numbers', 'header_coding_invalid', json({ ...jsonElement, chain: [1] })],
  [
    'JSON: a chain that begins with another',
    'chain_leaf_mismatch',
    json({ ...jsonElement, chain: [pem(root)] }),
  ],
  ['JSON: null', 'header_coding_invalid', '[null]'],
  ['JSON and text mixed', 'header_coding_invalid', `${json(jsonElement)},${element(leaf)}`],
];

for (const [sentence, code, value] of refused) {
  test(`XFCC: refuses ${sentence}: ${code}`, () => {
    const presented = read('xfcc', [['x-forwarded-client-cert', value]]);
    assert.equal(presented.kind === 'error' ? presented.code : presented.kind, code);
  });
}

for (const [form, value] of [
  ['text', `Hash=${sha256(leaf)};${chain(leaf, intermediate)}`],
  ['JSON', json({ hash: sha256(leaf), chain: [pem(leaf), pem(intermediate)] })],
] as const) {
  test(`XFCC: a Chain without Cert begins with the leaf, as an Envoy writes it that is told the chain only: ${form}`, () => {
    const presented = read('xfcc', [['x-forwarded-client-cert', value]]);
    assert.ok(presented.kind === 'chain', JSON.stringify(presented));
    assert.deepEqual(
      [presented.leaf, ...presented.intermediates].map(base64),
      [leaf, intermediate].map(base64),
    );
  });
}

test('XFCC: two lines are two elements, as they are where Envoy joins them', () => {
  const lines = [
    ['x-forwarded-client-cert', element(leaf)],
    ['x-forwarded-client-cert', element(root)],
  ] as const;
  const one = read('xfcc', lines);
  assert.equal(one.kind === 'error' && one.code, 'xfcc_element_count');
  const two = read('xfcc', lines, { limits: { ...defaultLimits, elements: 2 } });
  assert.ok(two.kind === 'chain');
  assert.equal(base64(two.leaf), base64(leaf), 'the leftmost is the client');
});

test('XFCC: fewer elements than configured are refused too', () => {
  const presented = read('xfcc', [['x-forwarded-client-cert', element(leaf)]], {
    limits: { ...defaultLimits, elements: 2 },
  });
  assert.equal(presented.kind === 'error' && presented.code, 'xfcc_element_count');
});

/** As Envoy 1.40 writes names that hold quotes, backslashes and separators (RFC 4514), and empty values. */
for (const subject of [
  'CN=q\\"uote\\\\,O=A\\, B\\;C',
  'O=b,CN=ends with a quote\\"',
  'CN=q\\",O=A',
  'CN=\\"\\"',
  'CN=\\\\',
  'CN=\\\\\\"',
  `CN=a\\"\\,Hash=${sha256(victim)}\\;Cert=\\"${escaped(pem(victim))}\\"`,
  'CN=x=y',
  '',
]) {
  test(`XFCC: Subject="${subject.slice(0, 30)}" is skipped as a whole`, () => {
    const presented = read('xfcc', [
      ['x-forwarded-client-cert', `By=spiffe://a;${element(leaf)};Subject="${subject}";URI=;Issuer="CN=ca"`],
    ]);
    assert.ok(presented.kind === 'chain', JSON.stringify(presented));
    assert.equal(base64(presented.leaf), base64(leaf));
  });
}
