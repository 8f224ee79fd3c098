import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Holder } from '../../demo/requests.ts';
import { freePort } from '../support/free-port.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { catalogue, Gateway, petstore, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

describe('a next configuration beside live traffic, through a real Envoy', { skip }, () => {
  let gateway: Gateway;
  let metrics = 0;
  let toml = '';
  const next = (): string => join(dirname(gateway.stack.configFile), 'next.toml');
  before(async () => {
    metrics = await freePort();
    gateway = await Gateway.start(envoy!, {
      edit: (text) => {
        toml = text;
        return `${text}\n[enforcer.metrics]\nport = ${metrics}\n[enforcer.audit]\nfile = "audit.log"\n[enforcer.shadow]\nconfig = "next.toml"\n`;
      },
    });
  });
  after(() => gateway?.stop());

  const counted = async (result: string): Promise<number> => {
    const page = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    const line = page.split('\n').find((one) => one.includes(`shadow_checks_total{result="${result}"}`));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  /** Until one of them was compared, with this result; each is answered as if there were no next configuration. */
  const send = async (path: string, certificate: Holder, verdict: string, result: string): Promise<void> => {
    const before = await counted(result);
    for (let sent = 0; sent === 0 || (await counted(result)) === before; sent++) {
      assert.ok(sent < 500, `${path}: none of ${sent} was ${result}`);
      assert.equal(await gateway.verdict({ path, certificate }), verdict);
    }
  };
  const shadowLines = () =>
    readFileSync(join(dirname(gateway.stack.configFile), 'audit.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown> & { next: Record<string, unknown> })
      .filter(({ type }) => type === 'shadow');

  it('is missing: everybody is answered, and the log says that nothing is compared', async () => {
    await gateway.stack.enforcer.line(/warn +shadow: .*next\.toml/);
    assert.equal(await gateway.verdict({ path: petstore, certificate: 'acme' }), '200');
    assert.deepEqual([await counted('same'), await counted('different')], [0, 0]);
  });

  it('is the same: silence', async () => {
    writeFileSync(next(), toml);
    await gateway.stack.enforcer.line(/info +shadow: requests are compared .*generation=1/);
    await send(petstore, 'acme', '200', 'same');
    await send(petstore, 'globex', '401 certificate_not_bound', 'same');
    await send(status, 'acme', '200', 'same');
    assert.equal(await counted('different'), 0);
  });

  it('takes one alias out and lets another in: both are answered as before, and recorded', async () => {
    writeFileSync(
      next(),
      toml.replace('aliases = ["acme", "partners"]\nbackend', 'aliases = ["globex", "partners"]\nbackend'),
    );
    await gateway.stack.enforcer.line(/info +shadow: requests are compared .*generation=2/);
    await send(petstore, 'acme', '200', 'different');
    await send(petstore, 'globex', '401 certificate_not_bound', 'different');
    await send(catalogue, 'acme', '200', 'same');
  });

  it('tells of each what counted, what would have, and by which request', async () => {
    await gateway.stack.enforcer.stop();
    const lines = shadowLines();
    const said = lines.map(({ api, outcome, alias, differs, next }) =>
      JSON.stringify([api, outcome, alias, differs, next.outcome, next.reason, next.alias, next.tier]),
    );
    assert.deepEqual(
      [...new Set(said)],
      [
        '["Swagger Petstore","allow","acme",["outcome"],"deny","certificate_not_bound",null,null]',
        '["Swagger Petstore","deny",null,["outcome"],"allow",null,"globex","Bronze"]',
      ],
    );
    for (const { requestId } of lines) assert.match(String(requestId), /^[\w-]{36}$/);
  });
});
