/** Names are ours, values may be anything. */
export type Labels = Readonly<Record<string, string | number>>;

/** One value. `part` is what a histogram's series have behind their name. */
export type Sample = {
  readonly value: number;
  readonly labels?: Labels;
  readonly part?: '_bucket' | '_sum' | '_count';
};

/** What is measured under one name. */
export type Family = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** undefined: nothing to write yet, and whoever writes may let others have a turn. */
  readonly samples: () => Iterable<Sample | undefined>;
};

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** What stands before a family's samples, once. */
export const head = ({ name, type, help }: Omit<Family, 'samples'>): string =>
  `# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}\n# TYPE ${name} ${type}\n`;

/** A line of Prometheus's text format, version 0.0.4. */
export const line = (name: string, { part, labels, value }: Sample, common = ''): string => {
  const own = labels === undefined ? '' : labelsText(labels);
  const all = own === '' ? common : common === '' ? own : `${own},${common}`;
  return `${name}${part ?? ''}${all === '' ? '' : `{${all}}`} ${numberText(value)}\n`;
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
