import type { Cursor, Findings } from '../../documents/cursor.ts';
import { FileProblem } from '../../documents/files.ts';
import { shown } from '../../documents/problem.ts';
import { certificatesIn, pemOf, withoutIssuers } from '../pem-clients.ts';
import type { WrittenApi, WrittenClient } from '../written.ts';
import { documentOf, firstOf, namedLike } from './project-document.ts';
import type { Project } from './project-files.ts';

/** The clients of `client_certificates.yaml`, whose certificates lie beside it, or in it. */
export function clientsOf(
  project: Project,
  api: Pick<WrittenApi, 'name' | 'version'>,
  found: Findings,
): readonly WrittenClient[] {
  const listed = namedLike(
    project,
    /^(Client-certificates|Meta-information)\/client_certificates\.(ya?ml|json)$/i,
  );
  const whole = listed === undefined ? undefined : documentOf(project, listed, found);
  if (listed === undefined || whole === undefined) return [];
  const folder = listed.slice(0, listed.lastIndexOf('/') + 1);
  const elements = (whole.isList ? whole : whole.get('data')).list();
  tellOthers(elements, api);
  const seen = new Map<string, string>();
  return elements.flatMap((element): readonly WrittenClient[] => {
    element.noSlips(['alias', 'certificate', 'tierName']);
    const alias = element.get('alias').neededText('"acme"');
    const file = element.get('certificate').neededText('"acme.crt"');
    const tier = element.get('tierName').text('"Gold"');
    if (alias === undefined || file === undefined) return [];
    const other = seen.get(alias.toLowerCase());
    seen.set(alias.toLowerCase(), alias);
    if (other !== undefined) {
      element
        .get('alias')
        .error(`found "${alias}" beside "${other}"; aliases are compared without case, so rename one`);
      return [];
    }
    const der = certificateOf(project, folder, file, element.get('certificate'));
    return der === undefined ? [] : [{ alias, pem: pemOf(der), ...(tier !== undefined && { tier }) }];
  });
}

/** What lies in a project is its client, as for its own products; an API that got a new version keeps the old lists. */
function tellOthers(
  elements: readonly Cursor[],
  { name, version }: Pick<WrittenApi, 'name' | 'version'>,
): void {
  for (const element of elements) {
    const identifier = element.get('apiIdentifier');
    const ownName = firstOf(identifier.get('apiName'), identifier.get('name')).text('"Petstore"') ?? name;
    const at = identifier.get('version');
    const ownVersion = at.isWritten ? at.version('"1.0.5"') : version;
    if (ownName === name && ownVersion === version) continue;
    identifier.warn(
      `is of "${ownName}" ${ownVersion}, and this project is "${name}" ${version}: ${element.get('alias').found === 'a text' ? `"${element.get('alias').value}"` : 'it'}, and whoever else lies in it, counts here all the same`,
    );
    return;
  }
}

/** undefined: it can't be used, which is told. */
function certificateOf(project: Project, folder: string, file: string, at: Cursor): Uint8Array | undefined {
  // Older archives have the certificate itself in the list.
  const isInline = file.includes('-----BEGIN');
  if (!isInline && /[/\\]/.test(file))
    return at.error(`found ${shown(file)}; write the name of a file beside this one`);
  const content = isInline ? file : contentOf(project, folder, file, at);
  if (content === undefined) return undefined;
  const found = certificatesIn(content);
  if (typeof found === 'string') return at.error(found);
  const [first, ...others] = withoutIssuers(found);
  // In the list itself the first was taken, whatever came behind it.
  if (others.length > 0 && !isInline)
    at.error(
      `"${file}" has ${others.length + 1} certificates where one belongs; write each into its own file`,
    );
  return first;
}

function contentOf(project: Project, folder: string, file: string, at: Cursor): Uint8Array | undefined {
  try {
    const content = project.readBytes(`${folder}${file}`);
    return content ?? at.error(`found ${shown(file)}, which is not beside this file; put it there`);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return at.error(`found ${shown(file)}, which ${error.message}`);
  }
}
