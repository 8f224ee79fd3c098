#!/usr/bin/env node
/**
 * The command's first file: written so that any Node can read it, and say why it goes no further. What comes behind it
 * needs Node 24.17: earlier ones keep connections on which HTTP/2 broke off (CVE-2026-48937), floods of resets among them,
 * and before 24.7 they take no headers as lists (node:http2).
 */

// Node opens its inspector at SIGUSR1, and with it this process to all on this host's loopback; SIGUSR2 would end it.
// Recipes for the rotation of logs send either. What runs may take them for something; nobody gets more than that.
for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => {});
// Of a service that is still loading itself this asks for what it is about to do, and would end it.
if (process.argv.includes('serve')) process.on('SIGHUP', () => {});

const needed = '24.17';
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 17)) {
  process.stderr.write(
    `mtls-enforcer: this is Node ${process.versions.node}, and ${needed} or newer is needed; install it, or run: npx -y -p node@24 mtls-enforcer\n`,
  );
  process.exitCode = 69;
} else {
  await import('./main.ts');
}
