import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { lenientCas } from '../pki/path/leniency.ts';
import { defaultPolicy, type Leniency, type PathPolicy } from '../pki/path/path-options.ts';
import type { Findings } from './findings.ts';

type Switches = Config['enforcer']['security']['certificates'];

/** What is taken for one CA's sake, beyond what is taken of all. */
export type CertificatesOfCa = NonNullable<Config['clients'][number]['certificates']>;

export type LenientCa = { readonly ca: Certificate; readonly certificates: CertificatesOfCa };

/** What is written for all. */
export const strengthOf = ({ enforcer }: Config): Leniency => {
  const { anyExtendedKeyUsage, ...weak } = enforcer.security.certificates;
  return { weakAlgorithms: { ...defaultPolicy.weakAlgorithms, ...weak }, anyExtendedKeyUsage };
};

/** How all paths are judged: one policy, so that a path that was found for one validator counts for the others. */
export function policyOf(all: Leniency, cas: readonly LenientCa[]): Partial<PathPolicy> {
  const own = cas.map(({ ca, certificates }) => ({ ca, leniency: beyond(all, certificates) }));
  return { ...all, lenientCas: lenientCas(own) };
}

const beyond = ({ weakAlgorithms: all, anyExtendedKeyUsage }: Leniency, own: CertificatesOfCa): Leniency => ({
  weakAlgorithms: {
    sha1: own.sha1 ?? all.sha1,
    md5: all.md5,
    minRsaBits: own.minRsaBits ?? all.minRsaBits,
    brainpool: own.brainpool ?? all.brainpool,
    secp256k1: own.secp256k1 ?? all.secp256k1,
  },
  anyExtendedKeyUsage: own.anyExtendedKeyUsage ?? anyExtendedKeyUsage,
});

const reasons: Readonly<Record<keyof Switches, string>> = {
  minRsaBits: 'RSA keys below 2048 bits can be broken, and who has broken one is the client, or its CA',
  sha1: 'signatures with SHA-1 can be forged by who may choose what is signed',
  anyExtendedKeyUsage: 'certificates that were made for anything let in, too',
  brainpool: 'brainpool curves are taken in headers; Envoy takes no such certificate over TLS',
  secp256k1: 'secp256k1 is taken in headers; Envoy takes no such certificate over TLS',
};

/**
 * Beside a CA, what is taken beyond what goes for all. Less of it would be asked of nobody, or of the clients of all CAs: a
 * search for a path begins with what the most lenient takes.
 */
export function checkBeyond(
  written: CertificatesOfCa,
  { weakAlgorithms, anyExtendedKeyUsage }: Leniency,
  at: Path,
  findings: Findings,
): void {
  const all: CertificatesOfCa = { ...weakAlgorithms, anyExtendedKeyUsage };
  for (const key of Object.keys(reasons) as (keyof Switches)[]) {
    const [own, general] = [written[key], all[key]];
    const isLess = typeof own === 'number' ? own > Number(general) : own === false && general === true;
    if (isLess)
      findings.error(
        [...at, key],
        `found ${own}, and ${general} goes for all; beside a CA only more can be taken, so leave it out, or be as strict in [enforcer.security.certificates] and lenient beside the other CAs`,
      );
  }
}

/** At each start: what was right for an old estate is easily left behind when it is gone. */
export function warnAboutLeniency(
  written: Switches | CertificatesOfCa,
  whose: string,
  at: Path,
  findings: Findings,
): void {
  for (const key of Object.keys(reasons) as (keyof Switches)[]) {
    const value = written[key];
    const isLenient =
      typeof value === 'number' ? value < defaultPolicy.weakAlgorithms.minRsaBits : value === true;
    if (isLenient)
      findings.warn(
        [...at, key],
        `${whose}${key} = ${value}: ${reasons[key]}; leave it out as soon as you can`,
      );
  }
}
