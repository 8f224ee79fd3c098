// Preloaded for each test file (package.json, "test"): one that leaves something open, as where an assertion fails
// before its server is closed, fails and says what, where it would have kept the run from ever ending.
import { after } from 'node:test';

const PATIENCE_MS = 30_000;

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
