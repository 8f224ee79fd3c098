import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { createFindings } from '../../../src/provision/findings.ts';
import { checkSharedPorts } from '../../../src/provision/router.ts';
import { load } from '../../support/enforcer.ts';

const router = (...keys: readonly string[]): string => `[router]\n${keys.join('\n')}\n`;
const service = (...keys: readonly string[]): string => `[enforcer.authService]\n${keys.join('\n')}\n`;
const metrics = (...keys: readonly string[]): string => `[enforcer.metrics]\n${keys.join('\n')}\n`;
const same = "on the same host: whichever starts second can't; write another port";
const maybe = "on one host, whichever starts second can't; write another port";

const rows: readonly [what: string, toml: string, errors: readonly string[], warnings: readonly string[]][] =
  [
    ['the defaults', '', [], []],
    [
      'the service at the port for clients',
      service('port = 9095'),
      [
        `2: enforcer.authService.port: found 9095, and Envoy listens on 9095 (router.securedListenerPort), ${same}`,
      ],
      [],
    ],
    [
      'the service at the port for plain HTTP',
      router('listenerPort = 8081'),
      [`1: enforcer.authService.port: found 8081, and Envoy listens on 8081 (router.listenerPort), ${same}`],
      [],
    ],
    [
      "one of the workers at Envoy's admin port",
      service('port = 9900', 'workers = 3'),
      [
        `2: enforcer.authService.port: found 9900 (and up to 9902, a port for each worker), and Envoy listens on 9901 (router.adminPort), ${same}`,
      ],
      [],
    ],
    [
      "metrics at Envoy's admin port",
      metrics('port = 9901'),
      [`2: enforcer.metrics.port: found 9901, and Envoy listens on 9901 (router.adminPort), ${same}`],
      [],
    ],
    ['metrics that are switched off', metrics('enabled = false', 'port = 9901'), [], []],
    ['a socket, whatever the port would be', service('socket = "/s"', 'port = 9095'), [], []],
    [
      'metrics where Envoy asks at a socket, maybe of another container',
      service('socket = "/s"') + metrics('port = 9095'),
      [],
      [
        `4: enforcer.metrics.port: found 9095, and Envoy listens on 9095 (router.securedListenerPort): ${maybe}`,
      ],
    ],
    [
      'an enforcer on another host',
      service('port = 9095', 'address = "0.0.0.0"', 'plaintext = true') +
        `[router.enforcer]\naddress = "enforcer"\n`,
      [],
      [],
    ],
    [
      'an enforcer at an address that may be of another host',
      service('port = 9095', 'address = "10.0.0.5"', 'plaintext = true'),
      [],
      [],
    ],
    [
      'one port at two addresses of a host',
      router('securedListenerHost = "10.0.0.5"') + service('port = 9095'),
      [],
      [],
    ],
    [
      'one port at one address of two names',
      router('securedListenerHost = "127.0.0.1"') + service('port = 9095', 'address = "localhost"'),
      [
        `4: enforcer.authService.port: found 9095, and Envoy listens on 9095 (router.securedListenerPort), ${same}`,
      ],
      [],
    ],
  ];
for (const [what, toml, errors, warnings] of rows) {
  test(`ports of enforcer and Envoy: ${what}`, () => {
    const { config, text } = load(toml, {});
    const findings = createFindings('f', text.lineOf);
    checkSharedPorts(config, undefined, findings);
    const told = [findings.errors, findings.warnings].map((some) => some.map(problemLine));
    assert.deepEqual(
      told,
      [errors, warnings].map((some) => some.map((line) => `f:${line}`)),
    );
  });
}

test('ports of enforcer and Envoy: as many workers as the command line says', () => {
  const { config, text } = load(service('port = 9900'), {});
  const findings = createFindings('f', text.lineOf);
  checkSharedPorts(config, 2, findings);
  assert.match(
    findings.errors.map(problemLine).join(),
    /found 9900 \(and up to 9901, .* \(router\.adminPort\)/,
  );
});
