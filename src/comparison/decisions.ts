import type { Decision } from '../decision.ts';

/** What two decisions of one request say differently, by names of the record of decisions; none: they are the same. */
export function differing(one: Decision, other: Decision): readonly string[] {
  const [said, saidToo] = [saidOf(one), saidOf(other)];
  // Who is let in can not be compared with why somebody is not.
  if (said.outcome !== saidToo.outcome) return ['outcome'];
  return Object.keys(said).filter((name) => said[name] !== saidToo[name]);
}

/** All that the caller and the backend learn of it, but for the form in which they are told. */
function saidOf(decision: Decision): Readonly<Record<string, string | undefined>> {
  const { outcome, api } = decision;
  const place = { outcome, api: api?.name, apiVersion: api?.version };
  if (decision.outcome === 'deny') return { ...place, reason: decision.code };
  const { client, token, tokenHeader } = decision;
  return {
    ...place,
    alias: client?.alias,
    tier: client?.tier,
    sha256: client?.certificate.sha256,
    clientId: token?.clientId,
    scopes: token?.scopes.join(' '),
    tokenSubject: token?.subject,
    tokenHeader,
  };
}
