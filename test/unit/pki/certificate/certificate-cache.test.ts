import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { CertificateError } from '../../../../src/pki/certificate/certificate.ts';
import { CertificateCache, vouchFor } from '../../../../src/pki/certificate/certificate-cache.ts';
import { integer } from '../der-writer.ts';
import { forgeDer } from '../forge.ts';

const make = (serial: number): Uint8Array => forgeDer({ serialNumber: integer(serial) });
/** What comes once is not remembered. */
const readTwice = (cache: CertificateCache, der: Uint8Array) => {
  cache.read(der);
  return cache.read(der);
};
const certificateOf = (cache: CertificateCache, der: Uint8Array) => {
  const read = readTwice(cache, der);
  assert.ok(!(read instanceof CertificateError));
  return read;
};

test('the same bytes are the same object', () => {
  const cache = new CertificateCache();
  const der = make(1);
  assert.equal(readTwice(cache, der), cache.read(new Uint8Array(der)));
});

test('what comes once leaves nothing behind, and is remembered from its second time on', () => {
  const cache = new CertificateCache();
  const der = forgeDer({ tail: randomBytes(40) });
  const first = cache.read(der);
  assert.deepEqual(cache.state.parts.stranger, { entries: 0, bytes: 0 });
  const second = cache.read(der);
  assert.notEqual(second, first);
  assert.equal(cache.state.parts.stranger.entries, 1);
  assert.equal(cache.read(der), second);
  assert.notEqual(new CertificateCache().read(der), second, 'another cache has its own');
});

test('what comes to two caches at one request came once to each, unless it proves to be valid', () => {
  const [inForce, shadow] = [new CertificateCache(), new CertificateCache()];
  const [stranger, client] = [make(1), make(2)];
  for (const cache of [inForce, shadow]) cache.read(stranger);
  for (const { state } of [inForce, shadow]) assert.equal(state.parts.stranger.entries, 0);
  for (const cache of [inForce, shadow]) cache.read(stranger);
  for (const { state } of [inForce, shadow]) assert.equal(state.parts.stranger.entries, 1);
  const first = inForce.read(client);
  assert.ok(!(first instanceof CertificateError));
  vouchFor(first);
  const afterReload = new CertificateCache();
  assert.equal(afterReload.read(client), afterReload.read(client), 'known at once after a reload');
});

test('bytes that differ anywhere are another certificate', () => {
  const cache = new CertificateCache();
  const der = make(1);
  const first = readTwice(cache, der);
  for (const at of [0, 5, 20, Math.floor(der.length / 2), der.length - 17, der.length - 1]) {
    const changed = new Uint8Array(der);
    changed[at]! ^= 1;
    assert.notEqual(cache.read(changed), first, `octet ${at}`);
    assert.equal(cache.read(der), first);
  }
});

test('changing the bytes afterwards does not change what is remembered', () => {
  const cache = new CertificateCache();
  const der = make(1);
  const buffer = Buffer.from(der);
  const first = readTwice(cache, buffer);
  buffer.fill(0);
  assert.equal(cache.read(der), first);
});

/** As long as the certificate, and with its end: a forgery that anybody can make of what is public. */
function lookalike(der: Uint8Array, i: number): Uint8Array {
  const forged = new Uint8Array(der);
  forged[40] = i;
  forged[41]! ^= 0xff;
  return forged;
}

test('forgeries with the length and end of a certificate do not keep it from being remembered', () => {
  const cache = new CertificateCache();
  const der = make(1);
  for (let i = 0; i < 20; i++) readTwice(cache, lookalike(der, i));
  const first = readTwice(cache, der);
  assert.equal(cache.read(der), first);
});

test('nor do they push out one that was vouched for, before or after its second time', () => {
  for (const times of [1, 2]) {
    const cache = new CertificateCache();
    const der = make(1);
    const first = certificateOf(cache, der);
    vouchFor(first);
    for (let i = 1; i < times; i++) cache.read(der);
    for (let i = 0; i < 20; i++) readTwice(cache, lookalike(der, i));
    assert.equal(cache.read(der), first);
  }
});

test('nor does a flood keep those out that came once and were vouched for', () => {
  const clients = Array.from({ length: 20 }, (_, i) => make(i));
  for (const der of clients) {
    const read = new CertificateCache().read(der);
    assert.ok(!(read instanceof CertificateError));
    vouchFor(read);
  }
  const cache = new CertificateCache();
  for (let i = 0; i < 40_000; i++) cache.read(randomBytes(16));
  for (const der of clients) assert.equal(cache.read(der), cache.read(der));
});

test('what can not be read is remembered, too', () => {
  const cache = new CertificateCache();
  const junk = Buffer.from('junk that is no certificate');
  const read = readTwice(cache, junk);
  assert.ok(read instanceof CertificateError);
  assert.equal(cache.read(junk), read);
});

test('strangers push each other out, and none that is vouched for', () => {
  const cache = new CertificateCache({ maxKnown: 8, maxStrangers: 4 });
  const [good, fresh] = [make(1), make(2)];
  const known = certificateOf(cache, good);
  vouchFor(known);
  const stranger = readTwice(cache, fresh);
  for (let serial = 10; serial < 40; serial++) readTwice(cache, make(serial));
  assert.equal(cache.read(good), known);
  assert.notEqual(cache.read(fresh), stranger);
});

test('one that was vouched for after it came is kept when its place is taken', () => {
  const cache = new CertificateCache({ maxKnown: 8, maxStrangers: 4 });
  const good = make(1);
  const known = certificateOf(cache, good);
  for (let serial = 10; serial < 13; serial++) readTwice(cache, make(serial));
  vouchFor(known);
  for (let serial = 20; serial < 40; serial++) readTwice(cache, make(serial));
  assert.equal(cache.read(good), known);
});

test('strangers that come again and again do not push out one that is vouched for', () => {
  const cache = new CertificateCache({ maxKnown: 8, maxStrangers: 4 });
  const good = make(1);
  const known = certificateOf(cache, good);
  vouchFor(known);
  for (let serial = 10; serial < 40; serial++) {
    const der = make(serial);
    for (let i = 0; i < 3; i++) cache.read(der);
  }
  assert.equal(cache.read(good), known);
});

test('of those vouched for, the unused are pushed out first', () => {
  const cache = new CertificateCache({ maxKnown: 2, maxStrangers: 2 });
  const ders = [1, 2, 3].map(make);
  for (const der of ders) vouchFor(certificateOf(new CertificateCache(), der));
  const read = (i: number) => {
    const certificate = cache.read(ders[i]!);
    assert.ok(!(certificate instanceof CertificateError));
    vouchFor(certificate);
    return certificate;
  };
  // Twice each: the second time finds it vouched for.
  const [first, second] = [read(0), read(1)];
  read(0);
  read(1);
  read(0);
  read(2);
  read(2);
  assert.equal(read(0), first);
  assert.notEqual(read(1), second);
});

test('a certificate too large to be worth a place is read each time', () => {
  const cache = new CertificateCache({ maxKnown: 8, maxStrangers: 4 });
  const large = forgeDer({ subject: Buffer.concat([Buffer.from([0x30, 0x00])]), tail: new Uint8Array(5000) });
  assert.notEqual(cache.read(large), cache.read(large));
});
