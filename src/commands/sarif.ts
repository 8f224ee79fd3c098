import type { Problem } from '../config/problem.ts';
import { jsonText } from '../observability/paper.ts';
import { version } from '../provision/version.ts';

/** SARIF 2.1.0 (OASIS), as code review tools take it. */
export function toSarif({
  errors,
  warnings,
}: {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}): string {
  const results = [
    ...errors.map((problem) => resultOf('error', problem)),
    ...warnings.map((problem) => resultOf('warning', problem)),
  ];
  const rules = [...new Set(results.map(({ ruleId }) => ruleId))].map((id) => ({ id }));
  const sarif = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'mtls-enforcer', version: version(), rules } }, results }],
  };
  return jsonText(sarif);
}

const resultOf = (level: 'error' | 'warning', { file, line, key, message }: Problem) => ({
  // The key without its indices: the same mistake in another entry is the same rule.
  ruleId: key.replaceAll(/\[\d+\]/g, '') || 'file',
  level,
  message: { text: key === '' ? message : `${key}: ${message}` },
  locations: [
    {
      physicalLocation: {
        artifactLocation: { uri: uriOf(file) },
        region: { startLine: line },
      },
    },
  ],
});

/** RFC 3986 4.2: of a path that is relative, what has a colon would be a scheme, and what begins with two slashes a host. */
function uriOf(file: string): string {
  const uri = encodeURI(file.toWellFormed()).replaceAll(/[?#]/g, encodeURIComponent);
  if (uri.startsWith('//')) return `/.${uri}`;
  return /^[^/]*:/.test(uri) ? `./${uri}` : uri;
}
