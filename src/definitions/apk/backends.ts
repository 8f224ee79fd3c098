import type { Cursor } from '../../documents/cursor.ts';
import { shown } from '../../documents/problem.ts';
import { type ApkFiles, findResource } from './files.ts';

/** `http://…` or `https://…`; APK takes no other. */
export function urlAt(at: Cursor): string | undefined {
  const text = at.text('"http://employee-service:8080"');
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '')
    return text.replace(/\/$/, '');
  return at.error(
    `found ${url?.password ? 'a URL with a password in it' : shown(text)}; write an http:// or https:// URL without user and password`,
  );
}

/** `{name, namespace, port, protocol}`, a Kubernetes service. */
export function serviceUrl(service: Cursor, namespace?: string): string | undefined {
  const name = service.get('name').neededText('"employee-service"');
  const own = service.get('namespace').text('"apk"') ?? namespace;
  const protocol = service.get('protocol').text('"http"') ?? 'http';
  if (name === undefined) return undefined;
  return url(service, protocol, own === undefined ? name : `${name}.${own}.svc.cluster.local`);
}

/** Where a route's `backendRefs` lead to: `Backend` of APK, or a Kubernetes service. Several count as one: the first. */
export function referredBackend(
  list: Cursor,
  namespace: string | undefined,
  files: ApkFiles,
): string | undefined {
  const reference = list.list()[0];
  if (reference === undefined) return undefined;
  if (reference.get('kind').value !== 'Backend') return serviceUrl(reference, namespace);
  const name = reference.get('name').neededText('"employee-backend"');
  if (name === undefined) return undefined;
  const own = reference.get('namespace').text('"apk"');
  const backend = findResource(files, { kinds: ['Backend'], name, namespace: own ?? namespace }, reference);
  if (backend === undefined) return undefined;
  const spec = backend.at.get('spec');
  const service = spec.get('services').list()[0] ?? spec.get('services', 0);
  const host = service.get('host').neededText('"employee-service.apk"');
  const protocol = spec.get('protocol').text('"http"') ?? 'http';
  const path = spec.get('basePath').text('"/v1"');
  return host === undefined ? undefined : url(service, protocol, host, path);
}

/** @param service has the port */
function url(service: Cursor, protocol: string, host: string, path = ''): string | undefined {
  const port = service.get('port').value;
  const text = `${protocol}://${host}${port === undefined ? '' : `:${String(port)}`}${path}`;
  const parsed = URL.parse(text);
  if (parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.search === '')
    return text.replace(/\/$/, '');
  return service.error(`found ${shown(text)} as its URL; write host, port and protocol http or https`);
}
