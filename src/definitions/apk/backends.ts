import {
  below,
  elementsAt,
  neededText,
  type Place,
  type Problems,
  problemAt,
  shown,
  textAt,
} from '../place.ts';
import { type ApkFiles, findResource } from './files.ts';

/** `http://…` or `https://…`; APK takes no other. */
export function urlAt(place: Place, problems: Problems): string | undefined {
  const text = textAt(place, problems, '"http://employee-service:8080"');
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '')
    return text.replace(/\/$/, '');
  problems.push(
    problemAt(
      place,
      `found ${url?.password ? 'a URL with a password in it' : shown(text)}; write an http:// or https:// URL without user and password`,
    ),
  );
  return undefined;
}

/** `{name, namespace, port, protocol}`, a Kubernetes service. */
export function serviceUrl(service: Place, problems: Problems): string | undefined {
  const name = neededText(below(service, 'name'), problems, '"employee-service"');
  const namespace = textAt(below(service, 'namespace'), problems, '"apk"');
  const protocol = textAt(below(service, 'protocol'), problems, '"http"') ?? 'http';
  if (name === undefined) return undefined;
  const host = namespace === undefined ? name : `${name}.${namespace}.svc.cluster.local`;
  return url(service, protocol, host, below(service, 'port').value, undefined, problems);
}

/** Where a route's `backendRefs` lead to: `Backend` of APK, or a Kubernetes service. Several count as one: the first. */
export function referredBackend(
  list: Place,
  namespace: string | undefined,
  files: ApkFiles,
  problems: Problems,
): string | undefined {
  const reference = elementsAt(list, problems)[0];
  if (reference === undefined) return undefined;
  if (below(reference, 'kind').value !== 'Backend')
    return serviceUrl(withNamespace(reference, namespace), problems);
  const name = neededText(below(reference, 'name'), problems, '"employee-backend"');
  if (name === undefined) return undefined;
  const own = textAt(below(reference, 'namespace'), problems, '"apk"');
  const backend = findResource(files, 'Backend', name, own ?? namespace);
  if (typeof backend === 'string') {
    problems.push(problemAt(reference, backend));
    return undefined;
  }
  const spec = below(backend, 'spec');
  const service = elementsAt(below(spec, 'services'), problems)[0] ?? below(spec, 'services', 0);
  const host = neededText(below(service, 'host'), problems, '"employee-service.apk"');
  const protocol = textAt(below(spec, 'protocol'), problems, '"http"') ?? 'http';
  const path = textAt(below(spec, 'basePath'), problems, '"/v1"');
  return host === undefined
    ? undefined
    : url(service, protocol, host, below(service, 'port').value, path, problems);
}

const withNamespace = (reference: Place, namespace: string | undefined): Place =>
  namespace === undefined || below(reference, 'namespace').value !== undefined
    ? reference
    : { ...reference, value: { ...(reference.value as object), namespace } };

function url(
  place: Place,
  protocol: string,
  host: string,
  port: unknown,
  path: string | undefined,
  problems: Problems,
): string | undefined {
  const text = `${protocol}://${host}${port === undefined ? '' : `:${String(port)}`}${path ?? ''}`;
  const parsed = URL.parse(text);
  if (parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.search === '')
    return text.replace(/\/$/, '');
  problems.push(
    problemAt(place, `found ${shown(text)} as its URL; write host, port and protocol http or https`),
  );
  return undefined;
}
