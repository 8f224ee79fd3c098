import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { FoundEnvoy } from '../../../envoy/find-envoy.ts';
import { Child } from '../../support/child.ts';
import { freePort } from '../../support/free-port.ts';

/** Where a load balancer stands: in front of our Envoy, with mutual TLS towards clients. */
export type Site = {
  /** For its configuration. */
  readonly folder: string;
  /** Folder of router.pem, router.key (which it uses as its own) and router-ca.pem. */
  readonly pki: string;
  /** Port that it listens on, on 127.0.0.1. */
  readonly port: number;
  /** Port of our Envoy. */
  readonly router: number;
};

/** Address that load balancers come from: the trusted sender. */
export const balancerAddress = '127.0.0.3';

export type Producer = {
  readonly name: string;
  /** Debian's package and its program. */
  readonly program: { readonly path: string; readonly package: string } | undefined;
  /** Lines of `[enforcer.security.mutualSSL]`. */
  readonly settings: readonly string[];
  /** Whether the intermediates that the client presents come through. */
  readonly passesChain: boolean;
  /** What becomes of an expired certificate: status and reason, or the error of the connection. */
  readonly expired: RegExp;
  /** The header it writes, lower case. */
  readonly header: string;
  readonly command: (site: Site, envoy: FoundEnvoy) => readonly string[];
};

/** It is the enforcer that refuses it. */
const toEnforcer = /^401 certificate_expired$/;

const trusted = `trustedSenders = ["${balancerAddress}/32"]`;
const settings = (format: string): readonly string[] => [
  'enableClientValidation = false',
  `certificateFormat = "${format}"`,
  trusted,
];

const write = (site: Site, name: string, text: string): string => {
  mkdirSync(site.folder, { recursive: true });
  const file = join(site.folder, name);
  writeFileSync(file, text);
  return file;
};

const nginx = (name: string, format: string, header: string, variable: string): Producer => ({
  name,
  program: { path: '/usr/sbin/nginx', package: 'nginx' },
  settings: settings(format),
  passesChain: false,
  expired: /^400$/,
  header: header.toLowerCase(),
  command: (site) => {
    const file = write(
      site,
      'nginx.conf',
      `daemon off;
master_process off;
pid ${site.folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${site.folder}/body;
  proxy_temp_path ${site.folder}/proxy;
  fastcgi_temp_path ${site.folder}/fastcgi;
  uwsgi_temp_path ${site.folder}/uwsgi;
  scgi_temp_path ${site.folder}/scgi;
  large_client_header_buffers 16 32k;
  server {
    listen 127.0.0.1:${site.port} ssl;
    ssl_certificate ${site.pki}/router.pem;
    ssl_certificate_key ${site.pki}/router.key;
    ssl_verify_client optional_no_ca;
    location / {
      proxy_pass https://127.0.0.1:${site.router};
      proxy_http_version 1.1;
      proxy_bind ${balancerAddress};
      proxy_ssl_trusted_certificate ${site.pki}/router-ca.pem;
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
      proxy_set_header ${header} ${variable};
    }
  }
}
`,
    );
    return ['/usr/sbin/nginx', '-p', site.folder, '-c', file];
  },
});

const apache = (name: string, header: string, value: string): Producer => ({
  name,
  program: { path: '/usr/sbin/apache2', package: 'apache2' },
  settings: [...settings('apache'), `certificateHeader = "${header}"`],
  passesChain: false,
  expired: /alert certificate expired/,
  header: header.toLowerCase(),
  command: (site) => {
    const modules = [
      'mpm_event',
      'authz_core',
      'ssl',
      'headers',
      'proxy',
      'proxy_http',
      'socache_shmcb',
      'unixd',
    ];
    const file = write(
      site,
      'apache.conf',
      `ServerRoot ${site.folder}
ServerName localhost
DefaultRuntimeDir ${site.folder}
PidFile ${site.folder}/apache.pid
${modules.map((module) => `<IfModule !${module}_module>\nLoadModule ${module}_module /usr/lib/apache2/modules/mod_${module}.so\n</IfModule>`).join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
ErrorLog ${site.folder}/error.log
LimitRequestFieldSize 65536
Listen 127.0.0.1:${site.port}
<VirtualHost *:${site.port}>
  SSLEngine on
  SSLCertificateFile ${site.pki}/router.pem
  SSLCertificateKeyFile ${site.pki}/router.key
  SSLVerifyClient optional_no_ca
  SSLVerifyDepth 5
  SSLOptions +ExportCertData
  RequestHeader set ${header} "${value}"
  SSLProxyEngine on
  SSLProxyCACertificateFile ${site.pki}/router-ca.pem
  SSLProxyVerify require
  SSLProxyCheckPeerName off
  ProxySourceAddress ${balancerAddress}
  ProxyPass / https://127.0.0.1:${site.router}/
</VirtualHost>
`,
    );
    return ['/usr/sbin/apache2', '-X', '-f', file];
  },
});

const haproxy = (name: string, headers: string): Producer => ({
  name,
  program: { path: '/usr/sbin/haproxy', package: 'haproxy' },
  settings: settings('haproxy'),
  passesChain: headers.includes('ssl_c_chain_der'),
  expired: toEnforcer,
  header: 'x-ssl-client-cert',
  command: (site) => {
    const file = write(
      site,
      'haproxy.cfg',
      `global
  stats maxconn 1
  tune.bufsize 131072
  tune.http.maxhdr 200
defaults
  mode http
  timeout connect 5s
  timeout client 15s
  timeout server 15s
frontend clients
  bind 127.0.0.1:${site.port} ssl crt ${join(site.folder, 'own.pem')} ca-file ${site.pki}/router-ca.pem verify optional ca-ignore-err all crt-ignore-err all
${headers}
  default_backend router
backend router
  source ${balancerAddress}
  server envoy 127.0.0.1:${site.router} ssl verify required ca-file ${site.pki}/router-ca.pem sni str(localhost)
`,
    );
    return [
      '/bin/sh',
      '-c',
      `cat ${site.pki}/router.pem ${site.pki}/router.key > ${site.folder}/own.pem && exec /usr/sbin/haproxy -db -f ${file}`,
    ];
  },
});

const envoyXfcc = (name: string, details: string): Producer => ({
  name,
  program: undefined,
  settings: settings('xfcc'),
  passesChain: true,
  expired: toEnforcer,
  header: 'x-forwarded-client-cert',
  command: (site, envoy) => [
    envoy.path,
    '-c',
    write(site, 'envoy.yaml', frontEnvoy(site, details)),
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '--log-level',
    'warn',
  ],
});

const frontEnvoy = (site: Site, details: string): string => `
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: ${site.port} } }
      filter_chains:
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                tls_certificates: [{ certificate_chain: { filename: "${site.pki}/router.pem" }, private_key: { filename: "${site.pki}/router.key" } }]
                validation_context: { trust_chain_verification: ACCEPT_UNTRUSTED }
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                use_remote_address: true
                forward_client_cert_details: SANITIZE_SET
                set_current_client_cert_details: ${details}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
                route_config:
                  virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: router } }] }]
  clusters:
    - name: router
      type: STATIC
      upstream_bind_config: { source_address: { address: ${balancerAddress}, port_value: 0 } }
      load_assignment:
        cluster_name: router
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${site.router} } } } }] }]
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: localhost
          common_tls_context:
            validation_context: { trusted_ca: { filename: "${site.pki}/router-ca.pem" } }
`;

const setHeader = (name: string, value: string): string => `  http-request set-header ${name} ${value}`;

export const producers: readonly Producer[] = [
  nginx('nginx, $ssl_client_escaped_cert', 'nginx', 'X-SSL-Client-Cert', '$ssl_client_escaped_cert'),
  nginx('nginx, the older $ssl_client_cert', 'nginx', 'X-SSL-Client-Cert', '$ssl_client_cert'),
  nginx('nginx as ingress-nginx sets it', 'ingress-nginx', 'ssl-client-cert', '$ssl_client_escaped_cert'),
  apache('Apache httpd', 'X-SSL-Client-Cert', '%{SSL_CLIENT_CERT}s'),
  apache('Apache httpd, under its own name', 'SSL_CLIENT_CERT', '%{SSL_CLIENT_CERT}s'),
  haproxy(
    'HAProxy, leaf and chain',
    `${setHeader('X-SSL-Client-Cert', '%[ssl_c_der,base64]')}\n${setHeader('X-SSL-Client-Cert-Chain', '%[ssl_c_chain_der,base64]')}`,
  ),
  haproxy(
    'HAProxy, PEM on one line',
    // Only where there is one, else the markers would stand alone; and so a client's own goes first.
    `  http-request del-header X-SSL-Client-Cert
  http-request del-header X-SSL-Client-Cert-Chain
${setHeader('X-SSL-Client-Cert', '-----BEGIN\\ CERTIFICATE-----%[ssl_c_der,base64]-----END\\ CERTIFICATE-----')} if { ssl_c_used }`,
  ),
  envoyXfcc('Envoy, X-Forwarded-Client-Cert as JSON', '{ cert: true, chain: true, format: JSON }'),
  envoyXfcc('Envoy, X-Forwarded-Client-Cert', '{ cert: true, chain: true }'),
];

/** The same with what a sender should leave off: names, which a certificate's maker chooses, bare and unescaped. */
export const envoyWithNames = envoyXfcc(
  'Envoy with uri, dns and subject',
  '{ cert: true, chain: true, uri: true, dns: true, subject: true }',
);

/** Why a producer's tests are to be skipped; false if they run. In CI a missing program is no reason. */
export function skipReason({ program }: Producer): string | false {
  if (program === undefined || process.env.CI) return false;
  try {
    accessSync(program.path, constants.X_OK);
    return false;
  } catch {
    return `${program.path} is not there: apt-get install ${program.package}`;
  }
}

/** Starts a producer and waits until it takes connections. */
export async function startProducer(
  producer: Producer,
  place: Omit<Site, 'port'>,
  envoy: FoundEnvoy,
): Promise<{ port: number; stop: () => Promise<unknown> }> {
  const site = { ...place, port: await freePort() };
  mkdirSync(site.folder, { recursive: true, mode: 0o755 });
  const child = new Child(producer.name, producer.command(site, envoy), { cwd: site.folder });
  const deadline = Date.now() + 20_000;
  while (!(await answers(site.port))) {
    if (!child.running || Date.now() > deadline)
      throw new Error(`${producer.name} does not listen\n${child.tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 20)); // there is nothing to wait for but the port
  }
  return { port: site.port, stop: () => child.stop() };
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
