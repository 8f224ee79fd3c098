import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority, selfSigned } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';

const ca = await createAuthority({ subject: 'CN=CA' });
const acme = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const idp = await selfSigned({ subject: 'CN=idp' });

/** What config.toml names, and where each kind of file is read. */
const places: readonly [place: string, made: { pem: string; der: Uint8Array }, toml: string][] = [
  ['clients[0].file', acme, '[[clients]]\nalias = "a"\nfile = "f"\n'],
  ['clients[0].caFile', ca, '[[clients]]\nalias = "a"\ncaFile = "f"\n'],
  ['router.downstream.tls.trustedCertPath', ca, '[router.downstream.tls]\ntrustedCertPath = "f"\n'],
  ['router.downstream.tls.intermediatesPath', ca, '[router.downstream.tls]\nintermediatesPath = "f"\n'],
  [
    'enforcer.security.mutualSSL.senderCaPath',
    ca,
    '[enforcer.security.mutualSSL]\nsenderCaPath = "f"\n[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\ncaFile = "ca.pem"\n',
  ],
  [
    'enforcer.security.tokenService[0].certificateFilePath',
    idp,
    '[[enforcer.security.tokenService]]\nname = "i"\nissuer = "https://i.test"\naudiences = ["x"]\ncertificateFilePath = "f"\n',
  ],
  [
    'enforcer.security.tokenService[0].jwksCaPath',
    ca,
    '[[enforcer.security.tokenService]]\nname = "i"\nissuer = "https://i.test"\naudiences = ["x"]\njwksURL = "https://i.test/jwks"\njwksCaPath = "f"\n',
  ],
];
const forms: readonly [form: string, of: (made: { pem: string; der: Uint8Array }) => string | Uint8Array][] =
  [
    ['DER', ({ der }) => der],
    ['base64 without armour', ({ der }) => Buffer.from(der).toString('base64')],
    ['UTF-16', ({ pem }) => Buffer.from(`\ufeff${pem}`, 'utf16le')],
    ['PEM on one line', ({ pem }) => pem.replaceAll('\n', ' ')],
    ['PEM between rulers', ({ pem }) => `---------- Acme ----------\n${pem}----------\n`],
    ['PEM with written-out line ends', ({ pem }) => pem.replaceAll('\n', '\\n')],
  ];
const api = '[[apis]]\nname = "n"\nversion = "1"\nbasePath = "/n"\nmutualSSL = "off"\n';
const outcome = (toml: string, f: string | Uint8Array): string => {
  try {
    load(`${toml}${api}`, { f, 'ca.pem': ca.pem });
    return 'good';
  } catch (error) {
    return (error as Error).message;
  }
};

for (const [place, made, toml] of places) {
  for (const [form, of] of forms)
    test(`${place}: ${form} is read`, () => assert.equal(outcome(toml, of(made)), 'good'));
  test(`${place}: what is none is told by name, at its place`, () => {
    const message = outcome(toml, Buffer.from('308006092a864886f70d010702a080', 'hex'));
    assert.match(message, /found "f", which is PKCS#7 \(\.p7b\); make PEM of it: openssl pkcs7 -inform DER/);
    assert.ok(message.includes(`${place}: `), message);
  });
  test(`${place}: a private key beside it is refused`, () =>
    assert.match(
      outcome(toml, acme.pem + acme.privateKeyPem),
      /has a private key in it \(line \d+\); take it out/,
    ));
}
