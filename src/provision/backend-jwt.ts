import type { Config } from '../config/schema/config.ts';
import { decodeText, FileProblem } from '../documents/files.ts';
import { BackendJwtSigner } from '../upstream/backend-jwt.ts';
import type { Findings } from './findings.ts';

/** `[enforcer.jwtGenerator]`, its key and certificate read; undefined: switched off. */
export function readBackendJwt(
  config: Config,
  isWritten: (path: readonly PropertyKey[]) => boolean,
  findings: Findings,
): BackendJwtSigner | undefined {
  const at = (key: string) => ['enforcer', 'jwtGenerator', key];
  const { enabled, enable, publicCertificatePath, privateKeyPath, claimDialect, encoding, tokenTtl } =
    config.enforcer.jwtGenerator;
  if (enabled !== undefined && enable !== undefined && enabled !== enable)
    findings.error(
      at('enable'),
      `found ${enable}, and enabled = ${enabled}, which means the same; write one`,
    );
  if (!(enabled ?? enable ?? false)) return undefined;
  if (!isWritten(at('encoding')))
    findings.warn(
      at('encoding'),
      'not written, so that it is "base64", as Choreo Connect has it; JWT libraries (RFC 7515) need "base64url"',
    );
  const certificatePem = findings.file(at('publicCertificatePath'), publicCertificatePath, decodeText);
  return findings.file(at('privateKeyPath'), privateKeyPath, (content) => {
    const privateKeyPem = decodeText(content);
    if (certificatePem === undefined) return undefined;
    try {
      const lifetime = tokenTtl * 1000;
      return new BackendJwtSigner({ certificatePem, privateKeyPem, claimDialect, encoding, lifetime });
    } catch (error) {
      throw new FileProblem(
        `can not be used to sign with publicCertificatePath: ${(error as Error).message}`,
      );
    }
  });
}
