import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import { now } from '../../support/certificate-authority.ts';

// A backend that is a port of the gateway itself: its admin interface ends it at everybody's word.

const folder = mkdtempSync(join(tmpdir(), 'own-ports-'));
after(() => rmSync(folder, { recursive: true }));

/** What is wrong, where an API has this backend; '' where nothing is. */
function problems(backend: string, more = ''): string {
  const file = join(folder, 'config.toml');
  const api = `[[apis]]\nname = "n"\nversion = "1"\nbasePath = "/n"\nmutualSSL = "off"\nbackend = "${backend}"\n`;
  writeFileSync(file, more + api);
  const loaded = loadConfig(file, {}, now);
  return isProblems(loaded)
    ? loaded.map((problem) => problemLine({ ...problem, file: 'config.toml' })).join('\n')
    : '';
}

const workers = '[enforcer.authService]\nworkers = 3\n';
const elsewhere = '[router.enforcer]\naddress = "enforcer.internal"\n';

for (const [why, backend, more, whose] of [
  [
    'the admin interface',
    'http://127.0.0.1:9901',
    '',
    /^config\.toml:6: apis\[0\]\.backend: found "http:\/\/127\.0\.0\.1:9901", which is Envoy's admin interface \(\[router\] adminPort\): .*; write /,
  ],
  [
    'the admin interface at another port',
    'http://127.0.0.1:7000/x',
    '[router]\nadminPort = 7000\n',
    /adminPort/,
  ],
  ['the TLS listener', 'https://localhost:9095', '', /securedListenerPort/],
  [
    'the TLS listener at the usual port',
    'wss://localhost/x',
    '[router]\nsecuredListenerPort = 443\n',
    /securedListenerPort/,
  ],
  [
    'the plain listener at the usual port',
    'ws://localhost/x',
    '[router]\nlistenerPort = 80\n',
    /listenerPort/,
  ],
  [
    'a listener by its own address',
    'https://10.0.0.5:9095',
    '[router]\nsecuredListenerHost = "10.0.0.5"\n',
    /securedListenerPort/,
  ],
  ['the enforcer', 'http://127.0.0.1:8081', '', /authService/],
  ['the last of its processes', 'http://127.0.0.1:8083', workers, /authService/],
  ['the enforcer in another container', 'http://enforcer.internal.:8081', elsewhere, /authService/],
  ['its metrics', 'http://127.0.0.1:9464', '[enforcer.metrics]\n', /metrics/],
] as const)
  test(`a backend that is ${why} is an error`, () => assert.match(problems(backend, more), whose));

for (const host of [
  '127.0.0.1',
  '127.8.9.10',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '127.0.0.1.',
  '0.0.0.0',
  '0',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:0.0.0.0]',
  'localhost',
  'LOCALHOST.',
  'admin.localhost',
  'ip6-loopback',
  'localhost.localdomain',
])
  test(`${host} is this host`, () => assert.match(problems(`http://${host}:9901`), /adminPort/));

for (const [why, backend, more] of [
  ['another port of this host', 'http://127.0.0.1:9902', ''],
  ['the same port elsewhere', 'http://10.0.0.7:9901', ''],
  ['a name that is not this host', 'http://localhost.example:9901', ''],
  ['a port beyond the last process', 'http://127.0.0.1:8084', workers],
  ['the port of an enforcer that is elsewhere', 'http://127.0.0.1:8081', elsewhere],
  [
    'the port of an enforcer on a socket',
    'http://127.0.0.1:8081',
    '[enforcer.authService]\nsocket = "a.sock"\n',
  ],
  ['the port of metrics that are off', 'http://127.0.0.1:9464', '[enforcer.metrics]\nenabled = false\n'],
  [
    'a port where Envoy listens on another address',
    'https://127.0.0.1:9095',
    '[router]\nsecuredListenerHost = "10.0.0.5"\n',
  ],
] as const)
  test(`a backend that is ${why} is none of ours`, () => assert.equal(problems(backend, more), ''));
