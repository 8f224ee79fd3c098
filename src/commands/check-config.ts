import { withoutSecrets } from '../config/problem.ts';
import { countClients, type LoadedConfig } from '../provision/load-config.ts';
import { type Command, configOf, configOption, exit, say } from './command.ts';
import { load } from './load.ts';
import { readFilesOnce, stateLine } from './revocation.ts';

export const checkConfig: Command = {
  usage: '[--config FILE]',
  summary: 'say what is wrong with a configuration',
  help: `mtls-enforcer check-config [--config FILE]

Reads the configuration and the files it names as "serve" would, and those that Envoy will open, prints every error
and warning with file, line and key, and exits 0 (good, maybe with warnings) or 78.

  mtls-enforcer check-config --config config.toml && kill -HUP $(pidof -x mtls-enforcer)
`,
  options: configOption,
  run: async (values) => {
    const file = configOf(values);
    const loaded = await load(file);
    if (typeof loaded === 'number') return loaded;
    const { config, ignored, problems, warnings } = loaded;
    if (problems.length > 0) return exit.config;
    if (ignored.length > 0) process.stderr.write(`not ours, and ignored: ${ignored.join(' ')}\n`);
    const counts = [
      counted(config.apis.length, 'API'),
      counted(countClients(config), 'client'),
      counted(warnings.length, 'warning'),
    ];
    return say(`${await revocationLines(loaded.revocation)}${file}: good (${counts.join(', ')})\n`);
  },
};

/** What lies here is read; what "serve" would fetch is named. */
async function revocationLines(settings: LoadedConfig['revocation']): Promise<string> {
  if (settings === undefined) return '';
  const lines: string[] = [];
  for (const state of await readFilesOnce(settings)) {
    if (state.lastError === undefined) lines.push(stateLine(state));
    else process.stderr.write(`warning: enforcer.security.revocation: ${stateLine(state)}\n`);
  }
  const { sources } = settings;
  for (const url of new Set(sources.flatMap(({ kinds, crlUrls }) => (kinds.includes('crl') ? crlUrls : []))))
    lines.push(`crl ${withoutSecrets(url)}: would be fetched`);
  for (const url of new Set(
    sources.flatMap(({ kinds, ocspResponder }) => (kinds.includes('ocsp') ? (ocspResponder ?? []) : [])),
  ))
    lines.push(`ocsp ${withoutSecrets(url)}: would be asked`);
  if (sources.some(({ followCertificateUrls }) => followCertificateUrls))
    lines.push('crl, ocsp: what certificates name would be fetched, once their path is valid');
  return lines.map((line) => `${line}\n`).join('');
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
