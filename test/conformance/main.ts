import { parseArgs } from 'node:util';
import { exceptionsFile, suiteFiles } from './data.ts';
import { describe, isClean, readExceptions, runSuites } from './run.ts';

/** `npm run conformance -- FILE… [--json]`: exit code 0 if all agree or are excepted, 1 if not, 2 without data. */
const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const files = positionals.length > 0 ? positionals : suiteFiles();
if (files.length === 0) {
  process.stderr.write(
    'no conformance data: name its files, or put it beside the repository in shared/conformance\n',
  );
  process.exitCode = 2;
} else {
  const results = runSuites(files, readExceptions(exceptionsFile), Date.now());
  const lines = values.json ? [JSON.stringify({ suites: results }, null, 2)] : results.flatMap(describe);
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = results.every(isClean) ? 0 : 1;
}
