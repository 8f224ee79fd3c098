import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { opensslCa } from '../support/openssl-ca.ts';
import { running, sending, soon, table } from '../support/revocation-service.ts';
import { type Answer, webServer } from '../unit/feeds/revocation-world.ts';

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

  it('after a restart, by what was kept: at the first request, and no more than if it came just now', async () => {
    const ca = opensslCa('Kept OCSP CA');
    const [client, other, revoked] = [ca.issue('client'), ca.issue('other'), ca.issue('revoked')];
    ca.revoke('revoked');
    const responder = await ca.ocsp();
    const proxied = await webServer(async (_, response, body) => {
      const answer = await fetch(responder.url, { method: 'POST', body: new Uint8Array(body) });
      response.end(new Uint8Array(await answer.arrayBuffer()));
    });
    // By POST alone, for what stands between.
    const lines = [`ocspResponder = "${proxied.url}/?"`, 'cacheDir = "cache"', 'timeout = 1'];
    const first = await running(ca, table(...lines));
    for (const each of [client, other, revoked]) {
      await first.verdict(each);
      await first.feed(({ kind }) => kind === 'read');
    }
    await first.stop();
    const kept = join(first.folder, 'cache');
    const files = readdirSync(kept).map((name) => join(kept, name));
    assert.equal(files.length, 3);
    const whole = new Map(files.map((file) => [file, readFileSync(file)]));
    proxied.answer = () => {};
    /** Its body as another one, and its head so that nothing of that is seen. */
    const forged = (file: string, change: (body: Buffer) => Uint8Array): Uint8Array => {
      const bytes = whole.get(file)!;
      const end = bytes.indexOf(0x0a);
      const body = change(Buffer.from(bytes.subarray(end + 1)));
      const sha256 = createHash('sha256').update(body).digest('hex');
      const head = { ...JSON.parse(bytes.subarray(0, end).toString()), lengths: [body.length], sha256 };
      return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
    };
    const bodyOf = (file: string): Buffer => whole.get(file)!.subarray(whole.get(file)!.indexOf(0x0a) + 1);
    const flipped = (body: Buffer): Buffer => {
      // A second of its producedAt.
      body[body.indexOf(Buffer.from('Z')) - 1]! ^= 1;
      return body;
    };
    const pending = /^revocation_pending/;
    type Row = readonly [what: string, write: (file: string, i: number) => Uint8Array, expected: RegExp];
    const rows: readonly Row[] = [
      ['as they were', (file) => whole.get(file)!, /^allow$/],
      ['with another signature', (file) => forged(file, flipped), pending],
      [
        'each about another certificate',
        (file, i) => forged(file, () => bodyOf(files[(i + 1) % 3]!)),
        pending,
      ],
      ['each the copy of another', (_, i) => whole.get(files[(i + 1) % 3]!)!, pending],
      ['cut off', (file) => whole.get(file)!.subarray(0, -1), pending],
    ];
    for (const [what, write, expected] of rows) {
      for (const [i, file] of files.entries()) writeFileSync(file, write(file, i));
      const service = await running(ca, table(...lines), { folder: first.folder });
      assert.match(await service.verdict(client), expected, what);
      assert.match(await service.verdict(other), expected, what);
      const isWhole = what === 'as they were';
      assert.match(await service.verdict(revoked), isWhole ? /^certificate_revoked/ : pending, what);
      await service.stop();
    }
    responder.stop();
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
