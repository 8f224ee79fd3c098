import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { seenHeader } from '../../demo/outcome.ts';
import { selfSigned } from '../support/certificate-authority.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, type Sent } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

// biome-ignore lint/suspicious/noExplicitAny: Envoy's YAML
type Tree = any;

/** Envoy as gateways configure it that know nothing of us: no certificate in the Check, headers joined. */
const asGateway = (mode: string, details: readonly string[]) => (yaml: string) => {
  const tree: Tree = parse(yaml);
  const manager: Tree = tree.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
  delete manager.early_header_mutation_extensions;
  manager.forward_client_cert_details = mode;
  manager.set_current_client_cert_details = Object.fromEntries(details.map((each) => [each, true]));
  const { typed_config: authz } = manager.http_filters.find(
    ({ name }: { name: string }) => name === 'envoy.filters.http.ext_authz',
  );
  delete authz.include_peer_certificate;
  delete authz.encode_raw_headers;
  manager.http_filters = manager.http_filters.filter(
    ({ name }: { name: string }) => !['certificate_headers', 'trailers'].includes(name),
  );
  return stringify(tree, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
};

const hashOf = (pem: string): string =>
  createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
const elementOf = (pem: string): string => `Hash=${hashOf(pem)};Cert="${encodeURIComponent(pem)}"`;

/** Who asks, what it writes into XFCC itself, and what comes of it. */
type Row = readonly [certificate: Sent['certificate'], forged: 'forged' | 'nothing', outcome: string];

async function evil(gateway: Gateway) {
  const day = 86_400_000;
  const uri = `urn:x,${elementOf(gateway.pki.clients.acme.certificatePem)}`;
  const { pem, privateKeyPem } = await selfSigned({
    subject: 'CN=evil',
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day),
    extendedKeyUsage: 'client',
    subjectAltNames: [`uri:${uri}`],
  });
  return { certificatePem: pem, privateKeyPem };
}

const gateways: readonly [name: string, mode: string, details: readonly string[], rows: readonly Row[]][] = [
  [
    'SANITIZE_SET with cert and chain',
    'SANITIZE_SET',
    ['cert', 'chain'],
    [
      ['acme', 'nothing', '200 acme'],
      ['partner', 'nothing', '200 partners'],
      [undefined, 'nothing', '401 certificate_missing'],
      [undefined, 'forged', '401 certificate_missing'],
      ['stranger', 'forged', '401 issuer_unknown'],
      ['globex', 'forged', '401 certificate_not_bound'],
      ['expired', 'forged', '401 certificate_expired'],
    ],
  ],
  [
    'SANITIZE_SET with the chain alone',
    'SANITIZE_SET',
    ['chain'],
    [
      ['acme', 'nothing', '200 acme'],
      ['partner', 'nothing', '200 partners'],
      ['stranger', 'forged', '401 issuer_unknown'],
    ],
  ],
  ['SANITIZE_SET without either', 'SANITIZE_SET', ['dns'], [['acme', 'nothing', '401 xfcc_without_cert']]],
  ['SANITIZE', 'SANITIZE', ['cert'], [['acme', 'nothing', '401 certificate_missing']]],
  [
    'APPEND_FORWARD, where a client’s own stays in front',
    'APPEND_FORWARD',
    ['cert'],
    [
      ['acme', 'nothing', '200 acme'],
      ['stranger', 'forged', '401 xfcc_element_count'],
      [undefined, 'forged', '401 certificate_missing'],
    ],
  ],
  // What docs/gateways and check-config warn of: nobody can tell this from a right gateway.
  ['FORWARD_ONLY, which must not be', 'FORWARD_ONLY', ['cert'], [['stranger', 'forged', '200 acme']]],
];

for (const [name, mode, details, rows] of gateways) {
  describe(`peer = "xfcc" behind an Envoy with ${name}`, { skip }, () => {
    it(
      rows.map(([who, forged, outcome]) => `${who ?? 'nobody'}, ${forged}: ${outcome}`).join('; '),
      async (t) => {
        const gateway = await Gateway.start(envoy!, {
          mutualSSL: ['peer = "xfcc"'],
          editEnvoy: asGateway(mode, details),
        });
        t.after(() => gateway.stop());
        const acme = elementOf(gateway.pki.clients.acme.certificatePem);
        for (const [certificate, forged, expected] of rows) {
          for (const protocol of ['http/1.1', 'h2'] as const) {
            const { status, reason, seen } = await gateway.outcome({
              ...(certificate && { certificate }),
              protocol,
              headers: forged === 'forged' ? [['x-forwarded-client-cert', acme]] : [],
            });
            const alias = seenHeader(seen, 'x-client-cert-alias');
            assert.equal(`${status} ${reason ?? alias}`, expected, `${certificate}, ${forged}, ${protocol}`);
            assert.equal(seenHeader(seen, 'x-forwarded-client-cert'), undefined, 'none reaches the backend');
          }
        }
      },
    );
  });
}

it('peer = "xfcc": names inside a certificate that play further elements are nobody’s', {
  skip,
}, async (t) => {
  const gateway = await Gateway.start(envoy!, {
    mutualSSL: ['peer = "xfcc"'],
    editEnvoy: asGateway('SANITIZE_SET', ['cert', 'uri', 'dns', 'subject']),
  });
  t.after(() => gateway.stop());
  assert.equal(await gateway.verdict({ certificate: 'acme' }), '200');
  assert.equal(await gateway.verdict({ certificate: await evil(gateway) }), '401 xfcc_element_count');
});
