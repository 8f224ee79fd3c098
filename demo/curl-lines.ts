import { join } from 'node:path';
import type { Pki } from './pki.ts';
import { bold, print } from './print.ts';
import type { Stack } from './stack.ts';

/** Lines to paste, with files and ports that are there. */
export function printCurlLines(
  { ports, configFile, enforcer, envoy }: Stack,
  pki: Pki,
  shown: (path: string) => string,
): void {
  const file = (name: string) => quoted(shown(join(pki.folder, name)));
  print();
  if (envoy) {
    const curl = (args: string, path: string) =>
      print(`curl -i --cacert ${file('router-ca.pem')} ${args}https://localhost:${ports.router}${path}`);
    const as = (name: string) => `--cert ${file(`${name}.pem`)} --key ${file(`${name}.key`)} `;
    print(bold('It keeps running, until Ctrl-C. To try:'));
    curl(as('acme'), '/petstore/1.0.5/pet/1');
    curl('', '/petstore/1.0.5/pet/1');
    curl(as('expired'), '/petstore/1.0.5/pet/1');
    curl(as('globex'), '/orders/1');
    print();
    print(bold('With enableClientValidation = false and trustedSenders = ["127.0.0.1/32"] in config.toml:'));
    curl(`-H @${file('acme.header')} `, '/petstore/1.0.5/pet/1');
    print();
  } else print(bold('It keeps running, until Ctrl-C.'));
  print(bold('Edit the configuration, then have it read again:'));
  print(quoted(shown(configFile)));
  print(`kill -HUP ${enforcer.pid}`);
}

/** For a shell. */
const quoted = (path: string): string =>
  /^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
