import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { api as apiSchema } from '../../../../src/config/schema/api.ts';
import { readBijira } from '../../../../src/definitions/bijira/bijira.ts';
import type {
  DefinedApi,
  Definition,
  DefinitionEntry,
  WrittenApi,
} from '../../../../src/definitions/written.ts';
import type { Problem } from '../../../../src/documents/problem.ts';
import { parseToml } from '../../../../src/documents/toml.ts';
import { authority, createAuthority, selfSigned } from '../../../support/certificate-authority.ts';

const root = resolve(import.meta.dirname, '../../../..');
const folder = mkdtempSync(join(tmpdir(), 'bijira-'));
after(() => rmSync(folder, { recursive: true }));

const ca = await createAuthority({ subject: 'CN=Root' });
const intermediate = await createAuthority({ subject: 'CN=Issuing', parent: ca });
const leaf = await intermediate.issue({ subject: 'CN=acme' });
const own = await selfSigned({ subject: 'CN=own' });
const bare = await ca.issue({ subject: 'CN=bare', ca: true, keyUsage: [] });
const signsOnly = await authority(own, 'CN=own').issue({ subject: 'CN=x', keyUsage: ['keyCertSign'] });

let number = 0;
function read(text: string, more: Partial<DefinitionEntry> = {}): Definition {
  const path = join(folder, `${++number}.yaml`);
  writeFileSync(path, text);
  return readBijira({
    kind: 'bijira',
    path,
    trustedSenders: ['10.0.0.1'],
    backend: undefined,
    home: undefined,
    ...more,
  });
}
const line = ({ line, key, message }: Problem): string => `${line}: ${key}: ${message}`;
const all = ({ problems, apis }: Definition): string =>
  [...problems, ...apis.flatMap(({ problems }) => problems)].map(line).join('\n');
function good(text: string, more: Partial<DefinitionEntry> = {}): DefinedApi {
  const definition = read(text, more);
  assert.equal(all(definition), '');
  const [api] = definition.apis;
  assert.deepEqual(apiSchema.safeParse(api!.written).error?.issues, undefined);
  return api!;
}

const encoded = encodeURIComponent;
const head = 'name: n\nversion: v1\nbasePath: /n\n';
const policies = (...attached: string[]): string =>
  attached.length === 0 ? 'policies: []\n' : `policies:\n${attached.map((text) => `  - ${text}\n`).join('')}`;
const oauth2 = '{policy: OAuth2}';
const mtls = (content: string, more = ''): string =>
  `{policy: MTLS Authenticator, Certificate Content: ${JSON.stringify(content)}${more}}`;
const optional = ', Optional: true';
const resources = (...written: string[]): string =>
  `resources:\n${written.map((text) => `  - ${text.trimEnd().replaceAll('\n', '\n    ')}\n`).join('')}`;

test('all that one comes down to', () => {
  const text = `- ${head.replaceAll('\n', '\n  ')}endpoint: http://b:1\n  ${policies(oauth2).replaceAll('\n', '\n  ')}${resources(`path: /books/{id}\nmethods: [get]\n${policies(mtls(encoded(leaf.pem)))}`).replaceAll('\n', '\n  ')}`;
  assert.deepEqual(good(text.trimEnd()).written, {
    name: 'n',
    version: 'v1',
    basePath: '/n',
    mutualSSL: 'off',
    optionalCertificate: 'reject-wrong',
    sources: [{ format: 'bijira', header: 'x-client-cert-x509', trustedSenders: ['10.0.0.1'] }],
    applicationSecurity: 'mandatory',
    operations: [
      {
        path: '/books/{id}',
        methods: ['GET'],
        mutualSSL: 'mandatory',
        clients: [{ alias: 'mtls-authenticator', pem: leaf.pem }],
        applicationSecurity: 'mandatory',
      },
    ],
    unlistedOperations: 'api',
    errorFormat: 'bijira',
    backend: 'http://b:1',
  } satisfies WrittenApi);
});

const modes: readonly [sentence: string, attached: readonly string[], expected: string][] = [
  ['OAuth2 alone', [oauth2], 'off/mandatory'],
  ['both', [oauth2, mtls(encoded(leaf.pem))], 'mandatory/mandatory'],
  ['OAuth2 removed', [mtls(encoded(leaf.pem))], 'mandatory/off'],
  ['Optional beside OAuth2', [oauth2, mtls(encoded(leaf.pem), optional)], 'optional/mandatory'],
  [
    'Optional as a text, as the form has it',
    [oauth2, mtls(encoded(leaf.pem), ', Optional: "True"')],
    'optional/mandatory',
  ],
  [
    'Optional as the only security: mandatory, it would be open',
    [mtls(encoded(leaf.pem), optional)],
    'mandatory/off',
  ],
  [
    'of several the strictest',
    [oauth2, mtls(encoded(leaf.pem), optional), mtls(encoded(own.pem))],
    'mandatory/mandatory',
  ],
  ['an empty list: open, as it says', [], 'off/off'],
  [
    'any case',
    ['{policy: oauth2}', mtls(encoded(leaf.pem)).replace('MTLS Auth', 'mTLS auth')],
    'mandatory/mandatory',
  ],
];
for (const [sentence, attached, expected] of modes) {
  test(`policies: ${sentence}`, () => {
    const { written } = good(head + policies(...attached));
    assert.equal(`${written.mutualSSL}/${written.applicationSecurity}`, expected);
  });
}

const contents: readonly [sentence: string, content: string, expected: WrittenApi['clients']][] = [
  [
    'a CA with keyCertSign: all that it issued',
    encoded(intermediate.pem),
    [{ alias: 'mtls-authenticator', caPem: intermediate.pem }],
  ],
  ['a client’s certificate: itself', encoded(leaf.pem), [{ alias: 'mtls-authenticator', pem: leaf.pem }]],
  [
    'openssl req -x509 (CA:TRUE without keyUsage): itself',
    encoded(own.pem),
    [{ alias: 'mtls-authenticator', pem: own.pem }],
  ],
  ['a CA without keyUsage: itself', encoded(bare.pem), [{ alias: 'mtls-authenticator', pem: bare.pem }]],
  [
    'keyCertSign without CA:TRUE: itself',
    encoded(signsOnly.pem),
    [{ alias: 'mtls-authenticator', pem: signsOnly.pem }],
  ],
  [
    'Java’s URLEncoder',
    encoded(leaf.pem).replaceAll('%20', '+'),
    [{ alias: 'mtls-authenticator', pem: leaf.pem }],
  ],
  [
    'a plus left bare',
    encoded(leaf.pem).replaceAll('%2B', '+'),
    [{ alias: 'mtls-authenticator', pem: leaf.pem }],
  ],
  ['PEM as it is', leaf.pem, [{ alias: 'mtls-authenticator', pem: leaf.pem }]],
];
for (const [sentence, content, expected] of contents) {
  test(`Certificate Content: ${sentence}`, () => {
    assert.deepEqual(good(head + policies(mtls(content))).written.clients, expected);
  });
}

test('an intermediate CA that can not be told as one is warned about', () => {
  const { warnings } = read(head + policies(mtls(encoded(bare.pem))));
  assert.match(warnings.map(line).join('\n'), /intermediate CA without keyCertSign/);
});

test('several at one place: each admits its own', () => {
  const { written } = good(head + policies(mtls(encoded(leaf.pem)), mtls(encoded(own.pem))));
  assert.deepEqual(written.clients, [
    { alias: 'mtls-authenticator', pem: leaf.pem },
    { alias: 'mtls-authenticator#2', pem: own.pem },
  ]);
});

test('without trustedSenders no header is read, and the line to add is said', () => {
  const { apis, warnings } = read(head + policies(mtls(encoded(leaf.pem))), { trustedSenders: undefined });
  assert.deepEqual(apis[0]!.written.sources, [{ format: 'peer' }]);
  assert.match(warnings.map(line).join('\n'), /trustedSenders = \["10\.20\.0\.0\/16"\]/);
});

test('without policies of the API what is not listed is denied', () => {
  const { written } = good(head + resources(`path: /a\n${policies(mtls(encoded(leaf.pem)))}`));
  assert.deepEqual(
    [written.mutualSSL, written.clients, written.applicationSecurity, written.unlistedOperations],
    ['mandatory', undefined, 'off', 'deny'],
  );
});

test('a resource has its API’s policies too, and Optional does not loosen them', () => {
  const content = encoded(leaf.pem);
  const { written } = good(
    head +
      policies(oauth2, mtls(content)) +
      resources('path: /a', `path: /b\n${policies(mtls(content, optional))}`),
  );
  assert.deepEqual(
    written.operations?.map(({ mutualSSL, applicationSecurity }) => [mutualSSL, applicationSecurity]),
    [
      ['mandatory', 'mandatory'],
      ['mandatory', 'mandatory'],
    ],
  );
});

const wrong: readonly [sentence: string, text: string, expected: RegExp][] = [
  ['no policies at all', head, /policies: is missing; write the policies/],
  ['policies cut off', `${head}policies:\n`, /policies: is empty/],
  [
    'a resource’s policies cut off',
    `${head + policies(oauth2) + resources('path: /a')}    policies:\n`,
    /resources\[0\]\.policies: is empty/,
  ],
  [
    'a resource without, in an API without',
    head + resources('path: /a'),
    /resources\[0\]\.policies: is missing/,
  ],
  ['policies as a text', `${head}policies: OAuth2\n`, /policies: found a text; write a list/],
  ...(
    [
      ['MTLS Authenticater', /policies\[0\]\.policy: found .*; did you mean "MTLS Authenticator"\?/],
      ['OAuth', /did you mean "OAuth2"\?/],
      ['JWT Authentication', /which is not done here and may be there to keep somebody out/],
      ['API Key', /may be there to keep somebody out/],
      ['IP Filter', /may be there to keep somebody out/],
      ['Add Header', /policies: has neither OAuth2 nor MTLS Authenticator.*write policies: \[\]/],
    ] as const
  ).flatMap(([policy, message]): [string, string, RegExp][] => [
    [`${policy} alone`, head + policies(`{policy: ${policy}}`), message],
    [
      `${policy} alone at a resource`,
      `${head}${resources(`path: /a\n${policies(`{policy: ${policy}}`)}`)}`,
      new RegExp(message.source.replace('policies', 'resources\\[0\\]\\.policies')),
    ],
    ...(policy === 'Add Header'
      ? []
      : [
          [`${policy} beside OAuth2`, head + policies(`{policy: ${policy}}`, oauth2), message] as [
            string,
            string,
            RegExp,
          ],
        ]),
  ]),
  [
    'a parameter that OAuth2 does not have',
    head + policies('{policy: OAuth2, scopes: [a]}'),
    /policies\[0\]\.scopes: is not known here/,
  ],
  ['a policy without a name', head + policies('{Optional: true}'), /policies\[0\]\.policy: is missing/],
  [
    'a misspelt parameter',
    head + policies(mtls(encoded(leaf.pem), ', optional: true')),
    /policies\[0\]\.optional: is not known here/,
  ],
  [
    'Optional as a number',
    head + policies(mtls(encoded(leaf.pem), ', Optional: 1')),
    /found 1; write true or false/,
  ],
  ['no content', head + policies('{policy: MTLS Authenticator}'), /"Certificate Content": is missing/],
  [
    'a broken escape',
    head + policies(mtls(encoded(leaf.pem).replace('%20', '%2'))),
    /has a broken %|has no certificate in it.*looks like a part of one/,
  ],
  ['half a content', head + policies(mtls(encoded(leaf.pem).slice(0, 300))), /has a broken %|is no PEM text/],
  ['no certificate', head + policies(mtls('hello')), /has no certificate in it/],
  ['a private key', head + policies(mtls(encoded(leaf.pem + leaf.privateKeyPem))), /has a private key in it/],
  ['two certificates', head + policies(mtls(encoded(leaf.pem + intermediate.pem))), /has 2 certificates/],
  [
    'no certificate inside the markers',
    head + policies(mtls('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')),
    /can't be read: certificate_malformed/,
  ],
  [
    'other certificates at the API and its resource',
    head + policies(mtls(encoded(leaf.pem))) + resources(`path: /a\n${policies(mtls(encoded(own.pem)))}`),
    /both would be asked/,
  ],
  ['empty methods', head + policies(oauth2) + resources('path: /a\nmethods: []'), /methods: is empty/],
  ['a misspelt key', `${head}${policies(oauth2)}resource: []\n`, /resource: is not known here/],
  ['half a file', `${head}policies: [{`, /^\d+: : /],
  [
    'a bomb',
    `${head}a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n`,
    /alias/i,
  ],
  ['a key twice', `${head}name: other\n`, /unique/],
  ['a name that is a list', head.replace('name: n', 'name: []'), /name: found \[\]; write a text/],
];
for (const [sentence, text, expected] of wrong) {
  test(`wrong: ${sentence}`, () => {
    const definition = read(text);
    assert.match(all(definition), expected);
    assert.doesNotMatch(all(definition), /PRIVATE KEY-----/);
    assert.equal(definition.apis.length, 1);
    assert.notEqual(definition.apis[0]!.problems.length, 0);
    assert.equal(definition.apis[0]!.written.basePath, '/n');
  });
}

test('what closes nothing is warned about beside what does', () => {
  const { warnings } = read(head + policies(oauth2, '{policy: Add Header}'));
  assert.match(
    warnings.map(line).join(),
    /policies\[1\]\.policy: found "Add Header", which is not done here$/,
  );
});

test('one broken API stops no other; what is no API is told', () => {
  const one = (more: string): string => `- ${(head + more).trimEnd().replaceAll('\n', '\n  ')}\n`;
  const definition = read(`${one('')}${one(policies(oauth2)).replace('/n', '/m')}- 7\n`);
  assert.deepEqual(
    definition.apis.map(({ problems }) => problems.length > 0),
    [true, false, true],
  );
  assert.match(all(read('hello')), /write a list of APIs/);
  assert.match(all(read('', { path: join(folder, 'no', 'such') })), /names no file/);
});

/** The document has a placeholder where a certificate goes. */
const filled = (text: string): string =>
  text
    .replaceAll('(the intermediate CA)', encoded(intermediate.pem))
    .replaceAll(/\((?:the URL-encoded certificate|the client's own certificate)\)/g, encoded(leaf.pem));

test('examples/bijira: two APIs', () => {
  const definition = read(readFileSync(`${root}/examples/bijira/reading-list.yaml`, 'utf8'));
  assert.equal(all(definition), '');
  assert.deepEqual(
    definition.apis.map(({ written }) => written.name),
    ['Reading List', 'Catalogue'],
  );
  assert.deepEqual(
    definition.apis[0]!.written.operations?.map(({ mutualSSL }) => mutualSSL),
    ['optional', 'mandatory', 'mandatory'],
  );
});

test('docs/migrating/bijira.md: each YAML and TOML block is read', () => {
  const document = readFileSync(`${root}/docs/migrating/bijira.md`, 'utf8');
  const blocks = [...document.matchAll(/```(yaml|toml)\n([\s\S]*?)```/g)];
  assert.ok(blocks.length >= 3);
  for (const [, language, text] of blocks) {
    if (language === 'yaml') good(filled(text!));
    else
      assert.deepEqual(
        (parseToml(text!).value.definitions as { kind: string }[]).map(({ kind }) => kind),
        ['bijira'],
      );
  }
});
