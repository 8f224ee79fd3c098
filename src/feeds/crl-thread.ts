import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { FileProblem, filesAt, readBytes } from '../documents/files.ts';
import { type Certificate, CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { verifySignature } from '../pki/certificate/signature.ts';
import { readCrlFile } from '../pki/containers/crl-file.ts';
import type { WeakAlgorithms } from '../pki/path/path-options.ts';
import { tellSigners } from '../pki/path/signature-checks.ts';
import { readCrl } from '../pki/revocation/crl.ts';
import { CrlError } from '../pki/revocation/crl-error.ts';
import type { EntryIndex } from '../pki/revocation/revoked-entries.ts';
import { notSignedBy, signerWeakness } from '../pki/revocation/signer.ts';
import { atMost } from './deadline.ts';
import { CostlyError } from './feed.ts';
import { maxHeld, type VerifiedCrl, withoutOlder } from './newest-crls.ts';
import { byItself, type Owner } from './owner.ts';
import { Turns } from './turns.ts';

/** A list of a million entries has some 40 MB. */
export const maxCrlBytes = 128 * 1024 * 1024;
/** Of all lists of one source, what is not entries: the thread that decides reads it once more. */
const maxHeads = 4 * 1024 * 1024;
/** Of what is wrong with a source: more lines help nobody, nor does a longer one. */
const maxTold = { lines: 1_000, characters: 2_000 };
/** Lists that are read in one turn of the thread that decides. */
const atOnce = 10;

export type CrlReading = {
  readonly crls: readonly VerifiedCrl[];
  /** What is wrong with others, each behind the file that it is about. */
  readonly faults: readonly string[];
  /** Why others, which are good, are not among them. */
  readonly unused: readonly string[];
  /** Files that are there, and of which not everything could be used. */
  readonly faulty: readonly string[];
  /** There was no time to find out who signed one: the same bytes may say more another time. */
  readonly isLate: boolean;
  /** Of files: equal while nobody touched them. */
  readonly state: string;
};

/** Files that are as they were (`CrlReading.state`) are not read again. */
type CrlPath = { readonly path: string; readonly known: string | undefined };

type Signer = { readonly der: Uint8Array; readonly weakAlgorithms: WeakAlgorithms };

type Ask = {
  readonly content: readonly Uint8Array[] | CrlPath;
  readonly signers: readonly Signer[];
  /** Milliseconds. */
  readonly patience: number;
  /** Files that are not read now, while they are in this state or in whatever state. */
  readonly leftOut: ReadonlyMap<string, { readonly state?: string }>;
  /** Those that are read before all others, in this order. */
  readonly first: readonly string[];
  /** The file that it is at, for who ends it. */
  readonly at: SharedArrayBuffer;
};
type Found = {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly file: string;
  readonly index: EntryIndex;
  /** Places among the signers: of those whose key made it, and of others of its issuer's name. */
  readonly makers: readonly number[];
  readonly others: readonly number[];
  readonly digest: string;
};
/** In the thread, before it is known whether it counts. */
type Read = Pick<Found, 'der' | 'file' | 'digest'> & Tried & Pick<VerifiedCrl, 'signer'>;
type Tried = Pick<VerifiedCrl, 'crl'> & {
  readonly makers: number[];
  readonly others: number[];
  /** Others of its issuer's name, behind the first whose key made it. */
  readonly untried: readonly KnownSigner[];
};
type Answer = Omit<CrlReading, 'crls'> & {
  readonly found: readonly Found[];
  /** Files that took all their part of the time, with their state, and those that none was left for. */
  readonly costly: readonly (readonly [file: string, state: string])[];
  readonly unread: readonly string[];
};

type Same = { readonly same: true };
type Problem = { readonly problem: string };

type CrlTurn = {
  readonly owners?: readonly Owner[];
  readonly signal?: AbortSignal | undefined;
  /** By digest what is in memory already: equal lists of several sources are one. */
  readonly held?: (digest: string) => VerifiedCrl | undefined;
};

export type CrlThreadLimits = { readonly patience: number; readonly heapMegabytes: number };
/** A million entries take half a second, as PEM some two. */
const usual: CrlThreadLimits = { patience: 30_000, heapMegabytes: 1_024 };

/**
 * Reads CRLs, checks who signed them and makes their index, beside the thread that decides and within bounds: who
 * publishes a list may be hostile, or have a million entries. One at a time, by turns.
 */
export class CrlThread {
  readonly #limits: CrlThreadLimits;
  readonly #turns = new Turns(1, maxCrlBytes);
  /** Files that took more than their part of what a source may, until when (as `performance.now()`) nobody reads them. */
  readonly #leftOut = new Map<string, { readonly until: number; readonly state?: string }>();
  /** By path, the files that no time was left for, or not enough. */
  readonly #unread = new Map<string, readonly string[]>();
  /** By path, the file at which it was given up, while it has not ended: in a file system that hangs it may never. */
  readonly #hung = new Map<string, string>();
  #worker: Worker | undefined;
  #isClosed = false;

  constructor(limits: CrlThreadLimits = usual) {
    this.#limits = limits;
  }

  /**
   * @param content bytes, which go over to the thread and are lost here, or the path of a file or folder, or a glob
   * @param owners in whose names it waits; what nobody wants any more (`signal`) waits no longer
   * @returns undefined: the files are as they were
   * @throws CostlyError: more than the bounds; Error: no such file, closed
   */
  async read(
    content: readonly Uint8Array[] | CrlPath,
    signers: readonly Certificate[],
    weakAlgorithmsOf: (ca: Certificate) => WeakAlgorithms,
    { owners = [byItself('')], signal, held = () => undefined }: CrlTurn = {},
  ): Promise<CrlReading | undefined> {
    const size = 'path' in content ? 0 : content.reduce((sum, { length }) => sum + length, 0);
    return this.#turns.run({ owners, size, signal }, async () => {
      const path = 'path' in content ? content.path : '';
      const hung = this.#hung.get(path);
      // Each further one would hang there, too.
      if (hung !== undefined)
        throw new Error(
          `reading ${hung} was given up and has not ended yet; see whether its file system hangs`,
        );
      const now = performance.now();
      for (const [file, { until }] of this.#leftOut) if (until <= now) this.#leftOut.delete(file);
      const answered = await this.#ask({
        content,
        signers: signers.map((ca) => ({ der: ca.der, weakAlgorithms: weakAlgorithmsOf(ca) })),
        patience: this.#limits.patience,
        leftOut: this.#leftOut,
        first: this.#unread.get(path) ?? [],
        at: new SharedArrayBuffer(longestPath),
      });
      if ('same' in answered) return undefined;
      if ('problem' in answered) throw new Error(answered.problem);
      const { found, costly, unread, ...rest } = answered;
      for (const [file, fileState] of costly)
        this.#leftOut.set(file, { until: now + leftOutFor, state: fileState });
      if (unread.length === 0) this.#unread.delete(path);
      else this.#unread.set(path, unread);
      const crls: VerifiedCrl[] = [];
      for (const { der, index, makers, others, digest, file } of found) {
        if (crls.length % atOnce === 0) await new Promise(setImmediate);
        const same = held(digest);
        const crl = same?.crl ?? readCrl(der, index);
        const at = (place: number): Certificate => signers[place]!;
        tellSigners(crl, makers.map(at), others.map(at));
        crls.push({ crl, signer: at(makers[0]!), der: same?.der ?? der, digest, file });
      }
      return { crls, ...rest };
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // One that hangs in a file system ends with the process.
    await atMost(1_000, this.#drop());
  }

  async #giveUp(ask: Ask, error: unknown): Promise<void> {
    const dropped = this.#drop();
    const isEnded = await atMost(
      endsWithin,
      dropped.then(() => true),
    );
    if (!('path' in ask.content)) return;
    const { path } = ask.content;
    if (isEnded !== true) {
      this.#hung.set(path, fileAt(ask) || path);
      void dropped.then(() => this.#hung.delete(path));
    } else if (error instanceof CostlyError) this.#blame(path, fileAt(ask), ask);
  }

  /** One at which it ended twice, the second time as the first of all, would keep the others from being read for ever. */
  #blame(path: string, file: string, { first }: Ask): void {
    if (file === '') return;
    const others = first.filter((other) => other !== file);
    if (first[0] === file) this.#leftOut.set(file, { until: performance.now() + leftOutFor });
    this.#unread.set(path, first[0] === file ? others : [file, ...others]);
  }

  async #drop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const { heapMegabytes } = this.#limits;
    const worker = new Worker(new URL(import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    });
    worker.on('error', () => {});
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  async #ask(ask: Ask): Promise<Answer | Same | Problem> {
    if (this.#isClosed) throw new Error('closed');
    const { patience } = this.#limits;
    const worker = this.#worker ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<Answer | Same | Problem>();
    const place = (): string => {
      const file = fileAt(ask);
      return file === '' || ('path' in ask.content && ask.content.path === file) ? '' : `, at ${file}`;
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      const Failure = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? CostlyError : Error;
      reject(new Failure(`reading it failed${place()}: ${error.message}`));
    };
    const onExit = (): void => reject(new Error('reading it was ended'));
    const timer = setTimeout(
      () => reject(new CostlyError(`reading it took more than ${patience / 1000} s${place()}`)),
      patience,
    );
    timer.unref();
    try {
      worker.once('message', resolve).once('error', onError).once('exit', onExit);
      worker.postMessage(ask, 'path' in ask.content ? [] : ask.content.flatMap(ownBuffer));
      return await promise;
    } catch (error) {
      // Whatever it is at, the next one begins anew.
      await this.#giveUp(ask, error);
      throw error;
    } finally {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', onError).off('exit', onExit);
    }
  }
}

/** Small ones lie in one that others have, too, and are copied. */
const ownBuffer = ({ buffer, byteLength }: Uint8Array): ArrayBuffer[] =>
  buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];

type Known = ReadonlyMap<string, readonly KnownSigner[]>;

function answer(ask: Ask): Answer | Same | Problem {
  const { content, signers, patience } = ask;
  const known: Known = Map.groupBy(signers.flatMap(readable), ({ certificate }) => certificate.subject.key);
  // What is found is indexed in the other half.
  const ends = performance.now() + patience / 2;
  try {
    if ('path' in content) return readFiles(content, ask, known, ends);
    const parts = content.map((bytes) => partOf('', bytes));
    for (const part of parts) readOn(part, known, { until: Infinity, tryUntil: ends });
    return answerOf(parts, '');
  } catch (error) {
    if (error instanceof FileProblem) return { problem: error.message };
    throw error;
  }
}

/** A file, or something that was sent, as far as it was read. */
type Part = {
  readonly file: string;
  /** Its lists, until all are read, and which is the next. */
  lists: readonly Uint8Array[];
  next: number;
  readonly read: Read[];
  readonly faults: string[];
  /** See `CrlReading.isLate`. */
  isLate: boolean;
};

/**
 * Each within its part of the time, for whoever writes one may have no say in the others: the small ones first, so that
 * what they leave is for the large, and none takes more than a quarter of what is left before all others had their turn.
 */
function readFiles({ path, known: before }: CrlPath, ask: Ask, known: Known, ends: number): Answer | Same {
  const files = filesAt(path);
  const firsts = new Map(ask.first.map((file, i) => [file, i - ask.first.length]));
  const looked = files.map((file) => {
    const { state, size } = lookAt(file);
    const out = ask.leftOut.get(file);
    const isLeftOut = out !== undefined && (out.state === undefined || out.state === state);
    return { file, state, isLeftOut, rank: firsts.get(file) ?? size };
  });
  const state = looked.map((one) => `${one.state} ${one.isLeftOut}`).join('\n');
  if (state === before) return { same: true };
  const parts = new Map<string, Part>();
  const unread: string[] = [];
  let length = 0;
  const readOnFor = (part: Part, share: number): void => {
    noteAt(ask, part.file);
    const until = performance.now() + share;
    readOn(part, known, { until, tryUntil: until });
  };
  for (const [i, { file, isLeftOut }] of looked.toSorted((a, b) => a.rank - b.rank).entries()) {
    const fail = (why: string): void => void parts.set(file, emptyPart(file, why));
    const left = ends - performance.now();
    if (isLeftOut) fail(leftOutText);
    else if (left <= 0) {
      unread.push(file);
      fail(unreadText);
    } else
      try {
        noteAt(ask, file);
        const bytes = readBytes(file, Math.min(maxCrlBytes, 4 * maxCrlBytes - length));
        length += bytes.length;
        const part = partOf(file, bytes);
        parts.set(file, part);
        readOnFor(part, left * Math.max(1 / (files.length - i), 1 / 4));
      } catch (error) {
        if (!(error instanceof FileProblem)) throw error;
        fail(error.message);
      }
  }
  const cut = [...parts.values()].filter(isCut);
  for (const [i, part] of cut.entries())
    readOnFor(part, Math.max(0, ends - performance.now()) / (cut.length - i));
  noteAt(ask, '');
  for (const { lists, next, faults } of cut.filter(isCut))
    faults.unshift(
      `has ${lists.length} lists, and only the first ${next} could be read in its part of the time that all files share; take out of it what nobody needs`,
    );
  const costly = looked.flatMap(({ file, state: ofFile }) =>
    isCut(parts.get(file)!) || parts.get(file)!.isLate ? [[file, ofFile] as const] : [],
  );
  const inOrder = files.map((file) => parts.get(file)!);
  return { ...answerOf(inOrder, unread.length === 0 ? state : ''), costly, unread };
}

/** Why one can't be looked at (a link to itself, a folder that is closed) is its own fault, which whoever reads it is told. */
function lookAt(file: string): { readonly state: string; readonly size: number } {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return { state: `${file} ${ino} ${size} ${mtimeNs} ${ctimeNs}`, size: Number(size) };
  } catch (error) {
    return { state: `${file} ${(error as NodeJS.ErrnoException).code}`, size: 0 };
  }
}

const leftOutText =
  'takes more of the time or memory that all files share than its part, and is read again a quarter of an hour after it did so last; take out of it what nobody needs';
const unreadText =
  'is not read yet, for others took the time that all files share; it is one of the first at the next read';

const emptyPart = (file: string, fault: string): Part => ({
  file,
  lists: [],
  next: 0,
  read: [],
  faults: [fault],
  isLate: false,
});

function partOf(file: string, bytes: Uint8Array): Part {
  const inFile = readCrlFile(bytes);
  if (!inFile.ok) return emptyPart(file, inFile.problem);
  return { file, lists: inFile.crls, next: 0, read: [], faults: [], isLate: false };
}

const isCut = ({ lists, next }: Part): boolean => next < lists.length;

/**
 * @param until when no further list of it is read
 * @param tryUntil when of each only the first few of its issuer's name are tried
 */
function readOn(
  part: Part,
  known: Known,
  { until, tryUntil }: { readonly until: number; readonly tryUntil: number },
): void {
  const seen = new Set(part.read.map(({ digest }) => digest));
  for (; isCut(part); part.next++) {
    if (part.next > 0 && performance.now() > until) return;
    const list = part.lists[part.next]!;
    const digest = hash('sha256', list);
    if (seen.has(digest)) continue;
    seen.add(digest);
    const der = new Uint8Array(list);
    const result = readOne(der, known, tryUntil);
    if ('fault' in result) {
      part.faults.push(result.fault);
      part.isLate ||= result.isLate;
    } else part.read.push({ der, file: part.file, digest, ...result });
  }
  // Nor are their bytes needed any more.
  part.lists = [];
}

function answerOf(parts: readonly Part[], state: string): Answer {
  const read = parts.flatMap((part) => part.read);
  const { kept, unused } = withoutOlder(read, Date.now());
  const held = fitting(kept);
  const isHeld = new Set(held);
  const crowded = new Set(kept.flatMap((one) => (isHeld.has(one) ? [] : [one.file])));
  const faulty = parts.filter(({ file, faults }) => faults.length > 0 || crowded.has(file));
  const faults = parts.flatMap((part) =>
    part.faults.map((fault) => (parts.length === 1 || part.file === '' ? fault : `${part.file} ${fault}`)),
  );
  if (held.length < kept.length)
    faults.push(
      `has more than ${maxHeld} lists side by side, or more than ${maxHeads} bytes in them that are no entries, and ${kept.length - held.length} of ${kept.length} don't count`,
    );
  tryOthers(held);
  const found = held.map(({ crl, der, file, digest, makers, others }) => {
    return { der, file, digest, makers, others, index: crl.revoked.index };
  });
  return {
    found,
    faults: told(faults),
    unused: told(unused),
    faulty: faulty.map(({ file }) => file),
    isLate: parts.some(({ isLate }) => isLate),
    state,
    costly: [],
    unread: [],
  };
}

const noteAt = ({ at }: Ask, file: string): void => {
  const bytes = Buffer.from(at);
  bytes.fill(0);
  bytes.write(file);
};

const fileAt = ({ at }: Ask): string => {
  const bytes = Buffer.from(at);
  return bytes.toString('utf8', 0, bytes.indexOf(0));
};

/** Bytes: of no system more than 4,096. */
const longestPath = 8_192;
/** Milliseconds. */
const leftOutFor = 900_000;
const endsWithin = 5_000;

/** As many as may be held: each file's first before any file's second, for they may be of CAs that don't trust each other. */
function fitting(lists: readonly Read[]): readonly Read[] {
  const had = new Map<string, number>();
  const inTurns = lists
    .map((list) => {
      const turn = had.get(list.file) ?? 0;
      had.set(list.file, turn + 1);
      return { list, turn };
    })
    .toSorted((a, b) => a.turn - b.turn);
  const held: Read[] = [];
  let heads = 0;
  for (const { list } of inTurns.slice(0, maxHeld)) {
    heads += list.crl.head;
    if (heads > maxHeads) break;
    held.push(list);
  }
  return held;
}

const told = (lines: readonly string[]): readonly string[] => [
  ...lines.slice(0, maxTold.lines).map((line) => line.slice(0, maxTold.characters)),
  ...(lines.length > maxTold.lines ? [`and so on, ${lines.length} in all`] : []),
];

function readOne(
  der: Uint8Array<ArrayBuffer>,
  known: Known,
  tryUntil: number,
): (Tried & Pick<Read, 'signer'>) | { readonly fault: string; readonly isLate: boolean } {
  const because = (fault: string, isLate = false) => ({ fault, isLate });
  try {
    const crl = readCrl(der);
    const of = `is a CRL of ${formatName(crl.issuer)}`;
    const named = known.get(crl.issuer.key)?.slice(0, maxTried) ?? [];
    if (named.length === 0)
      return because(
        `${of}, which is no CA that is known here; where another than the CA signs its CRLs, put that certificate into the CA's file`,
      );
    const tried = { crl, makers: [], others: [] };
    let why = '';
    for (const [i, signer] of named.entries()) {
      if (i >= alwaysTried && performance.now() > tryUntil)
        return because(
          `${of}, and none of the first ${i} that have its name signed it; there was no time to try more`,
          true,
        );
      const failed = tryKey(tried, signer);
      if (failed === undefined) return { ...tried, signer: signer.certificate, untried: named.slice(i + 1) };
      why = failed;
    }
    return because(`${of}, and ${why}`);
  } catch (error) {
    if (!(error instanceof CrlError)) throw error;
    return because(`is no usable CRL (${error.message})`);
  }
}

/** @returns why the list does not count as signed by this one; undefined: it does */
function tryKey(
  { crl, makers, others }: Omit<Tried, 'untried'>,
  { certificate, at, weakAlgorithms }: KnownSigner,
): string | undefined {
  if (certificate.keyUsage?.has('cRLSign') === false) return `${formatName(crl.issuer)} may not sign CRLs`;
  const what = 'the CRL';
  const weak = signerWeakness(crl, what, certificate, weakAlgorithms);
  if (weak !== undefined) return weak;
  const isMaker = verifySignature(crl, certificate.subjectPublicKey);
  (isMaker ? makers : others).push(at);
  return isMaker ? undefined : notSignedBy(what, certificate);
}

/**
 * From a signature another key is reckoned that fits it as well, and who is ruled out here costs no request a look at the
 * list. In the time that is for it all lists' next one is tried before any list's second: whoever names himself as their
 * issuer keeps no list from being read. What was not tried, requests pay for.
 */
function tryOthers(lists: readonly Read[]): void {
  const until = performance.now() + othersWithin;
  for (let turn = 0; turn < maxTried; turn++)
    for (const list of lists) {
      const other = list.untried[turn];
      if (other === undefined) continue;
      if (performance.now() > until) return;
      tryKey(list, other);
    }
}

/** Certificates of one name, in the order given: nobody's second before everybody's first. Each costs a signature. */
const maxTried = 64;
/** The keys that a CA may have: they are tried on a list of a million entries, too, however slow the machine is. */
const alwaysTried = 4;
/** Milliseconds, for all lists of a source. */
const othersWithin = 2_000;

type KnownSigner = {
  readonly certificate: Certificate;
  readonly at: number;
  readonly weakAlgorithms: WeakAlgorithms;
};

function readable({ der, weakAlgorithms }: Signer, at: number): KnownSigner[] {
  try {
    return [{ certificate: readCertificate(der), at, weakAlgorithms }];
  } catch (error) {
    if (error instanceof CertificateError) return [];
    throw error;
  }
}

if (!isMainThread && parentPort !== null) {
  const main = parentPort;
  main.on('message', (ask: Ask) => {
    const answered = answer(ask);
    const found = 'found' in answered ? answered.found : [];
    main.postMessage(answered, [
      ...new Set(
        found.flatMap(({ der, index }) => [
          der.buffer,
          index.marks.buffer,
          index.starts.buffer,
          index.runs.buffer,
        ]),
      ),
    ]);
  });
}
