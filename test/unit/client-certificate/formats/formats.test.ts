import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Header } from '../../../../src/attributes.ts';
import {
  type CertificateFormat,
  formatOf,
  formats,
} from '../../../../src/client-certificate/formats/table.ts';
import { writeCertificate } from '../../../../src/client-certificate/outbound.ts';
import {
  albEscaped,
  base64,
  escaped,
  formEncoded,
  intermediate,
  leaf,
  pem,
  read,
  rfc8705,
  root,
  sha256,
} from '../samples.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

type Row = readonly [
  sentence: string,
  format: CertificateFormat,
  headers: readonly Header[],
  intermediates?: readonly Uint8Array[],
];

const wso2 = 'x-wso2-client-certificate';
const xfcc = (bytes: Uint8Array, rest = ''): string =>
  `Hash=${sha256(bytes)};Cert="${escaped(pem(bytes))}"${rest}`;

/** The shapes as the producers write them; who made which sample for real, docs/certificate-sources.md says. */
const good: readonly Row[] = [
  ['WSO2: percent-encoded PEM', 'auto', [[wso2, escaped(pem(leaf))]]],
  ["WSO2: percent-encoded by Java's URLEncoder", 'auto', [[wso2, formEncoded(pem(leaf))]]],
  ['WSO2: DER on one line between markers', 'auto', [[wso2, BEGIN + base64(leaf) + END]]],
  [
    'WSO2: a PEM file in base64 between markers',
    'auto',
    [[wso2, BEGIN + base64(Buffer.from(pem(leaf))) + END]],
  ],
  [
    'percent-encoded PEM with CRLF',
    'percent-pem',
    [[wso2, encodeURIComponent(pem(leaf).replaceAll('\n', '\r\n'))]],
  ],
  ['percent-encoded PEM without the last newline', 'percent-pem', [[wso2, escaped(pem(leaf).trimEnd())]]],
  [
    'lower-case escapes',
    'percent-pem',
    [[wso2, escaped(pem(leaf)).replaceAll(/%../g, (e) => e.toLowerCase())]],
  ],
  ['form-encoded PEM', 'percent-pem', [[wso2, formEncoded(pem(leaf))]]],
  ['base64 of DER', 'base64-der', [[wso2, base64(leaf)]]],
  ['base64 of PEM', 'base64-pem', [[wso2, base64(Buffer.from(pem(leaf)))]]],
  ["RFC 9440's example", 'rfc9440', [['client-cert', `:${base64(leaf)}:`]]],
  [
    "RFC 9440's example with its chain",
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', `:${base64(intermediate)}:, :${base64(root)}:`],
    ],
    [intermediate, root],
  ],
  [
    'RFC 9440: the chain in several field lines',
    'rfc9440',
    [
      ['client-cert', `:${base64(leaf)}:`],
      ['client-cert-chain', `:${base64(intermediate)}:`],
      ['client-cert-chain', `:${base64(root)}:`],
    ],
    [intermediate, root],
  ],
  [
    'RFC 9651: parameters of every type are skipped',
    'rfc9440',
    [
      [
        'client-cert',
        `  :${base64(leaf)}:;a; b=1;c=-1.25;d="x\\"\\\\y,;";*e=tok/en:x;f=:AQ==:;g=?0;h=@12;i=%"f%c3%bc" `,
      ],
      ['client-cert-chain', `:${base64(intermediate)}:;q=1 \t, \t:${base64(root)}:`],
    ],
    [intermediate, root],
  ],
  [
    'RFC 9651 4.2.7: base64 without its padding',
    'rfc9440',
    [['client-cert', `:${base64(leaf).replace(/=+$/, '')}:`]],
  ],
  ['XFCC of Envoy', 'xfcc', [['x-forwarded-client-cert', xfcc(leaf)]]],
  [
    'XFCC of Envoy with the chain, By, Subject, URI and DNS',
    'xfcc',
    [
      [
        'x-forwarded-client-cert',
        `By=spiffe://a/b;${xfcc(leaf, `;Chain="${escaped(pem(leaf) + pem(intermediate))}";Subject="CN=q\\"uote\\\\,O=A\\, B\\;C";URI=urn:a;URI=urn:b;DNS=a.example;DNS=b.example`)}`,
      ],
    ],
    [intermediate],
  ],
  [
    'XFCC with keys in another case',
    'xfcc',
    [['x-forwarded-client-cert', xfcc(leaf).replace('Hash', 'hash').replace('Cert', 'CERT')]],
  ],
  [
    'XFCC in the JSON form of Envoy',
    'xfcc',
    [
      [
        'x-forwarded-client-cert',
        JSON.stringify([
          {
            by: ['spiffe://a'],
            hash: sha256(leaf),
            cert: pem(leaf),
            chain: [pem(leaf), pem(intermediate)],
            subject: '"cert":"',
            uri: ['urn:x,Hash=00;Cert="zz"'],
          },
        ]),
      ],
    ],
    [intermediate],
  ],
  ['nginx: $ssl_client_escaped_cert', 'nginx', [['x-ssl-client-cert', escaped(pem(leaf))]]],
  [
    'nginx: $ssl_client_cert behind Envoy',
    'nginx',
    [['x-ssl-client-cert', pem(leaf).trimEnd().replaceAll('\n', '\t')]],
  ],
  ['ingress-nginx', 'ingress-nginx', [['ssl-client-cert', escaped(pem(leaf))]]],
  ['Apache: %{SSL_CLIENT_CERT}s', 'apache', [['ssl_client_cert', pem(leaf).trimEnd().replaceAll('\n', ' ')]]],
  [
    'Apache: %{escape:…} leaves the plus bare',
    'apache',
    [['ssl_client_cert', escaped(pem(leaf)).replaceAll('%2B', '+')]],
  ],
  ['HAProxy: base64 of DER', 'haproxy', [['x-ssl-client-cert', base64(leaf)]]],
  ['HAProxy: in double quotes', 'haproxy', [['x-ssl-client-cert', `"${base64(leaf)}"`]]],
  [
    'HAProxy: between markers and spaces',
    'haproxy',
    [['x-ssl-client-cert', `${BEGIN} ${base64(leaf)} ${END}`]],
  ],
  [
    'HAProxy: with its chain',
    'haproxy',
    [
      ['x-ssl-client-cert', base64(leaf)],
      ['x-ssl-client-cert-chain', base64(Buffer.concat([intermediate, root]))],
    ],
    [intermediate, root],
  ],
  ['Traefik, leaf only', 'traefik', [['x-forwarded-tls-client-cert', base64(leaf)]]],
  [
    'Traefik, with the chain',
    'traefik',
    [['x-forwarded-tls-client-cert', `${base64(leaf)},${base64(intermediate)}`]],
    [intermediate],
  ],
  [
    'Traefik 2.8: percent-encoded once more',
    'traefik',
    [['x-forwarded-tls-client-cert', encodeURIComponent(`${base64(leaf)},${base64(intermediate)}`)]],
    [intermediate],
  ],
  [
    'ALB, passthrough',
    'aws-alb',
    [['x-amzn-mtls-clientcert', albEscaped(pem(leaf) + pem(intermediate))]],
    [intermediate],
  ],
  ['ALB, verify', 'aws-alb-leaf', [['x-amzn-mtls-clientcert-leaf', albEscaped(pem(leaf))]]],
  [
    'GCP',
    'gcp',
    [
      ['x-client-cert-leaf', `:${base64(leaf)}:`],
      ['x-client-cert-chain', `:${base64(intermediate)}:`],
    ],
    [intermediate],
  ],
  ['Azure App Service', 'azure-app-service', [['x-arr-clientcert', base64(leaf)]]],
  [
    'Cloudflare',
    'cloudflare',
    [
      ['cf-client-cert-der-base64', base64(leaf)],
      ['cf-client-cert-sha256', sha256(leaf)],
    ],
  ],
  ['F5: base64 of DER', 'f5', [['x-ssl-client-cert', base64(leaf)]]],
  ['F5: PEM with spaces', 'f5', [['x-ssl-client-cert', pem(leaf).trimEnd().replaceAll('\n', ' ')]]],
  ['Kong: base64 of DER', 'kong', [['x-client-cert', base64(leaf)]]],
  ['Kong: percent-encoded PEM', 'kong', [['x-client-cert', escaped(pem(leaf))]]],
  ['gorouter', 'gorouter', [['x-forwarded-client-cert', base64(leaf)]]],
  ['Bijira', 'bijira', [['x-client-cert-x509', escaped(pem(leaf))]]],
];

for (const [sentence, format, headers, intermediates = []] of good) {
  test(`reads ${sentence}`, () => {
    const presented = read(format, headers);
    assert.equal(presented.kind, 'chain', JSON.stringify(presented));
    assert.ok(presented.kind === 'chain');
    assert.equal(presented.source, 'header');
    assert.equal(base64(presented.leaf), base64(leaf));
    assert.deepEqual(presented.intermediates.map(base64), intermediates.map(base64));
  });
}

test('every format has a sample', () => {
  assert.deepEqual(new Set(good.map(([, format]) => format)), new Set(Object.keys(formats)));
});

test("RFC 8705's own certificate comes out with its own thumbprint", () => {
  const presented = read('auto', [[wso2, escaped(pem(rfc8705))]]);
  assert.ok(presented.kind === 'chain');
  assert.equal(
    createHash('sha256').update(presented.leaf).digest('base64url'),
    'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0',
  );
});

for (const format of Object.keys(formats) as CertificateFormat[]) {
  const { header, chainHeader, none } = formatOf(format);
  for (const value of ['', none].filter((value) => value !== undefined)) {
    test(`${format}: ${value === '' ? 'an empty value' : value} is no certificate`, () => {
      assert.deepEqual(read(format, [[header, value]]), { kind: 'none', header });
    });
  }
  test(`${format}: no header is no certificate`, () => {
    assert.deepEqual(read(format, []), { kind: 'none', header });
    assert.deepEqual(
      read(format, [[header.replaceAll(/[-_]/g, (c) => (c === '-' ? '_' : '-')), base64(leaf)]]),
      {
        kind: 'none',
        header,
      },
    );
    if (chainHeader !== undefined)
      assert.deepEqual(read(format, [[chainHeader, '']]), { kind: 'none', header });
  });
  test(`${format}: what we write, we read`, () => {
    const presented = read(format, writeCertificate(format, leaf, [intermediate]));
    assert.ok(presented.kind === 'chain', JSON.stringify(presented));
    assert.equal(base64(presented.leaf), base64(leaf));
    const carried = formatOf(format).chain === 'none' ? [] : [intermediate];
    assert.deepEqual(presented.intermediates.map(base64), carried.map(base64));
  });
  test(`${format}: a renamed header is read, the usual one then not`, () => {
    const value = writeCertificate(format, leaf)[0]![1];
    const renamed = format === 'cloudflare' ? [] : ([['x-mine', value]] as const);
    if (renamed.length > 0) assert.equal(read(format, renamed, { header: 'x-mine' }).kind, 'chain');
    assert.equal(read(format, [[header, value]], { header: 'x-mine' }).kind, 'none');
  });
}
