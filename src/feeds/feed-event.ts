/** What feeds bring. */
export type FeedKind = 'jwks' | 'client-certificates';

/** What happened to a feed: every read, well or not. For metrics; what of it is news to people, `feedLines` says. */
export type FeedEvent = {
  readonly feed: FeedKind;
  /** Where from, without password and query. */
  readonly from: string;
} & (
  | {
      readonly kind: 'read';
      /** Whether it is other than before. */
      readonly changed: boolean;
      /** Reads that failed just before this one. */
      readonly failures: number;
      /** Keys, rows. */
      readonly count: number;
      /** Why some of what came is not used. */
      readonly unused: readonly string[];
    }
  | {
      readonly kind: 'failed';
      readonly reason: string;
      /** In a row, with this one. */
      readonly failures: number;
      readonly keepsLastGood: boolean;
    }
);

type Words = {
  readonly read: string;
  readonly unused: string;
  readonly failed: string;
  readonly keepsLastGood: string;
  readonly hasNone: string;
  /** What is counted. */
  readonly count: string;
};

const words: Readonly<Record<FeedKind, Words>> = {
  jwks: {
    read: "fetched an issuer's keys",
    unused: "one of an issuer's keys is not used",
    failed: "can't fetch an issuer's keys",
    keepsLastGood: 'the last good ones stay in force',
    hasNone: 'and there are none yet: its tokens are refused',
    count: 'keys',
  },
  'client-certificates': {
    read: 'read the table of client certificates',
    unused: 'a row of the table of client certificates is not used',
    failed: "can't read the table of client certificates",
    keepsLastGood: 'its last good rows stay in force',
    hasNone: 'and have none of its rows yet',
    count: 'rows',
  },
};

export type FeedLine = {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
};

/** For the log: a line when something is new, when it begins to fail, and when it works again. */
export function feedLines(event: FeedEvent): readonly FeedLine[] {
  const { read, unused, failed, keepsLastGood, hasNone, count } = words[event.feed];
  const url = event.from;
  if (event.kind === 'failed') {
    if (event.failures > 1) return [];
    const message = `${failed}${event.keepsLastGood ? `: ${keepsLastGood}` : `, ${hasNone}`}; trying on`;
    return [{ level: 'warn', message, fields: { url, reason: event.reason } }];
  }
  if (!event.changed && event.failures === 0) return [];
  return [
    ...event.unused.map((reason) => ({ level: 'warn', message: unused, fields: { url, reason } }) as const),
    { level: 'info', message: read, fields: { url, [count]: event.count } },
  ];
}
