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

type Case = { readonly section: string; readonly title: string };
type Result = { readonly cases: number; readonly failed: readonly Case[] };

/** h2spec's judgement of what listens there, in all sections or in these. It exits with 1 if anything failed. */
async function judge(port: number, sections: readonly string[] = []): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'h2spec-'));
  try {
    const report = join(folder, 'report.xml');
    await promisify(execFile)(found!, ['-p', String(port), '-j', report, ...sections]).catch(() => {});
    const cases = [
      ...readFileSync(report, 'utf8').matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs),
    ];
    const failed = cases
      .filter(([, , body]) => /<(failure|error)\b/.test(body ?? ''))
      .map(([, attributes]) => ({
        section: /package="(.*?)"/.exec(attributes!)![1]!,
        title: /classname="(.*?)"/.exec(attributes!)![1]!,
      }));
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
  try {
    await serving({}, async ({ port }) => {
      const [theirs, ours] = await Promise.all([judge((bare.address() as AddressInfo).port), judge(port)]);
      assert.ok(theirs.cases > 140, `${theirs.cases} cases`);
      assert.equal(ours.cases, theirs.cases);
      // Now and then h2spec misses an answer, of either server (about one case in two runs): what is wrong fails
      // each time.
      let failed = without(ours.failed, theirs.failed);
      for (let round = 0; round < 5 && failed.length > 0; round++) {
        const again = await judge(port, [...new Set(failed.map(({ section }) => section))]);
        assert.ok(again.cases > 0);
        failed = failed.filter((each) => without([each], again.failed).length === 0);
      }
      assert.deepEqual(failed, []);
    });
  } finally {
    await new Promise((resolve) => bare.close(resolve));
  }
});

function without(cases: readonly Case[], others: readonly Case[]): readonly Case[] {
  return cases.filter(
    ({ section, title }) => !others.some((other) => other.section === section && other.title === title),
  );
}
