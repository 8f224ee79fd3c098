import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBackend } from '../test/support/backend.ts';

/** For docker-compose.yml: the echoing backend on port 9443, with the certificate from the folder given. */
const pki = join(process.argv[2] ?? '/state', 'pki');
const read = (name: string): string => readFileSync(join(pki, name), 'utf8');
const backend = await startBackend({
  certificatePem: read('backend.pem'),
  privateKeyPem: read('backend.key'),
  port: 9443,
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void backend.stop());
