import type { Attributes } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import { decide } from '../enforcer.ts';
import type { Checked } from '../ext-authz/server.ts';
import { auditAdmission, auditDenial } from '../observability/audit.ts';
import { recordedTrace } from '../observability/trace-context.ts';
import type { Snapshot } from '../snapshot.ts';
import { after, type Soon } from '../soon.ts';
import { backendIdentity } from '../upstream/backend-identity.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { InForce } from './configuration.ts';
import type { ConfigurationLog } from './configuration-log.ts';
import type { Metrics } from './metrics.ts';
import type { Shadow } from './shadow.ts';
import type { Traces } from './traces.ts';

export type Checking = {
  readonly audit: Pick<AuditTrail, 'decided'>;
  readonly configuration: { readonly inForce: Pick<InForce, 'snapshot' | 'config' | 'generation'> };
  readonly log: Pick<ConfigurationLog, 'now'>;
  /** undefined: nobody counts. */
  readonly metrics: Pick<Metrics, 'checks'> | undefined;
  /** Decides again what was decided, once it is answered. */
  readonly shadow: Pick<Shadow, 'decided'>;
  /** undefined: nobody asks for traces. */
  readonly traces?: Pick<Traces, 'decided'> | undefined;
};

/** Decides every Check by the configuration that is in force when it comes, and tells whoever wants to know. */
export function checking({ configuration, log, metrics, audit, shadow, traces }: Checking) {
  return (attributes: Attributes): Soon<Checked> => {
    const { snapshot, config, generation } = configuration.inForce; // one snapshot from start to end
    const now = Date.now();
    const began = performance.now();
    return after(decide(attributes, snapshot, now), (decision) => {
      const microseconds = (performance.now() - began) * 1000;
      const decided = { now, microseconds, generation, trace: recordedTrace(attributes) };
      metrics?.checks.decided(decision, decided);
      audit.decided(attributes, decision, decided);
      traces?.decided(attributes, decision, decided);
      if (decision.outcome === 'deny') {
        const { level, message, fields } = auditDenial(attributes, decision);
        log.now[level](message, fields);
      } else if (config.enforcer.log.level === 'debug') {
        const { level, message, fields } = auditAdmission(attributes, decision);
        log.now[level](message, fields);
      }
      const { answers } = snapshot;
      return after(backendJwt(decision, snapshot, now), (backendJwt) => {
        shadow.decided(attributes, decision, decided);
        return { decision, answers, backendJwt, decided };
      });
    });
  };
}

/** Signed where the configuration asks for it. */
function backendJwt(decision: Decision, snapshot: Snapshot, now: number): Soon<string | undefined> {
  const identity =
    snapshot.backendJwt && decision.outcome === 'allow' ? backendIdentity(decision) : undefined;
  return identity && snapshot.backendJwt?.sign(identity, now);
}
