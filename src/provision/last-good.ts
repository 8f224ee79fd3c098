import { type Problem, problemLine } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { type Definitions, type ForeignApi, placeholder } from './definitions.ts';

/** APIs of foreign files by what they are known by. */
export type GoodApis = ReadonlyMap<string, Omit<ForeignApi, 'problems'>>;

/** good: as it was read just now. last-good: as it was read before. faulty: it keeps its place and admits nobody. */
export type State = ForeignApi & { readonly state: 'good' | 'last-good' | 'faulty'; readonly fault?: string };

/**
 * Each by itself. But of a file that is broken as a whole, or in which one stands that can't even be told which it is,
 * nobody knows what it would have said: what it said last and says no more is as it was.
 */
export function firstStates({ apis, problems }: Definitions, before: GoodApis): State[] {
  const isLost = (foreign: ForeignApi): boolean => foreign.problems.length > 0 && !before.has(foreign.key);
  const broken = new Set([
    ...problems.map(({ file }) => file),
    ...apis.filter(isLost).map(({ origin }) => origin.file),
  ]);
  const known = new Set(apis.map(({ key }) => key));
  const missing = [...before.values()].filter(
    ({ key, origin }) => broken.has(origin.file) && !known.has(key),
  );
  const restored = new Set(missing.map(({ origin }) => origin.file));
  const states = apis.flatMap((foreign): State[] => {
    if (foreign.problems.length === 0) return [{ ...foreign, state: 'good' }];
    return isLost(foreign) && restored.has(foreign.origin.file)
      ? []
      : [setBack(foreign, before, foreign.problems)];
  });
  return [...states, ...missing.map((good) => ({ ...good, problems: [], state: 'last-good' as const }))];
}

export function setBack(foreign: ForeignApi, before: GoodApis, problems: readonly Problem[]): State {
  const good = before.get(foreign.key);
  if (good !== undefined) return { ...foreign, ...good, state: 'last-good' };
  const [first] = problems;
  const fault = first === undefined ? 'its definition is faulty' : problemLine(first);
  return { ...foreign, api: placeholder({ written: foreign.api }), state: 'faulty', fault };
}

const anyIssuer = (config: Config, services: Definitions['services']): string[] | undefined => {
  const names = [...config.enforcer.security.tokenService, ...services].map(({ name }) => name);
  return names.length > 1 ? names : undefined;
};

export const merge = (
  config: Config,
  apis: readonly ForeignApi[],
  services: Definitions['services'],
): Config => ({
  ...config,
  apis: [
    ...config.apis,
    // Foreign files don't say whose tokens they mean: of any issuer that there is.
    ...apis.map(({ api }) => ({ ...api, issuers: api.issuers ?? anyIssuer(config, services) })),
  ],
  enforcer: {
    ...config.enforcer,
    security: {
      ...config.enforcer.security,
      tokenService: [...config.enforcer.security.tokenService, ...services],
    },
  },
});
