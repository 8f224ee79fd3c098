import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../src/attributes.ts';
import type { HeaderSource } from '../../../src/client-certificate/header.ts';
import { trustedSenders } from '../../../src/client-certificate/senders.ts';
import {
  type CertificateSources,
  readPresented,
  type SenderVerdict,
} from '../../../src/client-certificate/source.ts';
import { type RequestParts, request } from '../../support/attributes.ts';
import { albEscaped, base64, escaped, intermediate, leaf, pem, rfc8705, root, sha256 } from './samples.ts';

const own = escaped(pem(root));
const wso2: Header = ['x-wso2-client-certificate', escaped(pem(leaf))];
const alb: Header = ['x-amzn-mtls-clientcert', albEscaped(pem(leaf))];
const clientCert: Header = ['client-cert', `:${base64(rfc8705)}:`];

const auto = (senders: readonly string[]): HeaderSource => ({
  format: 'auto',
  header: 'x-wso2-client-certificate',
  senders: trustedSenders(senders),
});
const edgeLb: SenderVerdict = { isSender: true, alias: 'edge-lb' };
const stranger: SenderVerdict = { isSender: false, isBarred: false, why: 'unknown' };
const several: CertificateSources = {
  peer: { presentedChain: true },
  headers: [
    { format: 'aws-alb', header: 'x-amzn-mtls-clientcert', senders: trustedSenders(['10.20.0.0/16']) },
    {
      format: 'rfc9440',
      header: 'client-cert',
      chainHeader: 'client-cert-chain',
      senders: trustedSenders(['alias:edge-lb', '10.30.0.1']),
    },
  ],
  allowHeaderOverPlaintext: false,
  verifySender: (der) => (Buffer.compare(der, root) === 0 ? edgeLb : stranger),
};
const peerOnly: CertificateSources = {
  peer: { presentedChain: true },
  headers: [],
  allowHeaderOverPlaintext: false,
};
const headerOnly: CertificateSources = {
  peer: undefined,
  headers: [auto(['10.20.0.0/16'])],
  allowHeaderOverPlaintext: false,
};

/** What came out, in a word: the leaf's owner by name, `none`, or the code. */
function outcome(sources: CertificateSources, parts: RequestParts): string {
  const presented = readPresented(request(parts), sources, 0);
  if (presented.kind !== 'chain') return presented.kind === 'none' ? 'none' : presented.code;
  const names = new Map([
    [sha256(leaf), 'client'],
    [sha256(root), 'load balancer'],
    [sha256(rfc8705), 'victim'],
  ]);
  return `${names.get(sha256(presented.leaf))} by ${presented.source}`;
}

type Row = readonly [sentence: string, sources: CertificateSources, parts: RequestParts, outcome: string];

const rows: readonly Row[] = [
  ['peer mode takes the TLS client', peerOnly, { certificate: own }, 'load balancer by peer'],
  ['peer mode without a certificate', peerOnly, {}, 'none'],
  ['peer mode never looks at the header', peerOnly, { headers: [wso2] }, 'none'],
  ['peer mode on plain HTTP', peerOnly, { scheme: 'http' }, 'none'],
  [
    'header mode takes the header of a trusted sender',
    headerOnly,
    { source: '10.20.3.4', headers: [wso2] },
    'client by header',
  ],
  [
    'header mode: an IPv4 sender in IPv6 notation',
    headerOnly,
    { source: '::ffff:10.20.3.4', headers: [wso2] },
    'client by header',
  ],
  ['header mode never takes the TLS client', headerOnly, { source: '10.20.3.4', certificate: own }, 'none'],
  ['header mode: nor that of a stranger', headerOnly, { source: '10.21.0.1', certificate: own }, 'none'],
  ['header mode: a stranger without the header', headerOnly, { source: '10.21.0.1' }, 'none'],
  [
    "header mode: a stranger's header",
    headerOnly,
    { source: '10.21.0.1', headers: [wso2] },
    'header_sender_untrusted',
  ],
  [
    "header mode: a stranger's empty header",
    headerOnly,
    { source: '10.21.0.1', headers: [['x-wso2-client-certificate', '']] },
    'header_sender_untrusted',
  ],
  [
    "header mode: a stranger's junk is not even read",
    headerOnly,
    { source: '10.21.0.1', headers: [[wso2[0], 'junk']] },
    'header_sender_untrusted',
  ],
  [
    'header mode: X-Forwarded-For says nothing',
    headerOnly,
    { source: '10.21.0.1', headers: [wso2, ['x-forwarded-for', '10.20.0.1']] },
    'header_sender_untrusted',
  ],
  [
    'header mode: a sender without address (unix socket)',
    headerOnly,
    { source: undefined, headers: [wso2] },
    'header_sender_untrusted',
  ],
  [
    'header mode: an address that is none',
    headerOnly,
    { source: 'localhost', headers: [wso2] },
    'header_sender_untrusted',
  ],
  [
    'header mode: with _ for - it is another header',
    headerOnly,
    { source: '10.20.0.1', headers: [['x_wso2_client_certificate', wso2[1]]] },
    'none',
  ],
  [
    'plain HTTP, by its scheme',
    headerOnly,
    { source: '10.20.3.4', scheme: 'http', headers: [wso2] },
    'header_over_plaintext',
  ],
  [
    'plain HTTP, by the mark of the listener',
    headerOnly,
    { source: '10.20.3.4', contextExtensions: { listener: 'plain' }, headers: [wso2] },
    'header_over_plaintext',
  ],
  [
    'an unknown scheme is not TLS',
    headerOnly,
    { source: '10.20.3.4', scheme: '', headers: [wso2] },
    'header_over_plaintext',
  ],
  ['plain HTTP without the header', headerOnly, { source: '10.20.3.4', scheme: 'http' }, 'none'],
  [
    'plain HTTP of a stranger',
    headerOnly,
    { source: '10.21.0.1', scheme: 'http', headers: [wso2] },
    'header_sender_untrusted',
  ],
  [
    'plain HTTP, allowed',
    { ...headerOnly, allowHeaderOverPlaintext: true },
    { source: '10.20.3.4', scheme: 'http', headers: [wso2] },
    'client by header',
  ],
  ['several: the sender by address', several, { source: '10.20.0.1', headers: [alb] }, 'client by header'],
  [
    'several: its own certificate is never a client',
    several,
    { source: '10.20.0.1', certificate: escaped(pem(rfc8705)) },
    'none',
  ],
  [
    'several: a forged header of another source passed on by it',
    several,
    { source: '10.20.0.1', headers: [clientCert] },
    'none',
  ],
  [
    'several: the same beside its own',
    several,
    { source: '10.20.0.1', headers: [clientCert, alb] },
    'client by header',
  ],
  [
    'several: the sender by its own certificate',
    several,
    { source: '192.0.2.1', certificate: own, headers: [clientCert] },
    'victim by header',
  ],
  [
    'several: the same, with a forged header of another source',
    several,
    { source: '192.0.2.1', certificate: own, headers: [alb] },
    'none',
  ],
  [
    'several: a client that copies the header, with a certificate of its own',
    several,
    { source: '192.0.2.1', certificate: escaped(pem(leaf)), headers: [clientCert, alb] },
    'client by peer',
  ],
  [
    'several: a client that copies the header, without a certificate',
    several,
    { source: '192.0.2.1', headers: [clientCert, alb] },
    'none',
  ],
  [
    'several: address and certificate name two sources',
    several,
    { source: '10.20.0.1', certificate: own, headers: [alb] },
    'sender_ambiguous',
  ],
  [
    'several: address and certificate name the same source',
    several,
    { source: '10.30.0.1', certificate: own, headers: [clientCert] },
    'victim by header',
  ],
  [
    'several: nobody to verify senders by',
    { ...several, verifySender: () => stranger },
    { source: '192.0.2.1', certificate: own, headers: [clientCert] },
    'load balancer by peer',
  ],
  [
    'addresses that fit two sources',
    { ...headerOnly, headers: [auto(['10.0.0.0/8']), auto(['10.20.0.0/16'])] },
    { source: '10.20.0.1', headers: [wso2] },
    'sender_ambiguous',
  ],
  [
    'everyone, spelled out, IPv4',
    { ...headerOnly, headers: [auto(['0.0.0.0/0', '::/0'])] },
    { source: '203.0.113.9', headers: [wso2] },
    'client by header',
  ],
  [
    'everyone, spelled out, IPv6',
    { ...headerOnly, headers: [auto(['0.0.0.0/0', '::/0'])] },
    { source: '2001:db8::1', headers: [wso2] },
    'client by header',
  ],
  [
    'every IPv6 address is no IPv4 address',
    { ...headerOnly, headers: [auto(['::/0'])] },
    { source: '203.0.113.9', headers: [wso2] },
    'header_sender_untrusted',
  ],
];

for (const [sentence, sources, parts, expected] of rows) {
  test(sentence, () => assert.equal(outcome(sources, parts), expected));
}

const xfcc = (...ders: readonly Uint8Array[]): Header => [
  'x-forwarded-client-cert',
  `Hash=${sha256(ders[0]!)};Cert="${escaped(pem(ders[0]!))}";Chain="${escaped(ders.map(pem).join(''))}"`,
];
const peerRows: readonly [
  sentence: string,
  parts: RequestParts,
  intermediates: readonly Uint8Array[] | string,
][] = [
  ['no XFCC', {}, []],
  ['XFCC without Chain', { headers: [['x-forwarded-client-cert', `Hash=${sha256(leaf)}`]] }, []],
  ['the leaf only', { headers: [xfcc(leaf)] }, []],
  ['the whole chain', { headers: [xfcc(leaf, intermediate, root)] }, [intermediate, root]],
  ['a chain of another leaf', { headers: [xfcc(rfc8705, root)] }, 'chain_leaf_mismatch'],
  ['two elements', { headers: [xfcc(leaf), xfcc(leaf)] }, 'xfcc_element_count'],
  ['XFCC that is none', { headers: [['x-forwarded-client-cert', 'junk']] }, 'header_coding_invalid'],
  [
    'XFCC beyond all limits',
    { headers: [['x-forwarded-client-cert', 'A'.repeat(400_000)]] },
    'chain_too_long',
  ],
];

for (const [sentence, parts, expected] of peerRows) {
  test(`peer, intermediates from the XFCC of our own Envoy: ${sentence}`, () => {
    const presented = readPresented(request({ certificate: escaped(pem(leaf)), ...parts }), peerOnly, 0);
    if (typeof expected === 'string') {
      assert.equal(presented.kind === 'error' && presented.code, expected);
    } else {
      assert.ok(presented.kind === 'chain', JSON.stringify(presented));
      assert.equal(base64(presented.leaf), base64(leaf));
      assert.deepEqual(presented.intermediates.map(base64), expected.map(base64));
    }
  });
}

test('peer: without presentedChain XFCC is not looked at, whoever wrote it', () => {
  const presented = readPresented(
    request({ certificate: escaped(pem(leaf)), headers: [xfcc(rfc8705, root)] }),
    { ...peerOnly, peer: { presentedChain: false } },
    0,
  );
  assert.ok(presented.kind === 'chain');
  assert.deepEqual(presented.intermediates, []);
});

for (const certificate of ['junk', escaped(pem(leaf) + pem(root)), escaped(pem(leaf.subarray(0, -1)))]) {
  test(`peer: source.certificate ${certificate.slice(0, 8)}… of ${certificate.length} is unreadable`, () => {
    const presented = readPresented(request({ certificate }), peerOnly, 0);
    assert.equal(presented.kind === 'error' && presented.code, 'peer_certificate_unreadable');
  });
}

test('the sender is verified with what it presented, at the time given', () => {
  const calls: unknown[] = [];
  const sources: CertificateSources = {
    ...several,
    verifySender: (...call) => {
      calls.push(call);
      return stranger;
    },
  };
  readPresented(request({ certificate: own, headers: [xfcc(root, intermediate)] }), sources, 77);
  assert.deepEqual(calls, [[root, [intermediate], 77]]);
});

for (const [sentence, sent, intermediates] of [
  ['with its chain', xfcc(root, intermediate), [intermediate]],
  ['by its certificate alone, where XFCC speaks of somebody else', xfcc(leaf, intermediate), []],
] as const)
  test(`a sender is verified ${sentence}, where there is no peer source`, () => {
    const calls: unknown[] = [];
    const sources: CertificateSources = {
      ...headerOnly,
      headers: [auto(['alias:edge-lb'])],
      verifySender: (...call) => {
        calls.push(call);
        return edgeLb;
      },
    };
    const parts = { source: '10.21.0.1', certificate: own, headers: [wso2, sent] };
    assert.equal(outcome(sources, parts), 'client by header');
    assert.deepEqual(calls, [[root, intermediates, 0]]);
  });

test("a load balancer's XFCC is read as our Envoy received it, never what it wrote of the load balancer", () => {
  const sources: CertificateSources = {
    ...headerOnly,
    headers: [
      { format: 'xfcc', header: 'x-forwarded-client-cert', senders: trustedSenders(['10.20.0.0/16']) },
    ],
  };
  const own = xfcc(root);
  const received: Header = ['x-received-client-cert', xfcc(leaf)[1]];
  const parts = { source: '10.20.0.1', certificate: escaped(pem(root)) };
  assert.equal(outcome(sources, { ...parts, headers: [own, received] }), 'client by header');
  assert.equal(outcome(sources, { ...parts, headers: [own] }), 'none');
  assert.equal(outcome(sources, { source: '10.21.0.1', headers: [received] }), 'header_sender_untrusted');
});

const oneElement = (name: string, value: string): Header => ['x-forwarded-client-cert', `${name}=${value}`];
const chainOnly = (hash: Uint8Array, ...ders: readonly Uint8Array[]): Header =>
  oneElement('Hash', `${sha256(hash)};Chain="${escaped(ders.map(pem).join(''))}"`);
const certOnly = (der: Uint8Array, rest = ''): Header =>
  oneElement('Hash', `${sha256(der)};Cert="${escaped(pem(der))}"${rest}`);
const ofGateway: CertificateSources = { ...peerOnly, peer: { presentedChain: true, leafFromXfcc: true } };
const twice = (a: Header, b: Header): Header => [a[0], `${a[1]},${b[1]}`];

const gatewayRows: readonly Row[] = [
  ['the certificate', ofGateway, { headers: [certOnly(leaf)] }, 'client by peer'],
  [
    'headers that Envoy joined',
    ofGateway,
    { headers: [certOnly(leaf)], headersAreRaw: false },
    'client by peer',
  ],
  ['the chain alone', ofGateway, { headers: [chainOnly(leaf, leaf, intermediate)] }, 'client by peer'],
  [
    "Istio's other fields",
    ofGateway,
    { headers: [certOnly(leaf, ';Subject="CN=x";URI=spiffe://a/b')] },
    'client by peer',
  ],
  ['no XFCC, no certificate', ofGateway, {}, 'none'],
  ['an empty one', ofGateway, { headers: [['x-forwarded-client-cert', '']] }, 'none'],
  [
    'source.certificate as well, the same',
    ofGateway,
    { certificate: escaped(pem(leaf)), headers: [certOnly(leaf)] },
    'client by peer',
  ],
  [
    'source.certificate as well, another',
    ofGateway,
    { certificate: own, headers: [certOnly(rfc8705)] },
    'peer_certificate_differs',
  ],
  [
    'source.certificate alone, which nobody can forge',
    ofGateway,
    { certificate: own },
    'load balancer by peer',
  ],
  [
    'source.certificate that is none',
    ofGateway,
    { certificate: 'junk', headers: [certOnly(leaf)] },
    'peer_certificate_unreadable',
  ],
  [
    'two lines: a client’s own passed on',
    ofGateway,
    { headers: [certOnly(rfc8705), certOnly(leaf)] },
    'xfcc_element_count',
  ],
  [
    'two joined: APPEND_FORWARD',
    ofGateway,
    { headers: [twice(certOnly(rfc8705), certOnly(leaf))], headersAreRaw: false },
    'xfcc_element_count',
  ],
  [
    'an element from inside a URI',
    ofGateway,
    { headers: [certOnly(leaf, `;URI=urn:x,${certOnly(rfc8705)[1]}`)] },
    'xfcc_element_count',
  ],
  [
    'a Chain from inside a URI',
    ofGateway,
    { headers: [certOnly(leaf, `;URI=urn:x;Chain="${escaped(pem(rfc8705))}"`)] },
    'chain_leaf_mismatch',
  ],
  [
    'the chain of another',
    ofGateway,
    { headers: [chainOnly(leaf, rfc8705, leaf)] },
    'certificate_hash_mismatch',
  ],
  [
    'names alone',
    ofGateway,
    { headers: [oneElement('Hash', `${sha256(leaf)};URI=spiffe://a/b`)] },
    'xfcc_without_cert',
  ],
  [
    'plain HTTP, by its scheme',
    ofGateway,
    { scheme: 'http', headers: [certOnly(leaf)] },
    'header_over_plaintext',
  ],
  [
    'plain HTTP, where headers are believed there',
    { ...ofGateway, allowHeaderOverPlaintext: true },
    { scheme: 'http', headers: [certOnly(leaf)] },
    'header_over_plaintext',
  ],
  [
    'what our own Envoy keeps of a received one is not it',
    ofGateway,
    { headers: [['x-received-client-cert', certOnly(leaf)[1]]] },
    'none',
  ],
  ['off unless written: the same without', peerOnly, { headers: [certOnly(leaf)] }, 'none'],
  [
    'beyond all limits',
    ofGateway,
    { headers: [['x-forwarded-client-cert', 'A'.repeat(400_000)]] },
    'chain_too_long',
  ],
  [
    'a load balancer known by its own, and its header',
    { ...several, peer: { presentedChain: true, leafFromXfcc: true } },
    { source: '192.0.2.1', headers: [certOnly(root), clientCert] },
    'victim by header',
  ],
  [
    'the same without a header: it is no client',
    { ...several, peer: { presentedChain: true, leafFromXfcc: true } },
    { source: '192.0.2.1', headers: [certOnly(root)] },
    'none',
  ],
];
for (const [sentence, sources, parts, expected] of gatewayRows) {
  test(`peer = "xfcc": ${sentence}: ${expected}`, () => assert.equal(outcome(sources, parts), expected));
}

test('peer = "xfcc": the intermediates come along, also without Cert', () => {
  for (const header of [xfcc(leaf, intermediate, root), chainOnly(leaf, leaf, intermediate, root)]) {
    const presented = readPresented(request({ headers: [header] }), ofGateway, 0);
    assert.ok(presented.kind === 'chain', JSON.stringify(presented));
    assert.deepEqual(
      [presented.leaf, ...presented.intermediates].map(base64),
      [leaf, intermediate, root].map(base64),
    );
  }
});

test('peer: a certificate that no handshake can carry has a code of its own, a large one is read', () => {
  const large = (length: number): string =>
    escaped(
      pem(
        Buffer.concat([
          Buffer.from([0x30, 0x83, length >> 16, (length >> 8) & 255, length & 255]),
          Buffer.alloc(length),
        ]),
      ),
    );
  for (const [length, code] of [
    [90_000, undefined],
    [130_000, 'peer_certificate_too_long'],
  ] as const) {
    const presented = readPresented(request({ certificate: large(length) }), peerOnly, 0);
    assert.equal(presented.kind === 'error' ? presented.code : undefined, code, String(length));
  }
});
