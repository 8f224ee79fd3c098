import { denials } from '../decision.ts';
import { jsonText } from '../observability/paper.ts';
import type { Explanation } from './explanation.ts';
import type { Logged } from './logged.ts';

/** For tools: the same as the text, in members whose names stay. */
export function toJson({ decision, stages, change, limit }: Explanation, logged?: Logged): string {
  const api = decision.api && { name: decision.api.name, version: decision.api.version };
  const outcome =
    decision.outcome === 'allow'
      ? {
          outcome: 'admitted',
          alias: decision.client?.alias,
          tier: decision.client?.tier,
          clientId: decision.token?.clientId,
        }
      : { outcome: 'denied', code: decision.code, ...rowOf(decision.code), detail: decision.detail };
  return jsonText({ ...outcome, api, limit, stages, change, logged });
}

function rowOf(code: keyof typeof denials) {
  const { status, number, sentence } = denials[code];
  return { status, number, sentence };
}
