import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { createAuthority, now, selfSigned } from '../../support/certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'load-config-'));
after(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

const ca = await createAuthority({ subject: 'CN=CA' });
const acme = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const own = await selfSigned({ subject: 'CN=own' });
const old = await ca.issue({
  subject: 'CN=old',
  notBefore: new Date('2025-01-01'),
  notAfter: new Date('2026-01-01'),
});
const ending = await ca.issue({
  subject: 'CN=ending',
  notBefore: new Date(now - 86_400_000),
  notAfter: new Date(now + 29 * 86_400_000),
});
const early = await ca.issue({
  subject: 'CN=early',
  notBefore: new Date('2027-01-01'),
  notAfter: new Date('2028-01-01'),
});
const ended = await Promise.all(
  [1, 2, 3, 4, 5].map((i) =>
    createAuthority({
      subject: `CN=Ended ${i}`,
      notBefore: new Date('2020-01-01'),
      notAfter: new Date(`202${i}-01-01`),
    }),
  ),
);
write('ca.pem', ca.pem);
write('ended.pem', ended[1]!.pem);
write('bundle.pem', ended.map(({ pem }) => pem).join('') + ca.pem);
write('acme.pem', acme.pem);
write('acme.key', acme.privateKeyPem);
write('own.pem', own.pem);
write('own.key', own.privateKeyPem);
write('marked.pem', `\ufeff${acme.pem}`);
const short = await selfSigned({ subject: 'CN=short', keyAlgorithm: 'RSA-1024' });
write('short.pem', short.pem);
write('short.key', short.privateKeyPem);
write('old.pem', old.pem);
write('ending.pem', ending.pem);
const large = await ca.issue({
  subject: 'CN=large',
  extendedKeyUsage: 'client',
  subjectAltNames: Array.from({ length: 800 }, (_, i) => `host-${100_000 + i}.clients.example.org`),
});
write('large.pem', large.pem);
write('server.pem', (await ca.issue({ subject: 'CN=server', extendedKeyUsage: 'server' })).pem);
write('early.pem', early.pem);
write('two.pem', acme.pem + own.pem);
write('with-key.pem', acme.pem + acme.privateKeyPem);
write('empty.pem', '');
write('text.pem', 'no certificate here\n');
write('broken.pem', acme.pem.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n'));
write('junk.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');

const load = (text: string): Provisioned | readonly string[] => {
  const file = join(folder, 'config.toml');
  write('config.toml', text);
  const loaded = loadConfig(file, {}, now);
  return isProblems(loaded)
    ? loaded.map((problem) => problemLine({ ...problem, file: 'config.toml' }))
    : loaded;
};
const good = (text: string): Provisioned => {
  const loaded = load(text);
  if (isProblems(loaded as never)) assert.fail((loaded as readonly string[]).join('\n'));
  return loaded as Provisioned;
};
const warnings = (text: string): string[] =>
  good(text).warnings.map((warning) => problemLine({ ...warning, file: 'config.toml' }));

const client = (alias: string, file: string): string => `[[clients]]\nalias = "${alias}"\n${file}\n`;
const acmeClient = client('acme', 'file = "acme.pem"');
const api = (more: string): string => `[[apis]]\nname = "n"\nversion = "1"\nbasePath = "/n"\n${more}\n`;
const mutualSSL = (lines: string): string => `[enforcer.security.mutualSSL]\n${lines}\n`;
const authService = (lines: string): string => `[enforcer.authService]\n${lines}\n`;

const wrong: readonly [why: string, text: string, ...problems: RegExp[]][] = [
  [
    'two aliases that differ by case only',
    acmeClient + client('ACME', 'file = "own.pem"'),
    /^config.toml:5: clients\[1\].alias: found "ACME", which differs from "acme" by case only/,
  ],
  [
    'two tiers of one alias',
    client('acme', 'file = "acme.pem"\ntier = "Gold"') + client('acme', 'file = "own.pem"\ntier = "Silver"'),
    /^config.toml:8: clients\[1\].tier: alias "acme" has tier "Silver" here and "Gold" in an entry before/,
  ],
  [
    'a name without a CA',
    client('acme', 'dns = ["a.test"]'),
    /^config.toml:3: clients\[0\].dns: alias "acme" is only a name, and anyone can write any name/,
  ],
  [
    'a key without a CA',
    client('acme', `spki = ["${'a'.repeat(64)}"]`),
    /^config.toml:1: clients\[0\]: alias "acme" is only a key, whose holder can sign himself any certificate/,
  ],
  [
    'a name beside an exact certificate',
    client('acme', 'file = "acme.pem"\ndns = ["a.test"]'),
    /^config.toml:4: clients\[0\].dns: found beside file, which already means exactly one certificate/,
  ],
  [
    'an issuer without trusted CAs',
    client('acme', 'issuer = "CN=CA"'),
    /^config.toml:3: clients\[0\].issuer: found "CN=CA", but no trusted CA to look for it among/,
  ],
  [
    'an issuer that is none of the trusted CAs',
    `[router.downstream.tls]\ntrustedCertPath = "ca.pem"\n${client('acme', 'issuer = "CN=Other"')}`,
    /^config.toml:5: clients\[0\].issuer: found "CN=Other", which no CA of trustedCertPath .* there are: CN=CA$/,
  ],
  [
    'a subject that is no name',
    client('acme', 'caFile = "ca.pem"\nsubject = "acme"'),
    /^config.toml:4: clients\[0\].subject: found "acme"; write a name as RFC 4514 has it/,
  ],
  [
    'a fingerprint that is none',
    client('acme', 'fingerprints = ["abc"]'),
    /^config.toml:3: clients\[0\].fingerprints\[0\]: found "abc"; write a SHA-256/,
  ],
  [
    'an entry that ends before it begins',
    client('acme', 'file = "acme.pem"\nnotBefore = 2026-02-01T00:00:00Z\nnotAfter = 2026-01-01T00:00:00Z'),
    /^config.toml:5: clients\[0\].notAfter: found a date before notBefore/,
  ],
  [
    'two ports of Envoy that are one',
    '[router]\nlistenerPort = 9095\n',
    /^config.toml:2: router.listenerPort: found 9095, which securedListenerPort is as well; write another port/,
  ],
  [
    "Envoy's admin port on that of a listener",
    '[router]\nadminPort = 9443\nsecuredListenerPort = 9443\nsecuredListenerHost = "localhost"\n',
    /^config.toml:2: router.adminPort: found 9443, which securedListenerPort is as well/,
  ],
  [
    'a client without a certificate',
    client('acme', ''),
    /^config.toml:1: clients\[0\]: alias "acme" names no certificate; write file/,
  ],
  [
    'a client with both kinds',
    client('acme', 'file = "acme.pem"\ncaFile = "ca.pem"'),
    /^config.toml:1: clients\[0\]: .* both file and caFile/,
  ],
  [
    'an alias that no client defines',
    acmeClient + api('aliases = ["amce"]'),
    /^config.toml:8: apis\[0\].aliases\[0\]: found "amce", which no \[\[clients\]\] entry defines; did you mean "acme"\?/,
  ],
  [
    'two APIs that claim the same place',
    acmeClient + api('mutualSSL = "off"') + api('mutualSSL = "off"'),
    /^config.toml:12: apis\[1\].basePath: "n" 1 claims \*\/n, which "n" 1 has already/,
  ],
  [
    'a file that is not there',
    client('acme', 'file = "none.pem"'),
    /^config.toml:3: clients\[0\].file: found "none.pem", which does not exist; write/,
  ],
  ['an endless file', client('acme', 'file = "/dev/zero"'), /found "\/dev\/zero", which is no regular file/],
  [
    'a folder',
    client('acme', 'file = "."'),
    /^config.toml:3: clients\[0\].file: found ".", which is a folder/,
  ],
  [
    'an empty file',
    client('acme', 'file = "empty.pem"'),
    /found "empty.pem", which is empty; it needs a PEM certificate/,
  ],
  [
    'a file without a certificate',
    client('acme', 'file = "text.pem"'),
    /found "text.pem", which has no certificate in it/,
  ],
  [
    'a file with two certificates',
    client('acme', 'file = "two.pem"'),
    /found "two.pem", which has 2 certificates where one belongs/,
  ],
  [
    'a file with a private key',
    client('acme', 'file = "with-key.pem"'),
    /found "with-key.pem", which has a private key in it \(line \d+\); take it out/,
  ],
  [
    'a broken certificate',
    client('acme', 'file = "broken.pem"'),
    /found "broken.pem", which has a certificate that can't be read/,
  ],
  [
    'no certificate at all in PEM',
    client('acme', 'file = "junk.pem"'),
    /found "junk.pem", which has a certificate that can't be read/,
  ],
  [
    'a caFile that is no CA',
    client('acme', 'caFile = "acme.pem"'),
    /^config.toml:3: clients\[0\].caFile: found CN=acme, which is no CA/,
  ],
  [
    'a mandatory API bound to no alias',
    api(''),
    /^config.toml:1: apis\[0\]: "n" needs a certificate but is bound to no alias/,
  ],
  [
    'header mode without trusted senders',
    mutualSSL('enableClientValidation = false'),
    /^config.toml:2: enforcer.security.mutualSSL.enableClientValidation: .* A certificate is public, so a header proves nothing by itself: write who may, for example trustedSenders = \["10.20.0.0\/16"\]/,
  ],
  [
    'a sender by an alias that nobody defines',
    mutualSSL('enableClientValidation = false\ntrustedSenders = ["alias:lb"]'),
    /^config.toml:3: enforcer.security.mutualSSL.trustedSenders\[0\]: found "alias:lb", which no entry of senders defines/,
  ],
  [
    'a header that HTTP itself uses',
    mutualSSL('enableClientValidation = false\ntrustedSenders = ["::1"]\ncertificateHeader = "Host"'),
    /^config.toml:4: enforcer.security.mutualSSL.certificateHeader: found "Host", which HTTP itself uses/,
  ],
  [
    'plain keys and sources together',
    `${mutualSSL('enableClientValidation = false')}[[enforcer.security.mutualSSL.sources]]\nformat = "peer"\n`,
    /^config.toml:2: enforcer.security.mutualSSL.enableClientValidation: the plain keys are the short form/,
  ],
  [
    'two sources for one sender',
    '[[enforcer.security.mutualSSL.sources]]\nformat = "aws-alb"\ntrustedSenders = ["10.0.0.0/8"]\n[[enforcer.security.mutualSSL.sources]]\nformat = "rfc9440"\ntrustedSenders = ["10.1.0.0/16"]\n',
    /^config.toml:6: enforcer.security.mutualSSL.sources\[1\].trustedSenders: some of these senders are trusted for x-amzn-mtls-clientcert/,
  ],
  [
    'a source without senders',
    '[[enforcer.security.mutualSSL.sources]]\nformat = "nginx"\n',
    /^config.toml:1: .*nobody is trusted to send it/,
  ],
  [
    'senders of a peer',
    '[[enforcer.security.mutualSSL.sources]]\nformat = "peer"\ntrustedSenders = ["::1"]\n',
    /^config.toml:3: .*the peer is whoever is no sender/,
  ],
  [
    'peer mode with a listener that asks for no certificate',
    `[router.downstream.tls]\nmTLSAPIsEnabled = false\n${acmeClient}${api('aliases = ["acme"]')}`,
    /^config.toml:6: apis\[0\].mutualSSL: "n" has mutualSSL = "mandatory", but router.downstream.tls.mTLSAPIsEnabled is false/,
  ],
  [
    'workers beyond the last port',
    authService('port = 65535\nworkers = 2'),
    /^config.toml:3: enforcer.authService.workers: found 2, each with a port of its own from 65535 on/,
  ],
  [
    "metrics at the second worker's port",
    `${authService('port = 9463\nworkers = 2')}[enforcer.metrics]\n`,
    /^config.toml:4: enforcer.metrics.port: found 9464, where the ext_authz service listens \(\[enforcer.authService\] port and workers\); write another port/,
  ],
  [
    'a record to two places',
    '[enforcer.audit]\nfile = "a"\nsyslog = "127.0.0.1:514"\n',
    /^config.toml:3: enforcer.audit.syslog: .*file and syslog exclude each other; write one of them/,
  ],
  ...[
    'localhost:514',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '::1:514',
    '[127.0.0.1]:514',
    '/dev/log',
  ].map((syslog): [string, string, RegExp] => [
    `a record sent to ${syslog}`,
    `[enforcer.audit]\nsyslog = "${syslog}"\n`,
    /^config.toml:2: enforcer.audit.syslog: found ".*"; write an IP address and a UDP port, for example "127.0.0.1:514"/,
  ]),
  [
    'neither port nor socket',
    authService('port = 0'),
    /^config.toml:2: enforcer.authService.port: found 0 and no socket/,
  ],
  [
    "a socket's path that is too long",
    authService(`control = "/${'x'.repeat(106)}"\nsocket = "/${'ö'.repeat(54)}"`),
    /^config.toml:3: enforcer.authService.socket: found "\/ö+"; write a shorter path: it has 109 bytes, and a socket's may have 107/,
  ],
  [
    "a relative socket's path that is too long where it leads to",
    authService(`socket = "${'x'.repeat(100)}"`),
    /^config.toml:2: enforcer.authService.socket: found "x+", which is \/.*\/x+; write a shorter path: it has 1\d\d bytes/,
  ],
  [
    "a socket's path that is too long for the last of several workers",
    authService(`workers = 12\nsocket = "/${'ö'.repeat(51)}x"\ncontrol = "/${'ö'.repeat(52)}"`),
    /^config.toml:4: enforcer.authService.control: found "\/ö+"; write a shorter path: that of worker 12 has 108 bytes/,
  ],
  [
    'beyond loopback without TLS',
    authService('address = "0.0.0.0"'),
    /^config.toml:2: enforcer.authService.address: found "0.0.0.0", which is beyond loopback, and no TLS/,
  ],
  [
    'a certificate without its key',
    authService('certPath = "acme.pem"'),
    /^config.toml:2: enforcer.authService.certPath: certPath and keyPath go together/,
  ],
  [
    'a key of another certificate',
    authService('certPath = "acme.pem"\nkeyPath = "own.key"'),
    /^config.toml:3: enforcer.authService.keyPath: found "own.key", which is not the key of the certificate in certPath; write the key that belongs to it$/,
  ],
  [
    'a key that is not there',
    authService('certPath = "acme.pem"\nkeyPath = "nope.key"'),
    /^config.toml:3: enforcer.authService.keyPath: found "nope.key", which does not exist; write the path of a readable file$/,
  ],
  [
    'a certificate in the place of its key',
    authService('certPath = "acme.key"\nkeyPath = "acme.pem"'),
    /^config.toml:2: enforcer.authService.certPath: found "acme.key", which has a private key in it and no certificate, as keyPath has a certificate: swap the two$/,
  ],
  [
    'a certificate whose key is too short for TLS',
    authService('certPath = "short.pem"\nkeyPath = "short.key"'),
    /^config.toml:2: enforcer.authService.certPath: found "short.pem", which can not be used for TLS: SSL routines: ee key too small; have it issued anew, for a key of 2048 bits/,
  ],
  [
    'a certificate after a byte order mark, and the key of another',
    authService('certPath = "marked.pem"\nkeyPath = "own.key"'),
    /^config.toml:3: enforcer.authService.keyPath: found "own.key", which is not the key of the certificate in certPath/,
  ],
  ...(
    [
      [
        'a certificate in the place of the key',
        'own.key',
        'own.pem',
        /^config.toml:3: enforcer.jwtGenerator.publicCertificatePath: found "own.key", which has a private key in it and no certificate, as privateKeyPath has a certificate: swap the two$/,
      ],
      [
        'no key',
        'acme.pem',
        'empty.pem',
        /^config.toml:4: enforcer.jwtGenerator.privateKeyPath: found "empty.pem", which is empty; it needs a private key as PEM$/,
      ],
      [
        'the key of another certificate',
        'own.pem',
        'acme.key',
        /^config.toml:4: enforcer.jwtGenerator.privateKeyPath: found "acme.key", which is not the key of the certificate in publicCertificatePath; write the key that belongs to it$/,
      ],
    ] as const
  ).map(([what, certificate, key, told]): [string, string, RegExp] => [
    `a JWT for the backend with ${what}`,
    `[enforcer.jwtGenerator]\nenabled = true\npublicCertificatePath = "${certificate}"\nprivateKeyPath = "${key}"\n`,
    told,
  ]),
  [
    'mutual TLS without an own certificate',
    authService('clientCaPath = "ca.pem"'),
    /^config.toml:2: enforcer.authService.clientCaPath: mutual TLS needs the own certificate too/,
  ],
  [
    'trusted CAs without a CA',
    '[router.downstream.tls]\ntrustedCertPath = "acme.pem"\n',
    /^config.toml:2: router.downstream.tls.trustedCertPath: found "acme.pem", which has no usable CA/,
  ],
  [
    'verification in the handshake against nothing',
    '[router.downstream.tls]\nverifyInHandshake = true\n',
    /^config.toml:2: router.downstream.tls.verifyInHandshake: found true without trustedCertPath/,
  ],
  [
    'a TLS minimum above the maximum',
    '[router.upstream.tls]\nminimumProtocolVersion = "TLS1_3"\nmaximumProtocolVersion = "TLS1_2"\n',
    /^config.toml:2: router.upstream.tls.minimumProtocolVersion: found "TLS1_3", which is newer than maximumProtocolVersion "TLS1_2"/,
  ],
  [
    'an identity header that is a certificate header',
    '[enforcer.answers]\naliasHeader = "X-WSO2-Client-Certificate"\n',
    /^config.toml:2: enforcer.answers.aliasHeader: found "x-wso2-client-certificate", which is a certificate header/,
  ],
  [
    'two identity headers of one name',
    '[enforcer.answers]\naliasHeader = "X-Who"\ntierHeader = "x-who"\n',
    /^config.toml:3: enforcer.answers.tierHeader: found "x-who", which aliasHeader has already/,
  ],
  [
    'two that CGI takes for one',
    '[enforcer.answers]\naliasHeader = "X-Who.is"\ntierHeader = "x-who_is"\n',
    /^config.toml:3: enforcer.answers.tierHeader: found "x-who_is", which aliasHeader has already/,
  ],
  [
    'an identity header that HTTP needs',
    '[enforcer.answers]\naliasHeader = "Content-Length"\n',
    /^config.toml:2: enforcer.answers.aliasHeader: found "content-length", which HTTP itself uses/,
  ],
  [
    'the same in another spelling, in which it is removed as well',
    '[enforcer.answers]\naliasHeader = "Content_Type"\n',
    /^config.toml:2: enforcer.answers.aliasHeader: found "content_type", which HTTP itself uses/,
  ],
  ...[
    ['enforcer.answers', 'aliasHeader', 'X-Original-URL'],
    ['enforcer.answers', 'tokenSubjectHeader', 'x.rewrite.url'],
    ['enforcer.jwtGenerator', 'header', 'X-HTTP-Method-Override'],
    ['enforcer.security.authHeader', 'authorizationHeader', 'X_Original_URL'],
  ].map(([table, key, name]): (typeof wrong)[number] => [
    `a header for the backend that is removed, as it says another path or method: ${key} = ${name}`,
    `[${table}]\n${key} = "${name}"\n`,
    new RegExp(
      `^config.toml:2: ${table}.${key}: found "${name!.toLowerCase()}", by which some backends are told another path or method, so that it is removed; write another name$`,
    ),
  ]),
  [
    'the certificate for the backend in such a one',
    '[enforcer.security.mutualSSL]\nenableOutboundCertificateHeader = true\noutboundHeader = "X-Rewrite-URL"\n',
    /^config.toml:3: enforcer.security.mutualSSL.outboundHeader: found "x-rewrite-url", by which some backends/,
  ],
  [
    'a certificate that would be looked for in such a one',
    '[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "X-Original-URL"\ntrustedSenders = ["10.0.0.1"]\n',
    /^config.toml:3: enforcer.security.mutualSSL.certificateHeader: found "X-Original-URL", by which some backends/,
  ],
  [
    'the reason of a denial in the place of its length',
    '[enforcer.answers]\nreasonHeader = "content-length"\n',
    /^config.toml:2: enforcer.answers.reasonHeader: found "content-length", which HTTP itself uses/,
  ],
  [
    'the certificate for the backend in the place of the host',
    '[enforcer.security.mutualSSL]\nenableOutboundCertificateHeader = true\noutboundHeader = "Host"\n',
    /^config.toml:3: enforcer.security.mutualSSL.outboundHeader: found "host", which HTTP itself uses/,
  ],
  [
    'one header for the certificate and its chain',
    '[enforcer.security.mutualSSL]\nenableOutboundCertificateHeader = true\noutboundFormat = "rfc9440"\noutboundHeader = "X-Out"\noutboundChainHeader = "x_out"\n',
    /^config.toml:5: enforcer.security.mutualSSL.outboundChainHeader: found "x_out", which the certificate itself is sent in/,
  ],
  [
    'the certificate for the backend in the place of the token',
    '[enforcer.security.mutualSSL]\nenableOutboundCertificateHeader = true\noutboundHeader = "Authorization"\n',
    /^config.toml:3: enforcer.security.mutualSSL.outboundHeader: found "authorization", which HTTP itself uses/,
  ],
  [
    'tokens in a header by which the backend is told something',
    '[enforcer.security.authHeader]\nauthorizationHeader = "x_client_cert_tier"\n',
    /^config.toml:2: enforcer.security.authHeader.authorizationHeader: found "x_client_cert_tier", which tierHeader has already/,
  ],
  [
    'a certificate header that CGI takes for an identity header',
    '[[enforcer.security.mutualSSL.sources]]\nformat = "auto"\nheader = "X.Client.Cert.Alias"\ntrustedSenders = ["10.0.0.1"]\n',
    /^config.toml:3: enforcer.security.mutualSSL.sources\[0\].header: found "X.Client.Cert.Alias", which the backend gets from us \(aliasHeader\); write another name$/,
  ],
  ...[
    ['of TLS clients', ''],
    ['of a header', 'enableClientValidation = false\ntrustedSenders = ["::1"]\n'],
  ].flatMap(([what, plain]): [string, string, RegExp][] => [
    [
      `a certificate header, ${what}, that tokens come in`,
      `[enforcer.security.mutualSSL]\ncertificateHeader = "Authorization"\n${plain}`,
      /^config.toml:2: enforcer.security.mutualSSL.certificateHeader: found "Authorization", which HTTP itself uses/,
    ],
    [
      `a certificate header, ${what}, that tokens come in by another name`,
      `[enforcer.security.mutualSSL]\ncertificateHeader = "X-Token"\n${plain}[enforcer.security.authHeader]\nauthorizationHeader = "x-token"\n`,
      /enforcer.security.authHeader.authorizationHeader: found "x-token", which is a certificate header; write another name$/,
    ],
    [
      `a certificate header, ${what}, by which the backend is told something`,
      `[enforcer.security.mutualSSL]\ncertificateHeader = "X-Client-Cert-Alias"\n${plain}`,
      /^config.toml:2: enforcer.security.mutualSSL.certificateHeader: found "X-Client-Cert-Alias", which the backend gets from us \(aliasHeader\); write another name$/,
    ],
  ]),
  [
    "a source's header that HTTP itself uses",
    '[[enforcer.security.mutualSSL.sources]]\nformat = "auto"\ntrustedSenders = ["10.0.0.1"]\nheader = "Cookie"\n',
    /^config.toml:4: enforcer.security.mutualSSL.sources\[0\].header: found "Cookie", which HTTP itself uses/,
  ],
  ...[
    ['that HTTP itself uses', 'Host', 'which HTTP itself uses; write the name of a header of its own'],
    [
      'of another path',
      'X_Original_URL',
      'by which some backends are told another path or method, so that it is removed; write another name',
    ],
  ].map(([what, name, advice]): (typeof wrong)[number] => [
    `the chain of a source in a header ${what}`,
    `[[enforcer.security.mutualSSL.sources]]\nformat = "rfc9440"\ntrustedSenders = ["10.0.0.1"]\nchainHeader = "${name}"\n`,
    new RegExp(
      `^config.toml:4: enforcer.security.mutualSSL.sources\\[0\\].chainHeader: found "${name}", ${advice}, for example "X-Client-Cert-Chain"$`,
    ),
  ]),
  [
    "the chain of an API's own source in such a header",
    '[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n[[apis.sources]]\nformat = "rfc9440"\ntrustedSenders = ["10.0.0.1"]\nchainHeader = "Cookie"\n',
    /^config.toml:9: apis\[0\].sources\[0\].chainHeader: found "Cookie", which HTTP itself uses/,
  ],
  [
    'an identity header of the name that another has by default',
    '[enforcer.answers]\naliasHeader = "x-client-cert-tier"\n',
    /^config.toml:2: enforcer.answers.aliasHeader: found "x-client-cert-tier", which tierHeader has already/,
  ],
  [
    'verification in the handshake beside senders',
    `[router.downstream.tls]\ntrustedCertPath = "ca.pem"\nverifyInHandshake = true\n[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\nfile = "own.pem"\n`,
    /^config.toml:3: router.downstream.tls.verifyInHandshake: found true beside senders/,
  ],
  [
    'everything at once',
    `${client('a', 'file = "none.pem"')}${client('b', 'caFile = "acme.pem"')}${api('aliases = ["c"]')}`,
    /:3: clients\[0\]/,
    /:6: clients\[1\]/,
    /:11: apis\[0\].aliases/,
  ],
];
for (const [why, text, ...patterns] of wrong) {
  test(`${why} is an error`, () => {
    const loaded = load(text);
    assert.ok(Array.isArray(loaded), 'it was accepted');
    assert.equal(loaded.length, patterns.length, loaded.join('\n'));
    patterns.forEach((pattern, i) => {
      assert.match(loaded[i], pattern);
      assert.doesNotMatch(loaded[i], /MII|MIG/);
    });
  });
}

test('a file that can not be read for another reason is an error that names the reason', () => {
  symlinkSync('loop.pem', join(folder, 'loop.pem'));
  assert.match(
    (load(client('acme', 'file = "loop.pem"')) as string[])[0]!,
    /which can not be read \(ELOOP\); write/,
  );
});

test('no config.toml at all is an error', () => {
  const loaded = loadConfig(join(folder, 'none.toml'), {}, now);
  assert.ok(isProblems(loaded) && /does not exist/.test(problemLine(loaded[0]!)));
});

const tokens =
  '[[enforcer.security.tokenService]]\nname = "idp"\nissuer = "https://idp.test"\njwksURL = "https://idp.test/jwks"\naudiences = ["x"]\n\n';
const warned: readonly [why: string, text: string, warning: RegExp | undefined][] = [
  [
    'an expired certificate',
    client('old', 'file = "old.pem"'),
    /^config.toml:3: clients\[0\].file: alias "old": the certificate expired on 2026-01-01/,
  ],
  [
    'a trusted CA that has expired',
    '[router.downstream.tls]\ntrustedCertPath = "ended.pem"\n',
    /^config.toml:2: router.downstream.tls.trustedCertPath: a CA in it has expired: CN=Ended 2 on 2022-01-01T00:00:00.000Z. Certificates that it issued are refused; if nobody has one, nothing needs to be done$/,
  ],
  [
    'a bundle with expired CAs in it',
    '[router.downstream.tls]\ntrustedCertPath = "bundle.pem"\n',
    /: 5 CAs in it have expired: CN=Ended 5 on 2025-01-01T00:00:00.000Z; CN=Ended 4 on .*; CN=Ended 3 on [^;]*; and 2 before. Certificates that they issued are refused; if nobody/,
  ],
  [
    'a certificate that is valid for less than 30 days',
    client('ending', 'file = "ending.pem"'),
    /^config.toml:3: clients\[0\].file: alias "ending": the certificate expires on .+ so renew it$/,
  ],
  [
    'a certificate that is not valid yet',
    client('early', 'file = "early.pem"'),
    /the certificate is not valid before 2027-01-01/,
  ],
  [
    'a certificate that no header can hold',
    `${mutualSSL('enableClientValidation = false\ntrustedSenders = ["10.0.0.0/8"]')}${client('large', 'file = "large.pem"')}`,
    /clients\[0\]: alias "large": its certificate takes \d{5} characters, percent-encoded, and at most 32768 are read of a header: every request with it is refused, unless it comes over TLS/,
  ],
  ['the same over TLS, which takes more', client('large', 'file = "large.pem"'), undefined],
  [
    'senders that are everyone',
    mutualSSL('enableClientValidation = false\ntrustedSenders = ["0.0.0.0/0", "::/0"]'),
    /^config.toml:3: .*whoever reaches the router can send anyone's certificate/,
  ],
  [
    'no TLS beyond loopback, spelled out',
    authService('address = "0.0.0.0"\nplaintext = true'),
    /^config.toml:3: enforcer.authService.plaintext: the service listens on 0.0.0.0 without TLS/,
  ],
  [
    "backends' certificates not checked",
    '[router.upstream.tls]\ndisableSslVerification = true\n',
    /^config.toml:2: router.upstream.tls.disableSslVerification: found true/,
  ],
  [
    'a backend over plain HTTP',
    api('mutualSSL = "off"\nbackend = "http://127.0.0.1:1"'),
    /^config.toml:6: apis\[0\].backend: found http:\/\/127.0.0.1:1: .*clear text/,
  ],
  [
    'TLS 1.1',
    '[router.downstream.tls]\nminimumProtocolVersion = "TLS1_1"\n',
    /^config.toml:2: .*read as "TLS1_2"/,
  ],
  [
    'an optional API bound to no alias',
    tokens + api('mutualSSL = "optional"\napplicationSecurity = "optional"'),
    /^config.toml:7: apis\[0\]: "n" is bound to no alias/,
  ],
  [
    'an optional certificate beside no token',
    acmeClient + api('aliases = ["acme"]\nmutualSSL = "optional"'),
    /"n" is open: its mutualSSL is optional and the other off/,
  ],
  [
    'tokens that are meant for anybody',
    tokens.replace('audiences = ["x"]\n', '') + api('mutualSSL = "off"\napplicationSecurity = "mandatory"'),
    /apis\[0\]: tokens of "idp" are taken that are meant for anybody \(aud\)/,
  ],
  [
    'an entry that is over',
    client('acme', 'file = "acme.pem"\nnotAfter = 2026-01-01T00:00:00Z'),
    /^config.toml:4: clients\[0\].notAfter: this entry ended on 2026-01-01/,
  ],
  [
    'two aliases of one API that mean one certificate',
    `${acmeClient}${client('all', 'caFile = "ca.pem"')}${api('aliases = ["all", "acme"]')}`,
    /^config.toml:11: apis\[0\].aliases: the certificate of "acme" fits "all" as well/,
  ],
  [
    'credentials for every origin',
    '[router.cors]\nallowCredentials = true\n',
    /^config.toml:2: router.cors.allowCredentials: found true beside allowOrigins = \["\*"\]/,
  ],
  [
    'a certificate for servers only',
    client('acme', 'file = "server.pem"'),
    /^config.toml:3: clients\[0\].file: alias "acme": extended_key_usage_not_client: .* every request with it is refused/,
  ],
  [
    'a shadow that nobody can see',
    '[enforcer.shadow]\nconfig = "next.toml"\n[enforcer.metrics]\nenabled = false\n',
    /^config.toml:2: enforcer.shadow.config: what differs can be seen nowhere; write \[enforcer.metrics\]/,
  ],
  [
    'a shadow that is the file itself, as a copy of it has it once it is in force',
    '[enforcer.shadow]\nconfig = "./config.toml"\n[enforcer.audit]\n',
    /^config.toml:2: enforcer.shadow.config: is this file itself, with which nothing is compared/,
  ],
  [
    'a shadow that is not there yet, and is recorded',
    '[enforcer.shadow]\nconfig = "next.toml"\n[enforcer.audit]\n',
    undefined,
  ],
  ['nothing odd', acmeClient + api('aliases = ["ACME"]'), undefined],
];
for (const [why, text, warning] of warned) {
  test(`${why}: ${warning ? 'accepted, and warned about' : 'no warning'}`, () => {
    const found = warnings(text);
    assert.equal(found.length, warning ? 1 : 0, found.join('\n'));
    if (warning) assert.match(found[0]!, warning);
  });
}

test('the other certificates work beside an expired one', () => {
  const { snapshot } = good(
    client('old', 'file = "old.pem"') + acmeClient + api('aliases = ["old", "acme"]'),
  );
  assert.equal(snapshot.apis.apis[0]?.security.clients.exact.size, 2);
});

test('an IPv6 address as a host is found with brackets, as requests have it', () => {
  const { snapshot } = good(api('mutualSSL = "off"\nhosts = ["::1", "2001:DB8::1"]'));
  assert.deepEqual([...snapshot.apis.byHost.keys()], ['[::1]', '[2001:db8::1]']);
});

test('renamed outbound headers are removed as well: a client that has no chain could send one', () => {
  const { snapshot } = good(
    '[enforcer.security.mutualSSL]\nenableOutboundCertificateHeader = true\noutboundFormat = "rfc9440"\noutboundHeader = "X-Out"\noutboundChainHeader = "X-Out-Chain"\n',
  );
  const removed = snapshot.answers.headersToRemove;
  assert.ok(removed.includes('x-out') && removed.includes('x-out-chain'));
});

test('text of config.toml that is not UTF-8 is told where it stands', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latin-1-'));
  try {
    const file = join(folder, 'config.toml');
    writeFileSync(file, Buffer.from('[[apis]]\nversion = "1"\nname = "Aufträge"\n', 'latin1'));
    const problems = loadConfig(file, {}, now);
    assert.ok(isProblems(problems));
    assert.match(problems.map(problemLine).join('\n'), /config\.toml:3: is not UTF-8/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
