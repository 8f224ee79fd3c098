import { randomBytes } from 'node:crypto';
import { withoutSecrets } from '../config/problem.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { named } from '../pki/certificate/name.ts';
import { hex } from '../pki/der/der-values.ts';
import { type Freshness, isWithin, withoutEnd } from '../pki/revocation/freshness.ts';
import { judgeOcsp } from '../pki/revocation/ocsp.ts';
import {
  type AskedAbout,
  askedAbout,
  questionKey,
  readAskedAbout,
  writeOcspRequest,
} from '../pki/revocation/ocsp-request.ts';
import { readOcspResponse } from '../pki/revocation/ocsp-response.ts';
import type { OcspAnswer } from '../pki/revocation/revocation-state.ts';
import type { RevocationSurroundings } from './crl-feed.ts';
import { Feed, type FeedRequest, type FeedTimes, type Reading } from './feed.ts';
import type { FeedEvent } from './feed-event.ts';
import { fetchBytes } from './fetch.ts';
import { inTime, LateError } from './lanes.ts';
import type { Owner } from './owner.ts';
import { refetchIn } from './refetch.ts';
import type { Kept } from './revocation-cache.ts';

export type OcspAddress = {
  readonly certificate: Certificate;
  /** The certificate above it in its validated path. */
  readonly issuer: Certificate;
  /** Of the responder. */
  readonly url: string;
  readonly reach: 'anywhere' | 'public';
  /** In whose clients' names it is asked. */
  readonly owners: () => readonly Owner[];
  readonly nonce: boolean;
  /** Certificates of responders that the operator trusts for this issuer. */
  readonly responders: readonly Certificate[];
  readonly freshness: Freshness;
};

/** As it was sent, and the nonce that it answers. */
type OcspSent = {
  readonly bytes: Uint8Array;
  readonly nonce: Uint8Array | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

type OcspOptions = { readonly before?: OcspSent | undefined; readonly onPlaces?: (() => void) | undefined };

/**
 * Without nextUpdate there is always a newer answer (RFC 6960 4.2.2.1): so long after it was made one counts, which
 * whoever stands between could else send again for ever.
 */
const unboundedCountsFor = 3_600_000;

const times: Omit<FeedTimes, 'every' | 'within'> = { retry: 30_000, longestRetry: 900_000, onDemand: 5_000 };
/** Milliseconds: who had no turn tries again within. Ten thousand who do so for ever cost a twentieth of the thread that decides. */
const longestPass = 60_000;
/** With all certificates that come along. */
const maxBytes = 262_144;
/** RFC 5019 5: what is sent by GET, and so may come from a cache in between, has at most so many characters. */
const maxGet = 255;
/**
 * An answer is kept in memory to be judged anew by other rules. Few are longer, with all certificates up to a root; those
 * are asked for again, or read from the disk, unless they say revoked: nobody is let in because the rules changed.
 */
const mostKept = 8_192;
/** Bytes for which a responder and what it is asked about take up one place: URLs, names and keys have some 600. */
const place = 4_096;

/** What a responder says of one certificate. */
export class OcspFeed extends Feed<OcspAnswer> {
  readonly #source: OcspSource;
  readonly #failing: Failing;
  readonly url: string;

  /**
   * @param before what another feed was sent about the same, which is judged anew
   * @param onPlaces it takes up more or less room than before
   */
  constructor(
    address: OcspAddress,
    around: RevocationSurroundings,
    { before, onPlaces, ...own }: Partial<FeedTimes> & OcspOptions = {},
  ) {
    const source = new OcspSource(address, around, { before, onPlaces });
    const { timeout, refresh } = around.limits();
    const usual = { ...times, every: refresh, within: 2 * timeout + 1_000 };
    const onChange = (answer: OcspAnswer, before: OcspAnswer | undefined): void => {
      if (before === undefined || !isNoOther(answer, before, Date.now())) around.onChange();
    };
    const failing = failingOf(around);
    const tell = (event: FeedEvent): void => {
      const before = failing.countAt(this.url);
      if (event.kind === 'failed') failing.add(this);
      else if (event.kind === 'read') failing.delete(this);
      // Nor is a failure, but for the first: now it is known that nothing is known.
      if (event.kind === 'failed' && event.failures === 1 && !event.keepsLastGood) around.onChange();
      around.tell({ ...event, isOneOfMany: isOneOfMany(event, before, failing.countAt(this.url)) });
    };
    super({ feed: 'ocsp', onChange, ...source.asked }, tell, { ...usual, ...own });
    this.#source = source;
    this.url = address.url;
    this.#failing = failing;
  }

  override close(): Promise<void> {
    this.#failing.delete(this);
    return super.close();
  }

  /** Of the room for certificates. */
  get places(): number {
    return this.#source.places;
  }

  get sent(): OcspSent | undefined {
    return this.#source.sent;
  }
}

/** Of all certificates that one responder is asked about, those about which it fails. */
class Failing {
  readonly #byUrl = new Map<string, Set<OcspFeed>>();

  countAt(url: string): number {
    return this.#byUrl.get(url)?.size ?? 0;
  }

  add(feed: OcspFeed): void {
    this.#byUrl.set(feed.url, (this.#byUrl.get(feed.url) ?? new Set()).add(feed));
  }

  /** Each certificate may name another URL: of one with which nothing is wrong nothing is left. */
  delete(feed: OcspFeed): void {
    const failing = this.#byUrl.get(feed.url);
    if (failing?.delete(feed) === true && failing.size === 0) this.#byUrl.delete(feed.url);
  }
}

const failingBy = new WeakMap<RevocationSurroundings, Failing>();

function failingOf(around: RevocationSurroundings): Failing {
  const failing = failingBy.get(around) ?? new Failing();
  failingBy.set(around, failing);
  return failing;
}

/** A responder has thousands of certificates: that it fails, and works again, is one line. A good answer is none. */
function isOneOfMany(event: FeedEvent, before: number, after: number): boolean {
  if (event.kind === 'failed') return before > 0 && !event.lapsed;
  return event.kind === 'read' && event.count === 0 && !(before > 0 && after === 0);
}

/** So many others are asked about that there was no time for this one. */
class NoTurn extends Error {
  override readonly name = 'NoTurn';
}

class OcspSource {
  readonly #address: Omit<OcspAddress, 'certificate' | 'issuer'>;
  readonly #about: AskedAbout;
  readonly #around: RevocationSurroundings;
  readonly #from: string;
  /** In the folder of what is kept. */
  readonly #key: string;
  /** What there was before anybody asked. */
  #before: OcspSent | undefined;
  /** It did not answer a GET, and a POST it did. */
  #prefersPost = false;
  /** Times in a row that it had no turn. */
  #passed = 0;
  sent: OcspSent | undefined;
  readonly #onPlaces: () => void;

  constructor(
    address: OcspAddress,
    around: RevocationSurroundings,
    { before, onPlaces = () => {} }: OcspOptions,
  ) {
    const { certificate, issuer, ...rest } = address;
    const { url } = rest;
    this.#address = rest;
    this.#about = askedAbout(certificate, issuer);
    this.#around = around;
    this.#onPlaces = onPlaces;
    this.#key = `ocsp ${url} ${questionKey(certificate, issuer)}`;
    this.#from = `${withoutSecrets(url)} about ${named(certificate)}, serial number ${certificate.serialNumber}`;
    // Whoever is asked about for the first time since a restart need not wait for a disk either.
    this.#before = before ?? sentOf(around.cache()?.readAhead(this.#key));
  }

  get places(): number {
    const { serial, name, key } = this.#about;
    const asked = serial.length + name.length + key.length + this.#address.url.length;
    const kept = this.sent?.bytes.length ?? 0;
    return Math.ceil((asked + (kept > mostKept ? kept : 0)) / place);
  }

  get asked() {
    return {
      from: this.#from,
      read: (request: FeedRequest<OcspAnswer>) => this.#read(request),
      known: () => this.#known(),
      stored: () => this.#stored(),
    };
  }

  async #read({ signal, before, readIn }: FeedRequest<OcspAnswer>): Promise<Reading<OcspAnswer>> {
    const { certificate, issuer } = readAskedAbout(this.#about);
    const nonce = this.#address.nonce ? randomBytes(32) : undefined;
    const request = writeOcspRequest(certificate, issuer, nonce);
    const bytes = await this.#ask(request, nonce === undefined, signal).catch((error: unknown) => {
      // Nobody failed, so that nobody is to be spared: each at its own moment, and the responder is never idle.
      if (error instanceof NoTurn)
        readIn(Math.random() * Math.min(longestPass, this.#around.limits().timeout * 2 ** this.#passed++));
      throw error;
    });
    this.#passed = 0;
    const sent = { bytes, nonce, at: Date.now() };
    const answer = inPlaceOf(before, this.#judge(sent));
    if (before !== undefined && isOlder(answer, before))
      throw new Error('what it sent is older than its last good answer, which stays in force');
    // Who says unknown knows nothing, and has not said otherwise.
    if (before?.status === 'revoked' && answer.status === 'unknown')
      throw new Error('it says unknown of what it said was revoked, which stays in force');
    this.#keep(sent, answer);
    const { from, until } = answer.window;
    const moment = { now: Date.now(), refresh: this.#around.limits().refresh, random: Math.random() };
    readIn(refetchIn({ thisUpdate: from, nextUpdate: until }, moment));
    const notes = {
      feed: 'ocsp',
      from: this.#from,
      readAt: new Date().toISOString(),
      ...(nonce && { nonce: nonce.toString('hex') }),
    };
    const kept = { notes, parts: [bytes], owners: this.#address.owners() };
    void this.#around
      .cache()
      ?.write(this.#key, kept, (trouble) =>
        this.#around.tell({ feed: 'ocsp', from: this.#from, ...trouble }),
      );
    return { ...readingOf(answer), isNews: before === undefined || wordOf(answer) !== wordOf(before) };
  }

  async #ask(request: Uint8Array, mayGet: boolean, signal: AbortSignal): Promise<Buffer> {
    const { url } = this.#address;
    const encoded = `${url.replace(/\/$/, '')}/${encodeURIComponent(Buffer.from(request).toString('base64'))}`;
    const byPost = (): Promise<Buffer> =>
      this.#fetch(url, signal, { type: 'application/ocsp-request', bytes: request });
    if (!mayGet || this.#prefersPost || encoded.length > maxGet || url.includes('?')) return byPost();
    try {
      return await this.#fetch(encoded, signal);
    } catch (error) {
      // RFC 6960 A.1 leaves GET to the responder.
      if (!/^it answered [45]/.test((error as Error).message)) throw error;
      const bytes = await byPost();
      this.#prefersPost = true;
      return bytes;
    }
  }

  #fetch(
    url: string,
    outer: AbortSignal,
    body?: { readonly type: string; readonly bytes: Uint8Array },
  ): Promise<Buffer> {
    const { lanes, proxies, limits } = this.#around;
    const { reach, owners } = this.#address;
    const { timeout } = limits();
    const began = performance.now();
    const noTurn = new NoTurn(`no turn in time within ${timeout / 1000} s: it is asked about others first`);
    let hadTurn = false;
    return inTime(timeout, outer, (signal) =>
      lanes.run(url, { owners: owners(), signal }, () => {
        // In what is left of its time nobody need answer, and the next would be as late.
        if (performance.now() - began > timeout / 2) return Promise.reject(noTurn);
        hadTurn = true;
        return fetchBytes(url, {
          accept: 'application/ocsp-response',
          maxBytes,
          signal,
          reach,
          proxies,
          ...(body && { body }),
        });
      }),
    ).catch((error: unknown) => {
      throw error instanceof LateError && !hadTurn ? noTurn : error;
    });
  }

  /** As of when it was sent: until when it counts, its window says. @throws Error: nothing to go by, and why */
  #judge({ bytes, nonce, at }: OcspSent): OcspAnswer {
    const { responders, freshness } = this.#address;
    const { certificate, issuer } = readAskedAbout(this.#about);
    const question = { certificate, issuer, responders, freshness, nonce };
    const weakAlgorithms = this.#around.weakAlgorithmsOf(issuer);
    const response = readOcspResponse(bytes);
    const judged = { ...question, weakAlgorithms, now: at };
    const result = judgeOcsp(response, judged);
    if (result.status === 'unusable') {
      // What was revoked stays so, also where the answer that says it is out of date.
      const ever = judgeOcsp(response, { ...judged, freshness: withoutEnd(freshness) });
      if (ever.status !== 'revoked') throw new Error(`what it sent ${result.reason}`);
      return { ...ever, window: { ...ever.window, until: at - 1 } };
    }
    const { window } = result;
    if (Number.isFinite(window.until)) return result;
    const longest = Math.max(unboundedCountsFor, 2 * this.#around.limits().refresh);
    const until = response.producedAt + longest + freshness.clockSkew;
    if (until < at && result.status !== 'revoked')
      throw new Error('what it sent was made too long ago for one without nextUpdate');
    return { ...result, window: { ...window, until } };
  }

  #keep(sent: OcspSent, { status }: OcspAnswer): void {
    const { bytes } = sent;
    const isKept = bytes.length <= mostKept || status === 'revoked';
    const before = this.places;
    this.sent = isKept ? { ...sent, bytes: new Uint8Array(bytes) } : undefined;
    if (this.places !== before) this.#onPlaces();
  }

  #known(): Reading<OcspAnswer> | undefined {
    const sent = this.#before;
    this.#before = undefined;
    if (sent === undefined) return undefined;
    try {
      const answer = this.#judge(sent);
      this.#keep(sent, answer);
      return readingOf(answer);
    } catch {
      // If it lies on the disk, `stored` says what is wrong with it.
      return undefined;
    }
  }

  async #stored(): Promise<Reading<OcspAnswer> | { readonly later: string } | undefined> {
    const cache = this.#around.cache();
    const tell = (trouble: { readonly kind: 'not-kept' | 'thrown-away'; readonly reason: string }): void =>
      this.#around.tell({ feed: 'ocsp', from: this.#from, ...trouble });
    const sent = sentOf(await cache?.read(this.#key, tell));
    if (sent === undefined) return undefined;
    try {
      const answer = this.#judge(sent);
      this.#keep(sent, answer);
      return readingOf(answer);
    } catch (error) {
      const later = this.#laterOf(sent);
      if (later !== undefined) return { later };
      await cache?.throwAway(this.#key, (error as Error).message, tell);
      return undefined;
    }
  }

  /** Why it counts only later; undefined: nor does it then. */
  #laterOf(sent: OcspSent): string | undefined {
    try {
      const { producedAt } = readOcspResponse(sent.bytes);
      this.#judge({ ...sent, at: producedAt });
      const from = new Date(producedAt).toISOString();
      return producedAt > sent.at
        ? `the answer of ${from} counts only from then on; is the clock right?`
        : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Of one and the same second it is the one that says revoked which came later. */
const isOlder = (answer: OcspAnswer, before: OcspAnswer): boolean =>
  answer.window.from < before.window.from ||
  (answer.window.from === before.window.from && before.status === 'revoked' && answer.status !== 'revoked');

/**
 * A good of whom the issuer certified, in place of a revoked, knows that one: it may show that the responder is revoked. So
 * does an unknown after it, which takes back that good and nothing else.
 */
function inPlaceOf(before: OcspAnswer | undefined, answer: OcspAnswer): OcspAnswer {
  if (before === undefined || answer.status === 'revoked') return answer;
  if (before.status === 'revoked') return answer.delegate ? { ...answer, instead: before } : answer;
  const { instead } = before;
  const delegate = answer.status === 'unknown' ? before.delegate : answer.delegate;
  return instead && delegate ? { ...answer, delegate, instead } : answer;
}

/** All but when it counts. Of two that say revoked, one may say that it is on hold. */
const wordOf = (answer: OcspAnswer): string =>
  answer.status === 'revoked'
    ? `revoked ${answer.entry.revocationDate} ${answer.entry.reasonCode}`
    : answer.status;

/**
 * Whether verdicts that were remembered under the answer before are what they would be under this one: the same for
 * longer, and in time. Once that one has lapsed, whoever judged did so without it, and may remember it for ever.
 */
function isNoOther(answer: OcspAnswer, before: OcspAnswer, now: number): boolean {
  if (wordOf(answer) !== wordOf(before)) return false;
  if (answer.status !== 'revoked' && answer.instead && delegateOf(answer) !== delegateOf(before))
    return false;
  if (isWithin(before.window, now)) return answer.window.until >= before.window.until;
  return !isWithin(answer.window, now) && answer.window.from === before.window.from;
}

/** As if it came now: a disk is trusted no more than the network, and says only itself when it was sent. */
function sentOf(kept: Kept | undefined): OcspSent | undefined {
  const bytes = kept?.parts[0];
  const { nonce } = kept?.notes ?? {};
  return (
    bytes && { bytes, nonce: nonce === undefined ? undefined : Buffer.from(nonce, 'hex'), at: Date.now() }
  );
}

const delegateOf = (answer: OcspAnswer): string =>
  answer.status !== 'revoked' && answer.delegate !== undefined ? hex(answer.delegate) : '';

const readingOf = (answer: OcspAnswer): Reading<OcspAnswer> => {
  const { status, window } = answer;
  return {
    value: answer,
    version: [wordOf(answer), window.from, window.until, delegateOf(answer)].join(' '),
    count: status === 'revoked' ? 1 : 0,
    outdatedFrom: window.until,
  };
};
