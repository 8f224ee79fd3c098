import { keyText, type Problem, problemLine, withoutSecrets } from '../config/problem.ts';
import { jsonText } from '../observability/paper.ts';
import { countClients } from '../provision/load-config.ts';
import type { Provisioned } from '../provision/provision.ts';
import { tierLine } from '../provision/tiers.ts';
import { type Command, configOf, configOption, type Exit, exit, say } from './command.ts';
import { crlWarnings } from './crl-warnings.ts';
import { type FileWarning, fileWarnings } from './file-warnings.ts';
import { load, type Tell } from './load.ts';
import { printLines, tellLines } from './output.ts';
import { isOutOfDate, readFilesOnce, stateLine } from './revocation.ts';
import { toSarif } from './sarif.ts';

export const checkConfig: Command = {
  usage: '[--config FILE] [--strict]',
  summary: 'say what is wrong with a configuration',
  help: `mtls-enforcer check-config [--config FILE] [--strict] [--json | --sarif]

Reads the configuration and the files it names as "serve" would, and those that Envoy will open, prints every error
and warning with file, line and key, and exits 0 (good, maybe with warnings) or 78. Warns of more than "serve" does:
no APIs at all, open ones, aliases that nothing uses, CAs that issue for others, too, and clients from which nothing
known here leads up to trustedCertPath.

  --strict   exits 78 where there is a warning, too
  --json     errors and warnings as JSON, on standard output
  --sarif    the same as SARIF 2.1.0, for code review tools

  mtls-enforcer check-config --config config.toml && kill -HUP $(pidof -x mtls-enforcer)
`,
  options: {
    ...configOption,
    strict: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    sarif: { type: 'boolean', default: false },
  },
  run: async (values) => {
    const file = configOf(values);
    const told: Told = { errors: [], warnings: [] };
    const forTools = values.json === true || values.sarif === true;
    const tell: Tell = (level, problem) => {
      told[`${level}s`].push(problem);
      if (!forTools) tellLines(`${level}: ${problemLine(problem)}`);
    };
    const loaded = await load(file, { tell, isReview: true });
    if (typeof loaded !== 'number' && told.errors.length === 0 && loaded.config.apis.length === 0)
      tell('warning', {
        file,
        line: 1,
        key: '',
        message:
          'has no API, so that every request is refused (api_not_found); write [[apis]] or [[definitions]]',
      });
    if (typeof loaded !== 'number') tellAt(file, loaded, fileWarnings(file, loaded), tell);
    const revocation = typeof loaded === 'number' ? [] : await revocationLines(file, loaded, tell);
    const isGood = typeof loaded !== 'number' && told.errors.length === 0;
    const isStrict = values.strict === true && told.warnings.length > 0;
    const code: Exit = isGood && !isStrict ? exit.ok : exit.config;
    if (forTools) {
      await say(values.sarif ? toSarif(told) : jsonText({ file, isGood, ...told }));
      return code;
    }
    if (typeof loaded === 'number') return loaded;
    if (!isGood) return exit.config;
    const { config, ignored } = loaded;
    if (ignored.length > 0) tellLines(`not ours, and ignored: ${ignored.join(' ')}`);
    const counts = [
      counted(config.apis.length, 'API'),
      counted(countClients(config), 'client'),
      counted(told.warnings.length, 'warning'),
    ];
    await printLines([...tierLines(loaded.tiers), ...revocation, `${file}: good (${counts.join(', ')})`]);
    return code;
  },
};

type Told = { readonly errors: Problem[]; readonly warnings: Problem[] };

const tierLines = (tiers: Provisioned['tiers']): readonly string[] => [
  ...tiers.map((tier) => `tier ${tierLine(tier)}`),
  ...(tiers.length === 0 ? [] : ['tiers: Envoy counts, by what envoy-config last wrote for it']),
];

function tellAt(file: string, { text }: Provisioned, warnings: readonly FileWarning[], tell: Tell): void {
  for (const { path, message } of warnings)
    tell('warning', { file, line: text.lineOf(path), key: keyText(path), message });
}

/** What lies here is read; what "serve" would fetch is named. */
async function revocationLines(file: string, loaded: Provisioned, tell: Tell): Promise<readonly string[]> {
  const { revocation: settings } = loaded;
  if (settings === undefined) return [];
  const read = await readFilesOnce(settings);
  tellAt(file, loaded, crlWarnings(file, loaded, read), tell);
  const lines = read.states
    .filter((state) => state.lastError === undefined && !isOutOfDate(state))
    .map(stateLine);
  const { sources } = settings;
  for (const url of new Set(sources.flatMap(({ kinds, crlUrls }) => (kinds.includes('crl') ? crlUrls : []))))
    lines.push(`crl ${withoutSecrets(url)}: would be fetched`);
  for (const url of new Set(
    sources.flatMap(({ kinds, ocspResponder }) => (kinds.includes('ocsp') ? (ocspResponder ?? []) : [])),
  ))
    lines.push(`ocsp ${withoutSecrets(url)}: would be asked`);
  if (sources.some(({ followCertificateUrls }) => followCertificateUrls))
    lines.push('crl, ocsp: what certificates name would be fetched, once their path is valid');
  return lines;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
