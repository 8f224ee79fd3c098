import { hash } from 'node:crypto';
import { Attached } from '../attached.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { type Attribute, attributeKey, attributesOf, rdnKey } from '../pki/certificate/name.ts';
import type { NameText, Rdns } from '../pki/certificate/name-text.ts';
import { matchesDns, matchesEmail, matchesPath, matchesUri } from './name-pattern.ts';

/**
 * What a certificate must say to be an alias's: each kind that is given must fit, one of its list is enough. Never
 * enough by itself: a verified path to the CA that the alias names comes on top, since anyone can write any name.
 */
export type ClientRule = {
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki?: ReadonlySet<string> | undefined;
  readonly subject?: SubjectRule | undefined;
  readonly dns?: readonly string[] | undefined;
  readonly email?: readonly string[] | undefined;
  readonly uri?: readonly string[] | undefined;
  readonly spiffe?:
    | { readonly trustDomain: string; readonly paths?: readonly string[] | undefined }
    | undefined;
};

/** By keys that are equal where the names are. */
export type SubjectRule =
  /** The whole name is one of these. */
  | { readonly names: ReadonlySet<string> }
  /** By OID: each type is there exactly once, and is this. */
  | { readonly attributes: ReadonlyMap<string, string> };

export const wholeSubject = ({ readings }: Extract<NameText, { ok: true }>): SubjectRule => ({
  names: new Set(readings.map(nameKey)),
});

export const subjectAttributes = (attributes: readonly Attribute[]): SubjectRule => ({
  attributes: new Map(attributes.map((attribute) => [attribute.type, attributeKey(attribute, fold)])),
});

export function fitsRule(rule: ClientRule, leaf: Certificate): boolean {
  const { spki, subject, dns, email, uri, spiffe } = rule;
  return (
    (spki === undefined || spki.has(hash('sha256', leaf.subjectPublicKey.spki))) &&
    (subject === undefined || fitsSubject(subject, leaf)) &&
    (dns === undefined || anyName(leaf, 'dNSName', dns, matchesDns)) &&
    (email === undefined || anyName(leaf, 'rfc822Name', email, matchesEmail)) &&
    (uri === undefined || anyName(leaf, 'uniformResourceIdentifier', uri, matchesUri)) &&
    (spiffe === undefined || fitsSpiffe(spiffe, leaf))
  );
}

/**
 * RFC 5280 7.1, without what RFC 4518 maps away besides: neither case nor runs of spaces count, but a no-break space, an
 * invisible or a full-width letter makes another name. A CA that keeps the two apart must not issue both for one alias.
 */
function fold(text: string): string {
  const folded = text.normalize('NFC').toLowerCase().replace(/ {2,}/g, ' ').replace(/^ | $/g, '');
  // The Kelvin sign, in lower case, is a k.
  return `${/^\p{ASCII}*$/u.test(text) ? 'a' : 'u'}${folded}`;
}

const nameKey = (rdns: Rdns): string => rdns.map((rdn) => rdnKey(rdn, fold)).join(',');

type Subject = { readonly name: string; readonly attributes: ReadonlyMap<string, readonly string[]> };

/** Taken apart once a certificate, not once a rule and request: its owner may have made its subject long. */
const subjects = new Attached<Certificate, Subject>();

function subjectOf(leaf: Certificate): Subject {
  const known = subjects.get(leaf);
  if (known !== undefined) return known;
  const rdns = leaf.subject.rdns.map(attributesOf);
  const byType = Map.groupBy(rdns.flat(), ({ type }) => type);
  const subject = {
    name: nameKey(rdns),
    attributes: new Map(
      [...byType].map(([type, all]) => [type, all.map((attribute) => attributeKey(attribute, fold))]),
    ),
  };
  subjects.set(leaf, subject);
  return subject;
}

function fitsSubject(wanted: SubjectRule, leaf: Certificate): boolean {
  const own = subjectOf(leaf);
  if ('names' in wanted) return wanted.names.has(own.name);
  return [...wanted.attributes].every(([type, key]) => {
    const keys = own.attributes.get(type) ?? [];
    return keys.length === 1 && keys[0] === key;
  });
}

type TextForm = 'dNSName' | 'rfc822Name' | 'uniformResourceIdentifier';

function namesOf({ values }: Certificate, form: TextForm): readonly string[] {
  const names: string[] = [];
  for (const name of values.subjectAltName ?? [])
    if (name.form === form && 'value' in name) names.push(name.value);
  return names;
}

const anyName = (
  leaf: Certificate,
  form: TextForm,
  patterns: readonly string[],
  matches: (pattern: string, name: string) => boolean,
): boolean => namesOf(leaf, form).some((name) => patterns.some((pattern) => matches(pattern, name)));

/** X.509-SVID (SPIFFE, section 2): exactly one URI, which is the identity; a CA is none. */
function fitsSpiffe({ trustDomain, paths }: NonNullable<ClientRule['spiffe']>, leaf: Certificate): boolean {
  const uris = namesOf(leaf, 'uniformResourceIdentifier');
  if (uris.length !== 1 || leaf.isCa) return false;
  const [, domain, path = ''] = /^spiffe:\/\/([a-z0-9._-]+)(\/[A-Za-z0-9._/-]*)?$/.exec(uris[0]!) ?? [];
  if (domain !== trustDomain) return false;
  return paths === undefined || paths.some((pattern) => matchesPath(pattern, path));
}
