import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { program } from '../../support/program.ts';
import { serving } from './serving.ts';

const { found, skip } = program('h2spec', 'go install github.com/summerwind/h2spec/cmd/h2spec@latest');

type Result = { readonly cases: number; readonly failed: readonly string[] };

/** h2spec's judgement of what listens there. It exits with 1 if anything failed. */
async function judge(port: number): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'h2spec-'));
  try {
    const report = join(folder, 'report.xml');
    await promisify(execFile)(found!, ['-p', String(port), '-j', report]).catch(() => {});
    const cases = [
      ...readFileSync(report, 'utf8').matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs),
    ];
    const failed = cases
      .filter(([, , body]) => /<(failure|error)\b/.test(body ?? ''))
      .map(
        ([, attributes]) =>
          `${/package="(.*?)"/.exec(attributes!)?.[1]}: ${/classname="(.*?)"/.exec(attributes!)?.[1]}`,
      );
    return { cases: cases.length, failed };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('h2spec finds nothing in the gRPC server that it does not find in bare node:http2', {
  skip,
}, async () => {
  const bare = createServer((_, response) => response.end('hello'));
  bare.on('sessionError', () => {});
  await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve));
  await serving({}, async ({ port }) => {
    const theirs = await judge((bare.address() as AddressInfo).port);
    // It gives each case two seconds: on a busy machine one may fail for that alone, but not twice.
    let failed: readonly string[] | undefined;
    for (let round = 1; round <= 2 && failed?.length !== 0; round++) {
      const ours = await judge(port);
      assert.equal(ours.cases, theirs.cases);
      const worse = ours.failed.filter((each) => !theirs.failed.includes(each));
      failed = failed?.filter((each) => worse.includes(each)) ?? worse;
    }
    assert.ok(theirs.cases > 140, `${theirs.cases} cases`);
    assert.deepEqual(failed, []);
  });
  await new Promise((resolve) => bare.close(resolve));
});
