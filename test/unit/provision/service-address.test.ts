import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readServiceAddress } from '../../../src/provision/service-address.ts';

// Where a container's health check asks, whatever has become of the file since the service read it.

const folder = mkdtempSync(join(tmpdir(), 'service-address-'));
after(() => rmSync(folder, { recursive: true }));
const good = '[enforcer.authService]\nport = 23451\n[[apis]]\nname = "A"\n';
const utf16 = Buffer.from(`\ufeff${good}`, 'utf16le');

const files: readonly [sentence: string, content: string | Uint8Array | undefined, port: number][] = [
  ['good', good, 23451],
  ['with a line below that is no TOML', `${good}x\n`, 23451],
  ['with one above', `x\n${good}`, 23451],
  ['with one in the table', good.replace('port', '<<<<<<< HEAD\nport'), 23451],
  ['of Windows, and broken', `\ufeff${good.replaceAll('\n', '\r\n')}x\r\n`, 23451],
  ['whose table stands there twice', `${good}[enforcer.authService]\nport = 1\n`, 23451],
  ['broken, with blanks in the heading', `${good.replace('[enforcer.', '[ enforcer . ')}x\n`, 23451],
  ['broken, with a comment behind the heading', `${good.replace('Service]', 'Service] # [x]')}x\n`, 23451],
  ['broken, with a list over several lines', good.replace('[[apis]]', 'x = [1,\n[[a'), 23451],
  ['broken, with dotted keys', 'enforcer.authService.port = 23451\nx\n', 23451],
  ['in UTF-16', utf16, 23451],
  ['in UTF-16, the other byte first', Buffer.from(utf16).swap16(), 23451],
  ['in Latin-1', Buffer.from(`# Zo\xeb\n${good}`, 'latin1'), 23451],
  ['whose key is misspelt', good.replace('port', 'prot'), 23451],
  ['whose table is misspelt', good.replace('authService', 'authServce'), 23451],
  ['with a wrong value beside', good.replace('port', 'drainTimeoutInSeconds = "x"\nport'), 23451],
  ['with an unknown key beside', good.replace('port', 'foo = 1\nport'), 23451],
  ['whose port is none: the default', good.replace('23451', '"abc"'), 8081],
  ['whose table is a text', '[enforcer]\nauthService = "x"\n', 8081],
  ['empty', '', 8081],
  ['gone', undefined, 8081],
];
for (const [sentence, content, port] of files) {
  test(`a file ${sentence}`, () => {
    const file = join(folder, 'config.toml');
    rmSync(file, { force: true });
    if (content !== undefined) writeFileSync(file, content);
    const { service, problems } = readServiceAddress(file, {});
    assert.equal(service.tcp?.port, port);
    if (sentence === 'good') assert.deepEqual(problems, []);
  });
}
