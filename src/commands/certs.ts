import { type Held, inventory } from '../inventory/held.ts';
import { readOthers } from '../inventory/other-certificates.ts';
import { daysLeft, endingWithin, heldTable } from '../inventory/table.ts';
import { jsonText } from '../observability/paper.ts';
import { formatName } from '../pki/certificate/name.ts';
import { type Command, configOf, configOption, exit, say, UsageError, type Values } from './command.ts';
import { load, tellErrors } from './load.ts';
import { terminal } from './terminal.ts';

export const certs: Command = {
  usage: '[--config FILE] [--expiring 30d]',
  summary: 'list certificates, with the days they have left',
  help: `mtls-enforcer certs [--config FILE] [--expiring DAYSd] [--unused] [--json]

Lists the certificates of clients, CAs, senders and token issuers that the configuration names, what ends
next first: days left, alias, tier, subject, fingerprint, and the APIs and operations that each opens. In a pipe nothing
is cut.

  --expiring  only what has ended or ends within so many days; exits 1 where there is any. What ended longer ago than
              that is left out of a bundle (trustedCertPath, intermediatesPath) in which others go on
  --unused    only what opens nothing

  mtls-enforcer certs --expiring 30d || mail -s 'certificates end' ops@example.com
`,
  options: {
    ...configOption,
    expiring: { type: 'string' },
    unused: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  run: async (values) => {
    const within = daysIn(values);
    const file = configOf(values);
    const loaded = await load(file, { tell: tellErrors });
    if (typeof loaded === 'number') return loaded;
    const now = Date.now();
    const known = inventory(loaded.snapshot, readOthers(file, loaded.config, now), now);
    const all = (within === undefined ? known : endingWithin(within, known, now)).filter(
      (held) => !values.unused || held.opens.length === 0,
    );
    if (all.length === 0 && !values.json) return say(`${nothing(within, values.unused === true)}\n`);
    await say(values.json ? toJson(all, now) : heldTable(all, now, terminal()));
    return within !== undefined && all.length > 0 ? exit.no : exit.ok;
  },
};

function daysIn({ expiring }: Values): number | undefined {
  if (expiring === undefined) return undefined;
  const [, days] = /^(\d{1,5})d?$/.exec(String(expiring)) ?? [];
  if (days === undefined)
    throw new UsageError(`--expiring is ${JSON.stringify(expiring)}; write days, as in --expiring 30d`);
  return Number(days);
}

const nothing = (within: number | undefined, isUnused: boolean): string =>
  [
    'no certificate',
    ...(isUnused ? ['that opens nothing'] : []),
    ...(within === undefined ? [] : [`that has ended or ends within ${within} days`]),
  ].join(' ');

const toJson = (all: readonly Held[], now: number): string => {
  const rows = all.map((held) => {
    const { kind, name, tier, certificate, sha256, isInForce, opens } = held;
    return {
      kind,
      name,
      tier,
      subject: certificate && formatName(certificate.subject),
      issuer: certificate && formatName(certificate.issuer),
      serialNumber: certificate?.serialNumber,
      sha256,
      notBefore: certificate && new Date(certificate.notBefore).toISOString(),
      notAfter: certificate && new Date(certificate.notAfter).toISOString(),
      daysLeft: daysLeft(held, now),
      isInForce,
      opens,
    };
  });
  return jsonText(rows);
};
