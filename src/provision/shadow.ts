import { resolve } from 'node:path';
import type { Config } from '../config/schema/config.ts';
import type { Findings } from './findings.ts';
import { resolver } from './own-config.ts';

/** Path of the next configuration; undefined: none is asked for, or it would be this one. */
export function nextFile({ enforcer: { shadow } }: Config, file: string): string | undefined {
  const path = shadow && resolver(file)(shadow.config);
  return path === resolve(file) ? undefined : path;
}

/**
 * Warnings alone: the next configuration may well be a copy of this one, in which the table still stands, and one that
 * is not there yet must not keep this one out of force.
 */
export function checkShadow(config: Config, file: string, { warn }: Pick<Findings, 'warn'>): void {
  const { shadow, metrics, audit } = config.enforcer;
  if (shadow === undefined) return;
  const at = ['enforcer', 'shadow', 'config'];
  if (nextFile(config, file) === undefined)
    warn(at, 'is this file itself, with which nothing is compared; write the path of the next one');
  else if (!metrics?.enabled && audit === undefined)
    warn(at, 'what differs can be seen nowhere; write [enforcer.metrics], [enforcer.audit] or both');
}
