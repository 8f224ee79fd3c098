import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { startBackend } from '../../support/backend.ts';
import { createAuthority } from '../../support/certificate-authority.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { Gateway, petstore } from '../gateway.ts';

const { envoy, skip } = await realEnvoy();

/** Nobody touches this Envoy after its start: what it does later the service has written into its folder. */
describe('files that Envoy watches', { skip }, () => {
  let gateway: Gateway;
  let file: string;
  const statuses: number[] = [];
  let isOver = false;
  let load: Promise<void>;

  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mtls-enforcer-dynamic-'));
    gateway = await Gateway.start(envoy!, {
      folder,
      edit: (toml) => toml.replace('[router]\n', '[router]\ndynamicFolder = "envoy"\n'),
      editEnvoy: () => readFileSync(join(folder, 'run', 'envoy', 'envoy.yaml'), 'utf8'),
    });
    file = gateway.stack.configFile;
    load = (async () => {
      while (!isOver) statuses.push((await gateway.answer({ certificate: 'acme' })).status);
    })();
  });
  after(async () => {
    isOver = true;
    await load;
    await gateway.stop();
  });

  /** As people should write a file. */
  const put = (path: string, text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const configure = (change: (toml: string) => string): void => put(file, change(readFileSync(file, 'utf8')));
  /** The service and Envoy take their time, and what counts is that both come to it. */
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    while (!(await isSo()));
  };
  const admitted = async (sent: Parameters<Gateway['answer']>[0]): Promise<boolean> =>
    (await gateway.answer({ certificate: 'acme', ...sent })).status === 200;

  it('a tier that is written, and then removed, is counted and no more', async () => {
    const tiers = '\n[[tiers]]\nname = "Bronze"\nrequests = 1\nper = "day"\n';
    const statusOf = async () => (await gateway.answer({ certificate: 'globex', path: '/orders/1' })).status;
    configure((toml) => toml + tiers);
    await until(async () => (await statusOf()) === 429);
    configure((toml) => toml.replace(tiers, ''));
    await until(async () => (await statusOf()) === 200);
  });

  it('a new API, of a host of its own, is served', async () => {
    const { backend } = gateway.stack;
    configure(
      (toml) =>
        `${toml}\n[[apis]]\nname = "New"\nversion = "1"\nbasePath = "/new"\nhosts = ["new.test"]\naliases = ["acme"]\nbackend = "https://127.0.0.1:${backend.port}/new"\n`,
    );
    await until(() => admitted({ path: '/new/x', host: 'new.test' }));
    assert.equal(await gateway.verdict({ path: '/new/x', host: 'new.test' }), '401 certificate_missing');
  });

  it('requests go to another backend, and none of them is lost', async () => {
    const second = await startBackend(gateway.pki.backend);
    try {
      configure((toml) =>
        toml.replace(/https:\/\/127\.0\.0\.1:\d+\/v2/, `https://127.0.0.1:${second.port}/v2`),
      );
      await until(async () => (await admitted({})) && second.seen.length > 0);
      const { backend } = gateway.stack;
      configure((toml) =>
        toml.replace(`https://127.0.0.1:${second.port}/v2`, `https://127.0.0.1:${backend.port}/v2`),
      );
      const before = second.seen.length;
      await until(async () => {
        const seen = second.seen.length;
        await admitted({});
        return second.seen.length === seen && seen >= before;
      });
    } finally {
      await second.stop();
    }
  });

  it("the router's certificate is another one", async () => {
    const other = await createAuthority({ subject: 'CN=another CA' });
    const { pem, privateKeyPem } = await other.issue({
      subject: 'CN=localhost',
      subjectAltNames: ['localhost'],
      extendedKeyUsage: 'server',
    });
    const issuer = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(
          { host: '127.0.0.1', port: gateway.stack.ports.router, rejectUnauthorized: false },
          () => {
            resolve(String(socket.getPeerCertificate().issuer.CN));
            socket.destroy();
          },
        ).on('error', reject);
      });
    assert.notEqual(await issuer(), 'another CA');
    isOver = true;
    await load;
    put(join(gateway.pki.folder, 'router.key'), privateKeyPem);
    put(join(gateway.pki.folder, 'router.pem'), pem);
    await until(async () => (await issuer()) === 'another CA');
  });

  it('and in all that time every request got its answer', () => {
    assert.ok(statuses.length > 0);
    assert.deepEqual([...new Set(statuses)], [200], `${petstore}, ${statuses.length} times`);
  });
});
