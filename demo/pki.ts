import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAuthority, type Issued, selfSigned } from '../test/support/certificate-authority.ts';
import type { ClientCertificate } from '../test/support/client.ts';
import { createTokenIssuer } from '../test/support/token-issuer.ts';
import { codings } from './certificate-header.ts';
import { type Holder, header } from './requests.ts';

/** The demo's certificates, as PEM. */
export type Pki = {
  readonly folder: string;
  /** CA of the router's certificate: what a client trusts. */
  readonly routerCaPem: string;
  readonly backend: ClientCertificate;
  readonly clients: Readonly<Record<Holder, ClientCertificate>>;
  /** Of the issuer of access tokens. */
  readonly issuerKeyPem: string;
};

export const issuer = 'https://idp.demo';

const holders: readonly Holder[] = [
  'acme',
  'globex',
  'partner',
  'expired',
  'not-yet-valid',
  'server-only',
  'stranger',
];
const dayMs = 86_400_000;
/** Old enough to make it again: far from the day when a valid certificate ends or the future one begins. */
const staleAfterDays = 7;

/**
 * The demo's PKI in `folder`/pki: the one that is there, or a new one where none is, or it was made long ago or by
 * another version of the demo. A new one takes the old one's place whole.
 */
export async function preparePki(folder: string, now: number = Date.now()): Promise<Pki> {
  const place = join(folder, 'pki');
  if (!isFresh(place, now)) {
    await mkdir(folder, { recursive: true });
    const fresh = await mkdtemp(join(folder, 'pki-'));
    await writePki(fresh, now);
    await rm(place, { recursive: true, force: true });
    await rename(fresh, place).catch(async (error: NodeJS.ErrnoException) => {
      // Another demo, started at the same moment, was faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      await rm(fresh, { recursive: true });
    });
  }
  return readPki(place);
}

function isFresh(place: string, now: number): boolean {
  try {
    const { by, at } = JSON.parse(readFileSync(join(place, 'made.json'), 'utf8')) as {
      by: string;
      at: number;
    };
    readPki(place); // somebody may have deleted a file
    return by === madeBy() && at <= now && now - at < staleAfterDays * dayMs;
  } catch {
    return false;
  }
}

/** Changes with the code that makes the certificates. */
const madeBy = (): string => {
  const files = [import.meta.url, new URL('../test/support/certificate-authority.ts', import.meta.url)];
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(fileURLToPath(file)));
  return hash.digest('hex');
};

async function writePki(folder: string, now: number): Promise<void> {
  const day = (days: number) => new Date(now + days * dayMs);
  const valid = { notBefore: day(-1), notAfter: day(90) };
  const client = { ...valid, extendedKeyUsage: 'client' } as const;
  const authority = (name: string) =>
    createAuthority({ subject: `CN=${name}`, notBefore: day(-400), notAfter: day(3650) });

  const [routerCa, backendCa, partnerCa, strangerCa] = await Promise.all(
    ['Demo Router CA', 'Demo Backend CA', 'Demo Partner CA', 'Demo Stranger CA'].map(authority),
  );
  const server = {
    ...valid,
    extendedKeyUsage: 'server',
    subjectAltNames: ['localhost', '127.0.0.1'],
  } as const;
  const issued: Readonly<Record<string, Issued>> = {
    router: await routerCa!.issue({ subject: 'CN=Demo Router', ...server }),
    backend: await backendCa!.issue({ subject: 'CN=Demo Backend', ...server }),
    // As WSO2's users make them: openssl req -x509.
    acme: await selfSigned({ subject: 'CN=acme, O=Acme Inc', ...valid }),
    globex: await selfSigned({ subject: 'CN=globex, O=Globex', ...valid }),
    partner: await partnerCa!.issue({ subject: 'CN=partner 1', ...client }),
    expired: await partnerCa!.issue({
      subject: 'CN=partner 2',
      ...client,
      notBefore: day(-100),
      notAfter: day(-1),
    }),
    'not-yet-valid': await partnerCa!.issue({
      subject: 'CN=partner 3',
      ...client,
      notBefore: day(30),
      notAfter: day(120),
    }),
    'server-only': await partnerCa!.issue({ subject: 'CN=partner 4', ...valid, extendedKeyUsage: 'server' }),
    stranger: await strangerCa!.issue({ subject: 'CN=stranger', ...client }),
  };
  const idp = createTokenIssuer(now, { issuer });
  const files: Record<string, string> = {
    'idp-jwks.json': idp.jwks,
    'idp.key': String(idp.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    'router-ca.pem': routerCa!.pem,
    'backend-ca.pem': backendCa!.pem,
    'partner-ca.pem': partnerCa!.pem,
    'acme.header': `${header}: ${codings['percent-encoded'](issued.acme!.pem)}\n`,
    'made.json': JSON.stringify({ by: madeBy(), at: now }),
  };
  for (const [name, { pem, privateKeyPem }] of Object.entries(issued)) {
    files[`${name}.pem`] = pem;
    files[`${name}.key`] = privateKeyPem;
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), text, { mode: name.endsWith('.key') ? 0o600 : 0o644 });
  }
}

function readPki(folder: string): Pki {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const pair = (name: string) => ({
    certificatePem: read(`${name}.pem`),
    privateKeyPem: read(`${name}.key`),
  });
  const clients = Object.fromEntries(holders.map((holder) => [holder, pair(holder)])) as Pki['clients'];
  return {
    folder,
    routerCaPem: read('router-ca.pem'),
    backend: pair('backend'),
    clients,
    issuerKeyPem: read('idp.key'),
  };
}
