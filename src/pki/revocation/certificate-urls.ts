import type { Certificate } from '../certificate/certificate.ts';
import { type GeneralName, readGeneralName } from '../certificate/general-name.ts';
import { elementsOf, Fields, readWhole, tags } from '../der/der.ts';
import { readOid } from '../der/der-values.ts';

/** A certificate names one or two; who writes hundreds must not make us fetch them all. */
const maxUrls = 4;
const maxLength = 2_048;

/** Where a certificate says that there are CRLs about it (RFC 5280 4.2.1.13), by HTTP or HTTPS. */
export const crlUrlsOf = ({ values }: Certificate): readonly string[] =>
  webUrls(
    (values.cRLDistributionPoints ?? []).flatMap(({ name }) => (name?.kind === 'fullName' ? name.names : [])),
  );

const authorityInfoAccess = '1.3.6.1.5.5.7.1.1';
const idAdOcsp = '1.3.6.1.5.5.7.48.1';

/** Where it says that there is an OCSP responder (RFC 5280 4.2.2.1). */
export function ocspUrlsOf({ extensions }: Certificate): readonly string[] {
  const access = extensions.find(({ oid }) => oid === authorityInfoAccess);
  if (access === undefined) return [];
  return webUrls(
    elementsOf(readWhole(access.value, tags.sequence, 'authorityInfoAccess')).flatMap((description) => {
      const fields = new Fields(description);
      const method = readOid(fields.next(tags.oid, 'accessMethod'));
      return method === idAdOcsp ? [readGeneralName(fields.any('accessLocation'))] : [];
    }),
  );
}

function webUrls(names: readonly GeneralName[]): readonly string[] {
  const urls = names.flatMap((name) => {
    if (name.form !== 'uniformResourceIdentifier' || name.value.length > maxLength) return [];
    const url = URL.parse(name.value);
    const isWeb = url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
    // Whoever issues certificates has no password for us.
    return isWeb && url.username === '' && url.password === '' ? [url.href] : [];
  });
  return [...new Set(urls)].slice(0, maxUrls);
}
