// Preloaded by `npm test` (package.json), in the runner and for each test file.
import { join } from 'node:path';
import { after } from 'node:test';

const PATIENCE_S = 30;

// Most of what a test file or a process that it starts would otherwise do is to compile the same TypeScript again.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '../../node_modules/.cache/compiled');

// One that leaves something open, as where an assertion fails before its server is closed, fails and says what, where
// it would have kept the run from ever ending.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  after(() => {
    // Seconds in which it could have ended: none is counted while thousands of files are removed.
    let seconds = 0;
    setInterval(() => {
      if (++seconds < PATIENCE_S) return;
      process.stderr.write(
        `${process.argv[1]} is done and does not end; open: ${process.getActiveResourcesInfo().join(', ')}\n`,
      );
      process.exit(1);
    }, 1_000).unref();
  });
}
