import { resolve } from 'node:path';
import { eachOnce, problemLine } from '../config/problem.ts';
import { kinds } from '../config/schema/definitions.ts';
import { underRules } from '../definitions/api-rules.ts';
import { readDefinition } from '../definitions/readers.ts';
import { writeToml } from '../definitions/write-toml.ts';
import { disk } from '../documents/files.ts';
import { type Command, exit, refuse, UsageError } from './command.ts';
import { print, tellLines } from './output.ts';

export const importFiles: Command = {
  usage: '--from KIND PATH',
  summary: "print a WSO2 system's files as our own config.toml",
  help: `mtls-enforcer import --from KIND [--home FOLDER] [--trusted-sender ADDRESS]... PATH

Prints what a foreign system's files say as our own config.toml, with a comment at each place where the meaning had to
be chosen. KIND is ${kinds.join(', ')}. PATH is a file, a folder or a glob.
Nothing needs to be moved over: [[definitions]] in config.toml reads the same files as they are.

  mtls-enforcer import --from choreo-connect projects/ >> config.toml
`,
  options: {
    from: { type: 'string' },
    home: { type: 'string' },
    'trusted-sender': { type: 'string', multiple: true },
  },
  takesPath: true,
  run: async (values, paths) => {
    const kind = kinds.find((name) => name === values.from);
    const [path] = paths;
    if (kind === undefined) throw new UsageError(`import needs --from, one of ${kinds.join(', ')}`);
    if (path === undefined || paths.length > 1)
      throw new UsageError('import needs one PATH; put a glob into quotes');
    const { home, 'trusted-sender': senders } = values;
    const read = readDefinition({
      kind,
      path: resolve(path),
      home: typeof home === 'string' ? resolve(home) : undefined,
      trustedSenders: Array.isArray(senders) ? senders.map(String) : undefined,
      backend: undefined,
      isImport: true,
    });
    const definition = underRules(read, disk);
    tellLines(...eachOnce(definition.warnings).map((warning) => `warning: ${problemLine(warning)}`));
    await print(writeToml(definition));
    const problems = eachOnce([...definition.problems, ...definition.apis.flatMap((api) => api.problems)]);
    return problems.length === 0 ? exit.ok : refuse(problems);
  },
};
