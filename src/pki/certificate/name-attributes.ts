/**
 * Attribute types by OID: the name that we write, then the others that people copy from elsewhere. From RFC 4514 section
 * 3, RFC 4519, X.520, PKCS #9 and the CA/Browser Forum's EV guidelines, as OpenSSL, Java, .NET, GnuTLS and Bouncy Castle
 * spell them. A name that two of them give to different types is not here.
 */
const attributeNames: Readonly<Record<string, readonly [shown: string, ...others: string[]]>> = {
  '2.5.4.3': ['CN', 'commonName'],
  '2.5.4.4': ['SN', 'surname'],
  '2.5.4.5': ['serialNumber'],
  '2.5.4.6': ['C', 'countryName'],
  '2.5.4.7': ['L', 'localityName'],
  '2.5.4.8': ['ST', 'stateOrProvinceName', 'S'],
  '2.5.4.9': ['STREET', 'streetAddress'],
  '2.5.4.10': ['O', 'organizationName'],
  '2.5.4.11': ['OU', 'organizationalUnitName'],
  '2.5.4.12': ['title', 'T'],
  '2.5.4.13': ['description'],
  '2.5.4.15': ['businessCategory'],
  '2.5.4.16': ['postalAddress'],
  '2.5.4.17': ['postalCode'],
  '2.5.4.18': ['postOfficeBox', 'POBox'],
  '2.5.4.20': ['telephoneNumber', 'Phone'],
  '2.5.4.41': ['name'],
  '2.5.4.42': ['GN', 'givenName', 'G'],
  '2.5.4.43': ['initials', 'I'],
  '2.5.4.44': ['generationQualifier', 'generation'],
  '2.5.4.45': ['x500UniqueIdentifier'],
  '2.5.4.46': ['dnQualifier', 'DNQ'],
  '2.5.4.51': ['houseIdentifier'],
  '2.5.4.65': ['pseudonym'],
  '2.5.4.97': ['organizationIdentifier', 'orgId'],
  '0.9.2342.19200300.100.1.1': ['UID', 'userId'],
  '0.9.2342.19200300.100.1.3': ['mail', 'rfc822Mailbox'],
  '0.9.2342.19200300.100.1.25': ['DC', 'domainComponent'],
  '1.2.840.113549.1.9.1': ['emailAddress', 'E', 'email'],
  '1.2.840.113549.1.9.2': ['unstructuredName'],
  '1.2.840.113549.1.9.8': ['unstructuredAddress'],
  '1.3.6.1.4.1.311.60.2.1.1': ['jurisdictionL', ...jurisdiction('LocalityName', 'L')],
  '1.3.6.1.4.1.311.60.2.1.2': ['jurisdictionST', ...jurisdiction('StateOrProvinceName', 'ST', 'S')],
  '1.3.6.1.4.1.311.60.2.1.3': ['jurisdictionC', ...jurisdiction('CountryName', 'C')],
};

/** The same for those that hardly anybody has, but OpenSSL writes by a name: X.520, RFC 4524 (COSINE), and Russia's. */
const rareNames: typeof attributeNames = {
  '2.5.4.19': ['physicalDeliveryOfficeName'],
  '2.5.4.24': ['x121Address'],
  '2.5.4.25': ['internationaliSDNNumber'],
  '2.5.4.27': ['destinationIndicator'],
  '2.5.4.54': ['dmdName'],
  '2.5.4.72': ['role'],
  '2.5.4.98': ['c3', 'countryCode3c'],
  '2.5.4.99': ['n3', 'countryCode3n'],
  '2.5.4.100': ['dnsName'],
  '0.9.2342.19200300.100.1.4': ['info'],
  '0.9.2342.19200300.100.1.5': ['favouriteDrink', 'drink'],
  '0.9.2342.19200300.100.1.6': ['roomNumber'],
  '0.9.2342.19200300.100.1.8': ['userClass'],
  '0.9.2342.19200300.100.1.9': ['host'],
  '0.9.2342.19200300.100.1.11': ['documentIdentifier'],
  '0.9.2342.19200300.100.1.12': ['documentTitle'],
  '0.9.2342.19200300.100.1.13': ['documentVersion'],
  '0.9.2342.19200300.100.1.15': ['documentLocation'],
  '0.9.2342.19200300.100.1.20': ['homeTelephoneNumber', 'homePhone'],
  '0.9.2342.19200300.100.1.37': ['associatedDomain'],
  '0.9.2342.19200300.100.1.39': ['homePostalAddress'],
  '0.9.2342.19200300.100.1.40': ['personalTitle'],
  '0.9.2342.19200300.100.1.41': ['mobileTelephoneNumber', 'mobile'],
  '0.9.2342.19200300.100.1.42': ['pagerTelephoneNumber', 'pager'],
  '0.9.2342.19200300.100.1.43': ['friendlyCountryName'],
  '0.9.2342.19200300.100.1.45': ['organizationalStatus'],
  '0.9.2342.19200300.100.1.48': ['buildingName'],
  '0.9.2342.19200300.100.1.56': ['documentPublisher'],
  '1.2.643.3.131.1.1': ['INN'],
  '1.2.643.100.1': ['OGRN'],
  '1.2.643.100.3': ['SNILS'],
};

/** `jurisdictionCountryName` of OpenSSL and Open Finance Brasil, `jurisdictionOfIncorporationCountryName` of the EV guidelines. */
function jurisdiction(...parts: readonly string[]): readonly string[] {
  return parts.flatMap((part) => [
    `jurisdiction${part}`,
    `jurisdictionOfIncorporation${part}`,
    `incorporation${part}`,
  ]);
}

const allNames = Object.entries({ ...rareNames, ...attributeNames });
const oids = new Map(
  allNames.flatMap(([oid, names]) => names.map((name) => [name.toLowerCase(), oid] as const)),
);
const shownNames: ReadonlyMap<string, string> = new Map(allNames.map(([oid, [shown]]) => [oid, shown]));

/** undefined: it has only its OID. */
export const attributeName = (oid: string): string | undefined => shownNames.get(oid);

/** Of a name in any case, or of an OID, with `OID.` before it or without; undefined: nobody knows it. */
export function attributeOid(name: string): string | undefined {
  const dotted = /^(?:oid\.)?([0-2](?:\.(?:0|[1-9][0-9]*))+)$/i.exec(name)?.[1];
  return dotted ?? oids.get(name.toLowerCase());
}

/** For a message: those that are written in practice. */
export const knownAttributes: string = Object.values(attributeNames)
  .map(([name]) => name)
  .join(', ');
