/**
 * Loaded into the service that test/bench/loading.ts measures: at SIGPWR it says how long it kept Checks waiting at most
 * since the last time, in milliseconds of its thread's CPU, which others that want the processor do not lengthen.
 */
const cpu = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
let last = cpu();
let longest = 0;
setInterval(() => {
  const now = cpu();
  longest = Math.max(longest, now - last);
  last = now;
}, 1).unref();
process.on('SIGPWR', () => {
  process.stderr.write(`longest hold: ${longest.toFixed(0)}\n`);
  longest = 0;
  last = cpu();
});
