import { type ClientRule, type SubjectRule, subjectAttributes, wholeSubject } from '../apis/client-rule.ts';
import { type Path, shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Attribute } from '../pki/certificate/name.ts';
import { parseAttribute, parseNameText } from '../pki/certificate/name-text.ts';
import type { Findings } from './findings.ts';

type Written = Partial<Config['clients'][number]>;
/** Which of a CA's certificates are meant: those that have all that the entry names. */
export function readRule(client: Written, at: Path, findings: Findings): ClientRule {
  const { spki, dns, email, uri, spiffe } = client;
  if (spiffe !== undefined && uri?.every((pattern) => !/^spiffe:/i.test(pattern)))
    findings.error(
      [...at, 'uri'],
      'found beside spiffe, whose ID is the only URI that a certificate may have; leave one of them out',
    );
  return {
    spki: spki && new Set(spki),
    subject: readSubject(client.subject, at, findings),
    dns,
    email,
    uri,
    spiffe,
  };
}

function readSubject(subject: Written['subject'], at: Path, findings: Findings): SubjectRule | undefined {
  if (subject === undefined) return undefined;
  if (typeof subject === 'string') {
    const name = parseNameText(subject);
    if (name.ok) return wholeSubject(name);
    findings.error([...at, 'subject'], `found ${shown(subject)}; ${name.problem}`);
    return undefined;
  }
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(subject)) {
    const key = [...at, 'subject', name];
    const read = parseAttribute(name, value);
    if (!read.ok) findings.error(key, read.problem);
    else if (attributes.has(read.attribute.type))
      findings.error(key, 'is there a second time under another of its names; leave one out');
    else attributes.set(read.attribute.type, read.attribute);
  }
  return subjectAttributes([...attributes.values()]);
}
