import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authority, createAuthority, type Issued, selfSigned } from '../support/certificate-authority.ts';
import type { ClientCertificate } from '../support/client.ts';

/** Chains that clients present, good and bad, beside the demo's certificates. */
export type Chains = {
  readonly folder: string;
  /** `[[clients]]` of config.toml: the alias `chains` with the root, the alias `pinned` with one certificate. */
  readonly clients: string;
} & Readonly<Record<ChainName, ClientCertificate>>;

export type ChainName =
  | 'whole'
  | 'withRoot'
  | 'leafOnly'
  | 'throughLeaf'
  | 'impostor'
  | 'impostorWithRoot'
  | 'pinned'
  | 'signedByPinned'
  | 'signedByPinnedWithIt'
  | 'sameSubject';

export async function makeChains(): Promise<Chains> {
  const day = 86_400_000;
  const dates = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
  const client = { ...dates, extendedKeyUsage: 'client' } as const;
  const rootName = 'CN=Chains Root';
  const pinnedName = 'CN=pinned';

  const root = await createAuthority({ subject: rootName, ...dates });
  const intermediate = await createAuthority({ subject: 'CN=Chains Intermediate', parent: root, ...dates });
  const leaf = await intermediate.issue({ subject: 'CN=leaf', ...client });
  // Of its own: a valid path, once seen, is remembered for its leaf.
  const lonely = await intermediate.issue({ subject: 'CN=lonely leaf', ...client });
  const below = await authority(leaf, 'CN=leaf').issue({ subject: 'CN=below', ...client });
  const impostorRoot = await createAuthority({ subject: rootName, ...dates });
  const impostor = await impostorRoot.issue({ subject: 'CN=leaf', ...client });
  const pinned = await selfSigned({ subject: pinnedName, ...dates });
  const signedByPinned = await authority(pinned, pinnedName).issue({ subject: 'CN=guest', ...client });
  const sameSubject = await selfSigned({ subject: pinnedName, ...dates });

  const folder = mkdtempSync(join(tmpdir(), 'mtls-enforcer-chains-'));
  writeFileSync(join(folder, 'root.pem'), root.pem);
  writeFileSync(join(folder, 'pinned.pem'), pinned.pem);
  return {
    folder,
    clients: `
[[clients]]
alias = "chains"
caFile = "${folder}/root.pem"

[[clients]]
alias = "pinned"
file = "${folder}/pinned.pem"
`,
    whole: presented(leaf, intermediate),
    withRoot: presented(leaf, intermediate, root),
    leafOnly: presented(lonely),
    throughLeaf: presented(below, leaf, intermediate),
    impostor: presented(impostor),
    impostorWithRoot: presented(impostor, impostorRoot),
    pinned: presented(pinned),
    signedByPinned: presented(signedByPinned),
    signedByPinnedWithIt: presented(signedByPinned, pinned),
    sameSubject: presented(sameSubject),
  };
}

const presented = (leaf: Issued, ...others: readonly Issued[]): ClientCertificate => ({
  certificatePem: [leaf, ...others].map(({ pem }) => pem).join(''),
  privateKeyPem: leaf.privateKeyPem,
});
