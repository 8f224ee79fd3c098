import type { FeedState } from '../feeds/feed.ts';
import { counter, type Family, gauge, type Sample } from '../observability/exposition.ts';

/**
 * How all goes that is fetched.
 *
 * @param ocsp about one certificate each, of which there may be tens of thousands: they are counted together
 */
export function feedFamilies(states: readonly FeedState[], ocsp: Iterable<FeedState>): readonly Family[] {
  const sources = byPlace(states);
  const each = (value: (state: FeedState) => number | undefined) => (): readonly Sample[] =>
    sources.flatMap((state) => {
      const { feed, from } = state;
      const found = value(state);
      return found === undefined ? [] : [{ labels: { feed, from }, value: found }];
    });
  return [
    counter(
      'mtls_enforcer_feed_reads_total',
      'Reads of what is fetched ahead: issuers’ keys, CRLs, API Manager’s table.',
      each(({ reads }) => reads),
    ),
    gauge(
      'mtls_enforcer_feed_failures',
      'Reads in a row that failed. The last good value stays in force.',
      each(({ failures }) => failures),
    ),
    gauge(
      'mtls_enforcer_feed_available',
      '0: there is nothing yet, and whoever depends on it is refused or, by soft-fail, taken unasked.',
      each(({ readAt }) => Number(readAt !== undefined)),
    ),
    gauge(
      'mtls_enforcer_feed_last_good_read_timestamp_seconds',
      'When the last good read began, since the epoch.',
      each(({ readAt }) => seconds(readAt)),
    ),
    gauge(
      'mtls_enforcer_feed_next_update_timestamp_seconds',
      'Of a CRL: when it is out of date by its own nextUpdate, since the epoch.',
      each(({ outdatedFrom }) => seconds(outdatedFrom)),
    ),
    gauge(
      'mtls_enforcer_feed_items',
      'What it holds: keys, revoked certificates, rows.',
      each(({ count }) => count),
    ),
    gauge(
      'mtls_enforcer_ocsp_certificates',
      'Certificates that responders are asked about.',
      function* (): Generator<Sample | undefined> {
        const count = { answered: 0, failing: 0, awaited: 0 };
        for (const { readAt, failures } of ocsp) {
          count[failures > 0 ? 'failing' : readAt === undefined ? 'awaited' : 'answered']++;
          yield;
        }
        for (const [state, value] of Object.entries(count)) yield { labels: { state }, value };
      },
    ),
  ];
}

const seconds = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

/** Two that differ by what must not be shown (a query, a password) look the same, and are told as the worse of them. */
function byPlace(states: readonly FeedState[]): readonly FeedState[] {
  const places = new Map<string, FeedState>();
  for (const state of states) {
    const key = `${state.feed} ${state.from}`;
    const other = places.get(key);
    places.set(key, other === undefined ? state : worse(other, state));
  }
  return [...places.values()];
}

const worse = (a: FeedState, b: FeedState): FeedState => ({
  ...a,
  readAt: a.readAt === undefined || b.readAt === undefined ? undefined : Math.min(a.readAt, b.readAt),
  outdatedFrom:
    a.outdatedFrom === undefined || b.outdatedFrom === undefined
      ? (a.outdatedFrom ?? b.outdatedFrom)
      : Math.min(a.outdatedFrom, b.outdatedFrom),
  count: a.count + b.count,
  reads: a.reads + b.reads,
  failures: Math.max(a.failures, b.failures),
});
