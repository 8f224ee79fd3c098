import { keyText, type Problem, problemLine, withoutSecrets } from '../config/problem.ts';
import type { ConfigText } from '../config/read-config.ts';
import { disk } from '../documents/files.ts';
import { ClientCertificateTables } from '../feeds/api-manager-table.ts';
import type { FeedEvent } from '../feeds/feed-event.ts';
import type { RevocationKnowledge } from '../pki/revocation/revocation-state.ts';
import { tablesOf } from '../provision/definitions.ts';
import { checkEnforcerTls } from '../provision/enforcer-handshake.ts';
import { createFindings, type Findings } from '../provision/findings.ts';
import { provisionOnce } from '../provision/load-config.ts';
import { readOwnConfig, readOwnRest } from '../provision/own-config.ts';
import type { Provisioned } from '../provision/provision.ts';
import { warnAboutRisks } from '../provision/risks.ts';
import { checkSharedPorts } from '../provision/router.ts';
import { checkRouterFiles } from '../provision/router-files.ts';
import { type Exit, exit } from './command.ts';
import { tellLines } from './output.ts';

export type Tell = (level: 'error' | 'warning', problem: Problem) => void;

const tellAll: Tell = (level, problem) => tellLines(`${level}: ${problemLine(problem)}`);
/** For commands that are about something else. */
export const tellErrors: Tell = (level, problem) => {
  if (level === 'error') tellAll(level, problem);
};

type LoadOptions = {
  /** Also where the file says nothing of Envoy. */
  readonly alwaysEnvoy?: boolean;
  /** How many there are, where the command line says so. */
  readonly workers?: number | undefined;
  /** Where errors and warnings go. */
  readonly tell?: Tell;
  /** Whoever reviews it is warned of more. */
  readonly isReview?: boolean;
  /** What is decided by it is to know this of revocation. */
  readonly revocationKnowledge?: RevocationKnowledge;
};

/**
 * What "serve" would read, and what Envoy would. Warnings are told.
 *
 * @returns the exit code where it is not good
 */
export async function load(
  file: string,
  { alwaysEnvoy = false, workers, tell = tellAll, isReview = false, ...knowledge }: LoadOptions = {},
): Promise<Provisioned | Exit> {
  const judgesEnvoy = ({ isWritten }: ConfigText): boolean => alwaysEnvoy || isWritten(['router']);
  const forEnvoy = (text: ConfigText): Findings => {
    const findings = createFindings(file, text.lineOf);
    if (!judgesEnvoy(text)) return findings;
    checkRouterFiles(text.config, findings, Date.now());
    checkSharedPorts(text.config, workers, findings);
    return findings;
  };
  const refuse = (problems: readonly Problem[]): Exit => {
    for (const problem of problems) tell('error', problem);
    return exit.config;
  };
  const own = readOwnConfig(file, process.env, disk);
  if ('problems' in own) return refuse([...own.problems, ...whatElse(file, own.problems, forEnvoy)]);
  const tables = new ClientCertificateTables((event) => {
    if (event.kind === 'failed') tell('error', unreadTable(file, own.ok, event));
  });
  const rows = await tables.use(tablesOf(own.ok.config));
  await tables.close();
  const result = provisionOnce(own.ok, Date.now(), { tables: rows, ...knowledge });
  const ofEnvoy = forEnvoy(own.ok);
  if ('problems' in result) return refuse([...result.problems, ...ofEnvoy.errors]);
  const { ok: loaded } = result;
  if (ofEnvoy.errors.length === 0 && judgesEnvoy(own.ok))
    await checkEnforcerTls(own.ok.config, loaded.service.tcp?.tls, ofEnvoy, Date.now());
  for (const problem of loaded.problems) tell('error', problem);
  const review = createFindings(file, own.ok.lineOf);
  if (isReview && ofEnvoy.errors.length === 0)
    warnAboutRisks(
      {
        own: own.ok.config,
        snapshot: loaded.snapshot,
        trust: loaded.trust,
        isRouted: own.ok.isWritten(['router']),
        now: Date.now(),
      },
      review,
    );
  const warnings = [...loaded.warnings, ...ofEnvoy.warnings, ...review.warnings];
  for (const warning of warnings) tell('warning', warning);
  return ofEnvoy.errors.length > 0 ? refuse(ofEnvoy.errors) : { ...loaded, warnings };
}

/** At the first that names it. */
function unreadTable(
  file: string,
  { config, lineOf }: ConfigText,
  { from, reason }: Extract<FeedEvent, { kind: 'failed' }>,
): Problem {
  const named = ({ database }: { readonly database?: string | undefined }): boolean =>
    database !== undefined && withoutSecrets(database) === from;
  const path = ['definitions', config.definitions.findIndex(named), 'database'];
  const message = `found "${from}", whose table of client certificates could not be read: ${reason}`;
  return { file, line: lineOf(path), key: keyText(path), message };
}

/** What is wrong beside faults in the file's own keys, as far as it can be told: nothing of a table that has one. */
function whatElse(
  file: string,
  told: readonly Problem[],
  forEnvoy: (rest: ConfigText) => Findings,
): readonly Problem[] {
  const rest = readOwnRest(file, process.env, disk);
  if (rest === undefined) return [];
  const tableOf = (key: string): string =>
    /^\w+\[\d+\]/.exec(key)?.[0] ?? key.slice(0, Math.max(0, key.lastIndexOf('.')));
  const faulty = new Set(told.map(({ key }) => tableOf(key)));
  const result = provisionOnce(rest, Date.now());
  const more = [...('problems' in result ? result.problems : []), ...forEnvoy(rest).errors];
  return more.filter((problem) => problem.file === file && !faulty.has(tableOf(problem.key)));
}
