/** What is shown to people who ask on a command line, and on what. */
export type Style = 'good' | 'bad' | 'quiet' | 'strong';

export type Paper = {
  /** Columns; Infinity: lines are not broken. */
  readonly width: number;
  readonly paint: (style: Style, text: string) => string;
};

/** Without colours: for files, pages and pipes. */
export const plainPaper = (width = Infinity): Paper => ({ width, paint: (_, text) => text });

/** Broken at spaces; what has none stays whole, so that it can be copied. */
export function wrapped(
  text: string,
  { indent, paper: { width } }: { readonly indent: string; readonly paper: Paper },
): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of inert(text).split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && indent.length + longer.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = longer;
  }
  return [...lines, indent + line];
}

/** Paths and names are a stranger's: nothing in them may act on a terminal. */
export const inert = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
