import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type FetchOptions, fetchBytes, fetchChanged } from '../../../src/feeds/fetch.ts';
import { isPublicAddress } from '../../../src/feeds/public-address.ts';

describe('an address that anybody on the Internet could mean', () => {
  const addresses: readonly (readonly [address: string, isPublic: boolean, what: string])[] = [
    ['8.8.8.8', true, 'a public one'],
    ['127.0.0.1', false, 'this machine'],
    ['127.9.9.9', false, 'this machine, by another of its addresses'],
    ['0.0.0.0', false, 'this machine, as Linux takes it'],
    ['10.1.2.3', false, 'private (RFC 1918)'],
    ['172.15.255.255', true, 'just below the private ones'],
    ['172.16.0.1', false, 'private'],
    ['172.31.255.255', false, 'private, the last'],
    ['172.32.0.0', true, 'just above'],
    ['192.168.1.1', false, 'private'],
    ['100.64.0.1', false, 'behind a carrier’s NAT (RFC 6598)'],
    ['100.128.0.1', true, 'just above'],
    ['169.254.169.254', false, 'link-local: a cloud’s metadata'],
    ['168.63.129.16', true, 'public by its number'],
    ['224.0.0.1', false, 'multicast'],
    ['255.255.255.255', false, 'broadcast'],
    ['198.18.0.1', false, 'benchmarks'],
    ['2606:4700::1', true, 'a public one'],
    ['::1', false, 'this machine'],
    ['::', false, 'this machine, as Linux takes it'],
    ['::ffff:127.0.0.1', false, 'this machine, mapped'],
    ['::ffff:8.8.8.8', false, 'mapped: nobody writes a public one so'],
    ['::127.0.0.1', false, 'IPv4-compatible'],
    ['fe80::1', false, 'link-local'],
    ['fe80::1%eth0', false, 'link-local, of one interface'],
    ['fc00::1', false, 'unique local'],
    ['fd00:ec2::254', false, 'a cloud’s metadata'],
    ['ff02::1', false, 'multicast'],
    ['64:ff9b::8.8.8.8', true, 'a public one, through NAT64'],
    ['64:ff9b::10.0.0.1', false, 'a private one, through NAT64'],
    ['64:ff9b:1::1', false, 'NAT64 of one’s own'],
    ['2002:7f00:1::', false, '6to4, with this machine in it'],
    ['2001:0:1::1', false, 'Teredo'],
    ['2001:db8::1', false, 'documentation'],
    ['localhost', false, 'no address'],
    ['', false, 'nothing'],
  ];
  for (const [address, isPublic, what] of addresses)
    it(`${address}: ${isPublic} (${what})`, () => assert.equal(isPublicAddress(address), isPublic));
});

describe('fetching', () => {
  const asked: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, url, headers, body });
      const known = headers['if-none-match'] === '"1"' || headers['if-modified-since'] !== undefined;
      if (url === '/moved') response.writeHead(302, { location: '/good' }).end();
      else if (known && url !== '/always') response.writeHead(304).end();
      else response.writeHead(url === '/unasked-304' ? 304 : 200, { etag: '"1"' }).end('what it is');
    });
  });
  let port = 0;
  before(async () => {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    port = (server.address() as AddressInfo).port;
  });
  after(() => server.close());
  const options = { accept: '*/*', maxBytes: 1_000, signal: AbortSignal.timeout(20_000) };

  it('what is there as it was is not sent again', async () => {
    const first = (await fetchChanged(`http://127.0.0.1:${port}/good`, options))!;
    assert.deepEqual([first.bytes.toString(), first.validators.etag], ['what it is', '"1"']);
    const { validators } = first;
    assert.equal(await fetchChanged(`http://127.0.0.1:${port}/good`, { ...options, validators }), undefined);
    const again = await fetchChanged(`http://127.0.0.1:${port}/always`, { ...options, validators });
    assert.equal(again?.bytes.toString(), 'what it is', 'or is, by a server that knows nothing of it');
    const dated = { lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' };
    const byDate = { ...options, validators: dated };
    assert.equal(await fetchChanged(`http://127.0.0.1:${port}/good`, byDate), undefined);
    assert.equal(asked.at(-1)!.headers['if-modified-since'], dated.lastModified);
  });

  it('a body goes by POST', async () => {
    const body = { type: 'application/ocsp-request', bytes: Buffer.from('question') };
    await fetchBytes(`http://127.0.0.1:${port}/ocsp`, { ...options, body });
    const { method, headers, body: sent } = asked.at(-1)!;
    assert.deepEqual(
      [method, headers['content-type'], sent],
      ['POST', 'application/ocsp-request', 'question'],
    );
  });

  type Refusal = readonly [what: string, path: string, more: Partial<FetchOptions>, reason: RegExp];
  const refusals: readonly Refusal[] = [
    ['a redirect is not followed', '/moved', {}, /^it answered 302$/],
    ['not modified, unasked', '/unasked-304', {}, /^it answered 304$/],
    ['more than it may be', '/good', { maxBytes: 9 }, /^it sent more than 9 bytes$/],
  ];
  for (const [what, path, more, reason] of refusals)
    it(what, () =>
      assert.rejects(fetchChanged(`http://127.0.0.1:${port}${path}`, { ...options, ...more }), {
        message: reason,
      }),
    );

  const hosts = [
    '127.0.0.1',
    'localhost',
    '0x7f.1',
    '2130706433',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0',
  ];
  for (const host of hosts)
    it(`of a stranger's URL, ${host} is not asked`, async () => {
      const before = asked.length;
      const url = `http://${host}:${port}/good`;
      await assert.rejects(fetchChanged(url, { ...options, reach: 'public' }), {
        message: / no public address, and nobody listed the host$/,
      });
      assert.equal(asked.length, before);
    });

  it('through a proxy, a name is its business, and an address is not', async () => {
    const proxies = { http_proxy: `http://localhost:${port}`, no_proxy: 'direct.test' };
    const through = { ...options, proxies, reach: 'public' } as const;
    const bytes = await fetchBytes('http://crl.test/good', through);
    assert.equal(bytes.toString(), 'what it is');
    assert.equal(asked.at(-1)!.url, 'http://crl.test/good', 'by the absolute form');
    await assert.rejects(fetchBytes('http://169.254.169.254/good', through), {
      message: /no public address/,
    });
    await assert.rejects(fetchBytes('http://direct.test/good', through), { message: /ENOTFOUND|EAI_AGAIN/ });
  });
});
