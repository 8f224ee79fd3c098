import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { preparePki } from '../demo/pki.ts';
import { readConfig } from '../src/config/read-config.ts';
import { writeEnvoyConfig } from '../src/envoy-config/bootstrap.ts';

/** For docker-compose.yml: certificates, config.toml and envoy.yaml in the folder given. */
export const composeConfig = `\
# Written by deploy/compose-setup.ts. Envoy and the backend share one network, so that both are on 127.0.0.1.
[router]
securedListenerPort = 9095

[router.keystore]
certPath = "/state/pki/router.pem"
keyPath  = "/state/pki/router.key"

[router.upstream.tls]
trustedCertPath = "/state/pki/backend-ca.pem"

[enforcer.authService]
socket  = "/run/mtls-enforcer/authz.sock"
workers = 2                                # a container each

[enforcer.log]
format = "json"

[[clients]]
alias = "acme"
file  = "/state/pki/acme.pem"
tier  = "Gold"

[[apis]]
name = "Swagger Petstore"
version = "1.0.5"
basePath = "/petstore/1.0.5"
aliases = ["acme"]
backend = "https://127.0.0.1:9443/v2"
`;

export function composeBootstrap(): string {
  const read = readConfig(composeConfig, 'config.toml', {});
  if (!('config' in read)) throw new Error(JSON.stringify(read));
  return writeEnvoyConfig(read.config, { resolvePath: (path) => path });
}

if (import.meta.main) {
  const folder = process.argv[2] ?? '/state';
  mkdirSync(folder, { recursive: true });
  await preparePki(folder);
  writeFileSync(join(folder, 'config.toml'), composeConfig);
  writeFileSync(join(folder, 'envoy.yaml'), composeBootstrap());
}
