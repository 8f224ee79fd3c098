import { type Path, shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { decodeText } from '../documents/files.ts';
import { BackendJwtSigner } from '../upstream/backend-jwt.ts';
import type { Findings } from './findings.ts';
import { type Names, reason, troubleOf } from './key-pair.ts';

/** `[enforcer.jwtGenerator]`, its key and certificate read; undefined: switched off. */
export function readBackendJwt(
  config: Config,
  isWritten: (path: Path) => boolean,
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
  const read = (key: string, path: string) =>
    findings.file(at(key), path, (content) => ({ content, text: decodeText(content) }));
  const certificate = read('publicCertificatePath', publicCertificatePath);
  const key = read('privateKeyPath', privateKeyPath);
  if (certificate === undefined || key === undefined) return undefined;
  try {
    const lifetime = tokenTtl * 1000;
    const [certificatePem, privateKeyPem] = [certificate.text, key.text];
    return new BackendJwtSigner({ certificatePem, privateKeyPem, claimDialect, encoding, lifetime });
  } catch (error) {
    const trouble = troubleOf(Buffer.from(certificate.text), Buffer.from(key.text), names);
    if (trouble?.of === 'certificate')
      findings.error(
        at('publicCertificatePath'),
        `found ${shown(publicCertificatePath)}, which ${trouble.message}`,
      );
    else
      findings.error(
        at('privateKeyPath'),
        `found ${shown(privateKeyPath)}, which ${trouble?.message ?? `can not be used to sign with publicCertificatePath: ${reason(error)}`}`,
      );
    return undefined;
  }
}

const names: Names = {
  reader: 'the enforcer',
  certPath: 'publicCertificatePath',
  keyPath: 'privateKeyPath',
};
