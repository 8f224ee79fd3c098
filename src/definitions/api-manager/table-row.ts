/** One certificate of `AM_API_CLIENT_CERTIFICATE`, with the API that it is for. */
export type ClientCertificateRow = {
  readonly alias: string;
  readonly tier: string | undefined;
  /** PEM or DER. */
  readonly certificate: Uint8Array;
  readonly tenant: number;
  /** Older versions have no such column. */
  readonly keyType: string | undefined;
  readonly revision: string | undefined;
  readonly apiName: string;
  readonly apiVersion: string;
  readonly apiProvider: string;
  /** Of AM_API; with the version. */
  readonly apiContext: string;
};

/** A row of the table. */
export type TableRow = ClientCertificateRow & {
  /** It was a client, and is none any more. */
  readonly removed?: boolean;
};

/** What was deployed before is a revision, and opens nothing. */
export const isOfCurrentApi = ({ revision }: TableRow): boolean => !revision || revision === 'Current API';
