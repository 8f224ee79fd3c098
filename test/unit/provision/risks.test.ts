import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { createFindings } from '../../../src/provision/findings.ts';
import { warnAboutRisks } from '../../../src/provision/risks.ts';
import { createAuthority, now, selfSigned } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';

const ca = await createAuthority({ subject: 'CN=Partner CA' });
const [acme, old, globex] = [
  await selfSigned({ subject: 'CN=acme' }),
  await selfSigned({ subject: 'CN=old', notAfter: new Date(now - 1000) }),
  await ca.issue({ subject: 'CN=globex' }),
];
const files = { 'ca.pem': ca.pem, 'acme.pem': acme.pem, 'old.pem': old.pem, 'globex.pem': globex.pem };
const client = (alias: string, key: string): string => `[[clients]]\nalias = "${alias}"\n${key}\n`;
const api = (keys: string): string => `[[apis]]\nname = "A"\nversion = "1"\nbasePath = "/a"\n${keys}\n`;
const acmeAlone = client('acme', 'file = "acme.pem"') + api('aliases = ["acme"]');

const rows: readonly [what: string, toml: string, says: readonly string[], isRouted?: true][] = [
  ['nothing where all is well', acmeAlone, []],
  [
    'an alias that nothing uses, once',
    client('bob', 'file = "old.pem"') + client('bob', 'file = "globex.pem"') + acmeAlone,
    ['2: clients[0].alias: alias "bob" may call no API; name it in aliases of one, or take it out'],
  ],
  [
    'an open API',
    api('mutualSSL = "off"'),
    ['1: apis[0]: "A" is open: it asks for no certificate and no token, and admits everybody'],
  ],
  [
    'an open operation, and not the API whose paths nobody gets to',
    client('acme', 'file = "acme.pem"') +
      api(
        'mutualSSL = "off"\n[[apis.operations]]\npath = "/x"\n[[apis.operations]]\npath = "/y"\nmutualSSL = "mandatory"\naliases = ["acme"]',
      ),
    ['4: apis[0]: "A", operation /x is open: it asks for no certificate and no token, and admits everybody'],
  ],
  [
    'an API whose clients have all ended or are off',
    client('old', 'file = "old.pem"') +
      client('off', 'file = "acme.pem"\ndisabled = true') +
      api('aliases = ["old", "off"]'),
    ['8: apis[0]: "A" admits nobody: all its clients are disabled, or their time is not now'],
  ],
  [
    'an API that Envoy can not route',
    acmeAlone,
    [
      '4: apis[0]: "A" has no backend: the generated Envoy answers 503 to whoever is admitted; write backend = "https://…"',
    ],
    true,
  ],
  [
    'a CA that issues for others, too',
    client('all', 'caFile = "ca.pem"') +
      client('globex', 'file = "globex.pem"') +
      client('named', 'caFile = "ca.pem"\ndns = ["a.example.com"]') +
      api('aliases = ["all"]') +
      api('aliases = ["globex", "named"]').replace('"/a"', '"/b"'),
    [
      '1: clients[0]: alias "all" is everybody to whom CN=Partner CA issued a certificate, and it issued those of "globex", "named"; write which are meant (subject, dns, uri, spiffe) beside caFile',
    ],
  ],
];
for (const [what, toml, says, isRouted = false] of rows) {
  test(`whoever reviews a configuration is told of ${what}`, () => {
    const { config, snapshot, text } = load(toml, files);
    const findings = createFindings('f', text.lineOf);
    warnAboutRisks({ own: config, snapshot, isRouted, now }, findings);
    assert.deepEqual(
      findings.warnings.map(problemLine),
      says.map((line) => `f:${line}`),
    );
  });
}
