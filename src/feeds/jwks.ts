import { withoutSecrets } from '../config/problem.ts';
import type { PublishedKeys } from '../oauth2/issuer-keys.ts';
import { parseJwks } from '../oauth2/jwks.ts';
import { Feed, type FeedTimes, type Reading } from './feed.ts';
import type { FeedEvent } from './feed-event.ts';
import { FeedPool } from './feed-pool.ts';
import { fetchBytes } from './fetch.ts';

type JwksAddress = {
  readonly url: string;
  /** Trusted for it in place of the system's CAs. */
  readonly caPem: string | undefined;
};

/** What a JWKS of 200 keys needs, several times over. */
const maxBytes = 1_048_576;

const usual: FeedTimes = { every: 300_000, retry: 1_000, onDemand: 10_000, within: 10_000 };

/** An issuer's published keys: the elements of `keys` (RFC 7517 section 5). */
export class JwksFeed extends Feed<readonly unknown[]> implements PublishedKeys {
  readonly url: string;

  constructor(address: JwksAddress, tell: (event: FeedEvent) => void, times: Partial<FeedTimes> = {}) {
    const from = withoutSecrets(address.url);
    const read = ({ signal }: { readonly signal: AbortSignal }) => readKeys(address, signal);
    super({ feed: 'jwks', from, read }, tell, { ...usual, ...times });
    this.url = address.url;
  }

  jwks(): readonly unknown[] | undefined {
    return this.latest;
  }
}

async function readKeys(
  { url, caPem }: JwksAddress,
  signal: AbortSignal,
): Promise<Reading<readonly unknown[]>> {
  const bytes = await fetchBytes(url, { accept: 'application/json', caPem, maxBytes, signal });
  const version = bytes.toString('utf8');
  const read = parseJwks(version);
  if (typeof read === 'string') throw new Error(`what it sent ${read}`);
  const { keys, unused } = read;
  return { value: keys, version, count: keys.length - unused.length, unused };
}

export class JwksFeeds extends FeedPool<JwksAddress, JwksFeed> {
  constructor(tell: (event: FeedEvent) => void = () => {}, times: Partial<FeedTimes> = {}) {
    super(
      ({ url, caPem }) => JSON.stringify([url, caPem]),
      (address) => new JwksFeed(address, tell, times),
    );
  }
}
