import { parseArgs } from 'node:util';
import { exceptionsFile, suiteFiles } from './data.ts';
import { describe, isClean, readExceptions, runSuites } from './run.ts';

const usage = `usage: npm run conformance -- [FILE…] [--json]
  FILE    a suite, one JSON object a line, gzip'd or plain; default: all in shared/conformance beside the repository
  --json  {"suites": [SuiteResult, …]}, as in test/conformance/run.ts
exit code: 0 all agree or are excepted, 1 not, 2 no data`;

try {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const files = positionals.length > 0 ? positionals : suiteFiles();
  if (files.length === 0) throw new Error(`no conformance data\n${usage}`);
  const results = runSuites(files, readExceptions(exceptionsFile), Date.now());
  const lines = values.json ? [JSON.stringify({ suites: results }, null, 2)] : results.flatMap(describe);
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = results.every(isClean) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
