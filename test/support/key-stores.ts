import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** false, or why a test that needs the program is skipped. */
export const missing = (program: string, install: string): false | string =>
  spawnSync(program, ['-help']).error === undefined ? false : `no ${program} here; install it: ${install}`;

export const noKeytool = missing('keytool', 'apt-get install default-jre-headless');

type Made = { readonly pem: string; readonly privateKeyPem?: string };

/** A PKCS#12 as openssl writes it: a certificate by itself, or with its key. */
export function opensslPkcs12(
  made: Made,
  name: string,
  password: string,
  ...flags: readonly string[]
): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'p12-'));
  try {
    writeFileSync(join(folder, 'c.pem'), made.pem + (made.privateKeyPem ?? ''));
    const own = made.privateKeyPem === undefined ? ['-nokeys', '-caname', name] : ['-name', name];
    execFileSync(
      'openssl',
      [
        'pkcs12',
        '-export',
        ...flags,
        ...own,
        '-in',
        'c.pem',
        '-out',
        's.p12',
        '-passout',
        `pass:${password}`,
      ],
      { cwd: folder, stdio: 'pipe' },
    );
    return readFileSync(join(folder, 's.p12'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A self-signed RSA certificate, with what `openssl req -x509` can vary of its encoding. */
export const opensslSigned = (key: 'rsa:2048' | 'rsa-pss', ...flags: readonly string[]): string =>
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', key, '-nodes', '-keyout', '/dev/null', '-subj', '/CN=acme', ...flags],
    { stdio: 'pipe', encoding: 'utf8' },
  );

/** A trust store as Java's keytool writes it. */
export function keytoolStore(
  type: 'PKCS12' | 'JKS',
  entries: Readonly<Record<string, string>>,
  password: string,
): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'keytool-'));
  try {
    for (const [alias, pem] of Object.entries(entries)) {
      writeFileSync(join(folder, 'c.pem'), pem);
      execFileSync(
        'keytool',
        [
          '-importcert',
          '-noprompt',
          '-alias',
          alias,
          '-file',
          'c.pem',
          '-keystore',
          's',
          '-storetype',
          type,
          '-storepass',
          password,
        ],
        { cwd: folder, stdio: 'pipe' },
      );
    }
    return readFileSync(join(folder, 's'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A JKS trust store, made by hand: needs no Java. */
export function makeJks(
  entries: readonly (readonly [alias: string, der: Uint8Array, kind?: 'private-key'])[],
  password: string,
): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([number(bytes.length).subarray(2), bytes]);
  };
  const body = Buffer.concat([
    Buffer.from('feedfeed', 'hex'),
    number(2),
    number(entries.length),
    ...entries.flatMap(([alias, der, kind]) => [
      number(kind === undefined ? 2 : 1),
      text(alias),
      Buffer.alloc(8),
      ...(kind === undefined ? [] : [number(4), Buffer.alloc(4), number(1)]),
      text('X.509'),
      number(der.length),
      der,
    ]),
  ]);
  const digest = createHash('sha1')
    .update(Buffer.from(password, 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(body)
    .digest();
  return Buffer.concat([body, digest]);
}
