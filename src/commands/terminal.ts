import { styleText } from 'node:util';
import type { Paper, Style } from '../observability/paper.ts';

const formats = { good: 'green', bad: 'red', quiet: 'dim', strong: 'bold' } as const;

/** Standard output: as wide as it is, in colours where it is a terminal that has them (and NO_COLOR is not set). */
export const terminal = (): Paper => ({
  width: process.stdout.isTTY ? Math.max(40, process.stdout.columns || 80) : Infinity,
  paint: (style: Style, text) => styleText(formats[style], text, { stream: process.stdout }),
});
