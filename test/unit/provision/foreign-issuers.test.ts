import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';
import { outcome } from '../../support/enforcer.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

/** Whatever a foreign file says of issuers: our own API is served, and takes tokens of its own issuer alone. */
const acme = await selfSigned({ subject: 'CN=acme' });
const ours = createTokenIssuer(now, { issuer: 'https://idp' });
const forger = createTokenIssuer(now, { issuer: 'https://idp' });
const root = mkdtempSync(join(tmpdir(), 'foreign-issuers-'));
after(() => rmSync(root, { recursive: true }));

type Texts = Readonly<Record<string, string>>;

const inChoreoConnect = (toml: string): Texts => ({
  'p/api.yaml': 'data: {name: a, version: "1", context: /a, securityScheme: [oauth2]}\n',
  'config.toml': toml,
});
const service = (lines: string): Texts =>
  inChoreoConnect(`[[enforcer.security.tokenService]]\n${lines}\njwksURL = "https://x/jwks"\n`);
const certificate = (path: string): Texts =>
  inChoreoConnect(
    `[[enforcer.security.tokenService]]\nname = "x"\nissuer = "https://x"\ncertificateFilePath = "${path}"\n`,
  );
const inApk = (spec: string): Texts => ({
  'a.apk-conf': 'name: a\nversion: "1"\nbasePath: /a\noperations: [{target: /x, verb: GET}]\n',
  't.yaml': `apiVersion: dp.wso2.com/v1alpha2\nkind: TokenIssuer\nmetadata: {name: t}\nspec: ${spec}\n`,
});
const inMicrogateway = (conf: string): Texts => ({
  'a.yaml': 'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a/1\npaths: {/x: {get: {}}}\n',
  'micro-gw.conf': conf,
});
const jwks = 'signatureValidation: {jwks: {url: "https://x/jwks"}}';

const rows: readonly [sentence: string, kind: string, files: Texts][] = [
  ['our name for another issuer', 'choreo-connect', service('name = "idp"\nissuer = "https://x"')],
  ['our issuer by another name', 'choreo-connect', service('name = "x"\nissuer = "https://idp"')],
  ['our issuer with a slash', 'choreo-connect', service('name = "x"\nissuer = "https://idp/"')],
  ['our name in capitals', 'choreo-connect', service('name = "IDP"\nissuer = "https://x"')],
  ['a name that is a number', 'choreo-connect', service('name = 5\nissuer = "https://x"')],
  ['empty names', 'choreo-connect', service('name = ""\nissuer = ""')],
  [
    'an issuer of 100,000 characters',
    'choreo-connect',
    service(`name = "x"\nissuer = "https://${'x'.repeat(100_000)}"`),
  ],
  [
    'a claim of ours',
    'choreo-connect',
    service('name = "x"\nissuer = "https://x"\nclaimMapping = [{remoteClaim = "a", localClaim = "sub"}]'),
  ],
  ['a certificate that is a folder', 'choreo-connect', certificate('/')],
  ['a certificate that is nowhere', 'choreo-connect', certificate('/nowhere.pem')],
  ['a certificate with a zero in its name', 'choreo-connect', certificate('a\\u0000b')],
  ['no list', 'choreo-connect', inChoreoConnect('[enforcer.security]\ntokenService = "x"\n')],
  ['no table', 'choreo-connect', inChoreoConnect('enforcer = {security = [1, 2]}\n')],
  ['a file that breaks off', 'choreo-connect', inChoreoConnect('[[enforcer.security.tokenService\n')],
  ['our issuer', 'apk', inApk(`{name: idp, issuer: "https://idp", ${jwks}}`)],
  ['our name', 'apk', inApk(`{name: idp, issuer: "https://x", ${jwks}}`)],
  [
    'a certificate that is none',
    'apk',
    inApk('{name: x, issuer: "https://x", signatureValidation: {certificate: {certificateInline: x}}}'),
  ],
  [
    'a Secret that is nowhere',
    'apk',
    inApk(
      '{name: x, issuer: "https://x", signatureValidation: {certificate: {secretRef: {name: x, key: x}}}}',
    ),
  ],
  ['a text', 'apk', inApk('x')],
  ['nothing', 'apk', inApk('~')],
  [
    'our issuer',
    'microgateway',
    inMicrogateway('[[jwtTokenConfig]]\nissuer = "https://idp"\njwksURL = "https://x/jwks"\n'),
  ],
  [
    'an alias that is nowhere',
    'microgateway',
    inMicrogateway('[[jwtTokenConfig]]\nissuer = "https://idp"\ncertificateAlias = "x"\n'),
  ],
  ['no URL', 'microgateway', inMicrogateway('[[jwtTokenConfig]]\nissuer = "https://idp"\njwksURL = "x"\n')],
  ['a text', 'microgateway', inMicrogateway('jwtTokenConfig = "x"\n')],
];
for (const [sentence, kind, files] of rows)
  test(`${kind}: an issuer with ${sentence}`, async () => {
    const folder = mkdtempSync(join(root, 'case-'));
    const config = `[[definitions]]\nkind = "${kind}"\npath = "d"\nbackend = "https://b.example"\nissuers = ["idp", "x"]\n\n[[enforcer.security.tokenService]]\nname = "idp"\nissuer = "https://idp"\njwksPath = "jwks.json"\naudiences = ["https://api.test"]\n\n[[clients]]\nalias = "acme"\nfile = "acme.pem"\n\n[[apis]]\nname = "own"\nversion = "1"\nbasePath = "/own"\naliases = ["acme"]\napplicationSecurity = "mandatory"\n`;
    const all = { 'config.toml': config, 'jwks.json': ours.jwks, 'acme.pem': acme.pem };
    for (const [name, text] of Object.entries(files)) Object.assign(all, { [`d/${name}`]: text });
    for (const [name, text] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const loaded = loadConfig(join(folder, 'config.toml'), {}, now);
    assert.ok(!isProblems(loaded), 'the configuration is refused');
    const ask = (path: string, { token }: typeof ours): Promise<string> => {
      const headers = [['authorization', `Bearer ${token()}`]] as const;
      return outcome({ path, headers, certificate: encodeURIComponent(acme.pem) }, loaded.snapshot);
    };
    assert.equal(await ask('/own/x', ours), 'acme');
    assert.equal(await ask('/own/x', forger), 'token_signature_invalid');
    assert.ok(['token', 'api_misconfigured'].includes(await ask('/a/1/x', ours)));
    assert.match(await ask('/a/1/x', forger), /token_signature_invalid|api_misconfigured/);
  });
