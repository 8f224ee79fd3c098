import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemLine, shown, withoutSecrets } from '../../../src/config/problem.ts';

const urls: readonly [why: string, url: string, shown: string][] = [
  ['a password and a query', 'postgres://a:secret@db:5432/apim?sslkey=x', 'postgres://a@db:5432/apim'],
  ['nothing to hide', 'https://idp.test/jwks', 'https://idp.test/jwks'],
  ['a token as user', 'https://token@idp.test/jwks#x', 'https://…@idp.test/jwks'],
  ['a password with a slash', 'postgres://a:se/cret@db/apim', 'postgres://…@db/apim'],
  ['a password with a question mark', 'postgres://a:se?cret@db/apim', 'postgres://…@db/apim'],
  ['a password with an @', 'postgres://a:se@cret@db/apim', 'postgres://a@db/apim'],
  ['an @ in the query', 'https://idp.test/jwks?key=secret&mail=a@b', 'https://…@b'],
  ['no URL at all', 'host=db password=secret', 'an address that is no URL'],
];
for (const [why, url, expected] of urls)
  test(`a URL with ${why} as the log names it`, () => assert.equal(withoutSecrets(url), expected));

test('a message quotes no password and no query, and says that there is more', () => {
  assert.equal(shown('https://u:secret@b.test/v1?key=secret'), '"https://…@b.test/v1…"');
  assert.equal(shown(['https://b.test/?key=secret']), '["https://b.test/…"]');
  assert.equal(shown('https://b.test/v1'), '"https://b.test/v1"');
  for (const misspelt of [
    'https:/u:secret@b.test/v1',
    'https:u:secret@b.test',
    ' https:/b.test/?key=secret',
    'u:secret@b.test',
    '//u:secret@b.test/v1',
    'jdbc:postgresql://u:secret@db/apim?password=secret',
    'postgres:/u:secret@db',
    '1://u:secret@db',
  ])
    assert.equal(shown(misspelt), '"an address that is no URL…"');
  assert.equal(shown('ops@b.test'), '"ops@b.test"');
});

test('a line has an end, whatever a foreign file has in it, and says what to do', () => {
  const key = `apis.${'k'.repeat(1_000_000)}`;
  const line = problemLine({
    file: 'a.yaml',
    line: 1,
    key,
    message: `found ${'x'.repeat(1_000_000)}; write y`,
  });
  assert.ok(line.length < 5_000, `${line.length}`);
  assert.match(line, /^a\.yaml:1: apis\.k+ … k+: found x+ … x+; write y$/);
});
