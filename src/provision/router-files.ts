import { accessSync, constants } from 'node:fs';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { type Finding, judgeBundle, judgePair } from './envoy-pem.ts';
import type { Findings } from './findings.ts';

/** What the generated Envoy opens besides the file that it is configured by. */
type RouterFiles = {
  readonly pairs: readonly {
    /** Of the table that has `certPath` and `keyPath`. */
    readonly at: Path;
    readonly certPath: string;
    readonly keyPath: string;
    readonly purpose: 'server' | 'client';
  }[];
  readonly bundles: readonly { readonly at: Path; readonly path: string }[];
};

export function routerFiles({ router, enforcer, apis }: Config): RouterFiles {
  const { downstream, upstream } = router;
  const { trustedCertPath } = router.enforcer;
  const overTls = enforcer.authService.socket === undefined && enforcer.authService.certPath !== undefined;
  const backendsTls = apis.some(({ backend }) => /^(https|wss):/i.test(backend ?? ''));
  return {
    pairs: [
      { at: ['router', 'keystore'], ...router.keystore, purpose: 'server' },
      ...(overTls ? clientPair('enforcer', router.enforcer) : []),
      ...clientPair('rateLimit', router.rateLimit),
    ],
    bundles: [
      ...(downstream.tls.mTLSAPIsEnabled &&
      downstream.tls.verifyInHandshake &&
      downstream.tls.trustedCertPath !== undefined
        ? [{ at: ['router', 'downstream', 'tls', 'trustedCertPath'], path: downstream.tls.trustedCertPath }]
        : []),
      ...(backendsTls && !upstream.tls.disableSslVerification
        ? [{ at: ['router', 'upstream', 'tls', 'trustedCertPath'], path: upstream.tls.trustedCertPath }]
        : []),
      ...(!overTls
        ? []
        : trustedCertPath !== undefined
          ? [{ at: ['router', 'enforcer', 'trustedCertPath'], path: trustedCertPath }]
          : [{ at: ['enforcer', 'authService', 'certPath'], path: enforcer.authService.certPath! }]),
      ...(router.rateLimit?.trustedCertPath !== undefined
        ? [{ at: ['router', 'rateLimit', 'trustedCertPath'], path: router.rateLimit.trustedCertPath }]
        : []),
    ],
  };
}

const clientPair = (
  table: 'enforcer' | 'rateLimit',
  { certPath, keyPath }: Partial<Config['router']['enforcer']> = {},
): RouterFiles['pairs'] =>
  certPath === undefined || keyPath === undefined
    ? []
    : [{ at: ['router', table], certPath, keyPath, purpose: 'client' }];

/**
 * Opens and judges what Envoy will open, as Envoy does. Only for those who ask about the configuration: the service
 * has no business with Envoy's private keys, and a renewal of them that went wrong must not keep it from reloading.
 */
export function checkRouterFiles(config: Config, findings: Findings, now: number): void {
  const { pairs, bundles } = routerFiles(config);
  const tell = (at: Path, name: string, { level, message }: Finding): void =>
    findings[level](at, `found ${JSON.stringify(name)}, which ${message}`);
  for (const { at, purpose, ...names } of pairs) {
    const certificate = opened([...at, 'certPath'], names.certPath, findings);
    const key = opened([...at, 'keyPath'], names.keyPath, findings);
    if (certificate === undefined || key === undefined) continue;
    for (const { of, ...finding } of judgePair({ certificate, key, purpose, now }))
      tell([...at, of], names[of], finding);
  }
  for (const { at, path } of bundles) {
    const bundle = opened(at, path, findings);
    if (bundle === undefined) continue;
    for (const finding of judgeBundle(bundle, now)) tell(at, path, finding);
  }
}

/** Its bytes. Envoy may run on another host, or as another user, who alone can read its keys. */
function opened(at: Path, name: string, findings: Findings): Buffer | undefined {
  const path = findings.resolve(name);
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist here' : `is not readable by this user (${code})`;
    findings.warn(
      at,
      `found ${JSON.stringify(name)}, which ${why}, so that it was not judged; without it Envoy does not start. Run this where Envoy runs, as its user, or write the path of a readable file`,
    );
    return undefined;
  }
  return findings.file(at, name, (content) => content);
}
