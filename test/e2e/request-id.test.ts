import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, petstore, type Sent, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

test('one id in the client’s answer, the enforcer’s line and Envoy’s, and not the client’s own', {
  skip,
}, async (t) => {
  const gateway = await Gateway.start(envoy!);
  t.after(() => gateway.stop());
  const sent: readonly [sent: Sent, status: number][] = [
    [{ path: petstore }, 401],
    [{ path: petstore, protocol: 'h2' }, 401],
    [{ path: '/nowhere' }, 404],
    [{ path: status }, 200],
  ];
  for (const [call, expected] of sent) {
    const { headers, status } = await gateway.answer({ ...call, headers: [['x-request-id', 'forged']] });
    assert.equal(status, expected);
    const id = headers['x-request-id'];
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    const line = new RegExp(String(id));
    assert.match(await gateway.stack.envoy!.line(line), /"request_id"/);
    if (status !== 200) assert.match(await gateway.stack.enforcer.line(line), /requestId=/);
  }
});
