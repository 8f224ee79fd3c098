import { noFindings } from '../../documents/cursor.ts';
import type { Problem } from '../../documents/problem.ts';
import { certificatesIn, pemOf } from '../pem-clients.ts';
import type { DefinedTokenService, WrittenTokenService } from '../written.ts';
import { referredText } from './certificates.ts';
import type { ApkFiles, Resource } from './files.ts';

/** `TokenIssuer` resources. One that can't be taken is left out with a warning: its tokens then open nothing. */
export function readTokenIssuers(files: ApkFiles, warnings: Problem[]): readonly DefinedTokenService[] {
  return (files.resources.get('TokenIssuer') ?? []).flatMap(({ at, ...resource }) => {
    const { problems, ...found } = noFindings();
    const service = readTokenIssuer({ ...resource, at: at.into({ problems, ...found }) }, files);
    warnings.push(
      ...problems.map(({ message, ...where }) => ({ ...where, message: `${message}; ${leftOut}` })),
    );
    const origin = { file: at.file, line: at.line };
    return problems.length > 0 || service === undefined ? [] : [{ origin, written: service }];
  });
}

const leftOut =
  'its tokens are refused, unless config.toml has the issuer as [[enforcer.security.tokenService]]';

const specKeys = [
  'name',
  'organization',
  'issuer',
  'consumerKeyClaim',
  'scopesClaim',
  'environments',
  'claimMappings',
  'signatureValidation',
  'targetRef',
];

function readTokenIssuer(resource: Resource, files: ApkFiles): WrittenTokenService | undefined {
  const spec = resource.at.get('spec');
  if (spec.get('targetRef', 'name').isWritten && spec.get('targetRef', 'kind').value === 'API')
    return spec
      .get('targetRef')
      .error('is for one API, and issuers count for all of their [[definitions]]; write issuers at the API');
  // Misspelt, it would count for more than it is meant for.
  if (spec.get('targetRef', 'name').isWritten) spec.get('targetRef', 'kind').neededWord(['Gateway']);
  spec.noSlips(specKeys);
  const name = spec.get('name').text('"Okta"') ?? resource.name;
  const issuer = spec.get('issuer').neededText('"https://idp.example.com"');
  const consumerKeyClaim = spec.get('consumerKeyClaim').text('"azp"');
  const scopesClaim = spec.get('scopesClaim').text('"scp"');
  const keys = readKeys(resource, files);
  const claimMapping = spec
    .get('claimMappings')
    .list()
    .flatMap((mapping) => {
      const remoteClaim = mapping.get('remoteClaim').neededText('"cid"');
      const localClaim = mapping.get('localClaim').neededText('"client_id"');
      return remoteClaim === undefined || localClaim === undefined ? [] : [{ remoteClaim, localClaim }];
    });
  if (issuer === undefined || keys === undefined) return undefined;
  return {
    name,
    issuer,
    ...keys,
    ...(consumerKeyClaim !== undefined && { consumerKeyClaim }),
    ...(scopesClaim !== undefined && { scopesClaim: [scopesClaim] }),
    ...(claimMapping.length > 0 && { claimMapping }),
    // APK does not look at `typ`.
    tokenTypes: ['at+jwt', 'JWT', 'none'],
  };
}

/** A JWKS counts over a certificate, as in APK. */
function readKeys(
  resource: Resource,
  files: ApkFiles,
): Pick<WrittenTokenService, 'jwksURL' | 'certificatePem'> | undefined {
  const validation = resource.at.get('spec', 'signatureValidation');
  const jwksURL = validation.get('jwks', 'url').text('"https://idp.example.com/jwks"');
  if (jwksURL !== undefined) return { jwksURL };
  const certificate = validation.get('certificate');
  const inline = certificate.get('certificateInline');
  const refers = (key: string, kind: 'ConfigMap' | 'Secret') =>
    certificate.get(key, 'name').isWritten
      ? referredText(certificate.get(key), [kind], resource.namespace, files)
      : undefined;
  const text = inline.text('a certificate, from its BEGIN to its END');
  const found =
    text === undefined
      ? (refers('secretRef', 'Secret') ?? refers('configMapRef', 'ConfigMap'))
      : { content: text, at: inline };
  if (found === undefined) {
    // Where one is named and not there, that has been told.
    if (!['secretRef', 'configMapRef'].some((key) => certificate.get(key, 'name').isWritten))
      validation.error('has neither jwks.url nor a certificate; write jwks: {url: "https://…"}');
    return undefined;
  }
  const ders = certificatesIn(found.content);
  if (typeof ders !== 'string' && ders.length === 1) return { certificatePem: pemOf(ders[0]!) };
  return found.at.error(
    typeof ders === 'string' ? ders : `has ${ders.length} certificates where one belongs`,
  );
}
