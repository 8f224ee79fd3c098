import { hash } from 'node:crypto';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { type NameText, parseNameText } from '../pki/certificate/name-text.ts';
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

type Subject = { readonly text: string; readonly attributes: ReadonlyMap<string, readonly string[]> };

/** Taken apart once a certificate, not once a rule and request: its owner may have made its subject long. */
const subjects = new WeakMap<Certificate, Subject | 'unreadable'>();

function subjectOf(leaf: Certificate): Subject | 'unreadable' {
  const known = subjects.get(leaf);
  if (known !== undefined) return known;
  const name = parseNameText(formatName(leaf.subject));
  const attributes = Map.groupBy(name?.flat() ?? [], ([type]) => type);
  const subject: Subject | 'unreadable' =
    name === undefined
      ? 'unreadable'
      : {
          text: JSON.stringify(name),
          attributes: new Map([...attributes].map(([type, all]) => [type, all.map(([, value]) => value)])),
        };
  subjects.set(leaf, subject);
  return subject;
}

/** The whole name as text, or some of its attributes: made once a rule. */
const wholeNames = new WeakMap<NameText, string>();

function fitsSubject(wanted: NameText | ReadonlyMap<string, string>, leaf: Certificate): boolean {
  const own = subjectOf(leaf);
  if (own === 'unreadable') return false;
  if (Array.isArray(wanted)) {
    const name = wanted as NameText;
    const text = wholeNames.get(name) ?? JSON.stringify(name);
    wholeNames.set(name, text);
    return text === own.text;
  }
  return [...(wanted as ReadonlyMap<string, string>)].every(([type, value]) => {
    const values = own.attributes.get(type) ?? [];
    return values.length === 1 && values[0] === value;
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
