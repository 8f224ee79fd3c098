import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import { underRules } from '../../../src/definitions/api-rules.ts';
import { readDefinition } from '../../../src/definitions/readers.ts';
import { writeToml } from '../../../src/definitions/write-toml.ts';
import { disk } from '../../../src/documents/files.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import { now } from '../../support/certificate-authority.ts';

const examples = resolve(import.meta.dirname, '../../../examples');
const root = mkdtempSync(join(tmpdir(), 'examples-'));
after(() => rmSync(root, { recursive: true }));

const configs = globSync('*.toml', { cwd: examples });
test('there are some', () => assert.ok(configs.length >= 5));

for (const name of configs) {
  const text = readFileSync(join(examples, name), 'utf8');
  test(`examples/${name}: good as it stands, every API with clients`, () => {
    const loaded = loadConfig(join(examples, name), {}, now);
    assert.ok(!isProblems(loaded), isProblems(loaded) ? loaded.map(problemLine).join('\n') : '');
    assert.deepEqual(loaded.problems.map(problemLine), []);
    assert.ok(loaded.config.apis.length > 0);
    for (const api of loaded.config.apis) assert.ok(api.mutualSSL === 'off' || api.clients.length > 0);
  });

  const page = `docs/migrating/${basename(name, '.toml')}.md`;
  test(`${page}: what it begins with reads the example, and refuses none of its APIs`, () => {
    const [, block] = /```toml\n(.*?)```/s.exec(readFileSync(join(examples, '..', page), 'utf8'))!;
    const placed = (key: string): string =>
      JSON.stringify(join(examples, new RegExp(`^${key} = "(.*)"`, 'm').exec(text)?.[1] ?? ''));
    const file = join(root, `page-${name}`);
    writeFileSync(
      file,
      block!.replaceAll(/^(path|home) = ".*"/gm, (_, key: string) => `${key} = ${placed(key)}`),
    );
    const loaded = loadConfig(file, {}, now);
    assert.ok(!isProblems(loaded), isProblems(loaded) ? loaded.map(problemLine).join('\n') : '');
    assert.deepEqual(loaded.problems.map(problemLine), []);
    assert.ok(loaded.config.apis.length > 0);
  });

  test(`examples/${name}: what import prints of it is good as well`, () => {
    const read = readConfig(text, name, {});
    assert.ok('config' in read);
    const [entry] = read.config.definitions;
    assert.ok(entry);
    const definition = underRules(
      readDefinition({
        kind: entry.kind,
        path: join(examples, entry.path),
        home: entry.home === undefined ? undefined : join(examples, entry.home),
        trustedSenders: entry.trustedSenders,
        backend: undefined,
        isImport: true,
      }),
      disk,
    );
    assert.deepEqual(definition.problems, []);
    assert.deepEqual(
      definition.apis.flatMap(({ problems }) => problems),
      [],
    );
    const services =
      definition.tokenServices.length > 0 ? '' : text.slice(text.indexOf('[[enforcer.security'));
    const file = join(root, basename(name));
    writeFileSync(file, writeToml(definition) + services);
    const printed = loadConfig(file, {}, now);
    assert.ok(!isProblems(printed), isProblems(printed) ? printed.map(problemLine).join('\n') : '');
  });
}
