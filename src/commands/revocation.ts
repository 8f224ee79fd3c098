import type { FeedState } from '../feeds/feed.ts';
import { RevocationCache } from '../feeds/revocation-cache.ts';
import { RevocationFeeds, type RevocationSettings } from '../feeds/revocation-feeds.ts';
import { type Command, configOf, configOption, exit, say } from './command.ts';
import { load } from './load.ts';
import { printLines } from './output.ts';

export const revocation: Command = {
  usage: '[--config FILE]',
  summary: 'list the sources of revocation, with age and state',
  help: `mtls-enforcer revocation [--config FILE]

Reads every CRL file and fetches from every URL and responder that the configuration names, once and from this host, as
"serve" would, and prints what came of it: one line a source. Changes nothing: neither what a running service knows nor
its cacheDir. What that service fetched last, from URLs in certificates as well, is listed below it, from cacheDir.
Exits 0, or 69 where a source fails.

  mtls-enforcer revocation --config /etc/mtls-enforcer/config.toml
`,
  options: configOption,
  run: async (values) => {
    const loaded = await load(configOf(values));
    if (typeof loaded === 'number') return loaded;
    const { revocation: settings } = loaded;
    if (settings === undefined)
      return say('revocation is not looked at: [enforcer.security.revocation] names no source and no mode\n');
    const { states } = await readOnce(settings);
    await printLines([...states.map(stateLine), ...(await keptLines(settings))]);
    return states.some(({ failures }) => failures > 0) ? exit.unavailable : exit.ok;
  },
};

/** Each source once, by this process for itself. */
async function readOnce(settings: RevocationSettings): Promise<Pick<RevocationFeeds, 'states' | 'crls'>> {
  const feeds = new RevocationFeeds(() => {}, process.env);
  try {
    feeds.takeOver({ ...settings, cacheDir: undefined });
    await feeds.read();
    const { states, crls } = feeds;
    return { states, crls };
  } finally {
    await feeds.close();
  }
}

/** The same for what lies on this host. */
export const readFilesOnce = (settings: RevocationSettings): ReturnType<typeof readOnce> =>
  readOnce({
    ...settings,
    sources: settings.sources.map((sources) => ({ ...sources, crlUrls: [] })),
    ahead: [],
  });

export function stateLine({ feed, from, count, outdatedFrom, lastError }: FeedState): string {
  if (lastError !== undefined) return `${feed} ${from}: failed: ${lastError}`;
  const next = outdatedFrom === undefined ? 'no next update' : `next update ${instant(outdatedFrom)}`;
  const late = outdatedFrom !== undefined && outdatedFrom < Date.now() ? ', OUT OF DATE' : '';
  return `${feed} ${from}: good, ${count} revoked, ${next}${late}`;
}

async function keptLines({ cacheDir }: RevocationSettings): Promise<readonly string[]> {
  if (cacheDir === undefined) return [];
  const kept = await new RevocationCache(cacheDir).list();
  return kept.map(
    ({ feed = '', from = '', readAt = '' }) => `kept: ${feed} ${from}: fetched ${readAt}${age(readAt)}`,
  );
}

function age(readAt: string): string {
  const seconds = Math.round((Date.now() - Date.parse(readAt)) / 1000);
  return Number.isFinite(seconds) ? `, ${seconds} s ago` : '';
}

const instant = (milliseconds: number): string =>
  Number.isFinite(milliseconds) ? new Date(milliseconds).toISOString() : 'none';
