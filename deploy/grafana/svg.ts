/** A panel of the dashboard, as far as it is drawn. */
export type Panel = {
  readonly title: string;
  readonly type: 'row' | 'stat' | 'timeseries' | 'table';
  readonly description?: string;
  /** In columns of 24, and rows. */
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly decimals?: number;
      readonly thresholds?: {
        readonly steps: readonly { readonly color: string; readonly value: number | null }[];
      };
      readonly mappings?: readonly {
        readonly options: Readonly<Record<string, { readonly text: string }>>;
      }[];
    };
  };
};

/** A series over time: seconds since the epoch, and what was then. */
export type Line = { readonly name: string; readonly points: readonly (readonly [number, number])[] };
/** One series now. */
export type Row = { readonly labels: Readonly<Record<string, string>>; readonly value: number };
export type Answers = {
  readonly lines: (panel: Panel) => readonly Line[];
  readonly rows: (panel: Panel) => readonly Row[];
  /** When a configuration came into force, seconds since the epoch. */
  readonly changes: readonly number[];
  readonly from: number;
  readonly to: number;
  /** Seconds between two points of a line. */
  readonly step: number;
};

const column = 50;
const row = 30;
const gap = 4;
const palette = ['#3274d9', '#e0752d', '#37872d', '#a352cc', '#c4162a', '#0f8a8a', '#8f6b00', '#757575'];
const colors: Readonly<Record<string, string>> = { green: '#37872d', orange: '#d9730d', red: '#c4162a' };

/** These panels, in their grid, as an SVG of 1200 pixels in width. */
export function drawPanels(panels: readonly Panel[], answers: Answers): string {
  const top = Math.min(...panels.map(({ gridPos }) => gridPos.y));
  const height = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) - top;
  const drawn = panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos;
    const size = { width: w * column - gap, height: h * row - gap };
    return `<g transform="translate(${x * column + gap / 2} ${(y - top) * row + gap / 2})">${inner(panel, size, answers)}</g>`;
  });
  const title = panels.flatMap(({ type, title }) => (type === 'row' ? [title] : [])).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * column} ${height * row}" font-family="Helvetica,Arial,sans-serif" font-size="11" fill="#333">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#f4f5f5"/>
${drawn.join('\n')}
</svg>
`;
}

type Size = { readonly width: number; readonly height: number };

function inner(panel: Panel, size: Size, answers: Answers): string {
  const { title, description, type } = panel;
  if (type === 'row') return text(8, 19, title, 'font-size="13" font-weight="bold"');
  const frame = `<rect width="${size.width}" height="${size.height}" rx="2" fill="#fff" stroke="#d8d9da"/>`;
  const about = description ? `<title>${escaped(description)}</title>` : '';
  const head = text(8, 16, clipped(title, size.width - 16), 'font-weight="bold"');
  return about + frame + head + contentOf(panel, size, answers);
}

function contentOf(panel: Panel, size: Size, answers: Answers): string {
  if (panel.type === 'stat') return stat(panel, size, answers.rows(panel));
  if (panel.type === 'table') return table(panel, size, answers.rows(panel));
  return chart(panel, size, answers.lines(panel), answers);
}

const noData = ({ width, height }: Size): string =>
  text(width / 2, height / 2 + 4, 'No data', 'text-anchor="middle" fill="#888"');

function stat(panel: Panel, size: Size, [first]: readonly Row[]): string {
  if (first === undefined) return noData(size);
  const mapped = panel.fieldConfig?.defaults.mappings?.[0]?.options[first.value]?.text;
  const said = mapped ?? inUnit(panel, first.value);
  const style = `text-anchor="middle" font-size="30" font-weight="bold" fill="${colorOf(panel, first.value)}"`;
  return text(size.width / 2, size.height / 2 + 20, said, style);
}

function table(panel: Panel, size: Size, rows: readonly Row[]): string {
  if (rows.length === 0) return noData(size);
  // Prometheus leaves out a label that is empty.
  const names = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))];
  const starts = [8, ...names.map((_, i) => 8 + ((i + 1) * (size.width - 70)) / names.length)];
  const line = (y: number, cells: readonly string[], last: string, style: string): string =>
    cells
      .map((cell, i) => text(starts[i]!, y, clipped(cell, starts[i + 1]! - starts[i]! - 6), style))
      .join('') + last;
  const right = `text-anchor="end"`;
  const head = line(36, names, text(size.width - 8, 36, 'days', `${right} fill="#777"`), 'fill="#777"');
  const room = Math.floor((size.height - 42) / 18);
  const body = rows
    .toSorted((a, b) => a.value - b.value)
    .slice(0, room)
    .map(({ labels, value }, i) => {
      const y = 54 + i * 18;
      const days = text(
        size.width - 8,
        y,
        value.toFixed(0),
        `${right} font-weight="bold" fill="${colorOf(panel, value)}"`,
      );
      const cells = names.map((name) => labels[name] ?? '');
      return line(y, cells, days, '');
    });
  return head + body.join('');
}

function chart(panel: Panel, { width, height }: Size, lines: readonly Line[], answers: Answers): string {
  const { from, to, step, changes } = answers;
  const drawn = lines.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return noData({ width, height });
  const legend = legendOf(drawn, width);
  const values = drawn.flatMap(({ points }) => points.map(([, value]) => value));
  const ticks = ticksOf(Math.min(0, ...values), Math.max(...values), panel.fieldConfig?.defaults.unit);
  const labels = ticks.map((tick) => inUnit(panel, tick));
  const left = 12 + Math.max(...labels.map((label) => widthOf(label)));
  const [top, bottom] = [28, height - legend.height - 24];
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const x = (at: number): number => Math.round(left + ((at - from) / (to - from)) * (width - 12 - left));
  const y = (value: number): number =>
    Math.round((bottom - ((value - low) / (high - low)) * (bottom - top)) * 10) / 10;
  const grid = ticks.map(
    (tick, i) =>
      `<path d="M${left} ${y(tick)}H${width - 12}" stroke="#e8e8e8"/>` +
      text(left - 5, y(tick) + 4, labels[i]!, 'text-anchor="end" fill="#777"'),
  );
  const every = width < 350 ? 120 : 60;
  const times: string[] = [];
  for (let at = Math.ceil(from / every) * every; x(at) < width - 26; at += every)
    times.push(
      text(
        x(at),
        bottom + 15,
        new Date(at * 1000).toISOString().slice(11, 16),
        'text-anchor="middle" fill="#777"',
      ),
    );
  const marks = changes.map(
    (at) => `<path d="M${x(at)} ${top}V${bottom}" stroke="#3274d9" stroke-dasharray="3 3"/>`,
  );
  const paths = drawn.map(({ points }, i) => {
    const parts = points.map(([at, value], j) => {
      const goesOn = j > 0 && at - points[j - 1]![0] < step * 1.5;
      return `${goesOn ? 'L' : 'M'}${x(at)} ${y(value)}`;
    });
    // A point alone is a dot.
    return `<path d="${parts.join('')}" fill="none" stroke="${palette[i % palette.length]}" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>`;
  });
  return (
    [...grid, ...times, ...marks, ...paths].join('') +
    `<g transform="translate(8 ${height - legend.height})">${legend.text}</g>`
  );
}

function legendOf(lines: readonly Line[], width: number): { readonly text: string; readonly height: number } {
  let [x, y] = [0, 4];
  const parts = lines.map(({ name }, i) => {
    const said = clipped(name, width - 40);
    const needs = widthOf(said) + 30;
    if (x > 0 && x + needs > width - 8) [x, y] = [0, y + 15];
    const part = `<path d="M${x} ${y}h12" stroke="${palette[i % palette.length]}" stroke-width="3"/>${text(x + 17, y + 4, said, '')}`;
    x += needs;
    return part;
  });
  return { text: parts.join(''), height: y + 14 };
}

const colorOf = ({ fieldConfig }: Panel, value: number): string => {
  const steps = fieldConfig?.defaults.thresholds?.steps ?? [];
  return colors[steps.findLast((step) => step.value === null || value >= step.value)?.color ?? ''] ?? '#333';
};

/** Four steps or so, as people count; bytes in their own thousands. */
function ticksOf(low: number, high: number, unit: string | undefined): readonly number[] {
  const spread = high - low || 1;
  const base = unit === 'bytes' ? 2 ** 20 : 1;
  const rough = spread / base / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = base * power * [1, 2, 5, 10].find((times) => times * power >= rough)!;
  const first = Math.floor(low / step);
  const count = Math.max(1, Math.ceil(high / step - first - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step);
}

/** Grafana's names of units. */
function inUnit({ fieldConfig }: Panel, value: number): string {
  const { unit, decimals } = fieldConfig?.defaults ?? {};
  switch (unit) {
    case 'reqps':
      return `${plain(value)} req/s`;
    case 'ops':
      return `${plain(value)} ops/s`;
    case 'percentunit':
      return `${plain(value * 100)} %`;
    case 'd':
      return decimals === 0 ? `${value.toFixed(0)} days` : `${plain(value)} d`;
    case 'bytes':
      return `${plain(value / 2 ** 20)} MiB`;
    case 's':
      if (Math.abs(value) >= 1 || value === 0) return `${plain(value)} s`;
      return Math.abs(value) >= 0.001 ? `${plain(value * 1e3)} ms` : `${plain(value * 1e6)} µs`;
    default:
      return plain(value);
  }
}

/** Three digits that say something. */
const plain = (value: number): string => String(Number(value.toPrecision(3)));

/** Of letters of that size, about. */
const widthOf = (said: string): number => said.length * 5.7;

function clipped(said: string, width: number): string {
  const room = Math.max(2, Math.floor(width / 5.7));
  return said.length <= room ? said : `${said.slice(0, room - 1)}…`;
}

const text = (x: number, y: number, said: string, style: string): string =>
  `<text x="${Math.round(x)}" y="${Math.round(y)}"${style && ` ${style}`}>${escaped(said)}</text>`;

const escaped = (said: string): string =>
  said.replace(
    /[&<>"]/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]!,
  );
