import { type Paper, wrapped } from '../observability/paper.ts';
import type { Change } from './change.ts';
import type { Difference } from './difference.ts';

export type Comparison = {
  readonly differences: readonly Difference[];
  readonly whole: readonly Change[];
  readonly withoutEffect: readonly string[];
};

const mostShown = 6;

/** `+` lets in more, `-` lets in less, `~` lets in the same for more or for less. */
export function comparisonText({ differences, whole, withoutEffect }: Comparison, paper: Paper): string {
  const groups = Map.groupBy(differences, placesText);
  const lines = [
    ...[...groups].flatMap(([where, some]) => [
      ...wrapped(where, { indent: '', paper }),
      ...some.flatMap((change) => changeText(change, paper)),
    ]),
    ...(whole.length === 0 ? [] : ['everywhere', ...whole.flatMap((change) => changeText(change, paper))]),
    ...(differences.length + whole.length === 0 ? ['both decide alike'] : []),
    ...(withoutEffect.length === 0
      ? []
      : wrapped(`changed without effect on decisions: ${shortened(withoutEffect).join(', ')}`, {
          indent: '',
          paper,
        })),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function changeText({ effect, text }: Change, paper: Paper): readonly string[] {
  const [first = '', ...rest] = wrapped(text, { indent: '    ', paper });
  const sign = { widening: paper.paint('bad', '+'), narrowing: paper.paint('good', '-'), tier: '~' }[effect];
  return [`  ${sign} ${first.slice(4)}`, ...rest];
}

/** An API whose operations all changed so is named alone. */
function placesText({ places }: Difference): string {
  const apis = Map.groupBy(places, ({ api }) => api);
  const texts = [...apis].map(([api, some]) => {
    const operations = [...new Set(some.flatMap(({ operation }) => operation ?? []))];
    const isWhole = some.some(({ operation }) => operation === undefined);
    return isWhole || operations.length === 0 ? api : `${api}: ${shortened(operations).join(', ')}`;
  });
  return shortened(texts).join('; ');
}

const shortened = (texts: readonly string[]): readonly string[] =>
  texts.length <= mostShown ? texts : [...texts.slice(0, mostShown), `and ${texts.length - mostShown} more`];
