import { withoutSecrets } from '../config/problem.ts';
import type { Certificate, Signer } from '../pki/certificate/certificate.ts';
import type { WeakAlgorithms } from '../pki/path/path-options.ts';
import { type CrlReading, type CrlThread, maxCrlBytes } from './crl-thread.ts';
import { Feed, type FeedRequest, type FeedTimes, type Reading } from './feed.ts';
import type { FeedEvent } from './feed-event.ts';
import { fetchChanged, type Validators } from './fetch.ts';
import { inTime, type Lanes } from './lanes.ts';
import { newestCrls, type VerifiedCrl } from './newest-crls.ts';
import { byItself, type Owner } from './owner.ts';
import { refetchAt, refetchIn } from './refetch.ts';
import type { CacheTrouble, RevocationCache } from './revocation-cache.ts';

export type CrlAddress =
  | {
      readonly url: string;
      readonly reach: 'anywhere' | 'public';
      /** In whose clients' certificates it is; undefined: in the configuration. */
      readonly owners?: () => readonly Owner[];
    }
  /** Of a file or folder, or a glob. */
  | { readonly path: string };

/** What all feeds of revocation share. */
export type RevocationSurroundings = {
  readonly tell: (event: FeedEvent) => void;
  readonly onChange: () => void;
  readonly lanes: Lanes;
  /**
   * Files have one of their own: a file system may hang. What certificates name has one, too: it may be made to take long,
   * and must not hold up what the configuration names.
   */
  readonly threads: {
    readonly configured: CrlThread;
    readonly followed: CrlThread;
    readonly files: CrlThread;
  };
  readonly cache: () => RevocationCache | undefined;
  /** By digest what other feeds have. */
  readonly held: (digest: string) => VerifiedCrl | undefined;
  /** Certificates of all that may sign a CRL that counts here: another list as soon as others may. */
  readonly signers: () => readonly Certificate[];
  readonly weakAlgorithmsOf: (ca: Signer) => WeakAlgorithms;
  readonly limits: () => RevocationLimits;
  readonly proxies: Readonly<Record<string, string | undefined>>;
};

/** Milliseconds. */
export type RevocationLimits = {
  readonly timeout: number;
  readonly refresh: number;
  readonly clockSkew: number;
};

type Crls = readonly VerifiedCrl[];

/** Until a CRL is read, checked and indexed, in the thread. */
const readWithin = 60_000;
/** The same, with the turns of others before it. */
const turnWithin = 300_000;
const ofUrls: Omit<FeedTimes, 'every' | 'within'> = {
  retry: 30_000,
  longestRetry: 900_000,
  onDemand: 30_000,
};
/** Who makes lists that take long to read must not have them read again and again. */
const ofFollowed = { costlyRetry: 900_000 };
/** A changed file counts at once, more or less; looking whether one has changed costs nothing. */
const ofFiles: FeedTimes = { every: 5_000, retry: 5_000, onDemand: 1_000, within: readWithin };

/** The CRLs that one URL, file or folder has: of each scope the newest that was signed by a CA that is known. */
export class CrlFeed extends Feed<Crls> {
  /** undefined: of files. */
  readonly url: string | undefined;

  constructor(address: CrlAddress, around: RevocationSurroundings, times: Partial<FeedTimes> = {}) {
    const source = 'url' in address ? new UrlSource(address, around) : new PathSource(address, around);
    const { timeout, refresh } = around.limits();
    const usual =
      'url' in address
        ? { ...ofUrls, ...(address.owners && ofFollowed), every: refresh, within: timeout + turnWithin }
        : ofFiles;
    super({ feed: 'crl', onChange: around.onChange, ...source.asked }, around.tell, { ...usual, ...times });
    this.url = 'url' in address ? address.url : undefined;
  }

  /** From the next read on, and files more often anyhow. */
  refreshEvery(milliseconds: number): void {
    if (this.url !== undefined) this.every = milliseconds;
  }
}

class UrlSource {
  readonly #address: Extract<CrlAddress, { readonly url: string }>;
  readonly #around: RevocationSurroundings;
  readonly #from: string;
  #validators: Validators | undefined;
  /** Whose CRLs were taken of what was sent last. */
  #signers: readonly Certificate[] = [];

  constructor(address: Extract<CrlAddress, { readonly url: string }>, around: RevocationSurroundings) {
    this.#address = address;
    this.#around = around;
    this.#from = withoutSecrets(address.url);
  }

  get asked() {
    return {
      from: this.#from,
      read: (request: FeedRequest<Crls>) => this.#read(request),
      stored: () => this.#stored(),
    };
  }

  async #read({ signal, before = [], readIn }: FeedRequest<Crls>): Promise<Reading<Crls> | undefined> {
    const { url, reach } = this.#address;
    const { lanes, proxies, signers, limits } = this.#around;
    const { timeout, refresh, clockSkew } = limits();
    const fetched = await inTime(timeout, signal, (soon) =>
      lanes.run(url, { owners: this.#owners(), signal: soon }, () =>
        fetchChanged(url, {
          accept: 'application/pkix-crl, */*',
          maxBytes: maxCrlBytes,
          signal: soon,
          validators: this.#signers === signers() && before.every(isCurrent) ? this.#validators : undefined,
          reach,
          proxies,
        }),
      ),
    );
    if (fetched === undefined) {
      readIn(soonest(before, refresh));
      this.#keep(before, 'touch');
      return undefined;
    }
    const known = signers();
    const read = await this.#inThread([fetched.bytes], known, signal);
    const { crls: found, faults, isLate } = read;
    if (found.length === 0) throw new Error(`what it sent ${faults[0]}`);
    const now = Date.now();
    const { crls, unused, begins } = newestCrls(before, found, { now, clockSkew, staysBeside: () => true });
    if (begins !== undefined) readIn(refetchAt(begins - clockSkew, { now, refresh }));
    if (!isOfUse(crls, found, before)) throw new Error(unused[0]);
    // What begins to count later has to be sent once more then, and so has what there was no time for.
    this.#validators = begins === undefined && !isLate ? fetched.validators : undefined;
    this.#signers = known;
    readIn(soonest(crls, refresh));
    this.#keep(crls, 'write');
    return readingOf(crls, { faults, unused: [...unused, ...read.unused] });
  }

  async #inThread(
    content: readonly Uint8Array[],
    signers: readonly Certificate[],
    signal?: AbortSignal,
  ): Promise<CrlReading> {
    const { owners } = this.#address;
    const { threads, weakAlgorithmsOf, held } = this.#around;
    const thread = owners === undefined ? threads.configured : threads.followed;
    const turn = { owners: this.#owners(), signal, held };
    return (await thread.read(content, signers, weakAlgorithmsOf, turn))!;
  }

  #owners(): readonly Owner[] {
    const { url, owners } = this.#address;
    return owners?.() ?? [byItself(url)];
  }

  get #key(): string {
    return `crl ${this.#address.url}`;
  }

  #trouble(trouble: CacheTrouble): void {
    this.#around.tell({ feed: 'crl', from: this.#from, ...trouble });
  }

  #keep(crls: Crls, how: 'write' | 'touch'): void {
    const notes = {
      feed: 'crl',
      from: this.#from,
      readAt: new Date().toISOString(),
      ...(this.#validators?.etag !== undefined && { etag: this.#validators.etag }),
      ...(this.#validators?.lastModified !== undefined && { lastModified: this.#validators.lastModified }),
    };
    const parts = crls.map(({ der }) => der);
    const kept = { notes, parts, owners: this.#address.owners?.() };
    void this.#around.cache()?.[how](this.#key, kept, (trouble) => this.#trouble(trouble));
  }

  /** What is on disk counts as what was sent: whoever could write there may still not sign. */
  async #stored(): Promise<Reading<Crls> | { readonly later: string } | undefined> {
    const { cache, signers, limits } = this.#around;
    const tell = (trouble: CacheTrouble): void => this.#trouble(trouble);
    const kept = await cache()?.read(this.#key, tell);
    if (kept === undefined) return undefined;
    const known = signers();
    const { crls: found, faults } = await this.#inThread(kept.parts, known);
    const { clockSkew } = limits();
    const { crls, unused } = newestCrls([], found, { now: Date.now(), clockSkew, staysBeside: () => true });
    if (crls.length === 0 && found.length > 0) return { later: unused[0]! };
    if (crls.length === 0) {
      await cache()?.throwAway(this.#key, faults[0] ?? 'has no CRL in it', tell);
      return undefined;
    }
    const { etag, lastModified } = kept.notes;
    // Only of what was kept whole.
    if (faults.length === 0 && crls.length === kept.parts.length) {
      this.#validators = { etag, lastModified };
      this.#signers = known;
    }
    return readingOf(crls, { faults });
  }
}

class PathSource {
  readonly #path: string;
  readonly #around: RevocationSurroundings;
  #state: string | undefined;
  #signers: readonly Certificate[] = [];
  /** When a list in it begins to count that was passed over until then. */
  #begins = Infinity;
  /** Files without a list that can be read, which were there when none was missing. */
  #otherwise: ReadonlySet<string> = new Set();

  constructor({ path }: Extract<CrlAddress, { readonly path: string }>, around: RevocationSurroundings) {
    this.#path = path;
    this.#around = around;
  }

  get asked() {
    return { from: this.#path, read: (request: FeedRequest<Crls>) => this.#read(request) };
  }

  async #read({ before = [], signal }: FeedRequest<Crls>): Promise<Reading<Crls> | undefined> {
    const { threads, signers, weakAlgorithmsOf, limits, held } = this.#around;
    const signed = signers();
    const { clockSkew } = limits();
    const isAsBefore = this.#signers === signed && Date.now() + clockSkew < this.#begins;
    const known = before.length > 0 && isAsBefore ? this.#state : undefined;
    const read = await threads.files.read({ path: this.#path, known }, signed, weakAlgorithmsOf, {
      owners: [byItself(this.#path)],
      signal,
      held,
    });
    if (read === undefined) return undefined;
    const { crls: found, faults, faulty, state } = read;
    if (found.length === 0) throw new Error(faults[0] ?? 'has no CRL in it');
    // A file that is half written, or can't be read, was not taken away: without its last good list, whoever stands on
    // that would be let in.
    // Nor was one that may be under another name by now, where nobody could read it yet.
    const unread = faulty.find(
      (file) => !this.#otherwise.has(file) && before.every((one) => one.file !== file),
    );
    const isGone = (file: string): boolean =>
      !faulty.includes(file) && found.every((one) => one.file !== file);
    const staysBeside = ({ file }: VerifiedCrl): boolean =>
      faulty.includes(file) || (unread !== undefined && isGone(file));
    const now = Date.now();
    const { crls, unused, begins = Infinity } = newestCrls(before, found, { now, clockSkew, staysBeside });
    const kept = crls.filter((one) => staysBeside(one) && before.includes(one)).map(({ file }) => file);
    const keeps = [...new Set(kept)].map((file) =>
      isGone(file)
        ? `${file} is gone, and its list stays in force until it is known what is in ${unread}`
        : `${file} keeps its last good list in force until the file is mended or deleted`,
    );
    if (crls.length === 0) throw new Error(unused[0]);
    if (!kept.some(isGone)) this.#otherwise = new Set(faulty);
    this.#state = state;
    this.#begins = begins;
    this.#signers = signed;
    return readingOf(crls, { faults, unused: [...unused, ...read.unused, ...keeps] }, faulty);
  }
}

/** In memory, by what equal ones have in common; the smallest costs whoever looks for one. */
export const partsOf = (lists: Crls): ReadonlyMap<string, number> =>
  new Map(lists.map(({ digest, der, crl }) => [digest, leastBytes + der.length + 8 * crl.revoked.count]));

const leastBytes = 64 * 1024;

/** Of each list at each feed that has it, however many have an equal one. */
export const placeBytes = 4 * 1024;

const readingOf = (
  crls: Crls,
  notUsed: Pick<Reading<Crls>, 'faults' | 'unused'>,
  faulty: readonly string[] = [],
): Reading<Crls> => {
  const ends = crls.flatMap(({ crl }) => (crl.nextUpdate === undefined ? [] : [crl.nextUpdate]));
  return {
    value: crls,
    // With the files: where an equal list has another name by now, it is that file which keeps it.
    version: [...crls.map(({ digest, file }) => `${digest} ${file}`).toSorted(), ...faulty].join('\n'),
    count: crls.reduce((sum, { crl }) => sum + crl.revoked.count, 0),
    ...notUsed,
    ...(ends.length > 0 && { outdatedFrom: Math.min(...ends) }),
  };
};

const soonest = (crls: Crls, refresh: number): number => {
  const moment = { now: Date.now(), refresh, random: Math.random() };
  return Math.min(...crls.map(({ crl }) => refetchIn(crl, moment)));
};

/** Of what is out of date a cache in between might say for ever that it is what there is. */
const isCurrent = ({ crl: { nextUpdate } }: VerifiedCrl): boolean =>
  nextUpdate === undefined || nextUpdate >= Date.now();

/** What was sent again is in force already. */
const isOfUse = (crls: Crls, found: Crls, before: Crls): boolean =>
  found.some((one) => crls.includes(one) || before.some(({ digest }) => digest === one.digest));
