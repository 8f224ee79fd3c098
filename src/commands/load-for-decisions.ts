import { RevocationFeeds } from '../feeds/revocation-feeds.ts';
import type { Provisioned } from '../provision/provision.ts';
import type { Exit } from './command.ts';
import { load, tellErrors } from './load.ts';
import { tellLines } from './output.ts';

/** A configuration to decide by in this process, with what "serve" would have fetched. */
export type ForDecisions = Provisioned & {
  /** What decisions asked for meanwhile. @returns whether there was anything */
  readonly fetchWanted: () => Promise<boolean>;
  readonly close: () => Promise<void>;
};

/** @param needsKeys those of token issuers are fetched */
export async function loadForDecisions(
  file: string,
  { needsKeys }: { readonly needsKeys: boolean },
): Promise<ForDecisions | Exit> {
  const revocation = new RevocationFeeds(() => {}, process.env);
  const loaded = await load(file, { tell: tellErrors, revocationKnowledge: revocation });
  if (typeof loaded === 'number') {
    await revocation.close();
    return loaded;
  }
  const keys = needsKeys ? loaded.feeds : [];
  await Promise.all(keys.map((feed) => feed.start()));
  for (const { from, lastError } of keys.map(({ state }) => state))
    if (lastError !== undefined) tellLines(`warning: jwks ${from}: ${lastError}`);
  if (loaded.revocation !== undefined) {
    // Of all other certificates nobody asks, and cacheDir is the running service's.
    revocation.takeOver({ ...loaded.revocation, cacheDir: undefined, ahead: [] });
    await revocation.read();
  }
  const known = revocation.states.length;
  return {
    ...loaded,
    fetchWanted: async () => {
      if (revocation.states.length === known) return false;
      await revocation.read();
      return true;
    },
    close: async () => {
      await Promise.all([revocation.close(), ...loaded.feeds.map((feed) => feed.close())]);
    },
  };
}
