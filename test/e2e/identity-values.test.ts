import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { seenHeader } from '../../demo/outcome.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { createTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';
import { Gateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** What two different users or scopes must not become, and what must not be lost on the way. */
const names: readonly [name: string, value: string][] = [
  ['admin', 'admin'],
  ['admin ', 'admin\\20'],
  [' admin', '\\20admin'],
  ['\tadmin', '\\09admin'],
  ['él', '\\C3\\A9l'],
  ['\\C3\\A9l', '\\5CC3\\5CA9l'],
  ['a\u00a0', 'a\\C2\\A0'],
];

for (const version of ['1.1', '2.0'] as const) {
  describe(`names of a token reach an HTTP/${version} backend one to one, through a real Envoy`, {
    skip,
  }, () => {
    let gateway: Gateway;
    let backend: Server;
    let idp: TokenIssuer;
    before(async () => {
      gateway = await Gateway.start(envoy!);
      // In the backend's place, one that speaks this alone.
      await gateway.stack.backend.stop();
      const { certificatePem: cert, privateKeyPem: key } = gateway.pki.backend;
      const answer: RequestListener = ({ httpVersion, rawHeaders }, response) => {
        const pairs = rawHeaders.flatMap((name, i) =>
          i % 2 ? [] : [[name.toLowerCase(), rawHeaders[i + 1]]],
        );
        const headers = pairs.filter(([name]) => !name?.startsWith(':'));
        response.end(JSON.stringify({ method: 'GET', path: '', httpVersion, headers }));
      };
      backend =
        version === '1.1'
          ? createServer({ cert, key }, answer)
          : createSecureServer({ cert, key }, answer as (request: object, response: object) => void);
      backend.listen(gateway.stack.ports.backend, '127.0.0.1');
      await once(backend, 'listening');
      idp = createTokenIssuer(Math.floor(Date.now() / 1000) * 1000, {
        issuer: 'https://idp.demo',
        privateKey: createPrivateKey(gateway.pki.issuerKeyPem),
      });
    });
    after(async () => {
      backend?.close();
      await gateway?.stop();
    });
    const seenOf = async (claims: object) => {
      const authorization = `Bearer ${idp.token({ ...claims })}`;
      const { seen, status, reason } = await gateway.outcome({
        path: '/accounts/1.0/list',
        certificate: 'acme',
        headers: [['authorization', authorization]],
      });
      assert.ok(seen, `${status} ${reason}`);
      assert.equal(seen.httpVersion, version);
      return seen;
    };

    for (const [name, value] of names)
      it(`${JSON.stringify(name)}`, async () => {
        const seen = await seenOf({ sub: name, client_id: name });
        assert.equal(seenHeader(seen, 'x-token-subject'), value);
        assert.equal(seenHeader(seen, 'x-token-client-id'), value);
      });
    it('a scope with a space in it is one scope', async () => {
      const seen = await seenOf({ scope: ['orders:read orders:write', 'accounts:read'] });
      assert.equal(seenHeader(seen, 'x-token-scopes'), 'orders:read\\20orders:write accounts:read');
    });
    it('an empty subject is none', async () => {
      assert.equal(seenHeader(await seenOf({ sub: '' }), 'x-token-subject'), undefined);
    });
  });
}
