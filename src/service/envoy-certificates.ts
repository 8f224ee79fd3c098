import { constants, open } from 'node:fs/promises';
import type { Config } from '../config/schema/config.ts';
import { atMost } from '../feeds/deadline.ts';
import { type Expiry, leafOf } from '../provision/expiries.ts';
import { routerFiles } from '../provision/router-files.ts';

/** Bytes; a chain has some thousand. */
const maxBytes = 1_048_576;
/** Milliseconds: a file system that hangs must not keep the page from whoever asks for it. */
const patience = 1_000;

/**
 * The certificates that Envoy presents, to clients and to us. No decision depends on them and no snapshot has them:
 * they are read when somebody looks, beside the thread that decides. One that can't be read here is left out: Envoy may
 * run elsewhere.
 */
export async function envoyCertificates(
  config: Config,
  resolve: (path: string) => string,
): Promise<readonly Expiry[]> {
  const read = routerFiles(config).pairs.map(async ({ certPath, purpose }): Promise<readonly Expiry[]> => {
    const content = await atMost(patience, contentOf(resolve(certPath)));
    const certificate = content && leafOf(content);
    const kind = purpose === 'server' ? 'router' : 'router-client';
    return certificate === undefined ? [] : [{ kind, alias: '', certificate }];
  });
  const all = (await Promise.all(read)).flat();
  // A pair may be used for both the enforcer and the rate limit service.
  return [...new Map(all.map((one) => [`${one.kind} ${one.certificate.sha256}`, one])).values()];
}

async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    // Not blocking: a pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      return found.isFile() && found.size <= maxBytes ? await file.readFile() : undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
