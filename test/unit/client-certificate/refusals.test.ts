import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../src/attributes.ts';
import { defaultLimits } from '../../../src/client-certificate/formats/reading.ts';
import type { CertificateFormat } from '../../../src/client-certificate/formats/table.ts';
import { type PresentedErrorCode, presentedErrors } from '../../../src/client-certificate/presented.ts';
import {
  albEscaped,
  base64,
  escaped,
  intermediate,
  leaf,
  pem,
  read,
  rfc8705,
  root,
  sha256,
} from './samples.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
const cut = leaf.subarray(0, -3);
const long = Buffer.concat([leaf, Buffer.from([0, 0, 0])]);
const wso2 = 'x-wso2-client-certificate';
const plusSigns = (text: string): string => text.replaceAll('+', ' ');
/** Lines of 64 would make every lost plus a line end; this certificate has some inside its lines. */
const spaced = (bytes: Uint8Array): string => pem(bytes).trimEnd().replaceAll('\n', ' ');
const many = (count: number): Uint8Array[] => Array.from({ length: count }, () => intermediate);

type Row = readonly [
  sentence: string,
  code: PresentedErrorCode,
  format: CertificateFormat,
  headers: readonly Header[],
];

const refused: readonly Row[] = [
  // WSO2's three, told apart by what they are.
  ['base64 without markers', 'header_coding_invalid', 'auto', [[wso2, base64(leaf)]]],
  ['junk', 'header_coding_invalid', 'auto', [[wso2, 'junk']]],
  ['only markers', 'header_coding_invalid', 'auto', [[wso2, BEGIN + END]]],
  [
    'markers that overlap',
    'header_coding_invalid',
    'auto',
    [[wso2, '-----BEGIN CERTIFICATE-----END CERTIFICATE-----']],
  ],
  [
    'spaces between the markers',
    'header_coding_invalid',
    'auto',
    [[wso2, `${BEGIN} ${base64(leaf)} ${END}`]],
  ],
  ['text before the marker', 'header_coding_invalid', 'auto', [[wso2, `x${escaped(pem(leaf))}`]]],
  ['text after the marker', 'header_coding_invalid', 'auto', [[wso2, `${escaped(pem(leaf))}x`]]],
  [
    'another label',
    'header_coding_invalid',
    'auto',
    [[wso2, escaped(pem(leaf)).replaceAll('CERTIFICATE', 'TRUSTED%20CERTIFICATE')]],
  ],
  [
    'a private key',
    'header_coding_invalid',
    'auto',
    [[wso2, escaped(pem(leaf)).replaceAll('CERTIFICATE', 'PRIVATE%20KEY')]],
  ],
  ['a broken escape', 'header_coding_invalid', 'auto', [[wso2, `${escaped(pem(leaf))}%`]]],
  [
    'an escape that is no hex',
    'header_coding_invalid',
    'auto',
    [[wso2, escaped(pem(leaf)).replace('%0A', '%0G')]],
  ],
  ['escapes that are no UTF-8', 'header_coding_invalid', 'auto', [[wso2, `${escaped(pem(leaf))}%ff`]]],
  [
    'percent-encoded twice',
    'header_coding_invalid',
    'auto',
    [[wso2, escaped(pem(leaf)).replaceAll('%', '%25')]],
  ],
  [
    'bare white space among escapes',
    'header_coding_invalid',
    'auto',
    [[wso2, escaped(pem(leaf)).replaceAll('%20', ' ')]],
  ],
  [
    'bytes that are no ASCII',
    'header_coding_invalid',
    'auto',
    [[wso2, `${BEGIN}\xff\xfe${base64(leaf)}${END}`]],
  ],
  ['NUL', 'header_coding_invalid', 'auto', [[wso2, escaped(pem(leaf)).replace('%0A', '%00')]]],
  [
    'base64url',
    'header_coding_invalid',
    'auto',
    [[wso2, BEGIN + base64(leaf).replaceAll('+', '-').replaceAll('/', '_') + END]],
  ],
  [
    'base64 without padding',
    'header_coding_invalid',
    'auto',
    [[wso2, BEGIN + base64(leaf).replace(/=+$/, '') + END]],
  ],
  [
    'base64 with bits left over',
    'header_coding_invalid',
    'auto',
    [[wso2, BEGIN + base64(leaf).replace(/k=$/, 'l=') + END]],
  ],
  [
    'a PEM file in base64 whose PEM is broken',
    'header_coding_invalid',
    'auto',
    [[wso2, BEGIN + base64(Buffer.from(pem(leaf).slice(0, -9))) + END]],
  ],
  ['a certificate that is cut off', 'certificate_truncated', 'auto', [[wso2, escaped(pem(cut))]]],
  ['bytes after the DER', 'certificate_trailing_bytes', 'auto', [[wso2, escaped(pem(long))]]],
  [
    'bytes after the DER on one line',
    'certificate_trailing_bytes',
    'auto',
    [[wso2, BEGIN + base64(long) + END]],
  ],
  [
    'another DER than a SEQUENCE',
    'certificate_not_der',
    'auto',
    [[wso2, escaped(pem(Buffer.from([0x02, 0x01, 0x05])))]],
  ],
  [
    'BER of indefinite length',
    'certificate_not_der',
    'auto',
    [[wso2, escaped(pem(Buffer.from([0x30, 0x80, 0, 0, 0, 0])))]],
  ],
  [
    'a length that is not the shortest',
    'certificate_not_der',
    'auto',
    [[wso2, escaped(pem(Buffer.from([0x30, 0x81, 1, 0])))]],
  ],
  [
    'two certificates where one is allowed',
    'header_is_list',
    'auto',
    [[wso2, escaped(pem(leaf) + pem(intermediate))]],
  ],
  [
    'two percent-encoded ones joined by a comma',
    'header_is_list',
    'auto',
    [[wso2, `${escaped(pem(leaf))},${escaped(pem(rfc8705))}`]],
  ],
  [
    'the header twice, the same',
    'header_repeated',
    'auto',
    [
      [wso2, escaped(pem(leaf))],
      [wso2, escaped(pem(leaf))],
    ],
  ],
  [
    'the header twice, once empty',
    'header_repeated',
    'auto',
    [
      [wso2, ''],
      [wso2, escaped(pem(leaf))],
    ],
  ],
  [
    'a value beyond the limit',
    'header_too_long',
    'auto',
    [[wso2, 'A'.repeat(defaultLimits.certificateLength + 1)]],
  ],
  // clientCertificateEncode = true
  [
    'DER on one line where it must be percent-encoded',
    'header_coding_invalid',
    'percent-pem',
    [[wso2, BEGIN + base64(leaf) + END]],
  ],
  [
    'form-encoded with a bare plus in the base64',
    'header_coding_invalid',
    'percent-pem',
    [[wso2, `-----BEGIN+CERTIFICATE-----%0A${base64(root)}%0A-----END+CERTIFICATE-----`]],
  ],
  [
    'PEM where base64 of DER is expected',
    'header_coding_invalid',
    'base64-der',
    [[wso2, escaped(pem(leaf))]],
  ],
  [
    'base64 of PEM where base64 of DER is expected',
    'certificate_not_der',
    'base64-der',
    [[wso2, base64(Buffer.from(pem(leaf)))]],
  ],
  [
    'base64 of DER where base64 of PEM is expected',
    'header_coding_invalid',
    'base64-pem',
    [[wso2, base64(leaf)]],
  ],
  // RFC 9440
  [
    'a list as Client-Cert',
    'header_is_list',
    'rfc9440',
    [['client-cert', `:${base64(leaf)}:, :${base64(root)}:`]],
  ],
  [
    'Client-Cert twice',
    'header_repeated',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert', `:${base64(leaf)}:`],
    ],
  ],
  ['no colons', 'header_coding_invalid', 'rfc9440', [['client-cert', base64(leaf)]]],
  ['one colon', 'header_coding_invalid', 'rfc9440', [['client-cert', `:${base64(leaf)}`]]],
  ['a string', 'header_coding_invalid', 'rfc9440', [['client-cert', `"${base64(leaf)}"`]]],
  ['an inner list', 'header_coding_invalid', 'rfc9440', [['client-cert', `(:${base64(leaf)}:)`]]],
  ['text after the item', 'header_coding_invalid', 'rfc9440', [['client-cert', `:${base64(leaf)}:x`]]],
  [
    'a parameter whose key is upper-case',
    'header_coding_invalid',
    'rfc9440',
    [['client-cert', `:${base64(leaf)}:;A=1`]],
  ],
  [
    'a parameter without its value',
    'header_coding_invalid',
    'rfc9440',
    [['client-cert', `:${base64(leaf)}:;a=`]],
  ],
  [
    'a space before the parameter',
    'header_coding_invalid',
    'rfc9440',
    [['client-cert', `:${base64(leaf)}: ;a`]],
  ],
  ['a tab before the item', 'header_coding_invalid', 'rfc9440', [['client-cert', `\t:${base64(leaf)}:`]]],
  [
    'spaces in the base64',
    'header_coding_invalid',
    'rfc9440',
    [['client-cert', `:${base64(leaf).replace('A', 'A ')}:`]],
  ],
  ['an empty byte sequence', 'header_coding_invalid', 'rfc9440', [['client-cert', '::']]],
  [
    'a comma after the last of the chain',
    'chain_coding_invalid',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', `:${base64(root)}:,`],
    ],
  ],
  [
    'an empty line among those of the chain',
    'chain_coding_invalid',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', ''],
      ['client-cert-chain', `:${base64(root)}:`],
    ],
  ],
  [
    'the chain without the leaf',
    'chain_without_leaf',
    'rfc9440',
    [['client-cert-chain', `:${base64(root)}:`]],
  ],
  [
    'the chain with an empty leaf',
    'chain_without_leaf',
    'gcp',
    [
      ['x-client-cert-leaf', ''],
      ['x-client-cert-chain', `:${base64(root)}:`],
    ],
  ],
  [
    'a chain of another format',
    'chain_coding_invalid',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', base64(root)],
    ],
  ],
  [
    'a chain with a certificate cut off',
    'certificate_truncated',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', `:${base64(cut)}:`],
    ],
  ],
  [
    'a chain of ten beside the leaf',
    'too_many_certificates',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      [
        'client-cert-chain',
        many(10)
          .map((der) => `:${base64(der)}:`)
          .join(','),
      ],
    ],
  ],
  [
    'a chain beyond the limit',
    'chain_too_long',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', 'A'.repeat(defaultLimits.chainLength + 1)],
    ],
  ],
  // PEM with something in place of its line ends
  ['newlines that became spaces', 'header_coding_invalid', 'nginx', [['x-ssl-client-cert', spaced(leaf)]]],
  [
    'tabs where spaces are expected',
    'header_coding_invalid',
    'apache',
    [['ssl_client_cert', pem(leaf).trimEnd().replaceAll('\n', '\t')]],
  ],
  [
    'plus signs that became spaces',
    'plus_signs_lost',
    'apache',
    [['ssl_client_cert', plusSigns(spaced(root))]],
  ],
  [
    'plus signs that became spaces',
    'plus_signs_lost',
    'f5',
    [['x-ssl-client-cert', plusSigns(spaced(intermediate))]],
  ],
  [
    'percent-encoded once and its plus signs lost',
    'header_coding_invalid',
    'nginx',
    [['x-ssl-client-cert', plusSigns(albEscaped(pem(root)))]],
  ],
  ['(null) of another producer', 'header_coding_invalid', 'nginx', [['x-ssl-client-cert', '(null)']]],
  [
    'cut off between markers and spaces',
    'certificate_truncated',
    'apache',
    [['ssl_client_cert', spaced(cut)]],
  ],
  // HAProxy
  ['one quote', 'header_coding_invalid', 'haproxy', [['x-ssl-client-cert', `"${base64(leaf)}`]]],
  [
    'leaf and chain end to end in the leaf header',
    'certificate_trailing_bytes',
    'haproxy',
    [['x-ssl-client-cert', base64(Buffer.concat([leaf, intermediate]))]],
  ],
  [
    'the chain twice',
    'chain_repeated',
    'haproxy',
    [
      ['x-ssl-client-cert', base64(leaf)],
      ['x-ssl-client-cert-chain', base64(root)],
      ['x-ssl-client-cert-chain', base64(root)],
    ],
  ],
  [
    'the chain without the leaf',
    'chain_without_leaf',
    'haproxy',
    [
      ['x-ssl-client-cert', ''],
      ['x-ssl-client-cert-chain', base64(root)],
    ],
  ],
  [
    'junk at the end of the chain',
    'certificate_trailing_bytes',
    'haproxy',
    [
      ['x-ssl-client-cert', base64(leaf)],
      ['x-ssl-client-cert-chain', base64(Buffer.concat([root, Buffer.from('junk')]))],
    ],
  ],
  [
    'a chain cut off',
    'certificate_truncated',
    'haproxy',
    [
      ['x-ssl-client-cert', base64(leaf)],
      ['x-ssl-client-cert-chain', base64(Buffer.concat([root, cut]))],
    ],
  ],
  [
    'ten in the chain',
    'too_many_certificates',
    'haproxy',
    [
      ['x-ssl-client-cert', base64(leaf)],
      ['x-ssl-client-cert-chain', base64(Buffer.concat(many(10)))],
    ],
  ],
  [
    'a chain of another format',
    'chain_coding_invalid',
    'haproxy',
    [
      ['x-ssl-client-cert', base64(leaf)],
      ['x-ssl-client-cert-chain', escaped(pem(root))],
    ],
  ],
  // Traefik
  [
    'an empty member',
    'header_coding_invalid',
    'traefik',
    [['x-forwarded-tls-client-cert', `${base64(leaf)},`]],
  ],
  [
    'a space after the comma',
    'header_coding_invalid',
    'traefik',
    [['x-forwarded-tls-client-cert', `${base64(leaf)}, ${base64(root)}`]],
  ],
  [
    'eleven certificates',
    'too_many_certificates',
    'traefik',
    [['x-forwarded-tls-client-cert', many(11).map(base64).join(',')]],
  ],
  [
    'the header twice',
    'header_repeated',
    'traefik',
    [
      ['x-forwarded-tls-client-cert', base64(leaf)],
      ['x-forwarded-tls-client-cert', base64(root)],
    ],
  ],
  // ALB
  [
    'eleven certificates',
    'too_many_certificates',
    'aws-alb',
    [['x-amzn-mtls-clientcert', albEscaped(many(11).map(pem).join(''))]],
  ],
  [
    'the chain in the leaf header',
    'header_is_list',
    'aws-alb-leaf',
    [['x-amzn-mtls-clientcert-leaf', albEscaped(pem(leaf) + pem(root))]],
  ],
  [
    'two values joined by a comma',
    'header_is_list',
    'aws-alb',
    [['x-amzn-mtls-clientcert', `${albEscaped(pem(leaf))},${albEscaped(pem(root))}`]],
  ],
  [
    'explanatory text between the certificates',
    'header_coding_invalid',
    'aws-alb',
    [['x-amzn-mtls-clientcert', albEscaped(`${pem(leaf)}subject=\n${pem(root)}`)]],
  ],
  // Cloudflare
  ['no SHA-256', 'certificate_hash_mismatch', 'cloudflare', [['cf-client-cert-der-base64', base64(leaf)]]],
  [
    'the SHA-256 of another',
    'certificate_hash_mismatch',
    'cloudflare',
    [
      ['cf-client-cert-der-base64', base64(leaf)],
      ['cf-client-cert-sha256', sha256(root)],
    ],
  ],
  [
    'the SHA-256 twice',
    'certificate_hash_mismatch',
    'cloudflare',
    [
      ['cf-client-cert-der-base64', base64(leaf)],
      ['cf-client-cert-sha256', sha256(leaf)],
      ['cf-client-cert-sha256', sha256(leaf)],
    ],
  ],
  [
    'gorouter where Envoy is',
    'certificate_not_der',
    'gorouter',
    [['x-forwarded-client-cert', base64(Buffer.from('Hash=0'))]],
  ],
];

for (const [sentence, code, format, headers] of refused) {
  test(`${format} refuses ${sentence}: ${code}`, () => {
    const presented = read(format, headers);
    assert.equal(presented.kind === 'error' ? presented.code : presented.kind, code);
  });
}

for (const [format, header, value] of [
  ['rfc9440', 'client-cert', `:${base64(leaf)}:`],
  ['gcp', 'x-client-cert-leaf', `:${base64(leaf)}:`],
  ['traefik', 'x-forwarded-tls-client-cert', base64(leaf)],
  ['xfcc', 'x-forwarded-client-cert', `Hash=${sha256(leaf)};Cert="${escaped(pem(leaf))}"`],
] as const) {
  test(`${format} has commas of its own, so joined repeats can't be told apart: raw_headers_required`, () => {
    const presented = read(format, [[header, value]], {}, false);
    assert.equal(presented.kind === 'error' && presented.code, 'raw_headers_required');
    assert.equal(read(format, [], {}, false).kind, 'none');
  });
}

test('repeats that Envoy joined are seen by their comma: header_is_list', () => {
  const value = escaped(pem(leaf));
  const presented = read('auto', [[wso2, `${value},${value}`]], {}, false);
  assert.equal(presented.kind === 'error' && presented.code, 'header_is_list');
});

test('sentences and details quote nothing of the value', () => {
  for (const [, , format, headers] of refused) {
    const presented = read(format, headers);
    assert.ok(presented.kind === 'error');
    assert.doesNotMatch(presented.detail, /MII|BEGIN|\n/);
    assert.match(presentedErrors[presented.code].sentence, /^[A-Z][ -~]+\.$/);
  }
});
