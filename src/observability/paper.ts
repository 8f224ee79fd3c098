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

/** What terminals and collectors of logs act on, or nobody sees. */
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Paths and names are a stranger's: nothing in them may act on a terminal. */
export const inert = (text: string): string =>
  text.replace(acting, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);

/** The same for what is YAML or TOML: in a quoted text readers of it get the same back. */
export const quotedEscapes = (text: string): string =>
  text
    .split('\n')
    .map((line) =>
      line.replace(acting, (character) => {
        const point = character.codePointAt(0)!.toString(16);
        return point.length > 4 ? `\\U${point.padStart(8, '0')}` : `\\u${point.padStart(4, '0')}`;
      }),
    )
    .join('\n');

/** The same for what is JSON, which leaves some of it bare: a reader of JSON gets the same text back. */
export const jsonEscapes = (text: string): string =>
  text.replace(acting, (character) =>
    Array.from({ length: character.length }, (_, i) => unit(character, i)).join(''),
  );

/** Of UTF-16. */
const unit = (text: string, i: number): string => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;

/** For tools, and whoever looks. */
export const jsonText = (value: unknown): string =>
  `${JSON.stringify(value, undefined, 2).split('\n').map(jsonEscapes).join('\n')}\n`;
