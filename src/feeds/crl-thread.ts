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
  /** Of files: equal while nobody touched them. */
  readonly state: string;
};

/** Files that are as they were (`CrlReading.state`) are not read again. */
type CrlPath = { readonly path: string; readonly known: string | undefined };

type Signer = { readonly der: Uint8Array; readonly weakAlgorithms: WeakAlgorithms };

type Ask = {
  readonly content: readonly Uint8Array[] | CrlPath;
  readonly signers: readonly Signer[];
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
type Answer = Omit<CrlReading, 'crls'> & { readonly found: readonly Found[] };

type Same = { readonly same: true };
type Problem = { readonly problem: string };

type CrlTurn = {
  readonly owners?: readonly Owner[];
  readonly signal?: AbortSignal | undefined;
  /** By digest what is in memory already: equal lists of several sources are one. */
  readonly held?: (digest: string) => VerifiedCrl | undefined;
};

type CrlThreadLimits = { readonly patience: number; readonly heapMegabytes: number };
/** A million entries take half a second, as PEM some two. */
const usual: CrlThreadLimits = { patience: 30_000, heapMegabytes: 1_024 };

/**
 * Reads CRLs, checks who signed them and makes their index, beside the thread that decides and within bounds: who
 * publishes a list may be hostile, or have a million entries. One at a time, by turns.
 */
export class CrlThread {
  readonly #limits: CrlThreadLimits;
  readonly #turns = new Turns(1, maxCrlBytes);
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
      const answered = await this.#ask({
        content,
        signers: signers.map((ca) => ({ der: ca.der, weakAlgorithms: weakAlgorithmsOf(ca) })),
      });
      if ('same' in answered) return undefined;
      if ('problem' in answered) throw new Error(answered.problem);
      const { found, ...rest } = answered;
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
    const onError = (error: NodeJS.ErrnoException): void => {
      const Failure = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? CostlyError : Error;
      reject(new Failure(`reading it failed: ${error.message}`));
    };
    const onExit = (): void => reject(new Error('reading it was ended'));
    const timer = setTimeout(
      () => reject(new CostlyError(`reading it took more than ${patience / 1000} s`)),
      patience,
    );
    timer.unref();
    try {
      worker.once('message', resolve).once('error', onError).once('exit', onExit);
      worker.postMessage(ask, 'path' in ask.content ? [] : ask.content.flatMap(ownBuffer));
      return await promise;
    } catch (error) {
      // Whatever it is at, the next one begins anew.
      void this.#drop();
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

function answer({ content, signers }: Ask): Answer | Same | Problem {
  const known = Map.groupBy(signers.flatMap(readable), ({ certificate }) => certificate.subject.key);
  const read: Read[] = [];
  const seen = new Set<string>();
  const faults: string[] = [];
  const faulty = new Set<string>();
  const take = (bytes: Uint8Array, file: string, where: string): void => {
    const blame = (problem: string): void => {
      faults.push(`${where}${problem}`);
      faulty.add(file);
    };
    const inFile = readCrlFile(bytes);
    if (!inFile.ok) {
      blame(inFile.problem);
      return;
    }
    for (const part of inFile.crls) {
      const digest = hash('sha256', part);
      if (seen.has(`${digest} ${file}`)) continue;
      seen.add(`${digest} ${file}`);
      const der = new Uint8Array(part);
      const result = readOne(der, known);
      if (typeof result === 'string') blame(result);
      else read.push({ der, file, digest, ...result });
    }
  };
  const all = (state: string): Answer => {
    const { kept, unused } = withoutOlder(read, Date.now());
    const held = fitting(kept);
    const isHeld = new Set(held);
    for (const one of kept) if (!isHeld.has(one)) faulty.add(one.file);
    if (held.length < kept.length)
      faults.push(
        `has more than ${maxHeld} lists side by side, or more than ${maxHeads} bytes in them that are no entries, and ${kept.length - held.length} of ${kept.length} don't count`,
      );
    tryOthers(held);
    const found = held.map(({ crl, der, file, digest, makers, others }) => {
      return { der, file, digest, makers, others, index: crl.revoked.index };
    });
    return { found, faults: told(faults), unused: told(unused), faulty: [...faulty], state };
  };
  if (!('path' in content)) {
    for (const bytes of content) take(bytes, '', '');
    return all('');
  }
  try {
    const files = filesAt(content.path);
    const state = stateOf(files);
    if (state === content.known) return { same: true };
    let length = 0;
    for (const file of files) {
      const where = files.length === 1 ? '' : `${file} `;
      try {
        const bytes = readBytes(file, maxCrlBytes);
        length += bytes.length;
        if (length > 4 * maxCrlBytes) return { problem: `has files of more than ${4 * maxCrlBytes} bytes` };
        take(bytes, file, where);
      } catch (error) {
        if (!(error instanceof FileProblem)) throw error;
        faults.push(`${where}${error.message}`);
        faulty.add(file);
      }
    }
    return all(state);
  } catch (error) {
    if (error instanceof FileProblem) return { problem: error.message };
    throw error;
  }
}

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

/** Of each file what a change of it changes. */
const stateOf = (files: readonly string[]): string =>
  files
    .map((file) => {
      const stats = statSync(file, { throwIfNoEntry: false, bigint: true });
      return `${file} ${stats?.ino} ${stats?.size} ${stats?.mtimeNs} ${stats?.ctimeNs}`;
    })
    .join('\n');

function readOne(
  der: Uint8Array<ArrayBuffer>,
  known: ReadonlyMap<string, readonly KnownSigner[]>,
): (Tried & Pick<Read, 'signer'>) | string {
  try {
    const crl = readCrl(der);
    const named = known.get(crl.issuer.key)?.slice(0, maxTried) ?? [];
    if (named.length === 0)
      return `is a CRL of ${formatName(crl.issuer)}, which is no CA that is known here; where another than the CA signs its CRLs, put that certificate into the CA's file`;
    const tried = { crl, makers: [], others: [] };
    let why = '';
    for (const [i, signer] of named.entries()) {
      const failed = tryKey(tried, signer);
      if (failed === undefined) return { ...tried, signer: signer.certificate, untried: named.slice(i + 1) };
      why = failed;
    }
    return `is a CRL of ${formatName(crl.issuer)}, and ${why}`;
  } catch (error) {
    if (!(error instanceof CrlError)) throw error;
    return `is no usable CRL (${error.message})`;
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
