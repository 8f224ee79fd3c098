import { hash } from 'node:crypto';
import type { Certificate } from '../pki/certificate.ts';
import { formatName } from '../pki/name.ts';
import { type NameText, parseNameText } from '../pki/name-text.ts';
import { matchesDns, matchesEmail, matchesPath, matchesUri } from './name-pattern.ts';

/**
 * What a certificate must say to be an alias's: each kind that is given must fit, one of its list is enough. Never
 * enough by itself: a verified path to the CA that the alias names comes on top, since anyone can write any name.
 */
export type ClientRule = {
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki?: ReadonlySet<string> | undefined;
  /** The whole name, or some of its attributes by their usual short names (any case), each there exactly once. */
  readonly subject?: NameText | ReadonlyMap<string, string> | undefined;
  readonly dns?: readonly string[] | undefined;
  readonly email?: readonly string[] | undefined;
  readonly uri?: readonly string[] | undefined;
  readonly spiffe?:
    | { readonly trustDomain: string; readonly paths?: readonly string[] | undefined }
    | undefined;
};

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

function fitsSubject(wanted: NameText | ReadonlyMap<string, string>, { subject }: Certificate): boolean {
  const own = parseNameText(formatName(subject));
  if (own === undefined) return false;
  if (Array.isArray(wanted)) return JSON.stringify(wanted) === JSON.stringify(own);
  const attributes = own.flat();
  return [...(wanted as ReadonlyMap<string, string>)].every(([type, value]) => {
    const values = attributes.filter(([ownType]) => ownType === type);
    return values.length === 1 && values[0]![1] === value;
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
