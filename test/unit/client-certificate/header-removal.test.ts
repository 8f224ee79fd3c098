import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formats, knownCertificateHeaders } from '../../../src/client-certificate/formats.ts';
import { headerNamePattern, removableHeaders } from '../../../src/client-certificate/header-removal.ts';

const whole = new RegExp(`^(?:${headerNamePattern()})$`);

test('every header that some format reads is one to remove', () => {
  for (const format of Object.values(formats)) {
    assert.ok(knownCertificateHeaders.includes(format.header), format.header);
    if ('chainHeader' in format) assert.ok(knownCertificateHeaders.includes(format.chainHeader));
    if ('sha256Header' in format) assert.ok(knownCertificateHeaders.includes(format.sha256Header));
  }
  for (const name of knownCertificateHeaders) assert.ok(removableHeaders.includes(name), name);
});

for (const name of removableHeaders) {
  test(`${name} is removed, with _ for any - too`, () => {
    assert.match(name, /^[a-z0-9_-]+$/);
    assert.match(name, whole);
    assert.match(name.replaceAll('-', '_'), whole);
    assert.match(name.replace('-', '_'), whole);
  });
}

for (const name of [
  'x-client-certificate',
  'client-cert-x',
  'xclient-cert',
  'authorization',
  'x-forwarded-for',
  'client.cert',
]) {
  test(`${name} is left alone`, () => assert.doesNotMatch(name, whole));
}

test('a name with other characters is taken letter by letter', () => {
  const pattern = new RegExp(`^(?:${headerNamePattern(['x.cert+a', 'x-b'])})$`);
  assert.match('x.cert+a', pattern);
  assert.doesNotMatch('x-cert+a', pattern);
  assert.match('x_b', pattern);
});
