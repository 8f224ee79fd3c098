#!/usr/bin/env node
/**
 * The command's first file: written so that any Node can read it, and say why it goes no further. What comes behind it
 * needs Node 24.
 */
const needed = 24;
const [major] = process.versions.node.split('.');
if (Number(major) < needed) {
  process.stderr.write(
    `mtls-enforcer: this is Node ${process.versions.node}, and ${needed} or newer is needed; install it, or run: npx -p node@${needed} mtls-enforcer\n`,
  );
  process.exitCode = 69;
} else {
  await import('./main.ts');
}
