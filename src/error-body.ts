import type { ErrorFormat } from './apis/api.ts';
import { type Headers, valuesIn } from './attributes.ts';
import { type DenialCode, type DenialRow, denials } from './decision.ts';

/** What the caller speaks, and so reads. */
export type Protocol = 'rest' | 'grpc' | 'soap-1.1' | 'soap-1.2';

type Body = { readonly contentType: string; readonly text: string };

/** By what the caller itself sends (SOAP 1.1 section 6.1.1, SOAP 1.2 part 2 section 7.1.4). */
export function protocolOf(headers: Headers): Protocol {
  const value = (wanted: string): string | undefined => valuesIn(headers, wanted)[0];
  const type = value('content-type')?.toLowerCase() ?? '';
  if (type.startsWith('application/grpc')) return 'grpc';
  if (type.startsWith('application/soap+xml')) return 'soap-1.2';
  return type.startsWith('text/xml') && value('soapaction') !== undefined ? 'soap-1.1' : 'rest';
}

/** The same for all requests: fixed texts, nothing of the request. */
export function errorBody(code: DenialCode, format: ErrorFormat, protocol: Protocol): Body {
  const row = denials[code];
  // Envoy makes grpc-message of it.
  if (protocol === 'grpc') return { contentType: 'application/json', text: row.sentence };
  if (protocol === 'soap-1.1') return { contentType: 'text/xml; charset=utf-8', text: soap11(row) };
  if (protocol === 'soap-1.2')
    return { contentType: 'application/soap+xml; charset=utf-8', text: soap12(row) };
  const contentType = format === 'problem+json' ? 'application/problem+json' : 'application/json';
  return { contentType, text: JSON.stringify(formats[format](code, row)) };
}

type Words = { readonly message: string; readonly description: string };

/** Choreo Connect's words, byte for byte. */
const words: Readonly<Record<DenialRow['number'], Words>> = {
  '900900': {
    message: 'Unclassified Authentication Failure',
    description: 'Unclassified Authentication Failure',
  },
  '900901': {
    message: 'Invalid Credentials',
    description: 'Make sure you have provided the correct security credentials',
  },
  '900902': {
    message: 'Missing Credentials',
    description: 'Make sure your API invocation call has a header: Authorization: Bearer ACCESS_TOKEN',
  },
  '900908': {
    message: 'Resource forbidden',
    description: 'User is NOT authorized to access the Resource',
  },
  '900804': { message: 'Message throttled out', description: 'You have exceeded your quota' },
  '400': { message: 'Bad Request', description: 'The path of the request is ambiguous' },
  '404': { message: 'Not Found', description: 'The requested resource is not available.' },
  '429': { message: 'Too Many Requests', description: 'Try again in a second.' },
  '405': { message: 'Method Not Allowed', description: 'Method not allowed for given API resource' },
};

/** Where API Microgateway says it otherwise. */
const microgatewayDescriptions: Partial<Record<DenialRow['number'], string>> = {
  '900901': 'Make sure you have given the correct access token',
  '900902': 'Make sure your API invocation call has a header: "Authorization: Bearer ACCESS_TOKEN"',
};

const formats: Readonly<Record<ErrorFormat, (code: DenialCode, row: DenialRow) => object>> = {
  'choreo-connect': (_, { number }) => ({
    code: number,
    error_message: words[number].message,
    error_description: words[number].description,
  }),
  apk: (_, { number }) => ({
    error_message: words[number].message,
    code: number,
    error_description: words[number].description,
  }),
  bijira: (_, { number }) => ({
    error_message: words[number].message,
    code: number,
    error_description: withFullStop(words[number].description),
  }),
  microgateway: (_, { number }) => ({
    fault: {
      code: Number(number),
      message: words[number].message,
      description: behindMessage(number, microgatewayDescriptions[number]),
    },
  }),
  'api-manager': (_, { number }) => ({
    code: number,
    message: words[number].message,
    description: behindMessage(number),
  }),
  // RFC 9457 section 3.1; `code` is an extension member (section 3.2).
  'problem+json': (code, { status, number, sentence }) => ({
    type: 'about:blank',
    title: words[number].message,
    status,
    detail: sentence,
    code,
    number,
  }),
};

/** These two say the message once more, but for what they throttle. */
const behindMessage = (
  number: DenialRow['number'],
  description: string = words[number].description,
): string => (number === '900804' ? description : `${words[number].message}. ${description}`);

const withFullStop = (text: string): string => (text.endsWith('.') ? text : `${text}.`);

/** Our texts have no markup in them, but who writes the next one may not think of it. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const detail = ({ number, sentence }: DenialRow): string =>
  `<code>${number}</code><description>${escaped(sentence)}</description>`;

/** SOAP 1.1 section 4.4. The HTTP status stays what it is: 500, as section 6.2 asks for, would be nobody's fault. */
const soap11 = (row: DenialRow): string =>
  `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>${escaped(words[row.number].message)}</faultstring><detail>${detail(row)}</detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>`;

/** SOAP 1.2 part 1 section 5.4. */
const soap12 = (row: DenialRow): string =>
  `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://www.w3.org/2003/05/soap-envelope"><soapenv:Body><soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Sender</soapenv:Value></soapenv:Code><soapenv:Reason><soapenv:Text xml:lang="en">${escaped(words[row.number].message)}</soapenv:Text></soapenv:Reason><soapenv:Detail>${detail(row)}</soapenv:Detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>`;
