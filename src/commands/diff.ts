import { dirname, resolve } from 'node:path';
import { withoutEffect } from '../comparison/changed-keys.ts';
import { type Comparison, comparisonText } from '../comparison/comparison-text.ts';
import { differences } from '../comparison/difference.ts';
import { type Compared, wholeChanges } from '../comparison/whole.ts';
import { disk } from '../documents/files.ts';
import { jsonText } from '../observability/paper.ts';
import type { Provisioned } from '../provision/provision.ts';
import { type Command, exit, typed, UsageError } from './command.ts';
import { load, tellErrors } from './load.ts';
import { print } from './output.ts';
import { terminal } from './terminal.ts';

export const diff: Command = {
  usage: 'OLD NEW [--fail-on widening]',
  summary: 'say what two configurations decide differently',
  help: `mtls-enforcer diff OLD NEW [--fail-on widening|narrowing|any] [--json]

Says who gains (+) and who loses (-) which API or operation, with which factor, between two config.toml; what
became optional; which senders are trusted now; whose tier is another, and which tiers allow other numbers (~); and
which keys changed without effect. Judged by what both decide,
not by their text: a renamed alias is no difference.

  --fail-on  exits 1 where anybody may be let in who was not (widening), shut out who was not (narrowing), or where
             anything is decided differently, tiers too (any)

  mtls-enforcer diff main/config.toml config.toml --fail-on widening
`,
  options: { 'fail-on': { type: 'string' }, json: { type: 'boolean', default: false } },
  takesPath: true,
  run: async (values, files) => {
    const [old, young] = files.map((file) => typed('a file', file));
    if (old === undefined || young === undefined || files.length > 2)
      throw new UsageError('diff needs two files: OLD NEW');
    const failOn = values['fail-on'];
    if (failOn !== undefined && !['widening', 'narrowing', 'any'].includes(String(failOn)))
      throw new UsageError(`--fail-on is ${JSON.stringify(failOn)}; write widening, narrowing or any`);
    const before = await load(old, { tell: tellErrors });
    if (typeof before === 'number') return before;
    const after = await load(young, { tell: tellErrors });
    if (typeof after === 'number') return after;
    const comparison = compared(withFiles(old, before), withFiles(young, after));
    await print(values.json ? jsonText(comparison) : comparisonText(comparison, terminal()));
    const effects = [...comparison.differences, ...comparison.whole].map(({ effect }) => effect);
    const isFatal = failOn !== undefined && effects.some((effect) => failOn === 'any' || failOn === effect);
    return isFatal ? exit.no : exit.ok;
  },
};

const withFiles = (file: string, { config, snapshot, tiers }: Provisioned): Compared => ({
  config,
  snapshot,
  tiers,
  contentOf: (path) => disk.bytes(resolve(dirname(file), path)).toString('base64'),
});

function compared(before: Compared, after: Compared): Comparison {
  const found = differences(before.snapshot, after.snapshot, Date.now()).map(({ places, ...change }) => ({
    ...change,
    places: places.map(({ api, operation }) => ({ api, operation })),
  }));
  const whole = wholeChanges(before, after);
  const isSame = found.length + whole.length === 0;
  return { differences: found, whole, withoutEffect: withoutEffect(before.config, after.config, isSame) };
}
