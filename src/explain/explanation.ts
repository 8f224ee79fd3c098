import type { Attributes } from '../attributes.ts';
import { type Decision, type DenialRow, denials } from '../decision.ts';
import { decide, type Step } from '../enforcer.ts';
import { CertificateCache } from '../pki/certificate/certificate-cache.ts';
import { SearchLimit } from '../pki/path/search-limit.ts';
import type { Snapshot } from '../snapshot.ts';
import { type CountedAs, type Known, limitTold } from './limit.ts';
import { type Remedy, remedies } from './remedies.ts';
import { type Situation, situationOf } from './situation.ts';
import type { Stage } from './stage.ts';
import { stagesOf } from './stages.ts';
import { tomlFor } from './toml-for.ts';

/** A decision, how it came about, and what would change it. Holds no token, no key and no header's value. */
export type Explanation = {
  readonly decision: Decision;
  readonly stages: readonly Stage[];
  /** undefined: admitted. */
  readonly change: Change | undefined;
  /** undefined: nobody counts it, or nobody has asked who. */
  readonly limit?: CountedAs | undefined;
};

export type Change = Remedy & {
  /** For config.toml. Empty where nothing in it would help, or should. */
  readonly toml: readonly string[];
};

/**
 * Decides as the service does, and tells of it. What other requests made known of a certificate is left out, so that its
 * paths are searched, and told.
 *
 * @param now milliseconds since the epoch
 */
export async function explain(attributes: Attributes, snapshot: Snapshot, now: number): Promise<Explanation> {
  const steps: Step[] = [];
  const unread: Snapshot = {
    ...snapshot,
    certificates: new CertificateCache(),
    searchLimit: new SearchLimit(),
  };
  const decision = await decide(attributes, unread, now, (step) => void steps.push(step));
  const situation = situationOf(steps, { attributes, snapshot, now, decision });
  return { decision, stages: stagesOf(situation), change: changeFor(situation) };
}

/** With what Envoy counts it as, which no decision depends on. */
export function withLimit(explanation: Explanation, known: Known): Explanation {
  const limit = limitTold(explanation.decision, known);
  if (limit === undefined) return explanation;
  return { ...explanation, stages: [...explanation.stages, limit.stage], limit: limit.counted };
}

function changeFor(situation: Situation): Change | undefined {
  const { decision } = situation;
  if (decision.outcome === 'allow') return undefined;
  return { ...remedies[decision.code], toml: tomlFor(situation) };
}

/** Of a code alone. */
export type CodeMeaning = DenialRow & { readonly code: string; readonly remedy: Remedy };

export function meaningOf(code: string): CodeMeaning | undefined {
  if (!Object.hasOwn(denials, code)) return undefined;
  const known = code as keyof typeof denials;
  return { code, ...denials[known], remedy: remedies[known] };
}
