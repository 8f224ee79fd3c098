import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { writeCertificate } from '../../../src/client-certificate/outbound.ts';
import { problemLine } from '../../../src/config/problem.ts';
import { dynamicEnvoyFiles } from '../../../src/envoy-config/dynamic.ts';
import type { Certificate } from '../../../src/pki/certificate/certificate.ts';
import { createFindings } from '../../../src/provision/findings.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { warnAboutRisks } from '../../../src/provision/risks.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';
import { outcome } from '../../support/enforcer.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';
import { bytes, oid, sequence } from '../pki/der-writer.ts';
import {
  authorityKeyIdentifier,
  certify,
  type Entity,
  entity,
  generateEc,
  ca as isCa,
  type Keys,
  keyUsage,
  subjectKeyIdentifier,
} from '../pki/forge.ts';

// What may whoever writes one file below the path of a [[definitions]] entry do to others? Nothing.

const [acme, evil] = [await selfSigned({ subject: 'CN=acme' }), await selfSigned({ subject: 'CN=evil' })];
const idp = createTokenIssuer(now, { issuer: 'https://idp' });
const theirs = createTokenIssuer(now, {
  issuer: 'https://evil',
  kid: undefined,
  privateKey: createPrivateKey(evil.privateKeyPem),
});

let folder = '';
beforeEach((t) => {
  folder = mkdtempSync(join(tmpdir(), 'isolation-'));
  (t as unknown as { after: (done: () => void) => void }).after(() => rmSync(folder, { recursive: true }));
  put('jwks.json', idp.jwks);
  put('acme.pem', acme.pem);
});
function put(name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** An API project of Choreo Connect. */
function project(
  path: string,
  api: { name?: string; scheme?: string; client?: string; context?: string; backend?: string },
): void {
  const { name = 'Payments', scheme = 'mutualssl, mutualssl_mandatory', client, context = '/payments' } = api;
  const endpoint =
    api.backend &&
    `  endpointConfig:\n    endpoint_type: http\n    production_endpoints:\n      url: ${api.backend}\n`;
  put(
    `${path}/api.yaml`,
    `type: api\nversion: v4\ndata:\n  name: ${name}\n  version: "1.0"\n  context: ${context}\n  securityScheme: [${scheme}]\n${endpoint ?? ''}`,
  );
  if (client === undefined) return;
  put(`${path}/Client-certificates/client_certificates.yaml`, '- alias: acme\n  certificate: c.crt\n');
  put(`${path}/Client-certificates/c.crt`, client);
}
const token = 'oauth2, oauth_basic_auth_api_key_mandatory';

const definitions = (more = '', path = 'p'): string =>
  `[[definitions]]\nkind = "choreo-connect"\npath = "${path}"\n${more}\n`;
const ownIssuer =
  '[[enforcer.security.tokenService]]\nname = "idp"\nissuer = "https://idp"\njwksPath = "jwks.json"\naudiences = ["https://api.test"]\n';
const ownApi = (more: string): string => `[[apis]]\nname = "own"\nversion = "1"\n${more}\n`;
const openRoot = ownApi('basePath = "/"\nmutualSSL = "off"');

function load(toml: string, before?: Provisioned): Provisioned {
  put('config.toml', toml);
  const loaded = loadConfig(join(folder, 'config.toml'), {}, now, before && { before });
  if (isProblems(loaded)) throw new Error(loaded.map(problemLine).join('\n'));
  return loaded;
}
const said = ({ problems, warnings }: Provisioned): string =>
  [...problems, ...warnings].map(problemLine).join('\n').replaceAll(folder, '');
const call = (loaded: Provisioned, client?: { readonly pem: string }, path = '/payments/1.0/x') =>
  outcome({ path, ...(client && { certificate: encodeURIComponent(client.pem) }) }, loaded.snapshot);
const bearing = (loaded: Provisioned, bearer: string, path = '/payments/1.0/x') =>
  outcome({ path, headers: [['authorization', `Bearer ${bearer}`]] }, loaded.snapshot);
const forged = (): string => theirs.token({ sub: 'ceo' }, { kid: undefined });
const theirIssuer = (name = 'evil', more = 'certificateFilePath = "evil.pem"'): string =>
  `[[enforcer.security.tokenService]]\nname = "${name}"\nissuer = "https://evil"\n${more}\n`;

test('who has a place keeps it, whatever the name of the file that claims it too', async () => {
  for (const other of ['team-a', 'team-z']) {
    project('p/team-b', { client: acme.pem });
    const first = load(definitions());
    assert.equal(await call(first, acme), 'acme');
    project(`p/${other}`, { client: evil.pem });
    const second = load(definitions(), first);
    assert.equal(await call(second, acme), 'acme');
    assert.equal(await call(second, evil), 'issuer_unknown');
    assert.match(
      said(second),
      new RegExp(
        `/p/${other}/api.yaml:1: basePath: "Payments" 1.0 claims \\*/payments/1.0, which "Payments" 1.0 \\(/p/team-b/api.yaml:1\\) has already`,
      ),
    );
    assert.equal(await call(load(definitions(), second), acme), 'acme', 'and at each further reload');
    rmSync(join(folder, 'p'), { recursive: true });
  }
});

/** What Envoy's route to the API says of it. */
function routeTo(name: string, loaded: Provisioned): Record<string, string> {
  const files = dynamicEnvoyFiles(loaded.config, { ...loaded, resolvePath: (path) => path }, '/envoy');
  const [{ virtual_hosts: hosts }] = JSON.parse(files.get('routes-secured.json')!).resources;
  const route = hosts[0].routes.find((each: { name: string }) => each.name === name);
  return route.typed_per_filter_config['envoy.filters.http.ext_authz'].check_settings.context_extensions;
}

test("an API that comes into another's place is refused until Envoy leads no more to that one's backend", async () => {
  const theirs = { client: acme.pem, backend: 'https://theirs.test' };
  const own = (backend: string): string =>
    `[[apis]]\nname = "Payments"\nversion = "1.0"\nbasePath = "/payments/1.0"\nmutualSSL = "off"\nbackend = "${backend}"\n`;
  const remove = (path: string): void => rmSync(join(folder, path), { recursive: true });
  type Row = readonly [what: string, first: string, change: () => void, now: string, expected: string];
  const rows: readonly Row[] = [
    ['which waited beside it', definitions(), () => remove('p/team-b'), definitions(), 'route_mismatch'],
    [
      'which waited in another entry',
      definitions() + definitions('', 'q'),
      () => remove('p/team-b'),
      definitions() + definitions('', 'q'),
      'route_mismatch',
    ],
    [
      'which waited beside that of config.toml',
      definitions() + own('https://own.test'),
      () => remove('p/team-b'),
      definitions(),
      'route_mismatch',
    ],
    [
      'which is of config.toml now',
      definitions(),
      () => {},
      definitions() + own('https://own.test'),
      'route_mismatch',
    ],
    [
      'and not its owner, who takes other clients and another backend',
      definitions(),
      () => project('p/team-b', { client: evil.pem, backend: 'https://new.test' }),
      definitions(),
      'acme',
    ],
    [
      'nor the same in a file of another name',
      definitions(),
      () => {
        remove('p');
        project('p/team-c', { ...theirs, client: evil.pem });
      },
      definitions(),
      'acme',
    ],
    ['nor in config.toml', definitions(), () => {}, definitions() + own(theirs.backend), 'allowed'],
    [
      'there written otherwise',
      definitions(),
      () => {},
      definitions() + own('https://Theirs.test:443/'),
      'allowed',
    ],
  ];
  for (const [what, first, change, now, expected] of rows) {
    project('p/bystander', { name: 'Others', context: '/others', client: acme.pem });
    project('q/bystander', { name: 'Others', context: '/more', client: acme.pem });
    project('p/team-b', theirs);
    const before = load(first);
    const waits = first.includes('"q"') ? 'q/team-b' : 'p/team-a';
    project(waits, { client: evil.pem, backend: 'https://evil.test' });
    const contextExtensions = routeTo('Payments 1.0', before);
    change();
    const after = load(now, load(first, before));
    const asked = { path: '/payments/1.0/x', certificate: encodeURIComponent(evil.pem) };
    assert.equal(await outcome({ ...asked, contextExtensions }, after.snapshot), expected, what);
    const { madeFor: _, ...others } = contextExtensions;
    const bySomebody = await outcome({ ...asked, contextExtensions: others }, after.snapshot);
    assert.notEqual(bySomebody, 'route_mismatch', `${what}: a route that does not say it`);
    const later = routeTo('Payments 1.0', after);
    assert.equal(
      await outcome({ ...asked, contextExtensions: later }, after.snapshot),
      bySomebody,
      `${what}: by its own route`,
    );
    remove('p');
    remove('q');
  }
});

test('a route is made for the same API wherever config.toml lies', () => {
  project('p/team-b', { client: acme.pem });
  const madeAt = (file: string): string | undefined => {
    put(file, definitions('', join(folder, 'p')));
    const loaded = loadConfig(join(folder, file), {}, now);
    assert.ok(!isProblems(loaded));
    return routeTo('Payments 1.0', loaded).madeFor;
  };
  assert.equal(madeAt('a/config.toml'), madeAt('b/c/config.toml'));
});

test('where neither had the place before, both are refused', async () => {
  project('p/team-a', { client: evil.pem });
  project('p/team-b', { client: acme.pem });
  const loaded = load(definitions() + openRoot);
  for (const client of [acme, evil, undefined]) assert.equal(await call(loaded, client), 'api_misconfigured');
  assert.match(said(loaded), /nobody knows whose it is, and both are refused/);
});

test('a broken one that never had the place does not take it from who has it', async () => {
  project('p/team-b', { client: acme.pem });
  const first = load(definitions());
  project('p/team-a', { scheme: 'nonsense' });
  assert.equal(await call(load(definitions(), first), acme), 'acme');
});

test('config.toml’s own API comes before any foreign one', async () => {
  project('p/team-b', { client: evil.pem });
  const toml = `${definitions()}[[clients]]\nalias = "mine"\nfile = "acme.pem"\n${ownApi('basePath = "/payments/1.0"\naliases = ["mine"]')}`;
  const first = load(definitions());
  assert.equal(await call(first, evil), 'acme');
  const second = load(toml, first);
  assert.equal(await call(second, acme), 'mine');
  assert.equal(await call(second, evil), 'issuer_unknown');
});

test('a foreign API on a host of its own takes that host from no API of config.toml', async () => {
  put('p/a.yaml', bijira('basePath: /own\n  hosts: [api.test]'));
  put('p/b.yaml', bijira('basePath: /theirs\n  hosts: [api.test]').replace('name: A', 'name: B'));
  const bijiraFiles = '[[definitions]]\nkind = "bijira"\npath = "p"\n';
  const alone = load(bijiraFiles + ownIssuer);
  const at = (loaded: Provisioned, path: string, host = 'api.test') =>
    outcome({ path, host }, loaded.snapshot);
  const mine = `[[clients]]\nalias = "mine"\nfile = "acme.pem"\n${ownApi('basePath = "/own"\naliases = ["mine"]')}`;
  for (const before of [undefined, alone]) {
    let later = load(bijiraFiles + ownIssuer + mine, before);
    later = load(bijiraFiles + ownIssuer + mine, later);
    assert.equal(await at(later, '/own/x'), 'certificate_missing');
    assert.equal(await at(later, '/own/x', 'other.test'), 'certificate_missing');
    assert.equal(await at(later, '/theirs/x'), 'token_missing', 'what is not config.toml’s is theirs');
    assert.match(said(later), /a\.yaml:1: basePath: "A" 1 claims api\.test\/own, which "own" 1 has already/);
  }
});

for (const [what, away] of [
  ['is away', () => renameSync(join(folder, 'p'), join(folder, 'away'))],
  [
    'is empty',
    () => {
      rmSync(join(folder, 'p'), { recursive: true });
      mkdirSync(join(folder, 'p'));
    },
  ],
] as const) {
  test(`the folder ${what} at a reload: all that came from it is as it was, its issuers too`, async () => {
    project('p/team-b', { client: acme.pem });
    project('p/orders', { name: 'Orders', context: '/orders', scheme: token });
    put('p/config.toml', theirIssuer());
    put('p/evil.pem', evil.pem);
    const toml = definitions('issuers = ["evil"]') + openRoot;
    const first = load(toml);
    assert.equal(await bearing(first, forged(), '/orders/1.0/x'), 'token');
    away();
    let later = load(toml, first);
    later = load(toml, later);
    assert.equal(await call(later), 'certificate_missing');
    assert.equal(await call(later, acme), 'acme');
    assert.equal(await bearing(later, forged(), '/orders/1.0/x'), 'token');
    assert.match(said(later), /\/p:1: names no file/);
    assert.equal(await call(load(openRoot, later)), 'allowed', 'gone with its entry');
  });

  test(`the folder ${what} at the start: nothing falls through to an API that has all paths`, async () => {
    mkdirSync(join(folder, 'p'));
    away();
    const loaded = load(`${definitions()}${openRoot}${ownApi('basePath = "/other"\nmutualSSL = "off"')}`);
    assert.equal(await call(loaded), 'api_misconfigured');
    assert.equal(await call(loaded, undefined, '/other/x'), 'allowed');
    project('p/team-b', { client: acme.pem });
    const later = load(definitions() + openRoot, loaded);
    assert.equal(await call(later, undefined, '/x'), 'allowed', 'once it is known what there is');
    assert.equal(await call(later), 'certificate_missing');
  });
}

/** By a user that has no right to everything. */
function loadAsOrdinaryUser(toml: string, before: Provisioned): Provisioned {
  put('config.toml', toml);
  chmodSync(folder, 0o755);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    const loaded = loadConfig(join(folder, 'config.toml'), {}, now, { before });
    assert.ok(!isProblems(loaded));
    return loaded;
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
const shut = (path: string): void => chmodSync(join(folder, path), 0);

for (const [what, path, expected] of [
  ['that holds projects', 'p/team-b', 'acme'],
  ['above it', 'p/team-b/payments', 'acme'],
  ['within the project, which may close what the rest of it opens', 'p/team-b/payments/Definitions', 'acme'],
  ['of somebody else', 'p/team-c', 'allowed'],
] as const)
  test(`a subfolder ${what} that can’t be listed at a reload is not one that was deleted`, async () => {
    project('p/team-b/payments', { client: acme.pem });
    put('p/team-b/payments/Definitions/swagger.yaml', 'openapi: "3.0.0"\npaths: {/x: {get: {}}}\n');
    project('p/team-c/orders', { name: 'Orders', context: '/orders', client: acme.pem });
    const first = load(definitions() + openRoot);
    shut(path);
    let later = loadAsOrdinaryUser(definitions() + openRoot, first);
    if (expected === 'allowed') rmSync(join(folder, 'p/team-b'), { recursive: true });
    later = loadAsOrdinaryUser(definitions() + openRoot, later);
    assert.equal(await call(later, acme), expected, 'what was deleted is gone all the same');
    assert.equal(await call(later, acme, '/orders/1.0/x'), 'acme');
    assert.match(said(later), /is a folder that this user may not list; make it readable/);
    chmodSync(join(folder, path), 0o755);
  });

test('a link that leads nowhere for the moment is no file that was deleted', async () => {
  put('p/..data/a.yaml', bijira('basePath: /payments/1.0'));
  symlinkSync('..data/a.yaml', join(folder, 'p/a.yaml'));
  const toml = `[[definitions]]\nkind = "bijira"\npath = "p"\n${openRoot}${ownIssuer}`;
  const first = load(toml);
  renameSync(join(folder, 'p/..data'), join(folder, 'p/..older'));
  const later = load(toml, first);
  assert.equal(await call(later), 'token_missing');
  rmSync(join(folder, 'p/a.yaml'));
  put('p/b.yaml', bijira('basePath: /other'));
  assert.equal(await call(load(toml, later)), 'allowed', 'once the link is deleted, it is');
});

for (const [what, before, after, path] of [
  ['a file that is half written under another name', 'p/v1.yaml', 'p/v2.yaml', 'p'],
  ['a file that is half written in another folder', 'p/a/v1.yaml', 'p/b/v1.yaml', 'p'],
  ['another path, where there is nothing yet', 'p/v1.yaml', 'q/v1.yaml', 'q'],
] as const)
  test(`an API that is gone, perhaps to ${what}, falls to no shorter path`, async () => {
    const toml = (path: string): string =>
      `[[definitions]]\nkind = "bijira"\npath = "${path}"\n${ownApi('basePath = "/payments"\nmutualSSL = "off"')}${ownIssuer}`;
    put(before, bijira('basePath: /payments/1.0'));
    put('p/other.yaml', bijira('basePath: /toys').replace('name: A', 'name: B'));
    const first = load(toml('p'));
    assert.equal(await call(first), 'token_missing');
    renameSync(join(folder, before), join(folder, 'away'));
    if (path === 'p') put(after, '- name: "A');
    let later = load(toml(path), first);
    later = load(toml(path), later);
    assert.equal(await call(later), 'api_misconfigured');
    assert.equal(await call(later, undefined, '/payments/2.0/x'), 'allowed');
    put(after, bijira('basePath: /payments/1.0'));
    later = load(toml(path), later);
    assert.equal(await call(later), 'token_missing', 'as soon as it is whole');
    put(after, bijira('basePath: /toys/2.0'));
    assert.equal(await call(load(toml(path), later)), 'allowed', 'and once it is known to be gone');
  });

test('an API that is gone is gone, where all files can be read', async () => {
  project('p/team-b', { client: acme.pem });
  project('p/team-c', { name: 'Toys', context: '/toys', scheme: 'nonsense' });
  const first = load(definitions() + openRoot);
  rmSync(join(folder, 'p/team-b'), { recursive: true });
  assert.equal(await call(load(definitions() + openRoot, first)), 'allowed');
});

test('an issuer that a file names opens no API, unless its entry names it, and then of this entry alone', async () => {
  project('p/team-b', { scheme: token });
  project('q/team-c', { name: 'Toys', context: '/toys', scheme: token });
  put('p/config.toml', theirIssuer());
  put('p/evil.pem', evil.pem);
  const unnamed = load(definitions() + definitions('', 'q') + ownIssuer);
  assert.equal(await bearing(unnamed, idp.token()), 'token');
  assert.equal(await bearing(unnamed, forged()), 'token_issuer_unknown');
  assert.match(
    said(unnamed),
    /\/p\/config\.toml:1: tokenService: names the issuer "evil", whose tokens are not taken; .*issuers = \["evil"\]/,
  );
  const own = ownApi('basePath = "/own"\nmutualSSL = "off"\napplicationSecurity = "mandatory"');
  const named = load(definitions('issuers = ["idp", "evil"]') + definitions('', 'q') + ownIssuer + own);
  assert.equal(await bearing(named, idp.token()), 'token');
  assert.equal(await bearing(named, forged()), 'token');
  assert.equal(await bearing(named, forged(), '/toys/1.0/x'), 'token_issuer_unknown');
  assert.equal(await bearing(named, forged(), '/own/x'), 'token_issuer_unknown');
  const only = load(definitions('issuers = ["https://evil"]') + ownIssuer);
  assert.equal(
    await bearing(only, idp.token()),
    'token_issuer_unknown',
    'those that are named, and no others',
  );
});

for (const [why, text, message] of [
  ['a second of our name', theirIssuer('idp'), /names "idp" a second time; it is left out/],
  [
    'a certificate that is not there',
    theirIssuer('evil', 'certificateFilePath = "/nowhere.pem"'),
    /config\.toml:1: certificateFilePath: found "\/nowhere\.pem", which does not exist.*; tokens of it are refused/,
  ],
  ['a URL that is none', theirIssuer('evil', 'jwksURL = "ftp://x"'), /jwksURL: found "ftp:\/\/x"/],
] as const) {
  test(`an issuer of a file that does not add up is left out and told: ${why}`, async () => {
    project('p/team-b', { scheme: token });
    put('p/config.toml', text);
    put('p/evil.pem', evil.pem);
    const own = ownApi('basePath = "/own"\nmutualSSL = "off"\napplicationSecurity = "mandatory"');
    const loaded = load(definitions('issuers = ["idp", "evil"]') + ownIssuer + own);
    assert.equal(await bearing(loaded, idp.token()), 'token');
    assert.equal(await bearing(loaded, idp.token(), '/own/x'), 'token');
    assert.equal(await bearing(loaded, forged()), 'token_issuer_unknown');
    assert.match(said(loaded), message);
  });
}

/** One file of Bijira's, with an API that asks for nothing. */
const components = '[[definitions]]\nkind = "bijira"\npath = "b"\n';
function component(file: string, api: { readonly [key: string]: unknown }): void {
  const usual = { name: 'A', version: 'v1', basePath: '/a/v1', endpoint: 'https://a.example', policies: [] };
  put(file, JSON.stringify([{ ...usual, ...api }]));
}

test('a backend that is Envoy’s admin interface admits nobody, and harms nobody else', async () => {
  component('b/a.yaml', { endpoint: 'http://127.0.0.1:9901' });
  component('b/good.yaml', { name: 'Good', basePath: '/good/v1' });
  const own = ownApi('basePath = "/own"\nmutualSSL = "off"');
  const loaded = load(components + own);
  assert.equal(await call(loaded, undefined, '/a/v1/quitquitquit'), 'api_misconfigured');
  assert.equal(await call(loaded, undefined, '/good/v1/x'), 'allowed');
  assert.equal(await call(loaded, undefined, '/own/x'), 'allowed');
  assert.match(
    said(loaded),
    /b\/a\.yaml:1: backend: found "http:\/\/127\.0\.0\.1:9901", which is Envoy's admin/,
  );
});

for (const key of ['name', 'version'])
  test(`half a character in an API’s ${key} is no text of Envoy’s, and its own affair`, async () => {
    component('b/a.yaml', { [key]: 'v\ud800' });
    component('b/good.yaml', { name: '\u{1f600}', basePath: '/good/v1' });
    const loaded = load(components);
    assert.equal(await call(loaded, undefined, '/a/v1/x'), 'api_misconfigured');
    assert.equal(await call(loaded, undefined, '/good/v1/x'), 'allowed');
    assert.match(
      said(loaded),
      new RegExp(`a\\.yaml:1: ${key}: found "v.ud800"; write it without half a char`),
    );
    assert.ok(loaded.config.apis.every(({ name, version }) => `${name} ${version}`.isWellFormed()));
  });

for (const [sentence, own, hosts, basePath, isTold] of [
  ['below one of config.toml’s', '/pay/1.0', undefined, '/pay/1.0/transfers', true],
  ['far below it', '/pay', undefined, '/pay/1.0/transfers/x', true],
  ['below it on a host of its own', '/pay/1.0', ['api.test'], '/pay/1.0/transfers', true],
  ['beside it', '/pay/1.0', undefined, '/pay/1.0transfers', false],
  ['above it', '/pay/1.0', undefined, '/pay', false],
  ['below one that has all the rest', '/', undefined, '/pay/1.0/transfers', false],
] as const)
  test(`a foreign API ${sentence} is ${isTold ? '' : 'not '}told as one that takes its requests`, () => {
    component('b/a.yaml', { basePath, ...(hosts && { hosts }) });
    const mine = `[[clients]]\nalias = "mine"\nfile = "acme.pem"\n${ownApi(`basePath = "${own}"\naliases = ["mine"]`)}`;
    const told = new RegExp(
      `b/a\\.yaml:1: basePath: "A" v1 takes the requests below ${basePath} from "own" 1 `,
    );
    assert.equal(told.test(said(load(components + mine))), isTold);
  });

for (const [sentence, own, basePath, at] of [
  ['below one of config.toml’s in another case', '/shop', '/SHOP/1.0', '/shop/1.0'],
  ['the capitals being config.toml’s', '/Shop', '/shop/v1', '/Shop/v1'],
  ['far below it', '/shop', '/Shop/V1/x', '/shop/V1/x'],
  ['below it in its own case', '/shop', '/shop/V1', undefined],
  ['that has its whole base path in another case', '/shop/1.0', '/SHOP/1.0', undefined],
  ['beside it', '/shop', '/SHOPS/1.0', undefined],
  ['below one that has all the rest', '/', '/SHOP/1.0', undefined],
] as const)
  test(`a foreign API ${sentence} is ${at ? '' : 'not '}told as one for which requests are refused`, () => {
    component('b/a.yaml', { basePath });
    const mine = `[[clients]]\nalias = "mine"\nfile = "acme.pem"\n${ownApi(`basePath = "${own}"\naliases = ["mine"]`)}`;
    const told =
      / has (\S+), which in another case is below "own" 1 \S+ of config.toml: requests of that one at (\S+) are/;
    assert.deepEqual(told.exec(said(load(components + mine)))?.slice(1), at && [basePath, at]);
  });

/** An `*.apk-conf` and a TokenIssuer beside it. */
const apk = (issuers: string): string =>
  `[[definitions]]\nkind = "apk"\npath = "p"\nissuers = ["${issuers}"]\n`;
function tokenIssuer(file: string, name: string, issuer: string, { pem }: { readonly pem: string }): void {
  put(
    'p/payments.apk-conf',
    'name: Payments\nbasePath: /payments\nversion: "1.0"\ntype: REST\noperations: [{target: /x, verb: GET}]\nendpointConfigurations: {production: {endpoint: "http://127.0.0.1:1"}}\n',
  );
  const signatureValidation = { certificate: { certificateInline: pem } };
  put(
    file,
    JSON.stringify({
      apiVersion: 'dp.wso2.com/v1alpha2',
      kind: 'TokenIssuer',
      metadata: { name: 'x' },
      spec: { name, issuer, signatureValidation },
    }),
  );
}
const signed = (issuer: string, { privateKeyPem }: { readonly privateKeyPem: string }): string =>
  createTokenIssuer(now, { issuer, kid: undefined, privateKey: createPrivateKey(privateKeyPem) }).token(
    { sub: 'ceo' },
    { kid: undefined },
  );

test('an issuer whose URL is the name of config.toml’s own is not the one that is meant', async () => {
  tokenIssuer('p/evil.yaml', 'evil', 'idp', evil);
  const loaded = load(apk('idp') + ownIssuer);
  assert.equal(await bearing(loaded, idp.token()), 'token');
  assert.equal(await bearing(loaded, signed('idp', evil)), 'token_issuer_unknown');
  assert.match(said(loaded), /evil\.yaml:1: tokenService: names "idp" a second time; it is left out/);
});

for (const [why, wanted, name, issuer] of [
  ['its name', 'Okta', 'Okta', 'https://evil'],
  ['its URL', 'https://okta', 'Other', 'https://okta'],
  ['its name for a URL', 'Okta', 'Other', 'Okta'],
  ['its name and URL', 'Okta', 'Okta', 'https://okta'],
] as const) {
  test(`whose tokens are taken keeps that, whatever the name of the file that has ${why}, too`, async () => {
    for (const file of ['p/a.yaml', 'p/z.yaml']) {
      tokenIssuer('p/okta.yaml', 'Okta', 'https://okta', acme);
      const first = load(apk(wanted));
      assert.equal(await bearing(first, signed('https://okta', acme)), 'token');
      tokenIssuer(file, name, issuer, evil);
      let last = load(apk(wanted), first);
      assert.match(said(last), /with other keys than another file does: the one that was there before stays/);
      // Not while its own file is half written, nor at any further reload.
      for (const again of [() => put('p/okta.yaml', 'kind: "Tok'), () => {}]) {
        assert.equal(await bearing(last, signed('https://okta', acme)), 'token');
        assert.notEqual(await bearing(last, signed(issuer, evil)), 'token');
        again();
        last = load(apk(wanted), last);
      }
      rmSync(join(folder, 'p'), { recursive: true });
    }
  });
}

test('of two files that name one issuer with different keys none is taken where neither was before', async () => {
  tokenIssuer('p/okta.yaml', 'Okta', 'https://okta', acme);
  tokenIssuer('p/a.yaml', 'Okta', 'https://okta', evil);
  const loaded = load(apk('Okta'));
  for (const key of [acme, evil])
    assert.notEqual(await bearing(loaded, signed('https://okta', key)), 'token');
  assert.match(said(loaded), /nobody knows who is right, and none is taken/);
});

test('two files that say the same of an issuer do not keep each other out', async () => {
  tokenIssuer('p/okta.yaml', 'Okta', 'https://okta', acme);
  tokenIssuer('p/a.yaml', 'Okta', 'https://okta', acme);
  assert.equal(await bearing(load(apk('Okta')), signed('https://okta', acme)), 'token');
});

test('a file whose client has a sender’s certificate, or whose header is one of ours, is its own affair', async () => {
  put('lb.pem', evil.pem);
  const senders =
    '[enforcer.security.mutualSSL]\n[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\nfile = "lb.pem"\n';
  project('p/team-b', { client: evil.pem });
  project('p/team-c', { name: 'Toys', context: '/toys', client: acme.pem });
  const posing = load(senders + definitions());
  assert.equal(await call(posing, evil), 'api_misconfigured');
  assert.equal(await call(posing, acme, '/toys/1.0/x'), 'acme');
  assert.match(said(posing), /client "acme" has the certificate of the sender "lb"/);
  put(
    'p/config.toml',
    '[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "X-Client-Cert-Alias"\n',
  );
  const told = load(
    `${definitions('trustedSenders = ["10.0.0.1"]')}${ownApi('basePath = "/own"\nmutualSSL = "off"')}`,
  );
  assert.equal(await call(told, undefined, '/own/x'), 'allowed');
  for (const path of ['/payments/1.0/x', '/toys/1.0/x'])
    assert.equal(await call(told, acme, path), 'api_misconfigured');
});

test('a certificate header that is too long for Envoy’s patterns is that API’s own error', async () => {
  project('p/team-a', { client: acme.pem });
  put(
    'p/config.toml',
    `[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "${'a-'.repeat(300)}a"\n`,
  );
  const told = load(definitions('trustedSenders = ["10.0.0.1"]'));
  assert.equal(await call(told, acme), 'api_misconfigured');
  assert.match(
    said(told),
    /p\/team-a\/api\.yaml:1: sources.*: found "a-a.*write a header name of at most 64/,
  );
});

test('it takes no header from others’ requests: a certificate header is one that some product has, or config.toml names', async () => {
  const sends = (header: string): void =>
    put(
      'p/config.toml',
      `[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "${header}"\n`,
    );
  const removed = ({ snapshot }: Provisioned): readonly string[] => snapshot.answers.headersToRemove;
  const toml = definitions('trustedSenders = ["10.0.0.1"]');
  project('p/team-a', { client: acme.pem });
  sends('X-SSL-Client-Cert');
  const good = load(toml);
  assert.deepEqual(good.problems, []);
  assert.ok(removed(good).includes('x-ssl-client-cert'));

  for (const header of ['X-API-Key', 'If-Match', 'X-Forwarded-For', 'X-Cert-Policy', 'x_ssl_client_cert']) {
    sends(header);
    const told = load(toml);
    assert.deepEqual(removed(told), removed(load('')), header);
    assert.equal(await call(told, acme), 'api_misconfigured');
    assert.match(
      said(told),
      new RegExp(
        `p/team-a/api\\.yaml:1: sources: found "${header}", a certificate header that no product known here has and config\\.toml does not name: .* Name it in config\\.toml too, as certificateHeader`,
      ),
    );
    assert.deepEqual(removed(load(toml, good)), removed(good), 'in its last good state');

    const naming = load(`[enforcer.security.mutualSSL]\ncertificateHeader = "${header}"\n${toml}`);
    assert.deepEqual(naming.problems, []);
    const before = load(toml, naming);
    assert.deepEqual(removed(before), removed(load('')), 'not even what was good while config.toml named it');
    assert.equal(await call(before, acme), 'api_misconfigured');
  }
});

const apiOf = (more: string): string =>
  `type: api\nversion: v4\ndata:\n  name: Pay\n  context: /pay\n  securityScheme: [oauth2]\n${more}`;
const apkOf = (more: string): string =>
  `name: A\nbasePath: /pay\ntype: REST\noperations: [{target: /x, verb: GET}]\nendpointConfigurations: {production: {endpoint: "http://127.0.0.1:1"}}\n${more}`;
const vhosts = (...hosts: string[]): string =>
  `data: ${JSON.stringify(hosts.map((deploymentVhost) => ({ deploymentVhost })))}\n`;
const bijira = (more: string): string =>
  `- name: A\n  version: "1"\n  policies: [{policy: OAuth2}]\n  ${more}\n`;
const versioned = apiOf('  version: "1.0"\n');
for (const [why, kind, files, path] of [
  [
    'one of its hosts is none',
    'choreo-connect',
    { 'api.yaml': versioned, 'deployment_environments.yaml': vhosts('other.test', 'bad host', 'api.test') },
    '/pay/1.0/x',
  ],
  [
    'its only host is none',
    'choreo-connect',
    { 'api.yaml': versioned, 'deployment_environments.yaml': vhosts('api.test:9095') },
    '/pay/1.0/x',
  ],
  ['its version is missing', 'choreo-connect', { 'api.yaml': apiOf('') }, '/pay/1.0/x'],
  ['its version is a list', 'api-manager', { 'api.yaml': apiOf('  version: [1]\n') }, '/pay/1.0/x'],
  [
    'it can not be told whether it is the default version',
    'choreo-connect',
    { 'api.yaml': apiOf('  version: "1.0"\n  isDefaultVersion: yes\n') },
    '/pay/x',
  ],
  ['its version is missing', 'apk', { 'a.apk-conf': apkOf('') }, '/pay/1.0/x'],
  ['its file breaks before its version', 'apk', { 'a.apk-conf': apkOf('x: [') }, '/pay/1.0/x'],
  [
    'it can not be told whether it is the default version',
    'apk',
    { 'a.apk-conf': apkOf('version: "1"\ndefaultVersion: yes\n') },
    '/pay/x',
  ],
  [
    'one of its hosts is a URL',
    'bijira',
    { 'a.yaml': bijira('basePath: /pay\n  hosts: [api.test, "http://b"]') },
    '/pay/x',
  ],
  [
    'a comment stands behind its path, as in WSO2’s sample of a WebSocket API',
    'choreo-connect',
    { 'api.yaml': versioned.replace('/pay', '/pay    // where it is') },
    '/pay/1.0/x',
  ],
  ['its path ends in a template', 'bijira', { 'a.yaml': bijira('basePath: "/pay/{tenant}/x"') }, '/pay/1/x'],
] as const) {
  test(`${kind}: an API keeps its place from a shorter path where ${why}`, async () => {
    for (const [name, text] of Object.entries(files)) put(`p/a/${name}`, text);
    const loaded = load(`[[definitions]]\nkind = "${kind}"\npath = "p"\n${openRoot}`);
    const of = (path: string, host: string) => outcome({ path, host }, loaded.snapshot);
    assert.equal(await of(path, 'api.test'), 'api_misconfigured');
    assert.equal(await of('/else', 'site.test'), 'allowed', 'and no other');
    // Nor does a review call it open.
    const review = createFindings('config.toml', loaded.text.lineOf);
    warnAboutRisks({ ...loaded, own: loaded.config, isRouted: false, now }, review);
    assert.deepEqual(
      review.warnings.map(({ message }) => message.slice(0, 13)),
      ['"own" is open'],
    );
  });
}

const rsaSha256 = { algorithm: sequence(oid('1.2.840.113549.1.1.11'), bytes('0500')), hash: 'sha256' };

/** Nine of these cost more than one search may: a check by P-521 counts as twelve. */
const p521 = Array.from({ length: 9 }, () => generateEc('P-521'));
const keyId = '0102030405060708';
const asCa = [isCa(), keyUsage('06'), subjectKeyIdentifier(keyId)];
const fakesOf = (cn: string): readonly Certificate[] =>
  p521.map((keys) => certify(entity(cn, keys), entity(cn, keys), asCa));
const pemOf = ({ der }: Certificate): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
const proxy = (name: string, path: string, cas: readonly Certificate[]): string =>
  `- name: ${name}\n  version: v1.0\n  basePath: ${path}\n  policies:\n${cas.map((one) => `    - policy: MTLS Authenticator\n      Certificate Content: ${JSON.stringify(encodeURIComponent(pemOf(one)))}\n`).join('')}`;

test('CAs that a file names as others’ CAs are named come after those, however many and whatever they cost', async () => {
  // Longer certificates than those, which would come first by their bytes.
  const rsa = (): Keys => generateKeyPairSync('rsa', { modulusLength: 3072 });
  const top = entity('Root');
  const [b, sub] = ['B', 'Sub B'].map((cn) => entity(cn, rsa(), rsaSha256)) as [Entity, Entity];
  const [topCa, bCa] = [certify(top, top, [isCa()]), certify(b, b, asCa)];
  const [bBelow, subCa] = [certify(top, b, asCa), certify(b, sub, asCa)];
  const [ofB, ofSub] = [b, sub].map((who) => certify(who, entity('c'), [authorityKeyIdentifier(keyId)]));
  const trusting = '[router.downstream.tls]\ntrustedCertPath = "root.pem"\n';
  const entry = (path: string): string => `[[definitions]]\nkind = "bijira"\npath = "${path}"\n`;
  const own = (more = ''): string =>
    `${more}${entry('p')}[[clients]]\nalias = "b"\ncaFile = "b.pem"\n${ownApi('basePath = "/b"\naliases = ["b"]')}`;
  const knowing = '[router.downstream.tls]\nintermediatesPath = "sub.pem"\n';
  const fakes = proxy('A', '/a', fakesOf('B'));
  type Row = readonly [
    what: string,
    toml: string,
    files: Readonly<Record<string, string>>,
    leaf: Certificate,
    sent?: readonly Certificate[],
  ];
  const alone = { 'b.pem': pemOf(bCa), 'p/a.yaml': fakes };
  const ofSubs = { ...alone, 'p/a.yaml': proxy('A', '/a', fakesOf('Sub B')), 'sub.pem': pemOf(subCa) };
  const rows: readonly Row[] = [
    ['those of [[clients]]', own(), alone, ofB!],
    [
      'below trustedCertPath',
      own(trusting),
      { ...alone, 'b.pem': pemOf(bBelow), 'root.pem': pemOf(topCa) },
      ofB!,
    ],
    ['of intermediatesPath', own(knowing), ofSubs, ofSub!],
    ['that a client sends along', own(), ofSubs, ofSub!, [subCa]],
    [
      'that a client sends along, and that file has, too',
      own(),
      { ...ofSubs, 'p/a.yaml': proxy('A', '/a', [...fakesOf('Sub B'), subCa]) },
      ofSub!,
      [subCa],
    ],
    ['of another entry', entry('p') + entry('q'), { ...alone, 'q/b.yaml': proxy('B', '/b', [bCa]) }, ofB!],
    ['of another file of that entry', entry('p'), { ...alone, 'p/b.yaml': proxy('B', '/b', [bCa]) }, ofB!],
  ];
  for (const [what, toml, files, leaf, sent = []] of rows) {
    rmSync(join(folder, 'p'), { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) put(name, text);
    const { snapshot, problems } = load(toml);
    const headers = writeCertificate(
      'xfcc',
      leaf.der,
      sent.map(({ der }) => der),
    );
    const path = toml.includes('"/b"') ? '/b' : '/b/v1.0';
    const result = await outcome({ path, certificate: encodeURIComponent(pemOf(leaf)), headers }, snapshot);
    assert.match(result, /^(b|mtls-authenticator)$/, `${what}: ${result} ${problems.map(problemLine)}`);
  }
});
