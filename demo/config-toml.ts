/** Where the demo's parts listen, all on 127.0.0.1. */
export type Ports = {
  readonly router: number;
  readonly enforcer: number;
  readonly backend: number;
};

/**
 * The demo's config.toml.
 *
 * @param pki folder of the certificates, relative to the file
 * @param mutualSSL lines of `[enforcer.security.mutualSSL]`
 */
export const configToml = (ports: Ports, pki: string, mutualSSL: readonly string[]): string => `\
# Written by the demo. Edit it, then have it read again with: kill -HUP (the enforcer's process)

[router]
securedListenerHost = "127.0.0.1"
securedListenerPort = ${ports.router}
adminPort = 0                               # any free one

[router.keystore]
certPath = "${pki}/router.pem"
keyPath  = "${pki}/router.key"

[router.upstream.tls]
trustedCertPath = "${pki}/backend-ca.pem"

[enforcer.authService]
port = ${ports.enforcer}

[enforcer.security.mutualSSL]
${mutualSSL.join('\n')}

[[enforcer.security.tokenService]]
name = "Demo issuer"
issuer = "https://idp.demo"
jwksPath = "${pki}/idp-jwks.json"
audiences = ["https://api.test"]

[[clients]]
alias = "acme"
file  = "${pki}/acme.pem"                   # exactly this certificate
tier  = "Gold"

[[clients]]
alias  = "partners"
caFile = "${pki}/partner-ca.pem"            # every client that this CA issued
tier   = "Silver"

[[clients]]
alias = "globex"
file  = "${pki}/globex.pem"                 # known, but bound to no API below but its own
tier  = "Bronze"

[[apis]]
name = "Swagger Petstore"
version = "1.0.5"
basePath = "/petstore/1.0.5"
aliases = ["acme", "partners"]
backend = "https://127.0.0.1:${ports.backend}/v2"

[[apis]]
name = "Catalogue"
version = "2.0"
basePath = "/catalogue"
mutualSSL = "optional"
aliases = ["acme"]
backend = "https://127.0.0.1:${ports.backend}/catalogue"

[[apis]]
name = "Greeter"
version = "1.0"
basePath = "/demo.Greeter"                  # gRPC: the service's name is the first segment
aliases = ["acme"]
backend = "https://127.0.0.1:${ports.backend}/demo.Greeter"

[[apis]]
name = "Globex Orders"
version = "1.0"
basePath = "/orders"
aliases = ["globex"]
backend = "https://127.0.0.1:${ports.backend}/orders"

[[apis]]
name = "Accounts"
version = "1.0"
basePath = "/accounts/1.0"
aliases = ["acme", "partners"]
applicationSecurity = "mandatory"           # an access token on top of the certificate
backend = "https://127.0.0.1:${ports.backend}/accounts"

[[apis.operations]]
path = "/list"

[[apis.operations]]
path = "/close"
scopes = ["accounts:close"]

[[apis]]
name = "Status"
version = "1.0"
basePath = "/status"
mutualSSL = "off"
backend = "https://127.0.0.1:${ports.backend}/status"
`;
