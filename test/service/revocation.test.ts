import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { decide } from '../../src/enforcer.ts';
import type { FeedTimes } from '../../src/feeds/feed.ts';
import type { FeedEvent } from '../../src/feeds/feed-event.ts';
import { Configuration, type ConfigurationEvent } from '../../src/service/configuration.ts';
import { request } from '../support/attributes.ts';
import type { ClientCertificate } from '../support/client.ts';
import { type OpensslCa, opensslCa } from '../support/openssl-ca.ts';
import { type Answer, webServer } from '../unit/feeds/revocation-world.ts';

const root = mkdtempSync(join(tmpdir(), 'revocation-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

type Running = {
  readonly configuration: Configuration;
  readonly folder: string;
  /** 'allow', or code and detail of the denial. */
  readonly verdict: (client: ClientCertificate) => Promise<string>;
  readonly feed: (wanted: (event: FeedEvent) => boolean) => Promise<FeedEvent>;
  readonly reload: (revocation: string) => Promise<ConfigurationEvent>;
  readonly stop: () => Promise<void>;
};

/** A service whose only API is for whatever the CA issued. */
async function running(
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

const table = (...lines: readonly string[]): string =>
  `[enforcer.security.revocation]\n${lines.join('\n')}\n`;
const sending =
  (bytes: () => Uint8Array): Answer =>
  (_, response) =>
    response.end(bytes());
const soon: Partial<FeedTimes> = { every: 20, retry: 20, longestRetry: 20, onDemand: 0 };

describe('a client that its CA revokes, by openssl ca', { timeout: 120_000 }, () => {
  it('is refused as soon as the file with the CRL is another, without a reload', async () => {
    const ca = opensslCa('File CA');
    const [client, other] = [ca.issue('client'), ca.issue('other')];
    const file = join(ca.folder, 'published.crl');
    writeFileSync(file, ca.crl());
    const service = await running(ca, table(`crlFiles = ["${file}"]`), { times: soon });
    assert.equal(await service.verdict(client), 'allow');
    ca.revoke('client');
    writeFileSync(file, ca.crl());
    await service.feed((event) => event.kind === 'read' && event.changed && event.count === 1);
    assert.match(
      await service.verdict(client),
      /^certificate_revoked: CN=client.* was revoked on 20..-..-..T.*Z, reason keyCompromise$/,
    );
    assert.equal(await service.verdict(other), 'allow');
  });

  it('is refused once its URL has the new CRL, whatever that URL does then', async () => {
    const ca = opensslCa('URL CA');
    const [client, other] = [ca.issue('client'), ca.issue('other')];
    const first = ca.crl();
    const server = await webServer(sending(() => first));
    const service = await running(ca, table(`crlUrls = ["${server.url}/ca.crl"]`), { times: soon });
    assert.equal(await service.verdict(client), 'allow');
    ca.revoke('client', 'superseded');
    const second = ca.crl();
    server.answer = sending(() => second);
    await service.feed((event) => event.kind === 'read' && event.changed && event.count === 1);
    assert.match(await service.verdict(client), /^certificate_revoked: .*reason superseded$/);
    const bad: readonly Answer[] = [
      sending(() => first),
      sending(() => Buffer.from('garbage')),
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end(),
      (asked) => asked.socket.destroy(),
    ];
    for (const answer of bad) {
      server.answer = answer;
      await service.feed(({ kind }) => kind === 'failed');
      assert.match(await service.verdict(client), /^certificate_revoked/);
      assert.equal(await service.verdict(other), 'allow');
    }
  });

  it('is refused after a restart with everything down, by the copy on disk', async () => {
    const ca = opensslCa('Cache CA');
    const [client, other] = [ca.issue('client'), ca.issue('other')];
    ca.revoke('client');
    const crl = ca.crl();
    const server = await webServer(sending(() => crl));
    const lines = table(`crlUrls = ["${server.url}/ca.crl"]`, 'cacheDir = "cache"', 'timeout = 1');
    const first = await running(ca, lines);
    assert.match(await first.verdict(client), /^certificate_revoked/);
    await first.stop();
    server.answer = () => {};
    const second = await running(ca, lines, { folder: first.folder });
    assert.match(await second.verdict(client), /^certificate_revoked/);
    assert.equal(await second.verdict(other), 'allow');
    await second.stop();
    const third = await running(ca, lines.replace('"cache"', '"elsewhere"'), { folder: first.folder });
    assert.match(
      await third.verdict(other),
      /^revocation_unknown: no CRL and no OCSP answer that counts now/,
    );
  });

  it('a CRL past its nextUpdate counts no more with hard-fail, and for the grace with soft-fail', async () => {
    const ca = opensslCa('Late CA');
    const [client, other] = [ca.issue('client'), ca.issue('other')];
    ca.revoke('client');
    const file = join(ca.folder, 'published.crl');
    writeFileSync(file, ca.crl({ seconds: 1 }));
    const lines = [`crlFiles = ["${file}"]`, 'clockSkew = 0'];
    const service = await running(ca, table(...lines));
    const outdated = Date.now() + 2_500;
    while (Date.now() < outdated) await new Promise((next) => setTimeout(next, 100));
    assert.match(await service.verdict(other), /^revocation_unknown/);
    assert.match(await service.verdict(client), /^certificate_revoked/, 'what was revoked stays so');
    await service.reload(table(...lines, 'mode = "soft-fail"', 'staleGrace = 3600'));
    assert.match(await service.verdict(client), /^certificate_revoked/, 'known to be revoked');
    assert.equal(await service.verdict(other), 'allow');
    await service.reload(table(...lines, 'mode = "soft-fail"'));
    assert.match(await service.verdict(client), /^certificate_revoked/);
  });

  it('of a CA with a new key, both are judged by the list of their own', async () => {
    const old = opensslCa('Rolled CA');
    const client = old.issue('client');
    old.revoke('client');
    const rolled = opensslCa('Rolled CA', { from: old });
    const other = rolled.issue('other');
    const [one, two] = [join(old.folder, 'one.crl'), join(old.folder, 'two.crl')];
    writeFileSync(one, old.crl());
    writeFileSync(two, rolled.crl());
    const both = `[[clients]]\nalias = "partners"\ncaFile = "${rolled.certificateFile}"\n`;
    const service = await running(old, `${table(`crlFiles = ["${one}", "${two}"]`)}${both}`);
    assert.match(await service.verdict(client), /^certificate_revoked/);
    assert.equal(await service.verdict(other), 'allow');
  });
});

describe('by what certificates name', { timeout: 120_000 }, () => {
  it('CRLs and responders are asked once the path is valid, and for no stranger', async () => {
    const server = await webServer((_, response) => response.writeHead(404).end());
    const extensions = [`crlDistributionPoints = URI:${server.url}/named.crl`];
    const [ca, stranger] = [opensslCa('Naming CA', { extensions }), opensslCa('Naming CA', { extensions })];
    const [client, other] = [ca.issue('client'), ca.issue('other')];
    ca.revoke('client');
    const crl = ca.crl();
    server.answer = sending(() => crl);
    const lines = ['followCertificateUrls = true', 'allowedHosts = ["127.0.0.1"]'];
    const service = await running(ca, table(...lines));
    assert.match(await service.verdict(stranger.issue('client')), /^issuer_unknown/);
    assert.deepEqual(server.asked, []);
    assert.match(await service.verdict(other), /^revocation_unknown/, 'asked for, and never waited for');
    await service.feed(({ kind }) => kind === 'read');
    assert.equal(await service.verdict(other), 'allow');
    assert.match(await service.verdict(client), /^certificate_revoked/);
    assert.deepEqual(server.asked, ['GET /named.crl']);
    const unlisted = await running(ca, table('followCertificateUrls = true'));
    assert.match(await unlisted.verdict(other), /^revocation_unknown/);
    const event = await unlisted.feed(({ kind }) => kind === 'failed');
    assert.equal(
      (event as { reason: string }).reason,
      '127.0.0.1 is no public address, and nobody listed the host',
    );
    const elsewhere = await running(ca, table('followCertificateUrls = true', 'allowedHosts = ["pki.test"]'));
    assert.match(await elsewhere.verdict(other), /^revocation_source_missing/);
    assert.equal(server.asked.length, 1);
  });
});

describe('by openssl ocsp', { timeout: 120_000 }, () => {
  it('admitted, revoked, refused; and refused while nothing is known', async () => {
    const ca = opensslCa('OCSP CA');
    const client = ca.issue('client');
    const responder = await ca.ocsp();
    const service = await running(ca, table(`ocspResponder = "${responder.url}"`), { times: soon });
    assert.match(
      await service.verdict(client),
      /^revocation_pending: CN=client.* is here for the first time, and its OCSP responder is being asked$/,
    );
    await service.feed(({ kind }) => kind === 'read');
    // It looks at its list only after the first answer, where it was made before.
    while ((await service.verdict(client)) !== 'allow') await service.feed(({ kind }) => kind === 'read');
    ca.revoke('client');
    await service.feed((event) => event.kind === 'read' && event.count === 1);
    assert.match(await service.verdict(client), /^certificate_revoked: .*reason keyCompromise$/);
    responder.stop();
    await service.feed(({ kind }) => kind === 'failed');
    assert.match(await service.verdict(client), /^certificate_revoked/, 'its last word stands');
  });

  it('a responder that hangs: pending, then unknown; both by the policy', async () => {
    const ca = opensslCa('Hung CA');
    const client = ca.issue('client');
    const server = await webServer(() => {});
    const lines = [`ocspResponder = "${server.url}"`, 'timeout = 1'];
    const service = await running(ca, table(...lines));
    assert.match(await service.verdict(client), /^revocation_pending/);
    await service.feed(({ kind }) => kind === 'failed');
    assert.match(await service.verdict(client), /^revocation_unknown/);
    const lenient = await running(ca, table(...lines, 'firstSight = "allow"'));
    assert.equal(await lenient.verdict(client), 'allow');
    await lenient.feed(({ kind }) => kind === 'failed');
    assert.match(await lenient.verdict(client), /^revocation_unknown/);
    const soft = await running(ca, table(...lines, 'mode = "soft-fail"'));
    assert.equal(await soft.verdict(client), 'allow');
  });
});

describe('the gate', { timeout: 120_000 }, () => {
  it('a CA without a source: refused with hard-fail in words of its own, admitted with soft-fail, or left out', async () => {
    const ca = opensslCa('Bare CA');
    const client = ca.issue('client');
    const service = await running(ca, table('mode = "hard-fail"'));
    assert.match(
      await service.verdict(client),
      /^revocation_source_missing: neither config\.toml nor CN=client.* itself names a CRL or an OCSP responder/,
    );
    assert.deepEqual(
      service.configuration.inForce.warnings.map(({ key, message }) => `${key}: ${message.slice(0, 40)}`),
      ['enforcer.security.revocation: no source tells what CN=Bare CA revoked,'],
    );
    await service.reload(table('mode = "soft-fail"'));
    assert.equal(await service.verdict(client), 'allow');
    const own = `[[enforcer.security.revocation.cas]]\ncaFile = "${ca.certificateFile}"\nmode = "off"\n`;
    await service.reload(`${table('mode = "hard-fail"')}${own}`);
    assert.equal(await service.verdict(client), 'allow');
  });

  it('a certificate that is a client by itself is refused as well, where its CA is known', async () => {
    const ca = opensslCa('Pinned CA');
    const client = ca.issue('client');
    ca.revoke('client');
    const file = join(ca.folder, 'published.crl');
    writeFileSync(file, ca.crl());
    const exact = `[[clients]]\nalias = "partners"\nfile = "${join(ca.folder, 'client.pem')}"\n`;
    const service = await running(ca, `${table(`crlFiles = ["${file}"]`)}${exact}`);
    assert.match(await service.verdict(client), /^certificate_revoked/);
    await service.reload(exact);
    assert.equal(await service.verdict(client), 'allow');
  });

  it('a refused reload changes nothing', async () => {
    const ca = opensslCa('Kept CA');
    const client = ca.issue('client');
    ca.revoke('client');
    const file = join(ca.folder, 'published.crl');
    writeFileSync(file, ca.crl());
    const service = await running(ca, table(`crlFiles = ["${file}"]`));
    assert.match(await service.verdict(client), /^certificate_revoked/);
    const { kind } = await service.reload(table(`crlFiles = ["${file}"]`, 'mode = "off"'));
    assert.equal(kind, 'refused');
    assert.match(await service.verdict(client), /^certificate_revoked/);
    await service.reload('');
    assert.equal(await service.verdict(client), 'allow', 'taken out of the file, it is no longer looked at');
  });
});
