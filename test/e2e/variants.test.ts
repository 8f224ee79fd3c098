import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { seenHeader } from '../../demo/outcome.ts';
import { freePort } from '../support/free-port.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { catalogue, Gateway, headerMode, peerMode, petstore, type Sent, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** Each starts everything anew: Envoy's configuration is made from these keys. */
describe('configurations through a real Envoy', { skip }, () => {
  const start = async (t: TestContext, options: Parameters<typeof Gateway.start>[1]) => {
    const gateway = await Gateway.start(envoy!, { watches: false, ...options });
    t.after(() => gateway.stop());
    return gateway;
  };
  const verdict = (gateway: Gateway, sent: Sent) => gateway.verdict(sent);
  /** Writes keys into a table that the demo's config.toml already has. */
  const into = (table: string, ...lines: string[]) => {
    return (toml: string) => toml.replace(`[${table}]\n`, `[${table}]\n${lines.join('\n')}\n`);
  };
  const before = (table: string, ...lines: string[]) => {
    return (toml: string) => toml.replace(`[${table}]\n`, `${lines.join('\n')}\n\n[${table}]\n`);
  };
  const all =
    (...edits: ((toml: string) => string)[]) =>
    (toml: string) =>
      edits.reduce((text, edit) => edit(text), toml);
  const worksAsEver = async (gateway: Gateway) => {
    assert.equal(await verdict(gateway, { certificate: 'acme' }), '200');
    assert.equal(await verdict(gateway, { certificate: 'stranger' }), '401 issuer_unknown');
    assert.equal(await verdict(gateway, {}), '401 certificate_missing');
  };

  describe('between Envoy and enforcer', () => {
    const ownCertificate = ['certPath = "../pki/router.pem"', 'keyPath = "../pki/router.key"'];

    it('a unix socket alone', async (t) => {
      const edit = (toml: string) =>
        toml.replace(/(\[enforcer\.authService\]\n)port = \d+/, '$1port = 0\nsocket = "authz.sock"');
      const gateway = await start(t, { edit });
      assert.match(gateway.stack.enforcer.listening.join(' '), /^\S+authz\.sock$/);
      await worksAsEver(gateway);
    });

    it('TLS, with exactly this certificate', async (t) => {
      await worksAsEver(await start(t, { edit: into('enforcer.authService', ...ownCertificate) }));
    });

    it('mutual TLS', async (t) => {
      const edit = all(
        into('enforcer.authService', ...ownCertificate, 'clientCaPath = "../pki/globex.pem"'),
        before(
          'enforcer.authService',
          '[router.enforcer]',
          'certPath = "../pki/globex.pem"',
          'keyPath = "../pki/globex.key"',
        ),
      );
      await worksAsEver(await start(t, { edit }));
    });

    it('mutual TLS with another certificate than the one asked for: nobody is admitted', async (t) => {
      const edit = all(
        into('enforcer.authService', ...ownCertificate, 'clientCaPath = "../pki/globex.pem"'),
        before(
          'enforcer.authService',
          '[router.enforcer]',
          'certPath = "../pki/globex.pem"',
          'keyPath = "../pki/globex.key"',
        ),
      );
      // Else `envoy-config` refuses it.
      const editEnvoy = (yaml: string) => yaml.replaceAll('/globex.', '/acme.');
      const gateway = await start(t, { edit, editEnvoy });
      for (const path of [petstore, catalogue, status]) {
        assert.equal(await verdict(gateway, { path, certificate: 'acme' }), '503', path);
      }
    });
  });

  describe('the TLS listener', () => {
    const tls = (...lines: string[]) => before('enforcer.authService', '[router.downstream.tls]', ...lines);

    it('trustedCertPath: all must lead up to it, but for a self-signed file', async (t) => {
      const gateway = await start(t, { edit: tls('trustedCertPath = "../pki/partner-ca.pem"') });
      assert.equal(await verdict(gateway, { certificate: 'partner' }), '200');
      await worksAsEver(gateway);
    });

    it('verifyInHandshake: a certificate of another CA does not get as far as a request', async (t) => {
      const edit = tls('trustedCertPath = "../pki/partner-ca.pem"', 'verifyInHandshake = true');
      const gateway = await start(t, { edit });
      assert.equal(await verdict(gateway, { certificate: 'partner' }), '200');
      assert.equal(await verdict(gateway, {}), '401 certificate_missing');
      for (const certificate of ['stranger', 'expired', 'server-only'] as const) {
        for (const protocol of ['http/1.1', 'h2'] as const) {
          await assert.rejects(gateway.answer({ certificate, protocol }), `${certificate}, ${protocol}`);
        }
      }
    });

    it('mTLSAPIsEnabled = false: no certificate is asked for, headers work', async (t) => {
      const gateway = await start(t, { edit: tls('mTLSAPIsEnabled = false'), mutualSSL: headerMode });
      assert.equal(await verdict(gateway, { headers: [gateway.headerOf('acme')] }), '200');
      assert.equal(await verdict(gateway, { certificate: 'acme' }), '401 certificate_missing');
      assert.equal(await gateway.configure(peerMode), 'refused');
    });
  });

  it('names of our headers can be chosen, and each be switched off', async (t) => {
    const edit = before(
      'enforcer.authService',
      '[enforcer.answers]',
      'reasonHeader = ""',
      'aliasHeader = "x-user"',
      'tierHeader = ""',
    );
    const gateway = await start(t, { edit });
    assert.equal(await verdict(gateway, {}), '401');
    const headers: [string, string][] = [
      ['x-user', 'forged'],
      ['x_user', 'forged'],
      ['x-client-cert-sha256', 'forged'],
    ];
    const { seen } = await gateway.outcome({ certificate: 'acme', headers });
    assert.equal(seenHeader(seen, 'x-user'), 'acme');
    assert.equal(seenHeader(seen, 'x-client-cert-tier'), undefined);
    assert.match(seenHeader(seen, 'x-client-cert-sha256') ?? '', /^[0-9a-f]{64}$/);
    const without = await gateway.outcome({ path: catalogue, headers });
    assert.deepEqual(
      without.seen?.headers.filter(([, value]) => value === 'forged'),
      [],
    );
  });

  describe('the plain-HTTP listener', () => {
    const plain = async (t: TestContext, mutualSSL: readonly string[]) => {
      const port = await freePort();
      const edit = into('router', 'listenerHost = "127.0.0.1"', `listenerPort = ${port}`);
      const gateway = await start(t, { edit, mutualSSL });
      return { gateway, over: (sent: Sent) => verdict(gateway, { ...sent, port, ca: undefined }), port };
    };

    it('serves no mandatory API, and believes no header', async (t) => {
      const { gateway, over, port } = await plain(t, headerMode);
      const headers = [gateway.headerOf('acme')];
      assert.equal(await over({ headers }), '401 certificate_missing');
      assert.equal(await over({ path: status }), '200');
      const { seen } = await gateway.outcome({ path: catalogue, headers, port, ca: undefined });
      assert.ok(seen);
      assert.equal(seenHeader(seen, 'x-client-cert-alias'), undefined);
      assert.equal(seenHeader(seen, 'x-wso2-client-certificate'), undefined);
      assert.equal(await verdict(gateway, { headers }), '200');
    });

    it('believes it from a trusted sender with allowHeaderOverPlaintext, until that is taken back', async (t) => {
      const { gateway, over } = await plain(t, [...headerMode, 'allowHeaderOverPlaintext = true']);
      const headers = [gateway.headerOf('acme')];
      assert.equal(await over({ headers }), '200');
      assert.equal(await over({ headers, localAddress: '127.0.0.2' }), '401 header_sender_untrusted');
      assert.equal(await over({}), '401 certificate_missing');
      // Not even by saying that it came by TLS.
      const claimed = [...headers, ['x-forwarded-proto', 'https'] as const];
      assert.equal(await gateway.configure(headerMode), 'reloaded');
      assert.equal(await over({ headers: claimed }), '401 header_over_plaintext');
      assert.equal(await over({ headers: claimed, path: catalogue }), '401 header_over_plaintext');
    });
  });
});
