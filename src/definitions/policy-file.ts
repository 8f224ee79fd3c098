import type { Unit } from '../config/schema/tier.ts';
import { Cursor, noFindings } from '../documents/cursor.ts';
import { attempt, FileProblem } from '../documents/files.ts';
import type { Problem } from '../documents/problem.ts';
import { readYaml } from '../documents/yaml.ts';

/** A throttling policy, as `[[tiers]]` would say it. */
export type PolicyTier = {
  readonly name: string;
  /** undefined: it has no limit that requests are counted for. */
  readonly limit: { readonly requests: number; readonly per: Unit; readonly burst: number } | undefined;
  readonly stopOnQuotaReach: boolean;
};

type PolicyFile = {
  readonly tiers: readonly PolicyTier[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

/**
 * The throttling policies of a file: API Manager's (one a document, as `apictl export policy rate-limiting` and its REST API
 * write it), or Microgateway's `policies.yaml` (lists of them, a name each). YAML or JSON.
 *
 * @param file name for messages
 */
export function readPolicyFile(file: string, text: string): PolicyFile {
  const found = noFindings();
  const tiers = attempt(file, found, () => {
    const documents = readYaml(text).map((document) => Cursor.of(file, document, found));
    const policies = documents.flatMap(policiesIn);
    if (policies.length === 0)
      throw new FileProblem(
        'has no throttling policy; write what API Manager exports (policyName and defaultLimit), or the lists of Microgateway’s policies.yaml',
      );
    return policies.flatMap(({ name, at }) => tierOf(name, at) ?? []);
  });
  return { tiers: firstOfEach(tiers ?? []), ...found };
}

type Policy = { readonly name: string | undefined; readonly at: Cursor };

/** A certificate's tier is a subscription's: those come first, and a name counts where it stands first. */
const lists = ['subscriptionPolicies', 'applicationPolicies', 'resourcePolicies'] as const;

function policiesIn(document: Cursor): readonly Policy[] {
  const ofMicrogateway = lists.flatMap((list) =>
    document
      .get(list)
      .each()
      .flatMap((element) =>
        element.get('name').isWritten
          ? [{ name: element.get('name').text('"Gold"'), at: element }]
          : element.entries().map(([name, at]) => ({ name, at })),
      ),
  );
  if (ofMicrogateway.length > 0) return ofMicrogateway;
  const all = document.isList ? document.list() : document.get('list').each();
  return (all.length > 0 ? all : [document]).flatMap((each) => {
    const at = each.get('data').isTable ? each.get('data') : each;
    const isOne = at.get('policyName').isWritten || at.get('defaultLimit').isWritten;
    if (isOne) return [{ name: at.get('policyName').neededText('"Gold"'), at }];
    // Microgateway's without a list's name, as its documents show them.
    return at
      .entries()
      .flatMap(([name, policy]) => (policy.get('count').isWritten ? [{ name, at: policy }] : []));
  });
}

function tierOf(name: string | undefined, at: Cursor): PolicyTier | undefined {
  const stopOnQuotaReach = at.get('stopOnQuotaReach').flag() ?? true;
  const whole = at.get('defaultLimit').isWritten ? at.get('defaultLimit') : at;
  const quota = whole.get('requestCount').isTable ? whole.get('requestCount') : whole;
  const counted = quota.get('requestCount').isWritten ? quota.get('requestCount') : quota.get('count');
  if (name === undefined) return undefined;
  if (!name.isWellFormed())
    return at.error(`has half a character in its name, ${JSON.stringify(name)}, which Envoy does not take`);
  if (!counted.isWritten) {
    at.warn(`"${name}" counts no requests, which is all that is counted here; it has no limit`);
    return { name, limit: undefined, stopOnQuotaReach };
  }
  const requests = countOf(counted);
  const units = quota.get('unitTime').isWritten ? countOf(quota.get('unitTime')) : 1;
  const unit = unitOf(quota.get('timeUnit'));
  if (requests === undefined || units === undefined || unit === undefined) return undefined;
  const rate = inOneUnit(requests, units, unit);
  const most = at.get('rateLimitCount');
  // API Manager's "burst limit": so many in a second or minute, whatever the quota still has.
  const burst = typeof most.value === 'number' && most.value > 0 ? countOf(most) : requests;
  return burst === undefined ? undefined : { name, limit: { ...rate, burst }, stopOnQuotaReach };
}

const most = 4_294_967_295;

function countOf(at: Cursor): number | undefined {
  const count = Number(at.value);
  return Number.isInteger(count) && count >= 1 && count <= most
    ? count
    : at.error(`found ${at.found}; write a whole number from 1 to ${most}`);
}

const seconds: Readonly<Record<Unit, number>> = { second: 1, minute: 60, hour: 3_600, day: 86_400 };
const names: readonly Unit[] = ['second', 'minute', 'hour', 'day'];

/** `min`, `Minutes`, `sec`, …: each product has its own. */
function unitOf(at: Cursor): Unit | undefined {
  const written = typeof at.value === 'string' ? at.value.toLowerCase() : '';
  const unit = names.find((name) => written.length >= 3 && `${name}s`.startsWith(written));
  return (
    unit ??
    at.error(`found ${at.found === 'a text' ? `"${at.value}"` : at.found}; write sec, min, hour or day`)
  );
}

/** So many in each of one unit: the smallest, from its own up, in which it is a whole number. */
function inOneUnit(
  requests: number,
  units: number,
  unit: Unit,
): { readonly requests: number; readonly per: Unit } {
  const inOne = (per: Unit): number => (requests * seconds[per]) / (units * seconds[unit]);
  const upwards = names.slice(names.indexOf(unit));
  const per =
    upwards.find((each) => Number.isInteger(inOne(each))) ??
    upwards.find((each) => inOne(each) >= 1) ??
    'day';
  return { requests: Math.min(most, Math.max(1, Math.floor(inOne(per)))), per };
}

const firstOfEach = (tiers: readonly PolicyTier[]): readonly PolicyTier[] =>
  [...new Map(tiers.toReversed().map((tier) => [tier.name, tier])).values()].reverse();
