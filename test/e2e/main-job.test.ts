import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { differences, seenHeader } from '../../demo/outcome.ts';
import { phases } from '../../demo/requests.ts';
import { throughEnvoy } from '../../demo/through-envoy.ts';
import type { ClientCertificate } from '../support/client.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { type Chains, makeChains } from './chains.ts';
import { catalogue, Gateway, headerMode, peerMode, petstore, type Sent } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

describe('through a real Envoy', { skip }, () => {
  let gateway: Gateway;
  let chains: Chains;
  before(async () => {
    chains = await makeChains();
    gateway = await Gateway.start(envoy!, {
      watches: false,
      edit: (toml) =>
        toml
          .replaceAll('aliases = ["acme", "partners"]', 'aliases = ["acme", "partners", "chains", "pinned"]')
          .replace('[[apis]]', `${chains.clients}\n[[apis]]`),
    });
  });
  after(async () => {
    await gateway?.stop();
    rmSync(chains.folder, { recursive: true, force: true });
  });

  const verdict = (sent: Sent) => gateway.verdict(sent);

  for (const phase of phases) {
    describe(`the demo: ${phase.title}`, () => {
      before(async () => assert.equal(await gateway.configure(phase.mutualSSL), 'reloaded'));
      for (const request of phase.requests) {
        it(request.name, async () => {
          const send = throughEnvoy(gateway.pki, gateway.stack.ports.router);
          assert.deepEqual(differences(request, await send(request, phase)), []);
        });
      }
    });
  }

  describe('chains that clients present', () => {
    before(async () => assert.equal(await gateway.configure(peerMode), 'reloaded'));
    const unknownIssuer = /^401 (issuer_unknown|signature_invalid)$/;
    const rows: readonly (readonly [
      words: string,
      of: (all: Chains) => ClientCertificate,
      verdict: RegExp,
    ])[] = [
      ['leaf and intermediate lead up to the CA', (all) => all.whole, /^200$/],
      ['the same with the root itself', (all) => all.withRoot, /^200$/],
      ['the intermediate is missing', (all) => all.leafOnly, unknownIssuer],
      ['the intermediate is no CA', (all) => all.throughLeaf, /^401 \w+$/],
      ['a CA with the name of the known one and another key', (all) => all.impostor, unknownIssuer],
      ['the same, with its own root', (all) => all.impostorWithRoot, unknownIssuer],
      ['a self-signed one that is bound as a file', (all) => all.pinned, /^200$/],
      ['what the holder of that one signed with it', (all) => all.signedByPinned, unknownIssuer],
      ['the same, with the bound one in the chain', (all) => all.signedByPinnedWithIt, /^401 \w+$/],
      ['a self-signed one with the subject of a bound one', (all) => all.sameSubject, unknownIssuer],
    ];
    for (const protocol of ['http/1.1', 'h2'] as const) {
      for (const [words, of, expected] of rows) {
        it(`${words} (${protocol})`, async () => {
          assert.match(await verdict({ certificate: of(chains), protocol }), expected);
        });
      }
    }
  });

  describe('what the backend gets', () => {
    it('the verified certificate, where enableOutboundCertificateHeader says so', async () => {
      const lines = ['enableOutboundCertificateHeader = true', ...peerMode];
      assert.equal(await gateway.configure(lines), 'reloaded');
      const forged = [gateway.headerOf('globex')];
      const { seen } = await gateway.outcome({ certificate: 'acme', headers: forged });
      const pem = decodeURIComponent(seenHeader(seen, 'x-wso2-client-certificate') ?? '');
      assert.equal(pem.trim(), gateway.pki.clients.acme.certificatePem.trim());

      const without = await gateway.outcome({ path: catalogue, headers: forged });
      assert.ok(without.seen);
      assert.equal(seenHeader(without.seen, 'x-wso2-client-certificate'), undefined);
    });

    it('the path, rewritten to its own', async () => {
      await gateway.configure(peerMode);
      const { seen } = await gateway.outcome({ path: `${petstore}?a=%2F&b`, certificate: 'acme' });
      assert.equal(seen?.path, '/v2/pet/1?a=%2F&b');
    });
  });

  describe('what the client gets', () => {
    before(async () => assert.equal(await gateway.configure(peerMode), 'reloaded'));

    it("a denial in Choreo Connect's words", async () => {
      const { status, headers, body } = await gateway.answer({ certificate: 'globex' });
      assert.equal(status, 401);
      assert.equal(headers['content-type'], 'application/json');
      assert.match(headers['www-authenticate'] ?? '', /^Mutual SSL realm="/);
      assert.equal(
        body,
        '{"code":"900901","error_message":"Invalid Credentials","error_description":"Make sure you have provided the correct security credentials"}',
      );
    });

    // From an API that needs no certificate to one that does. Envoy resolves what has one meaning, for all behind it.
    const resolved = '401 certificate_missing';
    const paths: readonly (readonly [path: string, verdict: string])[] = [
      ['/catalogue/../petstore/1.0.5/pet/1', resolved],
      ['/catalogue/%2e%2E/petstore/1.0.5/pet/1', resolved],
      ['/catalogue/..;/petstore/1.0.5/pet/1', resolved],
      ['/catalogue\\..\\petstore/1.0.5/pet/1', resolved],
      ['//petstore/1.0.5/pet/1', resolved],
      ['/petstore//1.0.5/pet/1', resolved],
      ['/PETSTORE/1.0.5/pet/1', '404 api_not_found'],
      ['/catalogue/%2e%2e;/petstore/1.0.5/pet/1', '400 path_ambiguous'],
      ['/catalogue/..%2Fpetstore/1.0.5/pet/1', '400 path_ambiguous'],
      ['/catalogue/..%5cpetstore/1.0.5/pet/1', '400 path_ambiguous'],
      ['/catalogue/%00/x', '400'], // Envoy's own answer
    ];
    for (const protocol of ['http/1.1', 'h2'] as const) {
      it(`no way around an API by a path that can be read in two ways (${protocol})`, async () => {
        const seenBefore = gateway.stack.backend.seen.length;
        for (const [path, expected] of paths) assert.equal(await verdict({ path, protocol }), expected, path);
        assert.equal(gateway.stack.backend.seen.length, seenBefore);
      });
    }

    it('answers to CORS pre-flights, which carry no certificate', async () => {
      const { status, headers } = await gateway.answer({
        method: 'OPTIONS',
        headers: [
          ['origin', 'https://shop.example'],
          ['access-control-request-method', 'GET'],
        ],
      });
      assert.equal(status, 200);
      assert.ok(headers['access-control-allow-origin']);
    });
  });

  describe('configuration on a running service', () => {
    it('a broken file is refused whole, and the last good one stays', async () => {
      assert.equal(await gateway.configure(headerMode), 'reloaded');
      const before = gateway.stack.enforcer.lines.length;
      assert.equal(await gateway.configure(['enableClientValidation = maybe']), 'refused');
      const said = gateway.stack.enforcer.lines.slice(before).join('\n');
      assert.match(said, /config\.toml/);
      assert.equal(await verdict({ headers: [gateway.headerOf('acme')] }), '200');
      assert.equal(await verdict({ certificate: 'acme' }), '401 certificate_missing');
    });

    it('header mode without trustedSenders is refused', async () => {
      assert.equal(await gateway.configure(peerMode), 'reloaded');
      assert.equal(await gateway.configure(['enableClientValidation = false']), 'refused');
      assert.equal(await verdict({ headers: [gateway.headerOf('acme')] }), '401 certificate_missing');
      assert.equal(await verdict({ certificate: 'acme' }), '200');
    });

    it('no request is lost or wrongly admitted while it is toggled', async () => {
      const verdicts = new Set<string>();
      let done = false;
      const load = Promise.all(
        [0, 1, 2, 3].map(async () => {
          while (!done) verdicts.add(await verdict({ certificate: 'acme', protocol: 'h2' }));
        }),
      );
      for (const [lines, expected] of [
        [headerMode, '401 certificate_missing'],
        [peerMode, '200'],
        [headerMode, '401 certificate_missing'],
        [peerMode, '200'],
      ] as const) {
        assert.equal(await gateway.configure(lines), 'reloaded');
        assert.equal(await verdict({ certificate: 'acme' }), expected);
      }
      done = true;
      await load;
      verdicts.delete('200');
      verdicts.delete('401 certificate_missing');
      assert.deepEqual([...verdicts], []);
    });
  });

  describe('the log', () => {
    it('has one line a denial with its code, and no certificate', async () => {
      assert.equal(await gateway.configure(headerMode), 'reloaded');
      const from = gateway.stack.enforcer.lines.length;
      assert.equal(await verdict({ headers: [gateway.headerOf('globex')] }), '401 certificate_not_bound');
      await gateway.stack.enforcer.line(/certificate_not_bound/, from);
      const lines = gateway.stack.enforcer.lines.slice(from);
      assert.equal(lines.length, 1);
      assert.doesNotMatch(lines[0]!, /BEGIN|%0A/);
    });

    it("of Envoy's requests carries alias and reason", async () => {
      assert.equal(await gateway.configure(peerMode), 'reloaded');
      const { lines, line } = gateway.stack.envoy!;
      const from = lines.length;
      await verdict({ certificate: 'acme' });
      await verdict({ certificate: 'expired' });
      assert.ok(await line(/"acme"/, from));
      assert.ok(await line(/"certificate_expired"/, from));
    });
  });
});
