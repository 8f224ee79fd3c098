import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { selfSigned } from '../support/certificate-authority.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'watch-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'config.toml');
const port = await freePort();
const config = (more = '', watch?: boolean): string =>
  `${watch === undefined ? '' : `[enforcer.reload]\nwatch = ${watch}\n`}[enforcer.authService]\nport = ${port}\n${more}[[clients]]\nalias = "acme"\nfile = "acme.pem"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["acme"]\n`;
const putCertificate = async (): Promise<void> => {
  writeFileSync(join(folder, 'acme.pem.new'), (await selfSigned({ subject: 'CN=acme' })).pem);
  renameSync(join(folder, 'acme.pem.new'), join(folder, 'acme.pem'));
};

test('what changes in its files is in force by itself, and what is wrong in them is said and changes nothing', async () => {
  await putCertificate();
  writeFileSync(file, config());
  const enforcer = await EnforcerProcess.start(file);
  try {
    let from = enforcer.lines.length;
    const next = async (pattern: RegExp): Promise<string> => {
      const line = await enforcer.line(pattern, from);
      from = enforcer.lines.length;
      return line;
    };
    await putCertificate();
    assert.match(await next(/info +reloaded/), /changes="aliases with other certificates: acme"/);
    writeFileSync(file, config('[enforcer.log]\nfromat = "json"\n'));
    await next(/error not reloaded: the last good configuration stays in force/);
    writeFileSync(file, config());
    await next(/the files are again as they are in force/);
    writeFileSync(file, config('', false));
    assert.match(await next(/info +reloaded/), /changes="settings: enforcer.reload.watch = false"/);
    await putCertificate();
    writeFileSync(file, config());
    assert.equal(await enforcer.reload(), 'reloaded');
    assert.equal(
      enforcer.lines.slice(from).filter((line) => line.includes('reloaded')).length,
      1,
      'by the signal alone',
    );
    await putCertificate();
    await next(/info +reloaded/);
  } finally {
    await enforcer.stop();
  }
});
