import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSarif } from '../../../src/commands/sarif.ts';
import { jsonText } from '../../../src/observability/paper.ts';

// CSI and its C1 form, a mark that turns the line round, a separator, one that nobody sees, one beyond 16 bits.
const hostile = 'a\u001b[2J\u009b2J\u202e\u2028\u200b\u{e0001}\nb';

test('JSON for tools and people: the same text, and nothing in it acts on a terminal', () => {
  const written = jsonText({ [hostile]: [hostile] });
  assert.deepEqual(JSON.parse(written), { [hostile]: [hostile] });
  assert.match(written, /^[ -~\n]*$/);
});

test('SARIF of a hostile file: what it says, and where', () => {
  const problem = { file: `/p/${hostile}#1?.yaml`, line: 3, key: 'apis[0].name', message: hostile };
  const written = toSarif({ errors: [problem], warnings: [] });
  assert.match(written, /^[ -~\n]*$/);
  const [{ results }] = JSON.parse(written).runs;
  assert.equal(results[0].message.text, `apis[0].name: ${hostile}`);
  const { uri } = results[0].locations[0].physicalLocation.artifactLocation;
  assert.equal(decodeURIComponent(new URL(uri, 'file:///').pathname), problem.file);
});
