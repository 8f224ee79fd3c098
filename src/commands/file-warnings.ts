import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Path, problemLine, shown } from '../config/problem.ts';
import { isProblems, loadConfig } from '../provision/load-config.ts';
import { resolver } from '../provision/own-config.ts';
import type { Provisioned } from '../provision/provision.ts';
import { nextFile } from '../provision/shadow.ts';

export type FileWarning = { readonly path: Path; readonly message: string };

/** Of files that "serve" goes on without, with a line in its log: the next configuration, and what it writes. */
export function fileWarnings(file: string, { config, revocation }: Provisioned): readonly FileWarning[] {
  const { shadow, audit, security } = config.enforcer;
  const written = (path: Path, name: string | undefined, meaning: string): readonly FileWarning[] => {
    const why = name === undefined ? undefined : whyUnwritable(resolver(file)(name));
    return why === undefined
      ? []
      : [
          {
            path,
            message: `found ${shown(name!)}, ${why}, so that ${meaning}; make the folder, or write another path`,
          },
        ];
  };
  const next = nextFile(config, file);
  const wrong = next === undefined ? undefined : loadConfig(next, process.env, Date.now());
  return [
    ...(wrong !== undefined && isProblems(wrong)
      ? [
          {
            path: ['enforcer', 'shadow', 'config'],
            message: `nothing can be compared with it: ${problemLine({ ...wrong[0]!, file: shadow!.config })}${wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : ''}`,
          },
        ]
      : []),
    ...written(['enforcer', 'audit', 'file'], audit?.file, 'no line of the record is kept'),
    ...written(
      ['enforcer', 'security', 'revocation', 'cacheDir'],
      revocation && security.revocation.cacheDir,
      'nothing that was fetched outlives a restart',
    ),
  ];
}

/** Only what is certain: another user, whom "serve" runs as, may write where this one may not. */
function whyUnwritable(path: string): string | undefined {
  const folder = dirname(path);
  try {
    return statSync(folder).isDirectory() ? undefined : `and ${folder} is no folder`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? `and the folder ${folder} does not exist here`
      : undefined;
  }
}
