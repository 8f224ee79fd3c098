import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ClientCertificate } from '../support/client.ts';
import { type OpensslCa, opensslCa } from '../support/openssl-ca.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const byCrl = opensslCa('Publishing CA');
const byOcsp = opensslCa('Answering CA');
const published = join(byCrl.folder, 'published.crl');
const { url } = await byOcsp.ocsp();

/** With the backend of the demo's APIs. */
const client = ({ certificateFile }: OpensslCa, alias: string, toml: string): string => `
[[clients]]
alias = "${alias}"
caFile = "${certificateFile}"
[[apis]]
name = "${alias}"
version = "1"
basePath = "/${alias}"
aliases = ["${alias}"]
${/^backend = .*$/m.exec(toml)![0]}
`;

describe('a certificate that is revoked while its connection stays open', { skip, timeout: 120_000 }, () => {
  let gateway: Gateway;
  before(async () => {
    writeFileSync(published, byCrl.crl());
    gateway = await Gateway.start(envoy!, {
      edit: (toml) => `${toml}
[enforcer.security.revocation]
mode = "soft-fail"
${client(byCrl, 'by-crl', toml)}${client(byOcsp, 'by-ocsp', toml)}
[[enforcer.security.revocation.cas]]
caFile = "${byCrl.certificateFile}"
crlFiles = ["${published}"]
[[enforcer.security.revocation.cas]]
caFile = "${byOcsp.certificateFile}"
ocspResponder = "${url}"
`,
    });
  });
  after(async () => {
    await gateway?.stop();
  });

  /** Requests on one and the same connection. */
  function connection(certificate: ClientCertificate, path: string) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    after(() => agent.destroy());
    let count = 0;
    return (): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request(
          {
            agent,
            host: '127.0.0.1',
            port: gateway.stack.ports.router,
            servername: 'localhost',
            ca: gateway.pki.routerCaPem,
            cert: certificate.certificatePem,
            key: certificate.privateKeyPem,
            path,
          },
          (response) => {
            if (count++ > 0) assert.equal(sent.reusedSocket, true, 'on the same connection');
            response.resume().on('end', () => {
              const reason = response.headers['x-mtls-reason'];
              resolve(reason === undefined ? `${response.statusCode}` : `${response.statusCode} ${reason}`);
            });
          },
        );
        sent.on('error', reject).end();
      });
  }

  it('by a CRL: admitted, revoked, refused', async () => {
    const ask = connection(byCrl.issue('client'), '/by-crl/pet/1');
    assert.equal(await ask(), '200');
    byCrl.revoke('client');
    const from = gateway.stack.enforcer.lines.length;
    writeFileSync(published, byCrl.crl());
    await gateway.stack.enforcer.line(/read a list of revoked certificates .*revoked=1/, from);
    assert.equal(await ask(), '401 certificate_revoked');
    const [line] = gateway.stack.enforcer.lines.filter((one) => one.includes('certificate_revoked'));
    assert.match(line!, /CN=client.* was revoked on .*, reason keyCompromise/);
  });

  it('by OCSP: admitted, revoked, refused', async () => {
    const ask = connection(byOcsp.issue('client'), '/by-ocsp/pet/1');
    assert.equal(await ask(), '200');
    byOcsp.revoke('client');
    // A reload asks again, though no more than once in five seconds; of the answers after it the first is still the old one.
    for (let i = 0; i < 2; i++) await gateway.stack.enforcer.reload();
    let verdict = await ask();
    while (verdict === '200') {
      const from = gateway.stack.enforcer.lines.length;
      await gateway.stack.enforcer.reload();
      await gateway.stack.enforcer.line(/reloaded/, from);
      verdict = await ask();
    }
    assert.equal(verdict, '401 certificate_revoked');
  });
});
