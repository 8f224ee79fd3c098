import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exceptionsFile, suiteFiles } from './data.ts';
import { type Disagreement, describe, isClean, readExceptions, runSuites } from './run.ts';

const files = suiteFiles();
const missing =
  files.length === 0 && 'the conformance data is not here: put the suites into ../shared/conformance';

test('CI has the conformance data', { skip: !process.env.CI && 'not in CI' }, () => {
  assert.equal(missing, false);
});

test("we agree with other people's suites, but for what exceptions.toml says", { skip: missing }, () => {
  const results = runSuites(files, readExceptions(exceptionsFile), Date.now());
  for (const result of results) {
    assert.ok(isClean(result), describe(result).join('\n'));
    const known: readonly Disagreement['kind'][] = ['false accept', 'false reject'];
    assert.ok(result.disagreements.every(({ kind }) => known.includes(kind)));
  }
});
