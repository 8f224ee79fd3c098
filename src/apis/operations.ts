import type { Security } from './security.ts';

/** What an API does at one path, with security of its own. */
export type Operation = {
  /** As it was written, below the base path. */
  readonly path: string;
  readonly segments: readonly Segment[];
  /** The same in lower case; `segments` itself where it is. */
  readonly lowerCase: readonly Segment[];
  /** The path ends in `*`: whatever follows, also nothing. */
  readonly isOpenEnded: boolean;
  /** Upper case; undefined: any. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly security: Security;
};

/** Literal text, or text around a `{name}` that stands for at least one character. */
export type Segment = string | { readonly before: string; readonly after: string };

/** Operations, the most specific first. */
export type Operations = readonly Operation[];

export type OperationFailure = 'path_ambiguous' | 'operation_not_found' | 'method_not_allowed';

/** `/orders/{id}`, `/files/*`, taken apart. A trailing slash is ignored. */
export function parseTemplate(
  path: string,
): Pick<Operation, 'path' | 'segments' | 'lowerCase' | 'isOpenEnded'> {
  const parts = path.split('/').filter((part, i, all) => part !== '' || (i > 0 && i < all.length - 1));
  const isOpenEnded = parts.at(-1) === '*';
  const written = isOpenEnded ? parts.slice(0, -1) : parts;
  const segments = written.map(parseSegment);
  // Not that of a name in braces.
  const isLowerCase = (part: string): boolean => !/[A-Z]/.test(part.replace(/\{[^{}]*\}/, ''));
  const lowerCase = written.every(isLowerCase)
    ? segments
    : written.map((part) => parseSegment(part.toLowerCase()));
  return { path, segments, lowerCase, isOpenEnded };
}

function parseSegment(part: string): Segment {
  const [, before, after] = /^([^{}]*)\{[^{}]*\}([^{}]*)$/.exec(part) ?? [];
  return before === undefined || after === undefined ? part : { before, after };
}

/**
 * By the first segment in which they differ: a literal before `{name}.pdf` (the more text around it the better), that
 * before `{name}`, that before `*`, and the longer one first.
 */
export function mostSpecificFirst(operations: Operations): Operations {
  const rank = ({ segments }: Operation, i: number): number => {
    const segment = segments[i];
    if (segment === undefined) return 2;
    return typeof segment === 'string' ? 0 : 1 / (1 + segment.before.length + segment.after.length);
  };
  return operations.toSorted((a, b) => {
    for (let i = 0; i < Math.max(a.segments.length, b.segments.length); i++) {
      const difference = rank(a, i) - rank(b, i);
      if (difference !== 0) return difference;
    }
    return Number(a.isOpenEnded) - Number(b.isOpenEnded);
  });
}

/**
 * The operation that a request is for. Segments are decoded before they are compared, a trailing slash is ignored, and
 * HEAD is GET, as most backends have it, where it is not listed itself. Of those whose path fits, the most specific decides; if its methods don't fit,
 * no broader one is asked, since that would open by one method what is closed by another.
 *
 * @param path undecoded, below the base path, without the query
 */
export function findOperation(
  operations: Operations,
  method: string,
  path: string,
): Operation | OperationFailure {
  // What a backend makes of parameters in a path differs: it may serve /orders;x as /orders.
  if (path.includes(';') || /%3b/i.test(path)) return 'path_ambiguous';
  const segments = decodeSegments(path);
  if (segments === undefined) return 'path_ambiguous';
  const fitting = operations.filter((operation) => fits(operation.segments, operation, segments));
  return fitting.length === 0 ? 'operation_not_found' : taking(method, mostSpecific(fitting, templateKey));
}

/**
 * The same for a backend to which upper and lower case are one: of the path that it takes for the most specific, what
 * each spelling that is written has.
 *
 * @param method undefined: all that it has, by whatever method
 * @param path decoded and in lower case
 */
export function findWithoutCase(
  operations: Operations,
  method: string | undefined,
  path: string,
): readonly (Operation | OperationFailure)[] {
  const segments = segmentsOf(path);
  const fitting = operations.filter((operation) => fits(operation.lowerCase, operation, segments));
  if (fitting.length === 0) return ['operation_not_found'];
  const same = mostSpecific(fitting, ({ lowerCase, isOpenEnded }) =>
    templateKey({ segments: lowerCase, isOpenEnded }),
  );
  if (method === undefined) return same;
  if (same.length === 1) return [taking(method, same)];
  return [...Map.groupBy(same, templateKey).values()].map((spelling) => taking(method, spelling));
}

/** The same template may stand several times, with other methods. */
function mostSpecific(fitting: Operations, key: (operation: Operation) => string): Operations {
  if (fitting.length === 1) return fitting;
  const shape = key(fitting[0]!);
  return fitting.filter((operation) => key(operation) === shape);
}

function taking(method: string, same: Operations): Operation | 'method_not_allowed' {
  const of = (asked: string): Operation | undefined =>
    same.find(({ methods }) => methods === undefined || methods.has(asked));
  return of(method) ?? (method === 'HEAD' ? of('GET') : undefined) ?? 'method_not_allowed';
}

/** Of a path below the base path. */
export const depthOf = (path: string): number => segmentsOf(path).length;

/** Of a path of so many segments the last is written in the template: no part of a `{name}`, nor of what follows. */
export const isNamed = ({ segments }: Pick<Operation, 'segments'>, depth: number): boolean =>
  segments.length === depth && typeof (segments.at(-1) ?? '') === 'string';

/** `/health.{format}`, `/{name}.pdf` */
export function writesExtension({ segments, isOpenEnded }: Placed): boolean {
  const last = isOpenEnded ? undefined : segments.at(-1);
  return typeof last === 'object' && (last.before + last.after).includes('.');
}

/** Equal where two templates fit the same paths. */
export const templateKey = ({ segments, isOpenEnded }: Pick<Operation, 'segments' | 'isOpenEnded'>): string =>
  JSON.stringify([segments, isOpenEnded]);

type Placed = Pick<Operation, 'segments' | 'isOpenEnded' | 'methods'>;

/** Operations that fit the same path and method as one before them: nobody would ever ask them. */
export function repeatedOperations<T extends Placed>(
  operations: readonly T[],
): readonly { readonly index: number; readonly before: T }[] {
  const byTemplate = Map.groupBy(operations.entries(), ([, operation]) => templateKey(operation));
  return [...byTemplate.values()].flatMap((same) =>
    same.flatMap(([index, operation], k) => {
      const other = same.slice(0, k).find(([, { methods }]) => overlap(methods, operation.methods));
      return other === undefined ? [] : [{ index, before: other[1] }];
    }),
  );
}

const overlap = (a: Operation['methods'], b: Operation['methods']): boolean =>
  a === undefined || b === undefined || [...a].some((method) => b.has(method));

function fits(
  segments: readonly Segment[],
  { isOpenEnded }: Pick<Operation, 'isOpenEnded'>,
  path: readonly string[],
): boolean {
  if (isOpenEnded ? path.length < segments.length : path.length !== segments.length) return false;
  return segments.every((segment, i) => fitsSegment(segment, path[i]!));
}

function fitsSegment(segment: Segment, text: string): boolean {
  if (typeof segment === 'string') return segment === text;
  const { before, after } = segment;
  return text.length > before.length + after.length && text.startsWith(before) && text.endsWith(after);
}

function segmentsOf(path: string): readonly string[] {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '');
  return trimmed === '' ? [] : trimmed.split('/');
}

function decodeSegments(path: string): readonly string[] | undefined {
  try {
    return segmentsOf(path).map(decodeURIComponent);
  } catch {
    return undefined; // a broken escape: everybody reads it otherwise
  }
}
