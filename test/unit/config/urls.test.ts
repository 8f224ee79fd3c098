import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absoluteUrl, backendUrl } from '../../../src/config/schema/values.ts';

const rows: readonly (readonly [sentence: string, url: string, isBackend: boolean])[] = [
  ['a host', 'https://b.example', true],
  ['a scheme in capitals', 'HTTPS://b.example/v2', true],
  ['an address with a port', 'http://127.0.0.1:9443/v2', true],
  ['IPv6', 'http://[::1]:8080/', true],
  ['a WebSocket', 'wss://b.example/feed', true],
  ['a query', 'https://b.example/?a=b', false],
  ['a fragment', 'https://b.example/#a', false],
  ['a user', 'https://u@b.example/', false],
  ['a password', 'https://u:p@b.example/', false],
  ['port 0', 'http://b.example:0/', false],
  ['a port too high', 'http://b.example:65536/', false],
  ['one slash', 'ws:/b.example', false],
  ['no slash', 'https:b.example', false],
  ['three slashes', 'https:///b.example', false],
  ['backslashes', 'https:\\\\b.example', false],
  ['a backslash behind the host', 'https://b.example\\v2', false],
  ['a backslash in the path, as Envoy takes it for a slash', 'https://b.example/\\v2', true],
  ['a blank before it', ' https://b.example', false],
  ['a blank behind it', 'https://b.example ', false],
  ['a blank in its path', 'https://b.example/a b', false],
  ['a line break, which a parser takes out', 'https://b.exa\nmple', false],
  ['another scheme', 'ftp://b.example', false],
  ['no scheme', 'b.example:8080', false],
  ['no host', 'https://', false],
  ['a label of 63 and the dot at the end', `https://${'a'.repeat(63)}.example.`, true],
  ['a label of 64, which no name server knows', `https://${'a'.repeat(64)}.example`, false],
  ['253 characters', `https://${'a.'.repeat(126)}a/`, true],
  ['255, as a name', `https://${'a.'.repeat(127)}a/`, false],
  ['nothing between two dots', 'https://a..example', false],
  ['a dot alone', 'https://./', false],
];
for (const [sentence, url, isBackend] of rows)
  test(`a backend's URL: ${sentence}`, () => {
    assert.equal(backendUrl().safeParse(url).success, isBackend);
    assert.equal(absoluteUrl().safeParse(url).success, isBackend && !url.startsWith('ws'));
  });
