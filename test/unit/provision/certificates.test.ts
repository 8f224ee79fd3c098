import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from '../../support/enforcer.ts';
import { ca, certify, dns, entity, nameConstraints } from '../pki/forge.ts';

/** What `check-config` says of certificates that can be read and will not do. */

const root = entity('Root');
const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
const api = '[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["p"]\n';

test('a CA whose name constraints can not be applied is warned about, with the constraint, wherever it is named', () => {
  const certificate = pem(certify(root, root, [ca(), nameConstraints([dns('.example.com')])]).der);
  for (const [toml, key] of [
    [`[[clients]]\nalias = "p"\ncaFile = "ca.pem"\n${api}`, 'clients[0].caFile'],
    [
      `[router.downstream.tls]\ntrustedCertPath = "ca.pem"\n[[clients]]\nalias = "p"\nissuer = "CN=Root"\n${api}`,
      'router.downstream.tls.trustedCertPath',
    ],
  ] as const) {
    const { warnings } = load(toml, { 'ca.pem': certificate });
    const told = warnings.filter(
      ({ message }) => message.includes('permitted') || message.includes('constrains'),
    );
    assert.deepEqual(
      told.map((warning) => warning.key),
      [key],
    );
    assert.match(
      told[0]!.message,
      /^CN=Root constrains names .* \(dNSName "\.example\.com"\): .*name_constraint_unsupported/,
    );
  }
});
