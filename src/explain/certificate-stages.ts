import type { Client } from '../apis/security.ts';
import { certificateFields } from '../observability/audit.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { purposesText } from '../pki/certificate/key-purposes.ts';
import { named } from '../pki/certificate/name.ts';
import type { TriedPath } from '../pki/path/effort.ts';
import type { Reason } from '../weighing.ts';
import { isDecisive, leafOf, type Situation } from './situation.ts';
import { passed, refused, type Stage, told } from './stage.ts';

/** The certificate that came, its path, whether it is revoked, and whose it is. */
export function certificateStages(situation: Situation): readonly Stage[] {
  const { asked, presented, certificate, bound } = situation;
  if (asked?.security.mutualSsl === 'off' && presented === undefined)
    return [told('certificate', 'not looked at: the API does not ask for one')];
  if (presented === undefined) return [];
  if (presented.kind === 'none') {
    const detail = certificate?.kind === 'none' ? certificate.explain?.() : undefined;
    const is = isDecisive(situation, 'certificate_missing', 'credentials_missing') ? refused : told;
    return [is('certificate', detail === undefined ? 'none came' : `none came: ${detail}`)];
  }
  const leaf = leafOf(situation);
  if (leaf === undefined) {
    const { code, detail } = presented.kind === 'error' ? presented : unreadable(presented);
    return [wrong('certificate', code, detail, situation)];
  }
  const shown = told('certificate', ...certificateLines(leaf, situation.now));
  if (bound === undefined) return [shown, told('path', 'not looked at: the API asks for no certificate')];
  return [shown, pathStage(situation), ...revocationStages(situation), ...aliasStages(situation)];
}

const unreadable = (presented: NonNullable<Situation['presented']>) =>
  presented.kind === 'unreadable' ? presented.error : { code: 'certificate_malformed' as const, detail: '' };

/** Refused by it, or else it counts as no certificate. */
function wrong(name: string, code: string, detail: string, situation: Situation): Stage {
  const text = `${code}: ${detail}`;
  if (isDecisive(situation, code)) return refused(name, text);
  return told(name, text, 'a certificate is optional here, and this one counts as none');
}

function certificateLines(leaf: Certificate, now: number): readonly string[] {
  const { subject, names, issuer, notBefore, notAfter, serial, sha256 } = certificateFields(leaf);
  return [
    `${subject || '(no subject)'}${names ? ` (${names})` : ''}, issued by ${issuer}`,
    `${keyText(leaf)}, serial number ${serial}, SHA-256 ${sha256}`,
    `valid from ${notBefore} to ${notAfter}: ${daysText(leaf, now)}`,
    ...usageLines(leaf),
  ];
}

const keyText = ({ subjectPublicKey: { type, bits } }: Certificate): string =>
  type === undefined ? 'a key of another kind' : `${type} key${bits > 0 ? ` of ${bits} bits` : ''}`;

const day = 86_400_000;

function daysText({ notBefore, notAfter }: Certificate, now: number): string {
  if (now < notBefore) return `begins in ${counted(Math.ceil((notBefore - now) / day))}`;
  if (now > notAfter) return `ended ${counted(Math.floor((now - notAfter) / day))} ago`;
  return `${counted(Math.floor((notAfter - now) / day))} left`;
}

const counted = (days: number): string => `${days} day${days === 1 ? '' : 's'}`;

function usageLines({ values: { extKeyUsage }, keyUsage }: Certificate): readonly string[] {
  const texts = [
    extKeyUsage && `extended key usage ${purposesText(extKeyUsage)}`,
    keyUsage && `key usage ${[...keyUsage].join(', ')}`,
  ].filter((text) => text !== undefined);
  return texts.length === 0 ? [] : [texts.join('; ')];
}

const mostShown = 6;

function pathStage(situation: Situation): Stage {
  const { bound, tried, certificate } = situation;
  const valid = tried.find(({ failed }) => failed === undefined);
  const failed = tried.filter((one) => one.failed !== undefined);
  const triedLines = failed.slice(0, mostShown).map((one) => `tried ${pathText(one)}: ${one.failed!.code}`);
  if (failed.length > mostShown) triedLines.push(`and ${failed.length - mostShown} more`);
  if (valid !== undefined) return passed('path', pathText(valid), ...triedLines);
  if (bound?.isBound)
    return passed('path', "none needed: this very certificate is a client's, and so trusted by itself");
  if (certificate?.kind !== 'wrong') return told('path', ...triedLines);
  // Of one that is trusted by itself there is no path, and what keeps it out is told of its alias.
  if (isAboutAlias(certificate.code))
    return passed('path', 'none needed: the certificate is trusted by itself');
  const stage = wrong('path', certificate.code, detailOf(certificate), situation);
  return { ...stage, lines: [...stage.lines, ...triedLines] };
}

const pathText = ({ path, anchor }: TriedPath): string =>
  [...path.map(named), ...(anchor === undefined ? [] : [`${named(anchor)} (trusted)`])].join(' < ');

const isAboutAlias = (code: string): boolean => code === 'certificate_not_bound' || code.startsWith('alias_');

function revocationStages({ snapshot: { revocation }, statuses }: Situation): readonly Stage[] {
  if (revocation === undefined)
    return [told('revocation', 'not looked at: [enforcer.security.revocation] names no source and no mode')];
  const lines = new Map(statuses.map(({ certificate, judged }) => [named(certificate), statusText(judged)]));
  return lines.size === 0
    ? [told('revocation', 'not come to, or not looked at below this CA')]
    : [told('revocation', ...[...lines].map(([name, text]) => `${name}: ${text}`))];
}

function statusText(judged: Situation['statuses'][number]['judged']): string {
  switch (judged.status) {
    case 'good':
      return `good, by what counts from ${new Date(judged.asOf).toISOString()}`;
    case 'revoked':
      return `revoked on ${new Date(judged.entry.revocationDate).toISOString()}`;
    case 'pending':
      return 'not known yet: its OCSP responder is being asked';
    case 'unknown':
      return 'not known: no CRL and no OCSP answer that counts now covers it';
    case 'no-source':
      return 'not known: nobody names a CRL or OCSP responder for it';
  }
}

function aliasStages(situation: Situation): readonly Stage[] {
  const { bound, certificate } = situation;
  if (bound?.isBound) {
    const { alias, tier, kind } = bound.client;
    return [passed('alias', `"${alias}", by ${kinds[kind]}${tier === undefined ? '' : `; tier "${tier}"`}`)];
  }
  if (certificate?.kind !== 'wrong' || !isAboutAlias(certificate.code)) return [];
  return [wrong('alias', certificate.code, detailOf(certificate), situation)];
}

const detailOf = ({ detail, explain }: Reason): string =>
  [detail, explain?.()].filter((text) => text !== undefined).join('; ');

const kinds: Readonly<Record<Client['kind'], string>> = {
  exact: 'this very certificate',
  rule: 'what its CA issued under this name',
  issuedBy: 'its CA',
};
