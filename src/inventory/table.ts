import { inert, type Paper, type Style } from '../observability/paper.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { Held } from './held.ts';

const day = 86_400_000;

/** Whole days until it ends; negative: since. undefined: it has no dates. */
export const daysLeft = ({ certificate }: Held, now: number): number | undefined =>
  certificate && Math.floor((certificate.notAfter - now) / day);

/**
 * What has ended or ends within so many days. A bundle of public roots has such as ended years ago, and concern nobody:
 * beside others that go on, those are listed for as many days after their end.
 */
export function endingWithin(days: number, all: readonly Held[], now: number): readonly Held[] {
  const left = (held: Held): number => daysLeft(held, now) ?? Infinity;
  const goesOn = new Set(all.filter((held) => left(held) >= 0).map(({ kind }) => kind));
  const isPast = (held: Held): boolean =>
    (held.kind === 'trusted CA' || held.kind === 'known CA') && goesOn.has(held.kind) && left(held) < -days;
  return all.filter((held) => left(held) < days && !isPast(held));
}

const headings = ['DAYS', 'WHAT', 'NAME', 'TIER', 'SUBJECT', 'SHA-256', 'OPENS'] as const;
/** Least and greatest widths; the last column takes the rest. */
const widths = [
  [5, 12],
  [10, 10],
  [8, 24],
  [5, 16],
  [14, 40],
  [12, 64],
  [12, Infinity],
] as const;

/** A line each; what does not fit is cut, and where lines have no end it is not. */
export function heldTable(all: readonly Held[], now: number, paper: Paper): string {
  const rows = all.map((held) => [
    daysText(held, now),
    held.kind,
    held.name,
    held.tier ?? '',
    held.certificate === undefined ? '' : formatName(held.certificate.subject),
    held.sha256 ?? '',
    held.opens.join('; ') || 'nothing',
  ]);
  const fitted = fit([headings, ...rows], paper.width);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => column(inert(cell), fitted[i]!))
      .join('  ')
      .trimEnd();
  return [
    paper.paint('quiet', line(headings)),
    ...rows.map((cells, i) => paper.paint(styleOf(all[i]!, now), line(cells))),
  ]
    .map((text) => `${text}\n`)
    .join('');
}

function daysText(held: Held, now: number): string {
  if (!held.isInForce) return 'off';
  const days = daysLeft(held, now);
  if (days === undefined) return '-';
  return held.certificate!.notBefore > now ? 'not yet' : `${days}`;
}

function styleOf(held: Held, now: number): Style {
  const days = daysLeft(held, now) ?? Infinity;
  if (days < 0) return 'bad';
  return days < 30 || held.opens.length === 0 ? 'strong' : 'quiet';
}

/** As wide as the longest cell, within bounds; what is over is taken from the widest first. */
function fit(rows: readonly (readonly string[])[], width: number): readonly number[] {
  const fitted = widths.map(([least, most], i) =>
    Math.min(most, Math.max(least, ...rows.map((cells) => cells[i]!.length))),
  );
  if (width === Infinity) return fitted;
  const total = (): number => fitted.reduce((sum, one) => sum + one, 2 * (fitted.length - 1));
  for (;;) {
    const over = total() - width;
    const room = fitted.map((one, i) => one - widths[i]![0]);
    const widest = room.indexOf(Math.max(...room));
    if (over <= 0 || room[widest]! <= 0) return fitted;
    fitted[widest]!--;
  }
}

const column = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
