import { certificatesIn, pemOf } from '../pem-clients.ts';
import {
  below,
  elementsAt,
  isWritten,
  lineOf,
  neededText,
  type Problems,
  problemAt,
  textAt,
} from '../place.ts';
import type { DefinedTokenService, WrittenTokenService } from '../written.ts';
import { referredText } from './certificates.ts';
import type { ApkFiles, Resource } from './files.ts';

/** `TokenIssuer` resources. One that can't be taken is left out with a warning: its tokens then open nothing. */
export function readTokenIssuers(files: ApkFiles, warnings: Problems): readonly DefinedTokenService[] {
  return (files.resources.get('TokenIssuer') ?? []).flatMap((resource) => {
    const problems: Problems = [];
    const service = readTokenIssuer(resource, files, problems);
    warnings.push(
      ...problems.map(({ message, ...place }) => ({ ...place, message: `${message}; ${leftOut}` })),
    );
    const origin = { file: resource.file, line: lineOf(resource) };
    return problems.length > 0 || service === undefined ? [] : [{ origin, written: service }];
  });
}

const leftOut =
  'its tokens are refused, unless config.toml has the issuer as [[enforcer.security.tokenService]]';

function readTokenIssuer(
  resource: Resource,
  files: ApkFiles,
  problems: Problems,
): WrittenTokenService | undefined {
  const spec = below(resource, 'spec');
  if (isWritten(below(spec, 'targetRef', 'name')) && below(spec, 'targetRef', 'kind').value === 'API') {
    problems.push(
      problemAt(
        below(spec, 'targetRef'),
        'is for one API, and issuers count for all of their [[definitions]]; write issuers at the API',
      ),
    );
    return undefined;
  }
  const name = textAt(below(spec, 'name'), problems, '"Okta"') ?? resource.name;
  const issuer = neededText(below(spec, 'issuer'), problems, '"https://idp.example.com"');
  const consumerKeyClaim = textAt(below(spec, 'consumerKeyClaim'), problems, '"azp"');
  const keys = readKeys(resource, files, problems);
  const claimMapping = elementsAt(below(spec, 'claimMappings'), problems).flatMap((mapping) => {
    const remoteClaim = neededText(below(mapping, 'remoteClaim'), problems, '"cid"');
    const localClaim = neededText(below(mapping, 'localClaim'), problems, '"client_id"');
    return remoteClaim === undefined || localClaim === undefined ? [] : [{ remoteClaim, localClaim }];
  });
  if (issuer === undefined || keys === undefined) return undefined;
  return {
    name,
    issuer,
    ...keys,
    ...(consumerKeyClaim !== undefined && { consumerKeyClaim }),
    ...(claimMapping.length > 0 && { claimMapping }),
    // APK does not look at `typ`.
    tokenTypes: ['at+jwt', 'JWT', 'none'],
  };
}

/** A JWKS counts over a certificate, as in APK. */
function readKeys(
  resource: Resource,
  files: ApkFiles,
  problems: Problems,
): Pick<WrittenTokenService, 'jwksURL' | 'certificatePem'> | undefined {
  const validation = below(resource, 'spec', 'signatureValidation');
  const jwksURL = textAt(below(validation, 'jwks', 'url'), problems, '"https://idp.example.com/jwks"');
  if (jwksURL !== undefined) return { jwksURL };
  const certificate = below(validation, 'certificate');
  const inline = below(certificate, 'certificateInline');
  const refers = (key: string, kind: 'ConfigMap' | 'Secret') =>
    isWritten(below(certificate, key, 'name'))
      ? referredText(below(certificate, key), [kind], resource.namespace, files, problems)
      : undefined;
  const text = textAt(inline, problems, 'a certificate, from its BEGIN to its END');
  const found =
    text === undefined
      ? (refers('secretRef', 'Secret') ?? refers('configMapRef', 'ConfigMap'))
      : { content: text, place: inline };
  if (found === undefined) {
    if (problems.length === 0)
      problems.push(
        problemAt(validation, 'has neither jwks.url nor a certificate; write jwks: {url: "https://…"}'),
      );
    return undefined;
  }
  const ders = certificatesIn(found.content);
  if (typeof ders !== 'string' && ders.length === 1) return { certificatePem: pemOf(ders[0]!) };
  problems.push(
    problemAt(
      found.place,
      typeof ders === 'string' ? ders : `has ${ders.length} certificates where one belongs`,
    ),
  );
  return undefined;
}
