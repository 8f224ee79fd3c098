import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { decide } from '../../src/enforcer.ts';
import type { FeedTimes } from '../../src/feeds/feed.ts';
import type { FeedEvent } from '../../src/feeds/feed-event.ts';
import { Configuration, type ConfigurationEvent } from '../../src/service/configuration.ts';
import type { Answer } from '../unit/feeds/revocation-world.ts';
import { request } from './attributes.ts';
import type { ClientCertificate } from './client.ts';
import type { OpensslCa } from './openssl-ca.ts';

const root = mkdtempSync(join(tmpdir(), 'revocation-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

export type Running = {
  readonly configuration: Configuration;
  readonly folder: string;
  /** 'allow', or code and detail of the denial. */
  readonly verdict: (client: ClientCertificate) => Promise<string>;
  readonly feed: (wanted: (event: FeedEvent) => boolean) => Promise<FeedEvent>;
  readonly reload: (revocation: string) => Promise<ConfigurationEvent>;
  readonly stop: () => Promise<void>;
};

/** A service whose only API is for whatever the CA issued. */
export async function running(
  ca: OpensslCa,
  revocation: string,
  { times = {}, folder = join(root, `${folders++}`) }: { times?: Partial<FeedTimes>; folder?: string } = {},
): Promise<Running> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'config.toml');
  const write = (tables: string): void =>
    writeFileSync(
      file,
      `${tables}
[[clients]]
alias = "partners"
caFile = "${ca.certificateFile}"
[[apis]]
name = "own"
version = "1"
basePath = "/own"
aliases = ["partners"]
`,
    );
  write(revocation);
  const events: ConfigurationEvent[] = [];
  let wake = (): void => {};
  const configuration = new Configuration({
    file,
    env: {},
    revocationTimes: times,
    tell: (event) => {
      events.push(event);
      wake();
    },
  });
  after(() => configuration.close());
  const started = await configuration.start();
  assert.ok('ok' in started, JSON.stringify(started));
  let seen = 0;
  const event = async (wanted: (event: ConfigurationEvent) => boolean): Promise<ConfigurationEvent> => {
    for (;;) {
      while (seen < events.length) if (wanted(events[seen++]!)) return events[seen - 1]!;
      await new Promise<void>((next) => {
        wake = next;
      });
    }
  };
  return {
    configuration,
    folder,
    verdict: async ({ certificatePem }) => {
      const attributes = request({ path: '/own', certificate: encodeURIComponent(certificatePem) });
      const decision = await decide(attributes, configuration.inForce.snapshot, Date.now());
      return decision.outcome === 'allow' ? 'allow' : `${decision.code}: ${decision.detail}`;
    },
    feed: async (wanted) => {
      const found = await event((one) => one.kind === 'feed' && wanted(one.event));
      return (found as Extract<ConfigurationEvent, { kind: 'feed' }>).event;
    },
    reload: (tables) => {
      write(tables);
      configuration.reload();
      return event(({ kind }) => kind !== 'feed');
    },
    stop: () => configuration.close(),
  };
}

export const table = (...lines: readonly string[]): string =>
  `[enforcer.security.revocation]\n${lines.join('\n')}\n`;
export const sending =
  (bytes: () => Uint8Array): Answer =>
  (_, response) =>
    response.end(bytes());
export const soon: Partial<FeedTimes> = { every: 20, retry: 20, longestRetry: 20, onDemand: 0 };
