/** What feeds bring. */
export type FeedKind = 'jwks' | 'client-certificates' | 'crl' | 'ocsp';

/** What happened to a feed: every read, well or not. For metrics; what of it is news to people, `feedLines` says. */
export type FeedEvent = {
  readonly feed: FeedKind;
  /** Where from, without password and query. */
  readonly from: string;
  /** One of many of its kind: another one's line says it. */
  readonly isOneOfMany?: boolean;
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
      /** Milliseconds since the epoch: it says itself when it will be out of date. */
      readonly outdatedFrom?: number | undefined;
      /** Nothing newer came, and what there is has become out of date since the last event. */
      readonly lapsed?: boolean;
    }
  | {
      readonly kind: 'failed';
      readonly reason: string;
      /** In a row, with this one. */
      readonly failures: number;
      readonly keepsLastGood: boolean;
      /** Since the last event the last good value has become out of date. */
      readonly lapsed: boolean;
    }
  | {
      /**
       * The copy on disk, which only a restart needs: it could not be written, is no good and was thrown away, or counts
       * only later and stays.
       */
      readonly kind: 'not-kept' | 'thrown-away' | 'not-yet';
      readonly reason: string;
    }
);

type Words = {
  readonly read: string;
  readonly unused: string;
  readonly failed: string;
  readonly keepsLastGood: string;
  readonly hasNone: string;
  readonly lapsed?: string;
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
  crl: {
    read: 'read a list of revoked certificates',
    unused: 'a list of revoked certificates is not used as it stands',
    failed: "can't read a list of revoked certificates",
    keepsLastGood: 'the last good one stays in force',
    hasNone: 'and there is none yet: revocation_unknown for those it is about, unless another source knows',
    lapsed: 'the last good list of revoked certificates is out of date now, and there is no newer one',
    count: 'revoked',
  },
  ocsp: {
    read: 'asked an OCSP responder about a certificate',
    unused: 'an answer of an OCSP responder is not used',
    failed: "can't ask an OCSP responder about a certificate",
    keepsLastGood: 'its last good answer stays in force',
    hasNone:
      'and there is no answer yet: revocation_pending or revocation_unknown, unless another source knows',
    lapsed: 'the last good answer of an OCSP responder is out of date now, and there is no newer one',
    count: 'revoked',
  },
};

const onDisk = {
  'not-kept':
    "can't keep a copy on disk, which a restart would need while the source is down; all else goes on",
  'thrown-away': 'threw away a copy on disk that is no good',
  'not-yet': 'a copy on disk counts only later: it stays, and is read again at the next attempt',
};

type FeedLine = {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
};

/** For the log: a line when something is new, when it begins to fail, and when it works again. */
export function feedLines(event: FeedEvent): readonly FeedLine[] {
  const { read, unused, failed, keepsLastGood, hasNone, lapsed, count } = words[event.feed];
  // CRLs lie in files, too.
  const from = /^[a-z][a-z\d+.-]*:\/\//i.test(event.from) ? { url: event.from } : { file: event.from };
  if (event.isOneOfMany) return [];
  if (event.kind === 'failed') {
    const { reason, failures } = event;
    if (event.lapsed && lapsed !== undefined)
      return [{ level: 'warn', message: lapsed, fields: { ...from, reason, failures } }];
    if (event.failures > 1) return [];
    const message = `${failed}${event.keepsLastGood ? `: ${keepsLastGood}` : `, ${hasNone}`}; trying on`;
    return [{ level: 'warn', message, fields: { ...from, reason: event.reason } }];
  }
  if (event.kind !== 'read')
    return [{ level: 'warn', message: onDisk[event.kind], fields: { ...from, reason: event.reason } }];
  if (event.lapsed && lapsed !== undefined)
    return [{ level: 'warn', message: lapsed, fields: { ...from, reason: 'its source has no other' } }];
  if (!event.changed && event.failures === 0) return [];
  return [
    ...event.unused.map(
      (reason) => ({ level: 'warn', message: unused, fields: { ...from, reason } }) as const,
    ),
    {
      level: 'info',
      message: read,
      fields: { ...from, [count]: event.count, ...untilOf(event.outdatedFrom) },
    },
  ];
}

const untilOf = (instant: number | undefined): Readonly<Record<string, string>> =>
  instant === undefined || !Number.isFinite(instant) ? {} : { nextUpdate: new Date(instant).toISOString() };
