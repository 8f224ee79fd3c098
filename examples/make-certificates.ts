/** Makes the certificates and key stores of these examples anew, with keys that are worth nothing: `node examples/make-certificates.ts`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
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
