import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bearer } from '../../../demo/bearer.ts';
import { codings } from '../../../demo/certificate-header.ts';
import { configToml } from '../../../demo/config-toml.ts';
import { preparePki } from '../../../demo/pki.ts';
import { phases } from '../../../demo/requests.ts';
import type { Header } from '../../../src/attributes.ts';
import type { Decision } from '../../../src/decision.ts';
import { decide } from '../../../src/enforcer.ts';
import { explain } from '../../../src/explain/explanation.ts';
import { attributesOf } from '../../../src/explain/request.ts';
import { readCheckJson } from '../../../src/ext-authz/check-json.ts';
import { readCheckRequest } from '../../../src/ext-authz/check-request.ts';
import { CertificateCache } from '../../../src/pki/certificate/certificate-cache.ts';
import type { Snapshot } from '../../../src/snapshot.ts';
import { plain } from '../../support/attributes.ts';
import { createAuthority, type Issued, now, selfSigned } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { codec } from '../../support/plain-codec.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

const brief = (decision: Decision): string =>
  decision.outcome === 'deny'
    ? `${decision.code}: ${decision.detail}`
    : `admitted as ${decision.client?.alias}, ${decision.token?.clientId}, ${decision.tokenHeader}`;

/** The same request as Envoy sends it: over the wire, to a snapshot that has seen others before. */
type Sent = {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly scheme: string;
  readonly address: string;
  readonly certificate: string;
  readonly headers: readonly Header[];
};
const checkRequest = ({ method, host, path, scheme, address, certificate, headers }: Sent) => ({
  attributes: {
    source: { address: { socket_address: { address, port_value: 50_000 } }, certificate },
    request: {
      http: {
        method,
        path,
        host,
        scheme,
        protocol: 'HTTP/2',
        header_map: {
          headers: headers.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') })),
        },
      },
    },
    ...(scheme === 'http' && { context_extensions: { listener: 'plain' } }),
  },
});

test('a captured CheckRequest of each request of the demo is explained as the demo expects it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'explain-demo-'));
  try {
    const at = Date.now();
    const pki = await preparePki(folder, at);
    for (const { mutualSSL, requests } of phases) {
      const toml = configToml({ router: 1, enforcer: 2, backend: 3 }, pki.folder, mutualSSL);
      const { snapshot } = load(toml, {}, at);
      for (const { name, path, protocol, certificate, header, token, from, expect } of requests) {
        const message = checkRequest({
          method: protocol === 'grpc' ? 'POST' : 'GET',
          host: 'localhost',
          path,
          scheme: 'https',
          address: from ?? '127.0.0.1',
          certificate: certificate ? encodeURIComponent(pki.clients[certificate].certificatePem) : '',
          headers: [
            ['x-request-id', 'demo'],
            ...(token ? [['authorization', bearer(pki, token)] as const] : []),
            ...(header
              ? [
                  [
                    header.name.toLowerCase(),
                    codings[header.coding](pki.clients[header.of].certificatePem),
                  ] as const,
                ]
              : []),
          ],
        });
        const json = JSON.stringify(message, (_, value: unknown) =>
          typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
            ? Buffer.from((value as unknown as { data: number[] }).data).toString('base64')
            : value,
        );
        const attributes = readCheckJson(json);
        assert.deepEqual(plain(attributes), plain(readCheckRequest(codec.requestSerialize(message))!));
        const { decision } = await explain(attributes, snapshot, at);
        const { status, reason, alias } = expect;
        const found = decision.outcome === 'deny' ? decision.code : decision.client?.alias;
        assert.equal(found, status === 200 && expect.grpcStatus !== 16 ? alias : reason, name);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** mulberry32: the same requests each time. */
function lots(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test('10,000 random requests, over 40 configurations and 4 years, are explained as the service decides them', async () => {
  const random = lots(16);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const year = 365 * 86_400_000;
  const root = await createAuthority({ subject: 'CN=Root' });
  const ca = await createAuthority({ subject: 'CN=CA', parent: root });
  const young = await createAuthority({ subject: 'CN=Young', notBefore: new Date(now + year) });
  const client = { extendedKeyUsage: 'client' } as const;
  const issued: readonly (readonly [Issued, readonly Uint8Array[]])[] = [
    [await selfSigned({ subject: 'CN=acme' }), []],
    [await selfSigned({ subject: 'CN=stranger' }), []],
    [await ca.issue({ subject: 'CN=a', ...client, subjectAltNames: ['a.example.com'] }), [ca.der]],
    [await ca.issue({ subject: 'CN=b', ...client }), []],
    [await ca.issue({ subject: 'CN=c', extendedKeyUsage: 'server' }), [ca.der, root.der]],
    [await ca.issue({ subject: 'CN=d', ...client, notAfter: new Date(now) }), [ca.der]],
    [await young.issue({ subject: 'CN=e', ...client }), []],
    [await ca.issue({ subject: 'CN=f', keyAlgorithm: 'RSA-1024', ...client }), [ca.der]],
  ];
  const idp = createTokenIssuer(now);
  const tokens = [
    undefined,
    idp.token({ exp: (now + 4 * year) / 1000 }),
    idp.token({ exp: (now + 4 * year) / 1000, scope: 'other' }),
    idp.token(),
    createTokenIssuer(now).token(),
    idp.token({
      exp: (now + 4 * year) / 1000,
      cnf: { 'x5t#S256': Buffer.alloc(32, 3).toString('base64url') },
    }),
    'opaque',
  ];
  const files = {
    'root.pem': root.pem,
    'young.pem': young.pem,
    'acme.pem': issued[0]![0].pem,
    'jwks.json': idp.jwks,
  };
  const requirement = ['mandatory', 'optional', 'off'] as const;
  const api = (i: number): string => {
    const security = one(requirement);
    return `[[apis]]
name = "${i}"
version = "1"
basePath = "/${i}"
${one(['', 'hosts = ["a.test", "*.b.test"]\n'])}mutualSSL = "${one(requirement)}"
aliases = ${one(['["acme"]', '["acme", "partners"]', '["named"]', '["young", "partners"]', '["off", "acme"]'])}
optionalCertificate = "${one(['reject-wrong', 'ignore-wrong'])}"
applicationSecurity = "${security}"
${security === 'off' ? '' : one(['scopes = ["orders:read"]\n', ''])}${one(['', '[[apis.operations]]\npath = "/x/{id}"\nmethods = ["GET"]\nmutualSSL = "off"\n'])}`;
  };
  const mutualSSL = [
    'enableClientValidation = true',
    'enableClientValidation = false\ntrustedSenders = ["10.0.0.0/8"]',
    'enableClientValidation = false\ncertificateFormat = "rfc9440"\ntrustedSenders = ["10.0.0.0/8"]\nrejectUntrustedHeader = true',
    '[[enforcer.security.mutualSSL.sources]]\nformat = "peer"\n[[enforcer.security.mutualSSL.sources]]\nformat = "nginx"\ntrustedSenders = ["10.0.0.0/8"]',
  ];
  const configs = Array.from({ length: 40 }, () => {
    const toml = `[enforcer.security.mutualSSL]
${one(mutualSSL)}
${one(['', '[router.downstream.tls]\ntrustedCertPath = "root.pem"\n'])}[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "partners"
caFile = "root.pem"
[[clients]]
alias = "named"
caFile = "root.pem"
dns = ["*.example.com"]
[[clients]]
alias = "young"
caFile = "young.pem"
notAfter = 2028-01-01T00:00:00Z
[[clients]]
alias = "off"
caFile = "root.pem"
subject = "CN=b"
disabled = ${one(['true', 'false'])}
${[0, 1, 2].map(api).join('')}`;
    return load(toml, files).snapshot;
  });
  const knownFrom = {
    header: new Map<Snapshot, CertificateCache>(),
    peer: new Map<Snapshot, CertificateCache>(),
  };
  const seen = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const snapshot = one(configs);
    const [leaf, chain] = one(issued);
    const certificate = random() < 0.8 ? { leaf: leaf.der, intermediates: chain } : undefined;
    const told = {
      method: one(['GET', 'POST', 'HEAD']),
      path: `/${Math.floor(random() * 3.1)}${one(['', '/', ...Array<string>(10).fill('/x/1'), '/x', '/x;1', '/..', '/x?a=b'])}`,
      host: one(['a.test', 'x.b.test:443', 'a.test', 'A.TEST', 'other']),
      scheme: one(['https', 'https', 'http']),
      headers: random() < 0.1 ? [['x-wso2-client-certificate', 'junk'] as const] : [],
      from: one(['10.1.2.3', '192.0.2.7', undefined]),
      certificate,
      token: one(tokens),
    };
    const at = now + Math.floor((random() * 4 - 2) * year);
    const attributes = attributesOf(told, snapshot, at);
    const { decision } = await explain(attributes, snapshot, at);
    const { http, source } = attributes;
    const wire = codec.requestSerialize(
      checkRequest({
        ...http,
        headers: [...http.headers],
        address: source.address!,
        certificate: source.certificate,
      }),
    );
    // A path that came whole over TLS would be remembered where the header leaves out its intermediates.
    const known = knownFrom[source.certificate === '' ? 'header' : 'peer'];
    const certificates = known.get(snapshot) ?? new CertificateCache();
    known.set(snapshot, certificates);
    const served = await decide(readCheckRequest(wire)!, { ...snapshot, certificates }, at);
    assert.equal(brief(decision), brief(served), JSON.stringify({ i, at, path: told.path }));
    const code = decision.outcome === 'deny' ? decision.code : 'admitted';
    seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  assert.ok(seen.size >= 20 && seen.get('admitted')! > 1_000, JSON.stringify([...seen]));
});
