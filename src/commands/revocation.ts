import type { FeedState } from '../feeds/feed.ts';
import { RevocationCache } from '../feeds/revocation-cache.ts';
import { RevocationFeeds, type RevocationSettings } from '../feeds/revocation-feeds.ts';
import type { CrlSet } from '../pki/revocation/crl-set.ts';
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
Exits 0, or 69 where a source fails or is out of date.

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
    return states.some((state) => state.failures > 0 || isOutOfDate(state)) ? exit.unavailable : exit.ok;
  },
};

type ReadOnce = { readonly states: readonly FeedState[]; readonly crls: CrlSet };

/** Each source once, by this process for itself. */
async function readOnce(settings: RevocationSettings): Promise<ReadOnce> {
  const feeds = new RevocationFeeds(() => {}, process.env);
  try {
    feeds.takeOver({ ...settings, cacheDir: undefined });
    await feeds.read();
    return { states: feeds.states, crls: feeds.crls };
  } finally {
    await feeds.close();
  }
}

/** The same for what lies on this host. */
export const readFilesOnce = (settings: RevocationSettings): Promise<ReadOnce> =>
  readOnce({
    ...settings,
    sources: settings.sources.map((sources) => ({ ...sources, crlUrls: [] })),
    ahead: [],
  });

export const isOutOfDate = ({ outdatedFrom }: FeedState): boolean =>
  outdatedFrom !== undefined && outdatedFrom < Date.now();

export function stateLine(state: FeedState): string {
  const { feed, from, count, outdatedFrom, faults, lastError } = state;
  if (lastError !== undefined) return `${feed} ${from}: failed: ${lastError}`;
  const more = faults.length > mostShown ? ` (and ${faults.length - mostShown} more)` : '';
  const without = faults.length === 0 ? '' : `; not used: ${faults.slice(0, mostShown).join('; ')}${more}`;
  if (isOutOfDate(state))
    return `${feed} ${from}: OUT OF DATE since ${instant(outdatedFrom!)}, ${count} revoked${without}`;
  const next = outdatedFrom === undefined ? 'no next update' : `next update ${instant(outdatedFrom)}`;
  return `${feed} ${from}: good, ${count} revoked, ${next}${without}`;
}

const mostShown = 3;

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
