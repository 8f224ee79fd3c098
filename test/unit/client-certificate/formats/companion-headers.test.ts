import assert from 'node:assert/strict';
import { test } from 'node:test';
import { companionHeaders } from '../../../../src/client-certificate/formats/companion-headers.ts';
import { formats, knownCertificateHeaders } from '../../../../src/client-certificate/formats/table.ts';

test('every header that some format reads is known', () => {
  for (const format of Object.values(formats)) {
    assert.ok(knownCertificateHeaders.includes(format.header), format.header);
    if ('chainHeader' in format) assert.ok(knownCertificateHeaders.includes(format.chainHeader));
    if ('sha256Header' in format) assert.ok(knownCertificateHeaders.includes(format.sha256Header));
  }
});

test('names are in lower case, and none is in both lists', () => {
  for (const name of [...knownCertificateHeaders, ...companionHeaders])
    assert.match(name, /^\$?[a-z0-9_-]+$/);
  for (const name of companionHeaders) assert.ok(!knownCertificateHeaders.includes(name), name);
});
