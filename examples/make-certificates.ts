/** For who changes the examples: writes all their certificates and key stores anew, over those that are tracked. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createAuthority, selfSigned } from '../test/support/certificate-authority.ts';
import { makeJks } from '../test/support/key-stores.ts';

const dates = { notBefore: new Date('2026-01-01'), notAfter: new Date('2056-01-01') };
const ca = await createAuthority({ subject: 'CN=Examples CA', ...dates });
const router = await ca.issue({
  subject: 'CN=localhost',
  subjectAltNames: ['localhost', '127.0.0.1'],
  extendedKeyUsage: 'server',
  ...dates,
});
const acme = await selfSigned({ subject: 'CN=acme', extendedKeyUsage: 'client', ...dates });
const partner = await selfSigned({ subject: 'CN=partner', extendedKeyUsage: 'client', ...dates });

const partnerCa = await createAuthority({ subject: 'CN=Partner CA', ...dates });
const globex = await partnerCa.issue({ subject: 'CN=globex', extendedKeyUsage: 'client', ...dates });

const put = (name: string, content: string | Uint8Array): void => {
  const file = join(import.meta.dirname, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
};
put('pki/ca.pem', ca.pem);
put('pki/router.pem', router.pem);
put('pki/router.key', router.privateKeyPem);
put('pki/acme.pem', acme.pem);
put('pki/acme.key', acme.privateKeyPem);
put('pki/partner-ca.pem', partnerCa.pem);
put('pki/globex.pem', globex.pem);
put('pki/globex.key', globex.privateKeyPem);
put(
  'apk/certificates.yaml',
  `# What \`kubectl get configmap,secret -n apk -o yaml\` prints.
apiVersion: v1
kind: ConfigMap
metadata:
  name: mtls-configmap
  namespace: apk
data:
  tls.crt: |
${acme.pem.trimEnd().replaceAll(/^/gm, '    ')}
---
apiVersion: v1
kind: Secret
metadata:
  name: mtls-secret
  namespace: apk
data:
  tls.crt: ${Buffer.from(partner.pem).toString('base64')}
`,
);
put(
  'bijira/reading-list.yaml',
  readFileSync(join(import.meta.dirname, 'bijira/reading-list.yaml'), 'utf8')
    .replaceAll(/(?<=Content: ")[^"]*(?="\s# acme)/g, encodeURIComponent(acme.pem))
    .replaceAll(/(?<=Content: ")[^"]*(?="\s# Partner CA)/g, encodeURIComponent(partnerCa.pem)),
);
put('choreo-connect/petstore/Client-certificates/acme.crt', acme.pem);
put('api-manager/PizzaShack-1.0.0/Client-certificates/acme.crt', acme.pem);
put(
  'api-manager/repository/resources/security/client-truststore.jks',
  makeJks([['acme', acme.der]], 'wso2carbon'),
);
put(
  'microgateway/wso2am-micro-gw/runtime/bre/security/ballerinaTruststore.p12',
  execFileSync(
    'openssl',
    [
      'pkcs12',
      '-export',
      '-nokeys',
      '-caname',
      'ballerina',
      '-caname',
      'wso2apim310',
      '-passout',
      'pass:ballerina',
    ],
    { input: acme.pem + partner.pem },
  ),
);
