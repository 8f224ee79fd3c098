import { readFileSync } from 'node:fs';

const requirements = ['mandatory', 'optional', 'off'] as const;
const certificates = ['none', 'valid', 'unbound', 'untrusted', 'malformed', 'expired'] as const;
const tokens = ['none', 'valid', 'invalid', 'expired', 'wrong scope', 'bound elsewhere'] as const;

export type CertificateCase = (typeof certificates)[number];
export type TokenCase = (typeof tokens)[number];

/** One line of cells.tsv: what an API asks for, the certificate that comes, and what becomes of it with each token. */
export type Row = {
  readonly mutualSSL: (typeof requirements)[number];
  readonly applicationSecurity: (typeof requirements)[number];
  readonly optionalCertificate: 'reject-wrong' | 'ignore-wrong';
  readonly certificate: CertificateCase;
  /** `200`, or status, WSO2's number and our reason. */
  readonly cells: Readonly<Record<TokenCase, string>>;
};

export const tokenCases = tokens;

/** @throws Error: a cell is missing, or there twice */
export function readTable(): readonly Row[] {
  const text = readFileSync(new URL('cells.tsv', import.meta.url), 'utf8');
  const [, ...lines] = text.trimEnd().split('\n');
  const rows = lines.map((line): Row => {
    const [mutualSSL, applicationSecurity, optionalCertificate, certificate, ...cells] = line.split('\t');
    if (cells.length !== tokens.length) throw new Error(`${cells.length} cells in: ${line}`);
    return {
      mutualSSL,
      applicationSecurity,
      optionalCertificate,
      certificate,
      cells: Object.fromEntries(tokens.map((token, i) => [token, cells[i]])),
    } as Row;
  });
  const wanted = requirements.flatMap((mutualSSL) =>
    requirements.flatMap((applicationSecurity) =>
      ['reject-wrong', 'ignore-wrong'].flatMap((optionalCertificate) =>
        certificates.map((certificate) =>
          [mutualSSL, applicationSecurity, optionalCertificate, certificate].join(),
        ),
      ),
    ),
  );
  const found = rows.map(({ mutualSSL, applicationSecurity, optionalCertificate, certificate }) =>
    [mutualSSL, applicationSecurity, optionalCertificate, certificate].join(),
  );
  if (found.join('\n') !== wanted.join('\n')) throw new Error('cells.tsv has not each line once, in order');
  return rows;
}

export const basePathOf = ({ mutualSSL, applicationSecurity, optionalCertificate }: Row): string =>
  `/${mutualSSL}-${applicationSecurity}-${optionalCertificate}`;

/** One API for each combination of what can be asked for. */
export const apisToml = (rows: readonly Row[]): string =>
  [...new Map(rows.map((row) => [basePathOf(row), row])).entries()]
    .map(
      ([basePath, { mutualSSL, applicationSecurity, optionalCertificate }]) => `[[apis]]
name = "${basePath.slice(1)}"
version = "1"
basePath = "${basePath}"
mutualSSL = "${mutualSSL}"
aliases = ["acme"]
optionalCertificate = "${optionalCertificate}"
applicationSecurity = "${applicationSecurity}"
${applicationSecurity === 'off' ? '' : 'scopes = ["orders:read"]\n'}backend = "BACKEND"
`,
    )
    .join('');
