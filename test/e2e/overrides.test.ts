import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { seenHeader } from '../../demo/outcome.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const operations =
  'operations = [{ path = "/*", methods = ["POST"], mutualSSL = "off" }, { path = "/*", methods = ["DELETE"], mutualSSL = "mandatory" }]';
const api = (name: string) => `
[[apis]]
name = "${name}"
version = "1"
basePath = "/${name}"
aliases = ["acme"]
mutualSSL = "off"
backend = "https://BACKEND"
#${name}
`;

/** Envoy's file is written before the API "later" has operations. */
let gateway: Gateway;
before(async () => {
  if (!envoy) return;
  gateway = await Gateway.start(envoy, {
    watches: false,
    edit: (toml) => {
      const backend = /^backend *= "(https:[^"]*)"/m.exec(toml)![1]!;
      return toml + (api('later') + api('whole')).replaceAll('https://BACKEND', backend);
    },
    // As one written by hand, which removes none of them early.
    editEnvoy: (yaml) => yaml.replace(/^( *)regex: "[^"\n]*original[^"\n]*"$/gm, '$1regex: "none"'),
  });
  const { configFile, enforcer } = gateway.stack;
  writeFileSync(configFile, readFileSync(configFile, 'utf8').replace('#later', operations));
  assert.equal(await enforcer.reload(), 'reloaded');
});
after(() => gateway?.stop());

const rows: readonly [path: string, header: string, reaches: boolean, why: string][] = [
  ['/later/7', 'x-http-method-override', false, 'operations are judged by the method of the request'],
  ['/later/7', 'X-HTTP-Method', false, 'however it is called'],
  ['/later/7', 'x-method-override', false, 'whoever obeys it'],
  ['/later/7', 'x_http_method_override', false, 'as CGI reads it'],
  ['/whole/7', 'x-http-method-override', true, 'whatever the method, it is judged alike'],
  ['/whole/7', 'X-Original-URL', false, 'the path was judged, not this one'],
  ['/whole/7', 'x-rewrite-url', false, 'however it is called'],
  ['/later/7', 'x_original_url', false, 'as CGI reads it'],
  ['/whole/7', 'SCRIPT_NAME', false, 'gunicorn takes it off the path'],
  ['/whole/7', 'X-Script-Name', false, 'as others do'],
];
for (const [path, header, reaches, why] of rows)
  test(`${header} at ${path} ${reaches ? 'reaches' : 'does not reach'} the backend, by the enforcer's answer alone: ${why}`, {
    skip,
  }, async () => {
    const headers: [string, string][] = [[header, 'DELETE']];
    const { status, seen } = await gateway.outcome({ path, method: 'POST', headers });
    assert.equal(status, 200);
    assert.equal(seenHeader(seen!, header.toLowerCase()), reaches ? 'DELETE' : undefined);
  });

test('the operation itself is closed', { skip }, async () => {
  assert.equal(await gateway.verdict({ path: '/later/7', method: 'DELETE' }), '401 certificate_missing');
});
