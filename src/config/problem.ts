import { editDistance } from '../documents/near.ts';
import type { Problem } from '../documents/problem.ts';
import { inert } from '../observability/paper.ts';

export { keyText, type Path, type Problem, shown, withoutSecrets } from '../documents/problem.ts';

/** Characters of a key, and of a message: a foreign file has names and addresses of megabytes if it likes. */
const longest = 2_000;

/** `config.toml:12: apis[0].basePath: found "x"; write …`: one line, whatever is quoted in it. */
export const problemLine = ({ file, line, key, message }: Problem): string =>
  inert(`${file}:${line}: ${key === '' ? '' : `${cut(key)}: `}${cut(message)}`);

const cut = (text: string): string =>
  text.length <= longest ? text : `${text.slice(0, longest / 2)} … ${text.slice(-longest / 2)}`;

/** What is wrong with a file that several depend on is each one's problem, and told once. */
export const eachOnce = (problems: readonly Problem[]): readonly Problem[] => [
  ...new Map(problems.map((problem) => [problemLine(problem), problem])).values(),
];

/** The nearest of `names` to `name`, if it is near enough to be what was meant. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}
