import { readFileSync } from 'node:fs';
import { parse } from 'toml';
import { type Case, readCases } from './case.ts';
import { type Judgement, judge } from './judge.ts';

export type Disagreement = {
  readonly id: string;
  readonly kind: 'false accept' | 'false reject' | 'other status' | 'other policies';
  readonly code: string;
  readonly detail: string;
  /** Why it stands, where exceptions.toml names it. */
  readonly reason: string | undefined;
};

export type SuiteResult = {
  readonly suite: string;
  readonly total: number;
  readonly agree: number;
  readonly falseAccepts: number;
  readonly falseRejects: number;
  readonly disagreements: readonly Disagreement[];
  /** Ids in exceptions.toml of cases that agree, or are not there. */
  readonly staleExceptions: readonly string[];
};

/** Reason by id, by suite. */
export type Exceptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const readExceptions = (file: string): Exceptions => parse(readFileSync(file, 'utf8')) as Exceptions;

/** Runs all cases of these files; one result a suite, in the order of their first cases. */
export function runSuites(
  files: readonly string[],
  exceptions: Exceptions,
  wallClock: number,
): readonly SuiteResult[] {
  const suites = new Map<string, { total: number; disagreements: Disagreement[] }>();
  for (const file of files) {
    for (const given of readCases(file)) {
      let suite = suites.get(given.suite);
      if (suite === undefined) {
        suite = { total: 0, disagreements: [] };
        suites.set(given.suite, suite);
      }
      suite.total++;
      const judged = judge(given, wallClock);
      const kind = disagreementOf(given, judged);
      if (kind === undefined) continue;
      const reason = exceptions[given.suite]?.[given.id];
      suite.disagreements.push({ id: given.id, kind, code: judged.code, detail: judged.detail, reason });
    }
  }
  return [...suites].map(([suite, { total, disagreements }]) => {
    const ids = new Set(disagreements.map(({ id }) => id));
    const count = (kind: Disagreement['kind']) => disagreements.filter((one) => one.kind === kind).length;
    return {
      suite,
      total,
      agree: total - disagreements.length,
      falseAccepts: count('false accept'),
      falseRejects: count('false reject'),
      disagreements,
      staleExceptions: Object.keys(exceptions[suite] ?? {}).filter((id) => !ids.has(id)),
    };
  });
}

function disagreementOf(given: Case, judged: Judgement): Disagreement['kind'] | undefined {
  // Of revocation data alone nothing else is known than what it says.
  const expected = given.expected ?? given.status === 'good';
  if (judged.accepted !== expected) return judged.accepted ? 'false accept' : 'false reject';
  if (given.status && judged.status !== given.status) return 'other status';
  const wanted = given.policy?.userConstrained;
  if (judged.accepted && wanted && !sameSet(judged.policies, wanted)) return 'other policies';
  return undefined;
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  [...new Set(a)].sort().join() === [...new Set(b)].sort().join();

export const isClean = (result: SuiteResult): boolean =>
  result.staleExceptions.length === 0 && result.disagreements.every(({ reason }) => reason !== undefined);

/** The line of a suite, then what the exceptions don't explain. */
export function describe(result: SuiteResult): readonly string[] {
  const { suite, agree, total, falseAccepts, falseRejects } = result;
  const counted = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
  return [
    `${suite}: ${agree}/${total} agree, ${counted(falseAccepts, 'false accept')}, ${counted(falseRejects, 'false reject')}`,
    ...result.disagreements
      .filter(({ reason }) => reason === undefined)
      .map(({ id, kind, code, detail }) => `  ${id}: ${kind}: ${code}${detail && ` (${detail})`}`),
    ...result.staleExceptions.map((id) => `  ${id}: exceptions.toml names it, but it agrees or is not there`),
  ];
}
