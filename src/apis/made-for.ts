import { hash } from 'node:crypto';

/** What the generated Envoy's routes call it. */
export const madeForKey = 'madeFor';

/**
 * What a route says of the API that it was made for: whose it is, and where the route leads.
 *
 * @param file of `[[definitions]]` in which it stands, whose writer has no other; undefined: config.toml
 */
export const madeFor = (file: string | undefined, backend: string | undefined): string =>
  `${digest(file === undefined ? '' : `file ${file}`)}.${digest(normalized(backend ?? ''))}`;

/** One backend is written in several ways (`https://b.test:443/`). */
const normalized = (url: string): string => URL.parse(url)?.href ?? url;

/** What nobody finds another text for. */
const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 20);

/**
 * Envoy has its routes later than we have the APIs: by one that was made for an API that is gone, whoever has its place,
 * name and version since would open the backend of before. Not so where both have one owner, or one backend: that is
 * the same API as it was changed, or as it stands in another file.
 *
 * @param route undefined: who wrote Envoy's configuration does not say
 */
export function isMadeForAnother(route: string | undefined, api: string): boolean {
  if (route === undefined || route === api) return false;
  const [owner, backend] = route.split('.');
  const [itsOwner, itsBackend] = api.split('.');
  return owner !== itsOwner && backend !== itsBackend;
}
