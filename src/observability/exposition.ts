/** Names are ours, values may be anything. */
export type Labels = Readonly<Record<string, string | number>>;

/** One value. `part` is what a histogram's series have behind their name. */
export type Sample = {
  readonly value: number;
  readonly labels?: Labels;
  readonly part?: '_bucket' | '_sum' | '_count';
  /** Of a bucket: its upper bound. */
  readonly le?: number;
  /** Of a bucket: one of those that it counts. 128 characters of labels at most (OpenMetrics 1.0, "Exemplars"). */
  readonly exemplar?:
    | {
        readonly labels: Labels;
        readonly value: number;
        /** Seconds since the epoch. */
        readonly at: number;
      }
    | undefined;
};

/** What is measured under one name. */
export type Family = {
  readonly name: string;
  /** A counter's name ends with `_total`. */
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** undefined: nothing to write yet, and whoever writes may let others have a turn. */
  readonly samples: () => Iterable<Sample | undefined>;
};

/** Prometheus's text format 0.0.4, and what became of it: OpenMetrics 1.0, where exemplars have a place. */
export type Format = 'text' | 'openmetrics';

export const contentTypes: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** What stands behind all families. */
export const ending: Readonly<Record<Format, string>> = { text: '', openmetrics: '# EOF\n' };

/** @param accept RFC 9110 section 12.5.1; text, unless OpenMetrics is asked for by its name, and at least as much */
export function formatFor(accept = ''): Format {
  const wanted = { text: 0, openmetrics: 0 };
  for (const range of accept.toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    const { q = '1', version = '1.0.0' } = Object.fromEntries(
      parameters.map((parameter) => parameter.split('=', 2)),
    ) as Partial<Record<string, string>>;
    if (type === 'text/plain') wanted.text = Math.max(wanted.text, weight(q));
    else if (type === 'application/openmetrics-text' && /^"?1\./.test(version))
      wanted.openmetrics = Math.max(wanted.openmetrics, weight(q));
  }
  return wanted.openmetrics > 0 && wanted.openmetrics >= wanted.text ? 'openmetrics' : 'text';
}

/** 0: not at all; nor is what is no weight. */
const weight = (q: string): number => (/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(q) ? Number(q) : 0);

/** What stands before a family's samples, once. */
export function head({ name, type, help }: Omit<Family, 'samples'>, format: Format): string {
  if (format === 'text') return headOf(name, type, help.replace(/[\\\n]/g, escaped));
  const family = type === 'counter' ? name.replace(/_total$/, '') : name;
  return headOf(family, type, help.replace(/[\\"\n]/g, escaped));
}

const headOf = (name: string, type: string, help: string): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

/** A line for one value. */
export function line(
  name: string,
  { part, labels, le, value, exemplar }: Sample,
  format: Format,
  common = '',
): string {
  const own = labels === undefined ? '' : labelsText(labels);
  const bound = le === undefined ? '' : `le="${boundText(le, format)}"`;
  const all = joined(joined(own, bound), common);
  const counted = `${name}${part ?? ''}${all === '' ? '' : `{${all}}`} ${numberText(value)}`;
  if (format === 'text' || exemplar === undefined) return `${counted}\n`;
  return `${counted} # {${labelsText(exemplar.labels)}} ${numberText(exemplar.value)} ${exemplar.at}\n`;
}

const joined = (some: string, more: string): string => {
  if (some === '') return more;
  return more === '' ? some : `${some},${more}`;
};

export const labelsText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${String(value).replace(/[\\"\n]/g, escaped)}"`)
    .join(',');

const escaped = (character: string): string => (character === '\n' ? '\\n' : `\\${character}`);

const numberText = (value: number): string => {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
};

/** OpenMetrics writes a bound as Go does ("Canonical Numbers"): 1.0 is not the same series as 1. */
const boundText = (bound: number, format: Format): string =>
  format === 'openmetrics' && Number.isInteger(bound) ? bound.toFixed(1) : numberText(bound);

export const gauge = (name: string, help: string, samples: Family['samples']): Family => ({
  name,
  type: 'gauge',
  help,
  samples,
});

export const counter = (name: string, help: string, samples: Family['samples']): Family => ({
  name,
  type: 'counter',
  help,
  samples,
});

/** Of a family that has one value alone. */
export const only =
  (value: () => number): Family['samples'] =>
  () => [{ value: value() }];
