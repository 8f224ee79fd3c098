import type { Project } from '../wso2-project/project-files.ts';

/**
 * An archive of any age, as later Choreo Connect's projects are: later versions have a folder for each kind of key, of
 * which one counts, and the oldest list the certificates themselves, as base64 of their PEM text.
 */
export function asProject(project: Project, keyType: 'PRODUCTION' | 'SANDBOX'): Project {
  const folder = new RegExp(`^Client-certificates/${keyType}/`, 'i');
  const inside = new Map(project.names.map((name) => [name.replace(folder, 'Client-certificates/'), name]));
  const own = (name: string): string => inside.get(name) ?? name;
  return {
    ...project,
    names: [...inside.keys()],
    shown: (name) => project.shown(own(name)),
    read: (name) => {
      const text = project.read(own(name));
      return isList.test(name) ? text?.replace(encodedPem, decode) : text;
    },
    readBytes: (name) => project.readBytes(own(name)),
  };
}

const isList = /^(?:Client-certificates|Meta-information)\/client_certificates\.(?:ya?ml|json)$/i;
const encodedPem = /(["']?)(LS0tLS1CRUdJTi[A-Za-z0-9+/=]+)\1/g;

/** On one line, so that messages name the right one. */
const decode = (_: string, __: string, encoded: string): string =>
  JSON.stringify(Buffer.from(encoded, 'base64').toString('utf8'));
