import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { ClientCertificate } from './client.ts';
import { freePort } from './free-port.ts';

/** A CA as people run it with `openssl ca`, in a folder of its own. */
export type OpensslCa = {
  readonly folder: string;
  readonly certificateFile: string;
  issue(name: string): ClientCertificate;
  revoke(name: string, reason?: string): void;
  /** DER. */
  crl(options?: { readonly seconds?: number; readonly hasEnded?: boolean }): Buffer;
  /** `openssl ocsp`: its first answer after a revocation is still the one of before. */
  ocsp(): Promise<{ readonly url: string; stop(): void }>;
};

/**
 * @param from a CA whose list of certificates it goes on with, by a new key
 * @param extensions lines for what it issues
 */
export function opensslCa(
  name: string,
  { from, extensions = [] }: { readonly from?: OpensslCa; readonly extensions?: readonly string[] } = {},
): OpensslCa {
  const folder = mkdtempSync(join(tmpdir(), 'openssl-ca-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  mkdirSync(at('new'));
  writeFileSync(at('index.txt'), '');
  writeFileSync(at('serial'), '1000\n');
  writeFileSync(at('crlnumber'), '01\n');
  writeFileSync(
    at('openssl.cnf'),
    `[ca]
default_ca = it
[it]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = new
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
policy = any
unique_subject = no
copy_extensions = copy
x509_extensions = client
crl_extensions = crl
[any]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid
[client]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
${extensions.join('\n')}
`,
  );
  if (from !== undefined)
    for (const file of ['index.txt', 'serial', 'crlnumber'])
      writeFileSync(at(file), readFileSync(join(from.folder, file)));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    `/CN=${name}`,
    '-days',
    '365',
  );
  const config = ['-config', 'openssl.cnf', '-batch'];
  return {
    folder,
    certificateFile: at('ca.pem'),
    issue: (client) => {
      openssl(
        'req',
        '-new',
        ...key,
        '-keyout',
        `${client}.key`,
        '-out',
        `${client}.csr`,
        '-subj',
        `/CN=${client}`,
      );
      openssl('ca', ...config, '-notext', '-in', `${client}.csr`, '-out', `${client}.pem`);
      const read = (file: string): string => readFileSync(at(file), 'utf8');
      return { certificatePem: read(`${client}.pem`), privateKeyPem: read(`${client}.key`) };
    },
    revoke: (client, reason = 'keyCompromise') =>
      openssl('ca', ...config, '-revoke', `${client}.pem`, '-crl_reason', reason),
    crl: ({ seconds = 3_600, hasEnded = false } = {}) => {
      const dates = hasEnded
        ? ['-crl_lastupdate', '20240101000000Z', '-crl_nextupdate', '20240102000000Z']
        : ['-crlsec', `${seconds}`];
      openssl('ca', ...config, '-gencrl', ...dates, '-out', 'ca.crl');
      openssl('crl', '-in', 'ca.crl', '-outform', 'DER', '-out', 'ca.crl.der');
      return readFileSync(at('ca.crl.der'));
    },
    ocsp: async () => {
      const port = await freePort();
      const files = ['-index', 'index.txt', '-CA', 'ca.pem', '-rsigner', 'ca.pem', '-rkey', 'ca.key'];
      const responder = spawn('openssl', ['ocsp', '-port', `${port}`, ...files, '-nmin', '60'], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const stop = (): void => void responder.kill('SIGKILL');
      after(stop);
      // Not by connecting: a connection without a question is the last that it takes.
      await new Promise<void>((ready) => {
        const hear = (text: Buffer): void => {
          if (text.includes('waiting')) ready();
        };
        responder.stdout.on('data', hear);
        responder.stderr.on('data', hear);
      });
      return { url: `http://127.0.0.1:${port}`, stop };
    },
  };
}
