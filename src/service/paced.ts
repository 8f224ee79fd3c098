import {
  ending,
  type Family,
  type Format,
  head,
  type Labels,
  labelsText,
  line,
} from '../observability/exposition.ts';

/** Some lines of one family. */
export type Piece = { readonly name: string; readonly head: string; readonly text: string };

/** Some 50 µs: a Check takes several turns of the loop, and should not notice who looks at ten thousand APIs. */
const linesATime = 64;
/** Characters: to send a piece costs as much as to write some hundred lines. */
const pieceSize = 32_768;

/**
 * What there is to say, a piece at a time, and a turn for everybody else in between.
 *
 * @param common labels of all samples
 */
export async function* paced(
  families: readonly Family[],
  format: Format,
  common: Labels = {},
): AsyncGenerator<Piece> {
  const everywhere = labelsText(common);
  let steps = 0;
  for (const family of families) {
    const { name } = family;
    let text = '';
    for (const sample of family.samples()) {
      if (sample !== undefined) text += line(name, sample, format, everywhere);
      if (++steps % linesATime !== 0) continue;
      if (text.length >= pieceSize) {
        yield { name, head: head(family, format), text };
        text = '';
      }
      await new Promise((resume) => setImmediate(resume));
    }
    if (text !== '') yield { name, head: head(family, format), text };
  }
}

/** As one page, on which each family has its head once, and its lines together. */
export async function* page(pieces: AsyncIterable<Piece>, format: Format): AsyncGenerator<string> {
  let last: string | undefined;
  for await (const { name, head, text } of pieces) {
    yield name === last ? text : head + text;
    last = name;
  }
  yield ending[format];
}
