import assert from 'node:assert/strict';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readConfig } from '../../../src/config/read-config.ts';
import { kinds } from '../../../src/config/schema/definitions.ts';
import { underRules } from '../../../src/definitions/api-rules.ts';
import { readDefinition } from '../../../src/definitions/readers.ts';
import { writeToml } from '../../../src/definitions/write-toml.ts';
import { disk } from '../../../src/documents/files.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';
import { makeJks } from '../../support/key-stores.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const root = mkdtempSync(join(tmpdir(), 'hostile-'));
after(() => rmSync(root, { recursive: true }));
cpSync(new URL('../../../examples/', import.meta.url), root, { recursive: true });
writeFileSync(join(root, 'choreo-connect/petstore/Client-certificates/acme.crt'), acme.pem);
writeFileSync(join(root, 'api-manager/PizzaShack-1.0.0/Client-certificates/acme.crt'), acme.pem);
writeFileSync(join(root, 'microgateway/t.p12'), makeJks([['ballerina', acme.der]], 'ballerina'));
writeFileSync(
  join(root, 'microgateway/conf/micro-gw.conf'),
  '[listenerConfig]\ntrustStorePath = "../t.p12"\ntrustStorePassword = "ballerina"\n[mutualSSLConfig]\n[[mutualSSLConfig.api.certificates]]\nname = "Swagger Petstore"\nversion = "1.0.5"\naliasList = ["ballerina"]\n',
);

/** The same sequence at each run, so that a failure comes again. */
let seed = 20261123;
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed % below;
}

const pieces = [
  '{',
  '[',
  ': ',
  '\n',
  '- ',
  '"',
  "'",
  '&a ',
  '*a',
  '\t',
  '\0',
  '\u202e',
  '%',
  'null',
  '[]',
  '{}',
  '9'.repeat(400),
  '../',
];

function broken(text: Buffer): Buffer {
  const at = random(text.length + 1);
  const piece = Buffer.from(pieces[random(pieces.length)]!);
  switch (random(4)) {
    case 0:
      return text.subarray(0, at); // cut off
    case 1:
      return Buffer.concat([text.subarray(0, at), text.subarray(Math.min(text.length, at + random(60)))]);
    case 2:
      return Buffer.concat([text.subarray(0, at), piece, text.subarray(at)]);
    default:
      return Buffer.concat([text, text]);
  }
}

for (const kind of kinds) {
  test(`${kind}: hundreds of broken files: never a crash, always a file and a line, never an API that is open by it; import prints what config.toml takes`, () => {
    const files = globSync('**', { cwd: join(root, kind) })
      .map((name) => join(root, kind, name))
      .filter((file) => statSync(file).isFile());
    for (let round = 0; round < 300; round++) {
      const file = files[random(files.length)]!;
      const good = readFileSync(file);
      writeFileSync(file, broken(good));
      try {
        const entry = {
          kind,
          path: join(root, kind),
          trustedSenders: undefined,
          backend: undefined,
          home: join(root, kind),
        };
        const definition = readDefinition(entry);
        const { apis, problems } = definition;
        const printed = writeToml(underRules(definition, disk));
        const reread = readConfig(printed, 'printed.toml', {});
        assert.ok('config' in reread, `${file}, round ${round}: ${JSON.stringify(reread)}\n${printed}`);
        for (const problem of [...problems, ...apis.flatMap((api) => api.problems)]) {
          assert.ok(problem.line >= 1 && Number.isInteger(problem.line), `${file}: ${problem.message}`);
          assert.ok(problem.file.startsWith(root));
          assert.doesNotMatch(problem.message, /PRIVATE KEY-----/);
        }
        for (const { problems: own, written } of apis)
          if (own.length === 0 && !isCut(good, readFileSync(file)))
            assert.ok(
              written.mutualSSL !== 'off' || written.applicationSecurity !== 'off',
              `${file}, round ${round}`,
            );
      } finally {
        writeFileSync(file, good);
      }
    }
  });
}

/** What is cut at the right place says less, and nobody can tell: it is warned about, as any open API is. */
const isCut = (good: Buffer, now: Buffer): boolean => now.length < good.length;

test('the whole configuration outlives them, too', () => {
  writeFileSync(
    join(root, 'config.toml'),
    kinds.map((kind) => `[[definitions]]\nkind = "${kind}"\npath = "${kind}"\n`).join(''),
  );
  for (let round = 0; round < 40; round++) {
    const files = globSync('*/**/*.{yaml,conf,json,xml,apk-conf}', { cwd: root }).map((name) =>
      join(root, name),
    );
    const file = files[random(files.length)]!;
    const good = readFileSync(file);
    writeFileSync(file, broken(good));
    const loaded = loadConfig(join(root, 'config.toml'), {}, now);
    assert.ok(!isProblems(loaded), file);
    writeFileSync(file, good);
  }
});
