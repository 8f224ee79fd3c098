import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorFormat } from '../../src/apis/api.ts';
import type { Header } from '../../src/attributes.ts';
import { type DenialCode, denials } from '../../src/decision.ts';
import { errorBody, type Protocol, protocolOf } from '../../src/error-body.ts';
import { challenges } from '../../src/ext-authz/challenge.ts';

const bodies: readonly [format: ErrorFormat, code: DenialCode, text: string][] = [
  [
    'choreo-connect',
    'certificate_missing',
    '{"code":"900901","error_message":"Invalid Credentials","error_description":"Make sure you have provided the correct security credentials"}',
  ],
  [
    'choreo-connect',
    'token_missing',
    '{"code":"900902","error_message":"Missing Credentials","error_description":"Make sure your API invocation call has a header: Authorization: Bearer ACCESS_TOKEN"}',
  ],
  [
    'choreo-connect',
    'token_scope_missing',
    '{"code":"900908","error_message":"Resource forbidden","error_description":"User is NOT authorized to access the Resource"}',
  ],
  [
    'bijira',
    'certificate_not_bound',
    '{"error_message":"Invalid Credentials","code":"900901","error_description":"Make sure you have provided the correct security credentials."}',
  ],
  [
    'apk',
    'certificate_not_bound',
    '{"error_message":"Invalid Credentials","code":"900901","error_description":"Make sure you have provided the correct security credentials"}',
  ],
  [
    'microgateway',
    'certificate_missing',
    '{"fault":{"code":900901,"message":"Invalid Credentials","description":"Invalid Credentials. Make sure you have given the correct access token"}}',
  ],
  [
    'api-manager',
    'certificate_missing',
    '{"code":"900901","message":"Invalid Credentials","description":"Invalid Credentials. Make sure you have provided the correct security credentials"}',
  ],
  [
    'problem+json',
    'certificate_missing',
    '{"type":"about:blank","title":"Invalid Credentials","status":401,"detail":"This API needs a client certificate, and none was sent.","code":"certificate_missing","number":"900901"}',
  ],
  [
    'choreo-connect',
    'tier_limit_exceeded',
    '{"code":"900804","error_message":"Message throttled out","error_description":"You have exceeded your quota"}',
  ],
  [
    'apk',
    'tier_limit_exceeded',
    '{"error_message":"Message throttled out","code":"900804","error_description":"You have exceeded your quota"}',
  ],
  [
    'bijira',
    'tier_limit_exceeded',
    '{"error_message":"Message throttled out","code":"900804","error_description":"You have exceeded your quota."}',
  ],
  [
    'microgateway',
    'tier_limit_exceeded',
    '{"fault":{"code":900804,"message":"Message throttled out","description":"You have exceeded your quota"}}',
  ],
  [
    'api-manager',
    'tier_limit_exceeded',
    '{"code":"900804","message":"Message throttled out","description":"You have exceeded your quota"}',
  ],
];
for (const [format, code, text] of bodies) {
  test(`${format} says of ${code}`, () => assert.equal(errorBody(code, format, 'rest').text, text));
}

const callers: readonly [why: string, headers: readonly Header[], protocol: Protocol][] = [
  ['nothing said', [], 'rest'],
  ['JSON', [['content-type', 'application/json']], 'rest'],
  ['gRPC', [['content-type', 'application/grpc+proto']], 'grpc'],
  ['SOAP 1.2', [['content-type', 'Application/SOAP+XML; action="x"']], 'soap-1.2'],
  [
    'SOAP 1.1',
    [
      ['content-type', 'text/xml; charset=utf-8'],
      ['soapaction', '""'],
    ],
    'soap-1.1',
  ],
  ['XML that is no SOAP', [['content-type', 'text/xml']], 'rest'],
  [
    'a SOAPAction beside JSON',
    [
      ['content-type', 'application/json'],
      ['soapaction', 'x'],
    ],
    'rest',
  ],
];
for (const [why, headers, protocol] of callers) {
  test(`a caller who sends ${why} reads ${protocol}`, () => assert.equal(protocolOf(headers), protocol));
}

test('every denial has a body in every format, a fault for SOAP, and header values of printable ASCII', () => {
  const formats = new Set(bodies.map(([format]) => format));
  for (const code of Object.keys(denials) as DenialCode[]) {
    for (const format of formats) {
      const { text, contentType } = errorBody(code, format, 'rest');
      assert.equal(typeof JSON.parse(text), 'object');
      assert.match(contentType, /^application\/(problem\+)?json$/);
    }
    for (const protocol of ['soap-1.1', 'soap-1.2'] as const) {
      const { text } = errorBody(code, 'choreo-connect', protocol);
      assert.match(text, /<soapenv:Fault>.*<\/soapenv:Fault>/);
      assert.doesNotMatch(text, /&(?!amp;|lt;|gt;)/);
    }
    for (const value of challenges(code, 'problem+json', ['a', 'b"c', 'd e'])) {
      assert.match(value, /^[\x20-\x7e]+$/);
      assert.equal([...value.matchAll(/"/g)].length % 2, 0);
      assert.doesNotMatch(value, /b"c|d e/, 'a scope that is none is left out');
    }
    if (denials[code].status === 401)
      assert.ok(challenges(code, 'choreo-connect').length > 0, `RFC 9110 11.6.1: ${code}`);
  }
});
