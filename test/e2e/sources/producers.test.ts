import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../../demo/outcome.ts';
import { companionHeaders } from '../../../src/client-certificate/formats/companion-headers.ts';
import {
  type CertificateFormat,
  formats,
  knownCertificateHeaders,
} from '../../../src/client-certificate/formats/table.ts';
import { writeCertificate } from '../../../src/client-certificate/outbound.ts';
import { parsePem } from '../../../src/pki/containers/pem.ts';
import { createAuthority, selfSigned } from '../../support/certificate-authority.ts';
import type { ClientCertificate } from '../../support/client.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { catalogue, Gateway, petstore, type Sent } from '../gateway.ts';
import { balancerAddress, envoyWithNames, producers, skipReason, startProducer } from './producers.ts';

const { envoy, skip } = await realEnvoy();

let gateway: Gateway;
before(async () => {
  if (envoy) gateway = await Gateway.start(envoy, { watches: false });
});
after(() => gateway?.stop());

const derOf = (pem: string): Uint8Array => parsePem(pem)[0]!.decode();

/** The same client's certificate in every header and coding that anyone reads: whatever is believed, it is this one. */
function forged(pem: string): readonly (readonly [string, string])[] {
  const leaf = derOf(pem);
  const headers = (Object.keys(formats) as CertificateFormat[]).flatMap((format) =>
    writeCertificate(format, leaf, [leaf]),
  );
  const names = new Map(headers.map(([name, value]) => [name, value]));
  return [...names].map(([name, value]) => [name, value]);
}

const inUpperCase = ([name, value]: readonly [string, string]) => [name.toUpperCase(), value] as const;
const withUnderscores = ([name, value]: readonly [string, string]) =>
  [name.replaceAll('-', '_'), value] as const;

async function behind(
  producer: (typeof producers)[number],
  use: (port: number) => Promise<void>,
): Promise<void> {
  assert.equal(await gateway.configure(producer.settings), 'reloaded');
  const pki = gateway.pki.folder;
  chmodSync(join(pki, '..'), 0o755); // Apache reads some of it as another user
  const place = {
    folder: join(pki, '..', producer.name.replaceAll(/\W+/g, '-')),
    pki,
    router: gateway.stack.ports.router,
  };
  const running = await startProducer(producer, place, envoy!);
  try {
    await use(running.port);
  } finally {
    await running.stop();
  }
}

/** Status with alias or reason, through the producer. */
async function through(port: number, sent: Sent): Promise<string> {
  const { status, reason, seen } = await gateway.outcome({ ...sent, port });
  return [status, reason ?? seenHeader(seen, 'x-client-cert-alias')]
    .filter((part) => part !== undefined)
    .join(' ');
}

for (const producer of producers) {
  describe(`${producer.name}, in front of Envoy`, {
    skip: skip || skipReason(producer),
    timeout: 60_000,
  }, () => {
    it('passes on who the client is, and clients that pass on others are not believed', () =>
      behind(producer, async (port) => {
        const acmes = forged(gateway.pki.clients.acme.certificatePem);
        assert.equal(await through(port, { certificate: 'acme' }), '200 acme');
        assert.equal(await through(port, { certificate: 'partner' }), '200 partners');
        assert.equal(await through(port, { certificate: 'globex' }), '401 certificate_not_bound');
        assert.equal(await through(port, { certificate: 'stranger' }), '401 issuer_unknown');
        assert.equal(await through(port, {}), '401 certificate_missing');
        assert.equal(
          await through(port, { certificate: 'globex', headers: acmes }),
          '401 certificate_not_bound',
        );
        assert.match(
          await through(port, { headers: acmes }),
          /^401 (certificate_missing|chain_without_leaf)$/,
        );
        assert.equal(
          await through(port, {
            certificate: 'acme',
            headers: forged(gateway.pki.clients.globex.certificatePem),
          }),
          '200 acme',
        );
        for (const respelled of [acmes.map(inUpperCase), acmes.map(withUnderscores)]) {
          assert.match(
            await through(port, { headers: respelled }),
            /^401 (certificate_missing|chain_without_leaf)$/,
          );
          assert.equal(
            await through(port, { certificate: 'globex', headers: respelled }),
            '401 certificate_not_bound',
          );
        }
        assert.equal(
          await through(port, { headers: [['connection', `close, ${producer.header}`]] }),
          '401 certificate_missing',
        );
        assert.equal(
          await through(port, { certificate: 'acme', headers: [['x-forwarded-for', '203.0.113.9']] }),
          '200 acme',
        );
      }));

    it('an expired certificate comes as far as docs/certificate-sources.md says', () =>
      behind(producer, async (port) => {
        const outcome = through(port, { certificate: 'expired' });
        assert.match(await outcome.catch(({ message }: Error) => message), producer.expired);
      }));

    it('none of the headers reaches the backend, and nobody else may send them', () =>
      behind(producer, async (port) => {
        await through(port, {
          certificate: 'acme',
          headers: [...forged(gateway.pki.clients.globex.certificatePem), ['ssl-client-verify', 'SUCCESS']],
        });
        const seen = gateway.stack.backend.seen.at(-1)!.headers.map(([name]) => name);
        const hidden: readonly string[] = [...knownCertificateHeaders, ...companionHeaders];
        assert.deepEqual(
          seen.filter((name) => hidden.includes(name.replaceAll('_', '-')) || hidden.includes(name)),
          [],
        );
        const direct = forged(gateway.pki.clients.acme.certificatePem);
        assert.equal(
          await gateway.verdict({ path: petstore, headers: direct }),
          '401 header_sender_untrusted',
        );
        assert.equal(
          await gateway.verdict({
            path: petstore,
            headers: [...direct, ['x-forwarded-for', balancerAddress]],
          }),
          '401 header_sender_untrusted',
        );
        assert.equal(await gateway.verdict({ path: catalogue, headers: direct }), '200');
      }));
  });
}

describe('a chain that the client presents', { skip, timeout: 60_000 }, () => {
  for (const producer of producers.filter(({ passesChain }) => passesChain)) {
    it(`reaches the enforcer through ${producer.name}`, { skip: skipReason(producer) }, () =>
      behind(producer, async (port) => {
        const [root, intermediate] = await chainOf('CN=Chain Root', 'CN=Chain Issuing');
        const leaf = await intermediate.issue({ subject: 'CN=chained', extendedKeyUsage: 'client' });
        writeFileSync(join(gateway.pki.folder, 'chain-root.pem'), root.pem);
        const toml = readFileSync(gateway.stack.configFile, 'utf8');
        const bound = `${toml}\n[[clients]]\nalias = "chained"\ncaFile = "${join(gateway.pki.folder, 'chain-root.pem')}"\n`;
        writeFileSync(
          gateway.stack.configFile,
          bound.replace('aliases = ["globex"]', 'aliases = ["globex", "chained"]'),
        );
        assert.equal(await gateway.stack.enforcer.reload(), 'reloaded');
        const certificate = {
          certificatePem: leaf.pem + intermediate.pem,
          privateKeyPem: leaf.privateKeyPem,
        };
        const alone = { certificatePem: leaf.pem, privateKeyPem: leaf.privateKeyPem };
        assert.equal(await through(port, { path: '/orders/1', certificate: alone }), '401 issuer_unknown');
        assert.equal(await through(port, { path: '/orders/1', certificate }), '200 chained');
      }),
    );
  }

  async function chainOf(rootName: string, issuingName: string) {
    const root = await createAuthority({ subject: rootName });
    return [root, await createAuthority({ subject: issuingName, parent: root })] as const;
  }
});

describe('a certificate that forges X-Forwarded-Client-Cert from inside', { skip, timeout: 60_000 }, () => {
  /** A certificate of the attacker's own making: its URI SAN closes its element and opens one with the victim's. */
  async function forger(text: (hash: string, cert: string) => string): Promise<ClientCertificate> {
    const victim = gateway.pki.clients.acme.certificatePem;
    const hash = new X509Certificate(victim).fingerprint256.replaceAll(':', '').toLowerCase();
    const made = await selfSigned({
      subject: 'CN=forger',
      subjectAltNames: [`urn://${text(hash, encodeURIComponent(victim))}`],
    });
    return { certificatePem: made.pem, privateKeyPem: made.privateKeyPem };
  }
  const forgeries: readonly [name: string, text: (hash: string, cert: string) => string, code: string][] = [
    ['a further element', (hash, cert) => `x,Hash=${hash};Cert="${cert}"`, 'xfcc_element_count'],
    ['further keys in its own element', (hash, cert) => `x;Hash=${hash};Cert="${cert}"`, 'xfcc_key_repeated'],
    [
      'an element ahead of which all is quoted away',
      (hash, cert) => `x";Hash=${hash};Cert="${cert}`,
      'header_coding_invalid',
    ],
  ];
  for (const [name, text, code] of forgeries) {
    it(`${name}: refused where the sender writes names, and where none is needed`, () =>
      behind(envoyWithNames, async (port) => {
        const certificate = await forger(text);
        assert.equal(await through(port, { certificate }), `401 ${code}`);
        assert.equal(await through(port, { path: catalogue, certificate }), `401 ${code}`);
      }));

    it(`${name}: nothing but a stranger's certificate where the sender writes cert and chain only`, () =>
      behind(producers.at(-1)!, async (port) => {
        assert.equal(await through(port, { certificate: await forger(text) }), '401 issuer_unknown');
      }));
  }
});

describe('a load balancer that is known by its own certificate', { skip, timeout: 60_000 }, () => {
  it('may send the header, whoever else has its address may not, and it is no client itself', async () => {
    const ca = await createAuthority({ subject: 'CN=Balancers' });
    const balancer = await ca.issue({ subject: 'CN=lb', extendedKeyUsage: 'client' });
    writeFileSync(join(gateway.pki.folder, 'lb-ca.pem'), ca.pem);
    const settings = [
      'enableClientValidation = false',
      'trustedSenders = ["alias:lb"]',
      '[[enforcer.security.mutualSSL.senders]]',
      'alias = "lb"',
      `caFile = "${join(gateway.pki.folder, 'lb-ca.pem')}"`,
    ];
    assert.equal(await gateway.configure(settings), 'reloaded');
    const lb = { certificatePem: balancer.pem, privateKeyPem: balancer.privateKeyPem };
    const headers = [gateway.headerOf('acme')];
    assert.equal(await gateway.verdict({ certificate: lb, headers }), '200');
    assert.equal(await gateway.verdict({ certificate: lb }), '401 certificate_missing');
    assert.equal(await gateway.verdict({ headers }), '401 header_sender_untrusted');
    assert.equal(await gateway.verdict({ certificate: 'globex', headers }), '401 header_sender_untrusted');
    assert.equal(
      await gateway.verdict({
        certificate: lb,
        headers: [['x-wso2-client-certificate', encodeURIComponent(balancer.pem)]],
      }),
      '401 issuer_unknown',
    );
  });
});

describe('the verified certificate for the backend', { skip, timeout: 60_000 }, () => {
  for (const [format, chainHeader] of [
    ['rfc9440', 'client-cert-chain'],
    ['traefik', undefined],
    ['nginx', undefined],
    ['xfcc', undefined],
  ] as const) {
    it(`as ${format}, from the handshake, whatever the client sends under that name`, async () => {
      assert.equal(
        await gateway.configure([
          'enableClientValidation = true',
          'enableOutboundCertificateHeader = true',
          `outboundFormat = "${format}"`,
        ]),
        'reloaded',
      );
      const headers = forged(gateway.pki.clients.globex.certificatePem);
      assert.equal(await gateway.verdict({ certificate: 'partner', headers }), '200');
      const expected = new Map(writeCertificate(format, derOf(gateway.pki.clients.partner.certificatePem)));
      const seen = gateway.stack.backend.seen
        .at(-1)!
        .headers.filter(([name]) => knownCertificateHeaders.includes(name));
      assert.deepEqual(new Map(seen), expected);
      assert.equal(
        seen.some(([name]) => name === chainHeader),
        false,
        'no chain was verified besides',
      );
    });
  }

  it('a forged chain under a name of its own does not stay beside a certificate without chain', async () => {
    assert.equal(
      await gateway.configure([
        'enableClientValidation = true',
        'enableOutboundCertificateHeader = true',
        'outboundFormat = "rfc9440"',
        'outboundHeader = "X-Out"',
        'outboundChainHeader = "X-Out-Chain"',
      ]),
      'reloaded',
    );
    const headers = ['x-out', 'x-out-chain', 'x_out_chain'].map((name) => [name, 'forged'] as const);
    const outgoing = (): readonly (readonly [string, string])[] =>
      gateway.stack.backend.seen.at(-1)!.headers.filter(([name]) => /^x.out/.test(name));
    assert.equal(await gateway.verdict({ certificate: 'partner', headers }), '200');
    const [own] = writeCertificate('rfc9440', derOf(gateway.pki.clients.partner.certificatePem));
    assert.deepEqual(outgoing(), [['x-out', own![1]]]);
    assert.equal(await gateway.verdict({ path: catalogue, headers }), '200');
    assert.deepEqual(outgoing(), []);
  });
});

describe('a load balancer beside clients of our own', { skip, timeout: 60_000 }, () => {
  it('each sender has its one source: the header counts from the load balancer, the handshake from all others', () =>
    behind(
      {
        ...producers.at(-1)!,
        settings: [
          '[[enforcer.security.mutualSSL.sources]]',
          'format = "xfcc"',
          `trustedSenders = ["${balancerAddress}"]`,
          '[[enforcer.security.mutualSSL.sources]]',
          'format = "peer"',
        ],
      },
      async (port) => {
        const headers = forged(gateway.pki.clients.acme.certificatePem);
        assert.equal(await through(port, { certificate: 'acme' }), '200 acme');
        assert.equal(await through(port, { certificate: 'globex', headers }), '401 certificate_not_bound');
        assert.equal(await through(port, { headers }), '401 certificate_missing');
        assert.equal(await gateway.verdict({ certificate: 'acme' }), '200');
        assert.equal(await gateway.verdict({ certificate: 'globex', headers }), '401 certificate_not_bound');
        assert.equal(await gateway.verdict({ headers }), '401 certificate_missing');
      },
    ));
});
