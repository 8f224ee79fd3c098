import { below, elementsAt, lineOf, neededText, type Problems, problemAt, textAt } from '../place.ts';
import type { DefinedTokenService } from '../written.ts';
import type { ApkFiles } from './files.ts';

/** `TokenIssuer` resources with a JWKS. One that can't be taken is left out: its tokens then open nothing. */
export function readTokenIssuers(files: ApkFiles, problems: Problems): readonly DefinedTokenService[] {
  return (files.resources.get('TokenIssuer') ?? []).flatMap((resource) => {
    const spec = below(resource, 'spec');
    const name = textAt(below(spec, 'name'), problems, '"Okta"') ?? resource.name;
    const issuer = neededText(below(spec, 'issuer'), problems, '"https://idp.example.com"');
    const jwksURL = textAt(
      below(spec, 'signatureValidation', 'jwks', 'url'),
      problems,
      '"https://idp.example.com/jwks"',
    );
    const consumerKeyClaim = textAt(below(spec, 'consumerKeyClaim'), problems, '"azp"');
    if (below(spec, 'targetRef', 'kind').value === 'API') {
      problems.push(
        problemAt(
          below(spec, 'targetRef'),
          'is for one API; write the issuer as [[enforcer.security.tokenService]], and issuers at the API',
        ),
      );
      return [];
    }
    if (jwksURL === undefined) {
      problems.push(
        problemAt(
          below(spec, 'signatureValidation'),
          'has no jwks.url, and its certificate is not read here; write the issuer as [[enforcer.security.tokenService]]',
        ),
      );
      return [];
    }
    if (issuer === undefined) return [];
    const claimMapping = elementsAt(below(spec, 'claimMappings'), problems).flatMap((mapping) => {
      const remoteClaim = neededText(below(mapping, 'remoteClaim'), problems, '"cid"');
      const localClaim = neededText(below(mapping, 'localClaim'), problems, '"client_id"');
      return remoteClaim === undefined || localClaim === undefined ? [] : [{ remoteClaim, localClaim }];
    });
    return [
      {
        origin: { file: resource.file, line: lineOf(resource) },
        written: {
          name,
          issuer,
          jwksURL,
          ...(consumerKeyClaim !== undefined && { consumerKeyClaim }),
          ...(claimMapping.length > 0 && { claimMapping }),
          // APK does not look at `typ`.
          tokenTypes: ['at+jwt', 'JWT', 'none'],
        },
      },
    ];
  });
}
