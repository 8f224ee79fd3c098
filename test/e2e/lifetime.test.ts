import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

describe('the enforcer goes and comes back', { skip }, () => {
  let gateway: Gateway;
  let second: EnforcerProcess | undefined;
  before(async () => {
    gateway = await Gateway.start(envoy!);
  });
  after(async () => {
    await second?.stop();
    await gateway?.stop();
  });

  it('SIGTERM ends it with exit code 0, and loses no request until then', async () => {
    assert.equal((await gateway.outcome({ certificate: 'acme' })).status, 200);
    let done = false;
    const statuses: number[] = [];
    const load = (async () => {
      while (!done) statuses.push((await gateway.outcome({ certificate: 'acme', protocol: 'h2' })).status);
    })();
    gateway.stack.enforcer.kill('SIGTERM');
    assert.deepEqual(await gateway.stack.enforcer.exited, { code: 0, signal: null });
    done = true;
    await load;
    assert.deepEqual(
      statuses.filter((status) => status !== 200 && status !== 503),
      [],
    );
  });

  it('nothing is admitted without it', async () => {
    for (const path of ['/petstore/1.0.5/pet/1', '/catalogue/items', '/status/now']) {
      const { status, seen } = await gateway.outcome({ path, certificate: 'acme' });
      assert.deepEqual({ path, status, seen }, { path, status: 503, seen: undefined });
    }
  });

  it('Envoy finds the next one on the same port', { timeout: 30_000 }, async () => {
    second = await EnforcerProcess.start(gateway.stack.configFile);
    let status: number;
    do status = (await gateway.outcome({ certificate: 'acme' })).status;
    while (status === 503);
    assert.equal(status, 200);
  });

  it('kill -9 admits nobody', async () => {
    second!.kill('SIGKILL');
    await second!.exited;
    const { status, seen } = await gateway.outcome({ certificate: 'acme' });
    assert.deepEqual({ status, seen }, { status: 503, seen: undefined });
  });
});
