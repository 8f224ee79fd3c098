import type { Certificate, Signer } from '../pki/certificate/certificate.ts';
import type { WeakAlgorithms } from '../pki/path/path-options.ts';
import { type CrlSet, createCrlSet } from '../pki/revocation/crl-set.ts';
import { questionKey } from '../pki/revocation/ocsp-request.ts';
import {
  crlPlacesOf,
  ocspPlacesOf,
  type Place,
  type RevocationSources,
} from '../pki/revocation/revocation-sources.ts';
import type { Above, OcspAnswer, RevocationKnowledge } from '../pki/revocation/revocation-state.ts';
import {
  type CrlAddress,
  CrlFeed,
  partsOf,
  placeBytes,
  type RevocationLimits,
  type RevocationSurroundings,
} from './crl-feed.ts';
import { CrlThread } from './crl-thread.ts';
import { atMost } from './deadline.ts';
import { FairRoom } from './fair-room.ts';
import type { FeedState, FeedTimes } from './feed.ts';
import type { FeedEvent } from './feed-event.ts';
import { FeedPool } from './feed-pool.ts';
import { HeldLists } from './held-lists.ts';
import { Lanes } from './lanes.ts';
import { OcspFeed } from './ocsp-feed.ts';
import type { Owner } from './owner.ts';
import { RevocationCache } from './revocation-cache.ts';

/** What a configuration says of revocation, as far as it is to be fetched. */
export type RevocationSettings = RevocationLimits & {
  /** All of them. */
  readonly sources: readonly RevocationSources[];
  /** undefined: nothing is asked about what this CA issued. */
  readonly sourcesOf: (...above: Above) => RevocationSources | undefined;
  /** Undefined: nothing outlives the process. */
  readonly cacheDir: string | undefined;
  /** CAs, trusted ones and those below them, and whoever else may sign CRLs. */
  readonly signers: readonly Certificate[];
  /** See `TrustStore`: of signers of one name only so many are tried. */
  readonly turnOf: (signer: Certificate) => number;
  /** Who answers for what is brought under it: equal for anchors that one and the same may add. */
  readonly ownersOf: (anchor: Certificate) => readonly Owner[];
  /** What is accepted of signatures by this CA's key, and below it. */
  readonly weakAlgorithmsOf: (ca: Signer) => WeakAlgorithms;
  /**
   * What is known before it comes, and so is asked about ahead: found one by one, since each costs signatures, also where
   * nobody knows who issued it.
   */
  readonly ahead: Iterable<{
    readonly certificate: Certificate;
    readonly issuer: Certificate | undefined;
  }>;
};

/**
 * Of what clients bring, by the owners of their trust anchor (`FairRoom`): URLs that certificates name, bytes of the lists
 * there, certificates (`OcspFeed.places`), CAs.
 */
const usual = { urls: 1_000, bytes: 256 * 1024 * 1024, certificates: 50_000, issuers: 1_000 };

/** Bytes of a CA that take up one place; most have some 1,500, and each is sent to every thread that reads lists. */
const issuerPlace = 4_096;

/** Milliseconds. */
const slice = 5;

/** A certificate, and the trust anchor that it was brought under. */
type Wanted = {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
  readonly owners: readonly Owner[];
};

/** Responders, by the rules of one CA. */
type Asked = {
  /** `rulesText` of those rules. */
  readonly by: string;
  readonly feeds: readonly OcspFeed[];
  /** That have such rules. */
  readonly settings: RevocationSettings;
};

/**
 * All that is fetched about revocation, for as long as the process lives. A configuration that may yet be refused only
 * adds to it; what is known is told by the sources of the one in force alone.
 */
export class RevocationFeeds implements RevocationKnowledge {
  readonly #around: RevocationSurroundings;
  readonly #times: Partial<FeedTimes>;
  readonly #most: typeof usual;
  readonly #threads = {
    configured: new CrlThread(),
    followed: new CrlThread(),
    files: new CrlThread(),
  };
  readonly #configured: FeedPool<CrlAddress, CrlFeed>;
  /** By URL; those that certificates name. */
  readonly #followed = new FairRoom<CrlFeed>();
  /**
   * By `questionKey`. Of each what was wanted last comes first: an issuer that is trusted itself, and stands
   * below another trusted CA that has responders of its own, is wanted by the rules of both.
   */
  readonly #asked = new FairRoom<readonly Asked[]>();
  #inForce: RevocationSettings | undefined;
  /** Is prepared, and may yet be refused. */
  #coming: RevocationSettings | undefined;
  /** CAs of valid paths that only clients send along. */
  readonly #sentIssuers = new FairRoom<Certificate>();
  #signers: { readonly inTurns: readonly Certificate[]; readonly text: string } = { inTurns: [], text: '' };
  /** Another one came along: who brings many must not have them put in order at each request. */
  #signersAreStale = false;
  #cache: { readonly folder: string; readonly cache: RevocationCache } | undefined;
  #version = 0;
  readonly #lists = new HeldLists();
  /** As of when `#lists` is. */
  #listsVersion = -1;
  #crls: CrlSet | undefined;
  /** That lists which certificates name had to go was told. */
  #toldFull = false;

  constructor(
    tell: (event: FeedEvent) => void,
    proxies: Readonly<Record<string, string | undefined>>,
    times: Partial<FeedTimes> = {},
    most: Partial<typeof usual> = {},
  ) {
    // A feed that is being closed has those of before.
    let last: RevocationSettings;
    const settings = (): RevocationSettings => {
      last = this.#inForce ?? this.#coming ?? last;
      return last;
    };
    this.#times = times;
    this.#most = { ...usual, ...most };
    this.#around = {
      tell,
      proxies,
      onChange: () => void this.#version++,
      lanes: new Lanes(),
      threads: this.#threads,
      cache: () => this.#cacheOf(settings()),
      held: (digest) => this.#held().get(digest),
      signers: () => this.#signersInTurns(),
      limits: settings,
      // As the coming one has it: its lists have to be there once it is in force.
      weakAlgorithmsOf: (ca) => (this.#coming ?? settings()).weakAlgorithmsOf(ca),
    };
    this.#configured = new FeedPool(
      (address) => ('url' in address ? `url ${address.url}` : `path ${address.path}`),
      (address) => new CrlFeed(address, this.#around, times),
    );
  }

  get version(): number {
    return this.#version;
  }

  get crls(): CrlSet {
    const held = this.#held();
    this.#crls ??= createCrlSet(held.values().map(({ crl }) => crl));
    return this.#crls;
  }

  #held(): HeldLists {
    if (this.#listsVersion !== this.#version) {
      const feeds = [...this.#feedsOf(this.#inForce), ...this.#followed.values()];
      if (this.#lists.follow(feeds)) this.#crls = undefined;
      this.#listsVersion = this.#version;
    }
    return this.#lists;
  }

  answersAbout(certificate: Certificate, issuer: Certificate): readonly OcspAnswer[] {
    return this.#wantedLast(certificate, issuer).flatMap(({ latest }) => latest ?? []);
  }

  isAwaited(certificate: Certificate, issuer: Certificate): boolean {
    return this.#wantedLast(certificate, issuer).some(
      ({ latest, state }) => latest === undefined && state.failures === 0,
    );
  }

  want(certificate: Certificate, ...above: Above): void {
    const [issuer] = above;
    const sources = this.#inForce?.sourcesOf(...above);
    if (sources === undefined) return;
    const owners = this.#inForce!.ownersOf(above.at(-1)!);
    if (sources.kinds.includes('crl')) this.#mayBeSignedBy(issuer, owners);
    for (const place of crlPlacesOf(certificate, sources)) this.#follow(place, owners);
    this.#ask({ certificate, issuer, owners }, sources);
  }

  /**
   * Starts what a configuration names that is about to come into force, and reads ahead what was kept of answers.
   * @returns when all of it was read once, well or not, or after so many milliseconds
   */
  async prepare(settings: RevocationSettings | undefined, longest: number): Promise<void> {
    if (settings === undefined) return;
    this.#coming = settings;
    this.#takeSigners();
    // Their lists may lie where others' are read already (a bundle, a folder), and were passed over there.
    const known = new Set(this.#inForce && signerTexts(this.#inForce));
    const hasNewSigners = signerTexts(settings).some((text) => !known.has(text));
    const isAsked = settings.sources.some(({ kinds }) => kinds.includes('ocsp'));
    await Promise.all([
      this.#configured.start(this.#feedsOf(settings), longest, hasNewSigners),
      isAsked && atMost(longest, this.#cacheOf(settings)?.loadAhead() ?? Promise.resolve()),
    ]);
  }

  /** In one step: from now on this is what is known. */
  takeOver(settings: RevocationSettings | undefined): void {
    this.#coming = undefined;
    this.#inForce = settings;
    this.#toldFull = false;
    this.#takeSigners();
    const feeds = this.#feedsOf(settings);
    void this.#configured.keepOnly(feeds);
    const { sources = [], refresh } = settings ?? {};
    // Whoever reloads has often just revoked something.
    for (const feed of this.#all()) feed.refresh();
    if (refresh !== undefined)
      for (const feed of [...feeds, ...this.#followed.values()])
        feed.refreshEvery(this.#times.every ?? refresh);
    this.#followAtMost(
      sources.some((one) => one.kinds.includes('crl') && one.followCertificateUrls) ? this.#most.urls : 0,
    );
    this.#askAtMost(sources.some((one) => one.kinds.includes('ocsp')) ? this.#most.certificates : 0);
    this.#version++;
    if (settings !== undefined) void this.#askAhead(settings.ahead);
  }

  /** Of all that is in force. */
  get states(): readonly FeedState[] {
    return [...this.crlStates, ...this.ocspStates()];
  }

  get crlStates(): readonly FeedState[] {
    return [...this.#feedsOf(this.#inForce), ...this.#followed.values()].map(({ state }) => state);
  }

  /** One by one: there may be tens of thousands, and whoever counts them may put it down in between. */
  *ocspStates(): Generator<FeedState> {
    for (const asked of this.#asked.values()) for (const { state } of feedsIn(asked)) yield state;
  }

  /** Reads all that is in force, and resolves when that is over, well or not. */
  async read(): Promise<void> {
    await Promise.all(this.#all().map((feed) => feed.start()));
  }

  async close(): Promise<void> {
    this.#inForce = undefined;
    this.#followAtMost(0);
    this.#askAtMost(0);
    await this.#configured.close();
    await Promise.all(Object.values(this.#threads).map((thread) => thread.close()));
    // What was fetched is worth a moment.
    await atMost(1_000, this.#cache?.cache.close() ?? Promise.resolve());
  }

  #follow({ url, reach }: Place, owners: readonly Owner[]): void {
    const key = `${reach} ${url}`;
    const known = this.#followed.get(key);
    // The configuration has it already, as the operator's word.
    if (known === undefined && this.#feedsOf(this.#inForce).some((feed) => feed.url === url)) return;
    if (known !== undefined) {
      this.#followed.set(owners, key, known);
      return;
    }
    const around = { ...this.#around, onChange: () => this.#weigh(key, feed) };
    const feed: CrlFeed = new CrlFeed(
      { url, reach, owners: () => this.#followed.ownersOf(key) },
      around,
      this.#times,
    );
    this.#followed.set(owners, key, feed);
    this.#followAtMost(this.#most.urls);
    void feed.start();
  }

  #weigh(key: string, { latest = [] }: CrlFeed): void {
    // Else it had to go while it was read.
    if (this.#followed.get(key)?.latest !== latest) return;
    this.#version++;
    this.#followed.weigh(key, placeBytes * latest.length, partsOf(latest));
    const gone = this.#followed.makeRoom(this.#most.bytes, 'size');
    this.#end(gone);
    const [first] = gone;
    if (first === undefined || this.#toldFull) return;
    this.#toldFull = true;
    const reason = `lists that certificates name have more than ${this.#most.bytes} bytes together, and this one had to go, of the CA that has most; write its URL into crlUrls if it is to stay`;
    const { feed, from } = first.state;
    this.#around.tell({
      feed,
      from,
      kind: 'failed',
      reason,
      failures: 1,
      keepsLastGood: false,
      lapsed: false,
    });
  }

  #ask({ certificate, issuer, owners }: Wanted, sources: RevocationSources): void {
    const { nonce, ocspResponderCertificates: responders, freshness } = sources;
    const places = ocspPlacesOf(certificate, sources);
    const key = questionKey(certificate, issuer);
    const by = rulesText(certificate, sources);
    const settings = this.#inForce!;
    const known = this.#asked.get(key) ?? [];
    const same = known.find((one) => one.by === by);
    const others = known.filter((one) => one !== same);
    const isRule = (text: string): boolean =>
      settings.sources.some((rules) => rulesText(certificate, rules) === text);
    const kept = others
      .filter((one) => one.settings === settings || isRule(one.by))
      .map((one) => ({ ...one, settings }));
    const feeds =
      same?.feeds ??
      places.map((place) => {
        const address = {
          certificate,
          issuer,
          ...place,
          owners: this.#whoAsks(key),
          nonce,
          responders,
          freshness,
        };
        // What another was told is judged anew: a change of policy must not begin with nothing known.
        const before = feedsIn(known).find((feed) => feed.url === place.url)?.sent;
        return new OcspFeed(address, this.#around, {
          ...this.#times,
          before,
          onPlaces: this.#weighsAsked(key),
        });
      });
    if (feeds.length + kept.length === 0) this.#asked.delete(key);
    else {
      const asked = [{ by, feeds, settings }, ...kept];
      this.#asked.set(owners, key, asked);
      this.#asked.weigh(key, placesOf(asked));
    }
    this.#end(feedsIn(others.filter(({ feeds }) => kept.every((one) => one.feeds !== feeds))));
    if (same !== undefined) return;
    this.#askAtMost(this.#most.certificates);
    for (const feed of feeds) void feed.start();
  }

  /** A function that knows nothing but this: one that is made beside a certificate keeps that as well. */
  #whoAsks(key: string): () => readonly Owner[] {
    return () => this.#asked.ownersOf(key);
  }

  /** Once it is there, an answer may be what takes up most; before, nothing is weighed. Knows nothing but this, either. */
  #weighsAsked(key: string): () => void {
    return () => {
      const asked = this.#asked.get(key);
      if (asked === undefined) return;
      this.#asked.weigh(key, placesOf(asked));
      this.#askAtMost(this.#most.certificates);
    };
  }

  #wantedLast(certificate: Certificate, issuer: Certificate): readonly OcspFeed[] {
    return this.#asked.get(questionKey(certificate, issuer))?.[0]?.feeds ?? [];
  }

  /** In slices, between which Checks are answered: there may be ten thousand. */
  async #askAhead(ahead: RevocationSettings['ahead']): Promise<void> {
    let end = performance.now() + slice;
    for (const { certificate, issuer } of ahead) {
      if (performance.now() >= end) {
        await new Promise<void>((next) => setImmediate(next));
        end = performance.now() + slice;
      }
      if (this.#inForce?.ahead !== ahead) return;
      if (issuer !== undefined) this.want(certificate, issuer);
    }
  }

  #mayBeSignedBy(certificate: Certificate, owners: readonly Owner[]): void {
    const { signers, turnOf } = this.#inForce!;
    // One that a foreign file has, too, must not wait for that file's turn.
    if (turnOf(certificate) === 0 && signers.some(isSame(certificate))) return;
    if (!this.#sentIssuers.set(owners, certificate.sha256, certificate)) return;
    this.#sentIssuers.weigh(certificate.sha256, Math.ceil(certificate.der.length / issuerPlace));
    this.#sentIssuers.makeRoom(this.#most.issuers, 'size');
    this.#takeSigners();
  }

  #takeSigners(): void {
    this.#signersAreStale = true;
    // What was refused for its signer may be good now.
    for (const feed of [...this.#feedsOf(this.#inForce), ...this.#followed.values()]) feed.refresh();
  }

  /** The very same list while nobody is another, and of nobody more is accepted. */
  #signersInTurns(): readonly Certificate[] {
    if (!this.#signersAreStale) return this.#signers.inTurns;
    this.#signersAreStale = false;
    const turns = new Map<Certificate, number>();
    const put = (ca: Certificate, turn: number): void =>
      void turns.set(ca, Math.min(turn, turns.get(ca) ?? turn));
    for (const settings of [this.#inForce, this.#coming])
      for (const ca of settings?.signers ?? []) put(ca, settings!.turnOf(ca));
    for (const [ca, turn] of this.#sentIssuers.inTurns(({ subject }) => subject.key)) put(ca, turn + 1);
    const sorted = [...turns].toSorted(([, a], [, b]) => a - b);
    const signers = [...new Map(sorted.map(([ca]) => [ca.sha256, ca])).values()];
    const text = signerTexts({ signers, weakAlgorithmsOf: this.#around.weakAlgorithmsOf }).join();
    if (text !== this.#signers.text) this.#signers = { inTurns: signers, text };
    return this.#signers.inTurns;
  }

  #all(): readonly (CrlFeed | OcspFeed)[] {
    const asked = this.#asked.values().flatMap(feedsIn);
    return [...this.#feedsOf(this.#inForce), ...this.#followed.values(), ...asked];
  }

  #feedsOf(settings: RevocationSettings | undefined): readonly CrlFeed[] {
    const of = ({ kinds, crlUrls, crlPaths }: RevocationSources): readonly CrlAddress[] =>
      kinds.includes('crl')
        ? [
            ...crlUrls.map((url) => ({ url, reach: 'anywhere' as const })),
            ...crlPaths.map((path) => ({ path })),
          ]
        : [];
    return [...new Set((settings?.sources ?? []).flatMap(of).map((address) => this.#configured.at(address)))];
  }

  #cacheOf({ cacheDir }: RevocationSettings): RevocationCache | undefined {
    if (cacheDir === undefined) return undefined;
    if (this.#cache?.folder !== cacheDir)
      this.#cache = { folder: cacheDir, cache: new RevocationCache(cacheDir) };
    return this.#cache.cache;
  }

  #followAtMost(urls: number): void {
    this.#end(this.#followed.makeRoom(urls));
  }

  #askAtMost(places: number): void {
    for (const asked of this.#asked.makeRoom(places, 'size')) this.#end(feedsIn(asked));
  }

  #end(feeds: readonly (CrlFeed | OcspFeed)[]): void {
    for (const feed of feeds) void feed.close();
    // What they said is known no more.
    if (feeds.length > 0) this.#version++;
  }
}

/** Who may sign lists, and by which means. */
const signerTexts = ({
  signers,
  weakAlgorithmsOf,
}: Pick<RevocationSettings, 'signers' | 'weakAlgorithmsOf'>): readonly string[] =>
  signers.map((ca) => JSON.stringify([ca.sha256, weakAlgorithmsOf(ca)]));

/** Equal for rules that ask the same of the same about the certificate. */
const rulesText = (certificate: Certificate, rules: RevocationSources): string => {
  const { nonce, ocspResponderCertificates, freshness } = rules;
  const responders = ocspResponderCertificates.map(({ sha256 }) => sha256);
  return JSON.stringify([ocspPlacesOf(certificate, rules), nonce, responders, freshness]);
};

const feedsIn = (asked: readonly Asked[]): readonly OcspFeed[] => asked.flatMap(({ feeds }) => feeds);

const placesOf = (asked: readonly Asked[]): number =>
  feedsIn(asked).reduce((sum, { places }) => sum + places, 0);

const isSame =
  ({ sha256 }: Certificate) =>
  (other: Certificate): boolean =>
    other.sha256 === sha256;
