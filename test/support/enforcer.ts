import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problemLine } from '../../src/config/problem.ts';
import { decide } from '../../src/enforcer.ts';
import { isProblems, type LoadOptions, loadConfig } from '../../src/provision/load-config.ts';
import type { Provisioned } from '../../src/provision/provision.ts';
import type { Snapshot } from '../../src/snapshot.ts';
import { type RequestParts, request } from './attributes.ts';
import { now } from './certificate-authority.ts';

/**
 * The configuration and the files it names, as the service would load them.
 *
 * @param files name -> content, beside config.toml
 * @throws Error with every problem
 */
export function load(
  toml: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  at: number = now,
  options: LoadOptions = {},
): Provisioned {
  const folder = mkdtempSync(join(tmpdir(), 'enforcer-'));
  try {
    for (const [name, text] of Object.entries({ ...files, 'config.toml': toml }))
      writeFileSync(join(folder, name), text);
    const loaded = loadConfig(join(folder, 'config.toml'), {}, at, options);
    if (isProblems(loaded)) throw new Error(loaded.map(problemLine).join('\n'));
    return loaded;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What comes of a request, in one word: the client's alias, `allowed` without one, or the denial's code. */
export async function outcome(parts: RequestParts, snapshot: Snapshot, at: number = now): Promise<string> {
  const decision = await decide(request(parts), snapshot, at);
  if (decision.outcome === 'deny') return decision.code;
  return decision.client?.alias ?? (decision.token === undefined ? 'allowed' : 'token');
}
