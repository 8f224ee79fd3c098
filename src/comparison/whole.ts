import type { Config } from '../config/schema/config.ts';
import { named } from '../pki/certificate/name.ts';
import { filesNamed } from '../provision/own-config.ts';
import { type Tier, tierLine } from '../provision/tiers.ts';
import type { Snapshot } from '../snapshot.ts';
import { byOrder, bySet, type Change, either, ofTier } from './change.ts';

/** A configuration, as far as it is compared. */
export type Compared = {
  readonly config: Config;
  readonly snapshot: Snapshot;
  /** What Envoy counts. */
  readonly tiers: readonly Tier[];
  /** Of a file that it names, as text that is equal where the content is. */
  readonly contentOf: (path: string) => string;
};

/** What holds of all APIs: which paths are good, and what is done about a stranger's header. */
export function wholeChanges(before: Compared, after: Compared): readonly Change[] {
  const [old, young] = [before.snapshot, after.snapshot];
  return [
    ...byOrder(
      "a stranger's certificate header where no certificate is needed",
      ['refused', 'ignored'],
      old.rejectUntrustedHeader ? 'refused' : 'ignored',
      young.rejectUntrustedHeader ? 'refused' : 'ignored',
    ),
    ...anchorChanges(before, after),
    ...strengthChanges(before.config, after.config),
    ...(tokenHeader(old) === tokenHeader(young)
      ? []
      : either(`access tokens come in ${tokenHeader(old)} -> ${tokenHeader(young)}`)),
    ...settingChanges('revocation', before, after, ({ config }) => config.enforcer.security.revocation),
    ...settingChanges('revocation of single CAs', before, after, ({ config }) =>
      config.clients.map(({ revocation }) => revocation).filter(Boolean),
    ),
    ...settingChanges('leniency for single CAs', before, after, ({ config }) =>
      config.clients.map(({ certificates }) => certificates).filter(Boolean),
    ),
    ...settingChanges('certificates of senders', before, after, ({ config }) => {
      const { senders, senderCaPath } = config.enforcer.security.mutualSSL;
      return { senders, senderCaPath };
    }),
    ...tierChanges(before, after),
    ...settingChanges('limits of what is read', before, after, ({ config }) => {
      const { maxCertificates } = config.enforcer.security.mutualSSL;
      return { maxCertificates };
    }),
  ];
}

/** What each allows, whoever has it. */
function tierChanges(before: Compared, after: Compared): readonly Change[] {
  const allowed = ({ tiers }: Compared): ReadonlyMap<string, string> =>
    new Map(tiers.map((tier) => [tier.name, tierLine(tier).slice(tier.name.length + 2)]));
  const [old, young] = [allowed(before), allowed(after)];
  return [...new Set([...old.keys(), ...young.keys()])].flatMap((name) => {
    const [was, is] = [old.get(name) ?? 'not counted', young.get(name) ?? 'not counted'];
    return was === is ? [] : [ofTier(`tier "${name}": ${was} -> ${is}`)];
  });
}

const tokenHeader = ({ answers }: Snapshot): string => answers.tokenHeader.name;

function anchorChanges(before: Compared, after: Compared): readonly Change[] {
  const [old, young] = [anchorsOf(before), anchorsOf(after)];
  if ((old === undefined) !== (young === undefined))
    return either(
      `trustedCertPath: ${young === undefined ? 'left out' : 'written'}, so that other paths are good`,
    );
  return bySet('trusted CA', old, young);
}

/** undefined: none are named, and each client's own CA is trusted for him. */
const anchorsOf = ({ snapshot, config }: Compared): ReadonlySet<string> | undefined =>
  config.router.downstream.tls.trustedCertPath === undefined
    ? undefined
    : new Set(
        snapshot.everyone.validator.anchors.map((ca) => `${named(ca)} (SHA-256 ${ca.sha256.slice(0, 16)}…)`),
      );

function strengthChanges(before: Config, after: Config): readonly Change[] {
  const [old, young] = [before.enforcer.security.certificates, after.enforcer.security.certificates];
  return [
    ...(old.minRsaBits === young.minRsaBits
      ? []
      : [
          {
            effect: young.minRsaBits < old.minRsaBits ? 'widening' : 'narrowing',
            text: `shortest RSA key: ${old.minRsaBits} -> ${young.minRsaBits} bits`,
          } as const,
        ]),
    ...(['sha1', 'anyExtendedKeyUsage', 'brainpool', 'secp256k1'] as const).flatMap((key) =>
      byOrder(`certificates with ${key}`, ['refused', 'taken'], taken(old[key]), taken(young[key])),
    ),
  ];
}

const taken = (is: boolean): 'taken' | 'refused' => (is ? 'taken' : 'refused');

/** Judged by what is written, and by the files that it names. */
function settingChanges(
  what: string,
  before: Compared,
  after: Compared,
  of: (one: Compared) => unknown,
): readonly Change[] {
  const text = (one: Compared): string =>
    JSON.stringify([of(one), filesNamed(of(one)).map((path) => one.contentOf(path))]);
  return text(before) === text(after) ? [] : either(`${what}: settings changed`);
}
