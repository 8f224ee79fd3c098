// Preloaded by `npm test` (package.json), in the runner and for each test file.
import { join } from 'node:path';
import { after } from 'node:test';

const PATIENCE_MS = 30_000;

// Most of what a test file or a process that it starts would otherwise do is to compile the same TypeScript again.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '../../node_modules/.cache/compiled');

// One that leaves something open, as where an assertion fails before its server is closed, fails and says what, where
// it would have kept the run from ever ending.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  after(() => {
    setTimeout(() => {
      process.stderr.write(
        `${process.argv[1]} is done and does not end; open: ${process.getActiveResourcesInfo().join(', ')}\n`,
      );
      process.exit(1);
    }, PATIENCE_MS).unref();
  });
}
