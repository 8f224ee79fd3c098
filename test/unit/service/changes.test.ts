import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../../src/config/read-config.ts';
import { atOnce } from '../../../src/provision/slices.ts';
import { describeChanges, type Written } from '../../../src/service/changes.ts';

const base = `[router.downstream.tls]
trustedCertPath = "ca.pem"
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "globex"
caFile = "globex-ca.pem"
subject = "CN=globex"
[[apis]]
name = "orders"
version = "1"
basePath = "/orders"
aliases = ["acme"]
`;

function written(toml: string, files: Readonly<Record<string, string>> = {}): Written {
  const read = readConfig(toml, 'config.toml', {});
  assert.ok('config' in read, JSON.stringify(read));
  return {
    config: read.config,
    bytesOf: (path) => {
      const text = files[path] ?? (path.endsWith('.pem') ? path : undefined);
      return text === undefined ? undefined : Buffer.from(text);
    },
  };
}

const rows: readonly [
  sentence: string,
  toml: string,
  files: Readonly<Record<string, string>>,
  changes: readonly string[],
][] = [
  ['nothing', base, {}, []],
  ['an alias more', `${base}[[clients]]\nalias = "new"\nfile = "new.pem"\n`, {}, ['aliases added: new']],
  [
    'an alias less',
    base.replace(/\[\[clients\]\]\nalias = "globex"[\s\S]*?(?=\[\[apis)/, ''),
    {},
    ['aliases removed: globex'],
  ],
  [
    'another certificate in the file of an alias',
    base,
    { 'acme.pem': 'new' },
    ['aliases with other certificates: acme'],
  ],
  ['another CA', base, { 'globex-ca.pem': 'new' }, ['aliases with other certificates: globex']],
  [
    'another file for an alias',
    base.replace('"acme.pem"', '"acme-2027.pem"'),
    {},
    ['aliases with other certificates: acme'],
  ],
  [
    'the same certificate in another file',
    base.replace('"acme.pem"', '"copy.pem"'),
    { 'copy.pem': 'acme.pem' },
    ['aliases with the same certificates from elsewhere: acme'],
  ],
  [
    'the same certificate in the configuration itself',
    base.replace('file = "acme.pem"', 'pem = "acme.pem"'),
    {},
    ['aliases with the same certificates from elsewhere: acme'],
  ],
  [
    'the same certificate until another day',
    base.replace('"acme.pem"', '"acme.pem"\nnotAfter = 2027-01-01T00:00:00Z'),
    {},
    ['aliases changed: acme'],
  ],
  [
    'an alias that is switched off',
    base.replace('file = "acme.pem"', 'file = "acme.pem"\ndisabled = true'),
    {},
    ['aliases switched off: acme'],
  ],
  [
    'an alias asked for something else',
    base.replace('CN=globex', 'CN=globex,O=Globex'),
    {},
    ['aliases changed: globex'],
  ],
  ['an API for one more', base.replace('["acme"]', '["acme", "globex"]'), {}, ['APIs changed: orders:1']],
  [
    'an API of another name',
    base.replace('"orders"', '"bills"'),
    {},
    ['APIs added: bills:1', 'APIs removed: orders:1'],
  ],
  [
    'a switch',
    `[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "X-C"\ntrustedSenders = ["127.0.0.1"]\n${base}`,
    {},
    [
      'settings: enforcer.security.mutualSSL.certificateHeader, enforcer.security.mutualSSL.enableClientValidation = false, enforcer.security.mutualSSL.trustedSenders',
    ],
  ],
  [
    'another file of trusted CAs',
    base,
    { 'ca.pem': 'new' },
    ['settings: the content of router.downstream.tls.trustedCertPath'],
  ],
];

for (const [sentence, toml, files, changes] of rows) {
  test(`${sentence}: ${changes.join('; ') || 'no word'}`, () => {
    assert.deepEqual(atOnce(describeChanges(written(base), written(toml, files))), changes);
  });
}

test('very many names are cut', () => {
  const more = Array.from({ length: 25 }, (_, i) => `[[clients]]\nalias = "a${i}"\nfile = "a.pem"\n`);
  const [line] = atOnce(describeChanges(written(base), written(base + more.join(''))));
  assert.match(line!, /^aliases added: a0, a1, .*, a19 and 5 more$/);
});
