import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import type { RevocationSurroundings } from '../../../src/feeds/crl-feed.ts';
import { CrlThread } from '../../../src/feeds/crl-thread.ts';
import type { FeedEvent } from '../../../src/feeds/feed-event.ts';
import { Lanes } from '../../../src/feeds/lanes.ts';
import type { Owner } from '../../../src/feeds/owner.ts';
import type { RevocationCache } from '../../../src/feeds/revocation-cache.ts';
import type { Certificate } from '../../../src/pki/certificate/certificate.ts';
import { defaultPolicy } from '../../../src/pki/path/path-options.ts';
import { integer, name, sequence, time } from '../pki/der-writer.ts';
import { ca, certify, type Entity, entity, nothing } from '../pki/forge.ts';
import { crlExtensions, crlNumber, entry, forgeCrlDer } from '../pki/revocation/crl-forge.ts';

/** As in `entry/API`; without a slash it shares with nobody. */
export const ownerIn = (text: string): Owner => {
  const [share, name] = text.split('/');
  return { share: share!, name: name ?? '' };
};

/** The clock of what is fetched is the machine's. */
export const hour = 3_600_000;
export const wholeSecond = (instant: number): number => Math.floor(instant / 1000) * 1000;

export type Ca = { readonly who: Entity; readonly certificate: Certificate };
export function authorityOf(cn: string, who = entity(cn)): Ca {
  return { who, certificate: certify(who, who, [ca()]) };
}

export type CrlFacts = {
  readonly number?: number;
  readonly thisUpdate?: number;
  readonly nextUpdate?: number | null;
  /** Hex. */
  readonly revoked?: readonly string[];
  readonly extensions?: readonly Uint8Array[];
};

/** A CRL of now. */
export function crlOf({ who }: Ca, facts: CrlFacts = {}): Uint8Array {
  const { number, thisUpdate = Date.now() - hour, nextUpdate = Date.now() + hour, revoked = [] } = facts;
  const list = [...(number === undefined ? [] : [crlNumber(number)]), ...(facts.extensions ?? [])];
  return forgeCrlDer(who, {
    version: integer(1),
    issuer: name(`CN=${who.name}`),
    thisUpdate: time(thisUpdate),
    nextUpdate: nextUpdate === null ? nothing : time(nextUpdate),
    revokedCertificates: revoked.length === 0 ? nothing : sequence(...revoked.map((one) => entry(one))),
    crlExtensions: list.length === 0 ? nothing : crlExtensions(...list),
  });
}

export type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => unknown;

/** A web server whose answers can be changed. */
export async function webServer(first: Answer): Promise<{
  readonly url: string;
  answer: Answer;
  readonly asked: string[];
  readonly server: Server;
}> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url}`);
      state.answer(request, response, Buffer.concat(chunks));
    });
  }).listen(0, '127.0.0.1');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state = { url, answer: first, asked, server };
  return state;
}

export type Around = RevocationSurroundings & {
  readonly events: FeedEvent[];
  changes: number;
  known: readonly Certificate[];
};

/** What a feed of revocation has around it. */
export function around(
  known: readonly Certificate[],
  { cache, timeout = 5_000 }: { readonly cache?: RevocationCache; readonly timeout?: number } = {},
): Around {
  const threads = { configured: new CrlThread(), followed: new CrlThread(), files: new CrlThread() };
  after(() => Promise.all(Object.values(threads).map((thread) => thread.close())));
  const events: FeedEvent[] = [];
  const self: Around = {
    events,
    changes: 0,
    known,
    tell: (event) => events.push(event),
    onChange: () => void self.changes++,
    lanes: new Lanes(),
    threads,
    cache: () => cache,
    held: () => undefined,
    signers: () => self.known,
    weakAlgorithmsOf: () => defaultPolicy.weakAlgorithms,
    limits: () => ({ timeout, refresh: hour, clockSkew: 60_000 }),
    proxies: {},
  };
  return self;
}
