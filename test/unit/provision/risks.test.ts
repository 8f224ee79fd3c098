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
const root = await createAuthority({ subject: 'CN=Root' });
const between = await createAuthority({ subject: 'CN=Issuing CA', parent: root });
const below = await between.issue({ subject: 'CN=below' });
const files = {
  'ca.pem': ca.pem,
  'acme.pem': acme.pem,
  'old.pem': old.pem,
  'globex.pem': globex.pem,
  'root.pem': root.pem,
  'between.pem': between.pem,
  'below.pem': below.pem,
};
const trusting = (ca: string, intermediates?: string): string =>
  `[router.downstream.tls]\ntrustedCertPath = "${ca}"\n${intermediates === undefined ? '' : `intermediatesPath = "${intermediates}"\n`}`;
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
  [
    'a file that no CA of trustedCertPath has issued',
    client('globex', 'file = "globex.pem"') + api('aliases = ["globex"]') + trusting('root.pem'),
    [
      '3: clients[0].file: alias "globex": nothing known here leads from its certificate up to router.downstream.tls.trustedCertPath (issuer_unknown: no certificate of CN=Partner CA, which CN=globex names as its issuer): every request with it is refused, unless CA certificates that do come along with it; add its CA to trustedCertPath, or those between to intermediatesPath',
    ],
  ],
  [
    'a caFile that no CA of trustedCertPath is above, of an API alone',
    api(`[[apis.clients]]\nalias = "all"\ncaFile = "ca.pem"`) + trusting('root.pem'),
    [
      '7: apis[0].clients[0].caFile: alias "all": nothing known here leads from its CA up to router.downstream.tls.trustedCertPath (CN=Partner CA issued itself, and is not in there): every request with it is refused, unless CA certificates that do come along with it; add its CA to trustedCertPath, or those between to intermediatesPath',
    ],
  ],
  [
    'a file below a CA that clients must send along',
    client('below', 'file = "below.pem"') + api('aliases = ["below"]') + trusting('root.pem'),
    [
      '3: clients[0].file: alias "below": nothing known here leads from its certificate up to router.downstream.tls.trustedCertPath (issuer_unknown: no certificate of CN=Issuing CA, which CN=below names as its issuer): every request with it is refused, unless CA certificates that do come along with it; add its CA to trustedCertPath, or those between to intermediatesPath',
    ],
  ],
  [
    'nothing where what is known leads up to trustedCertPath, or nobody issued the file',
    client('below', 'file = "below.pem"') +
      client('acme', 'file = "acme.pem"') +
      client('all', 'caFile = "between.pem"\ndns = ["a.example.com"]') +
      api('aliases = ["below", "acme", "all"]') +
      trusting('root.pem', 'between.pem'),
    [],
  ],
];
for (const [what, toml, says, isRouted = false] of rows) {
  test(`whoever reviews a configuration is told of ${what}`, () => {
    const loaded = load(toml, files);
    const findings = createFindings('f', loaded.text.lineOf);
    warnAboutRisks({ ...loaded, own: loaded.config, isRouted, now }, findings);
    assert.deepEqual(
      findings.warnings.map(problemLine),
      says.map((line) => `f:${line}`),
    );
  });
}
