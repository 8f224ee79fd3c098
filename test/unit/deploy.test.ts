import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { composeBootstrap, composeConfig } from '../../deploy/compose-setup.ts';
import { readConfig } from '../../src/config/read-config.ts';

/** What can be checked of the containers without a container engine; test/container/ runs them. */
const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const dockerfile = read('deploy/Dockerfile');
const stages = Object.fromEntries(
  dockerfile
    .split(/^FROM /m)
    .slice(1)
    .map((stage) => [/ AS (\w+)/.exec(stage)?.[1], stage]),
);
type Service = {
  build?: { dockerfile: string; target: string };
  image?: string;
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  healthcheck?: { test: string[] };
  command: string[];
  depends_on?: Record<string, { condition: string }>;
  network_mode?: string;
  volumes: string[];
};
const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
};

test('every file that the Dockerfile copies from the checkout is there', () => {
  for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const source of sources.split(' ')) assert.ok(existsSync(new URL(source, root)), source);
  }
});

test("the enforcer's image runs as nobody in particular, has a health check, and no development packages", () => {
  const { enforcer = '', build = '' } = stages;
  assert.match(enforcer, /^USER 65532:65532$/m);
  assert.match(enforcer, /HEALTHCHECK[\s\S]+"health"/);
  assert.match(build, /npm prune --omit=dev/);
  assert.doesNotMatch(enforcer, /npm/);
});

test('what the image runs is what the package calls mtls-enforcer', () => {
  const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> };
  assert.match(
    stages.enforcer ?? '',
    new RegExp(`ENTRYPOINT \\["node", "--disable-sigusr1", "/app/${bin['mtls-enforcer']}"\\]`),
  );
});

test('secrets and built files stay out of the build context', () => {
  for (const folder of ['.git', '.demo', 'node_modules'])
    assert.ok(read('.dockerignore').split('\n').includes(folder));
});

test('enforcers, Envoy and backend are hardened: no root, nothing to write, no state of their own', () => {
  const volumes = {
    backend: ['state:/state:ro'],
    'enforcer-1': ['state:/state:ro', 'sockets:/run/mtls-enforcer'],
    'enforcer-2': ['state:/state:ro', 'sockets:/run/mtls-enforcer'],
    envoy: ['state:/state:ro', 'sockets:/run/mtls-enforcer:ro'],
  };
  for (const [name, mounted] of Object.entries(volumes)) {
    const service = services[name]!;
    assert.deepEqual(
      [service.user, service.read_only, service.cap_drop, service.security_opt, service.volumes],
      ['65532:65532', true, ['ALL'], ['no-new-privileges:true'], mounted],
      name,
    );
  }
});

test('the enforcers have no network: Envoy asks each over its unix socket', () => {
  for (const name of ['enforcer-1', 'enforcer-2']) assert.equal(services[name]!.network_mode, 'none');
  const paths = [...composeBootstrap().matchAll(/path: "(\/run\/.*)"/g)].map(([, path]) => path);
  assert.deepEqual(paths, ['/run/mtls-enforcer/authz.sock', '/run/mtls-enforcer/authz.sock.2']);
});

test('every stage, service and file that the compose file names is there', () => {
  for (const [name, service] of Object.entries(services)) {
    if (service.build) assert.ok(service.build.target in stages, name);
    for (const other of Object.keys(service.depends_on ?? {}))
      assert.ok(other in services, `${name} needs ${other}`);
    const shared = /^service:(.+)$/.exec(service.network_mode ?? '')?.[1];
    if (shared) assert.ok(shared in services, `${name} shares ${shared}`);
    const script = service.command.find((word) => word.endsWith('.ts'));
    if (script) assert.ok(existsSync(new URL(script, root)), script);
  }
});

test("the compose file's config.toml has no error, and its Envoy is the one that this is tried with", () => {
  assert.ok('config' in readConfig(composeConfig, 'config.toml', {}));
  assert.match(composeBootstrap(), /9095/);
  assert.equal(services.envoy?.image, 'envoyproxy/envoy:v1.40.0');
});

test('the pod of kubernetes.yaml is hardened as the compose file is, and shares the socket in the same way', () => {
  type Container = {
    image: string;
    args?: string[];
    securityContext: unknown;
    startupProbe?: { exec: { command: string[] } };
    volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  };
  const { spec } = parse(read('deploy/kubernetes.yaml')).spec.template as {
    spec: {
      securityContext: Record<string, unknown>;
      initContainers: [Container];
      containers: [Container];
      volumes: { name: string; emptyDir?: { medium: string } }[];
    };
  };
  const [[enforcer], [envoy]] = [spec.initContainers, spec.containers];
  const { runAsNonRoot, runAsUser, runAsGroup } = spec.securityContext;
  assert.deepEqual([runAsNonRoot, `${runAsUser}:${runAsGroup}`], [true, services.envoy!.user]);
  for (const { securityContext } of [enforcer, envoy])
    assert.deepEqual(securityContext, {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
  assert.deepEqual([enforcer.image, envoy.image], [services['enforcer-1']!.image, services.envoy!.image]);
  assert.ok(stages.enforcer!.includes(`CMD ${JSON.stringify(enforcer.args).replaceAll(',', ', ')}`));
  assert.deepEqual(enforcer.startupProbe!.exec.command, services['enforcer-1']!.healthcheck!.test.slice(1));
  const sockets = ({ volumeMounts }: Container) => volumeMounts.find(({ name }) => name === 'sockets')!;
  assert.deepEqual(
    [sockets(enforcer).mountPath, sockets(enforcer).readOnly],
    ['/run/mtls-enforcer', undefined],
  );
  assert.deepEqual([sockets(envoy).mountPath, sockets(envoy).readOnly], ['/run/mtls-enforcer', true]);
  assert.equal(spec.volumes.find(({ name }) => name === 'sockets')!.emptyDir!.medium, 'Memory');
});

const systemd = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
const skip = systemd('--version').status === 0 ? false : 'no systemd-analyze';

test("systemd's unit is one that systemd reads without a word, and has little to warn of", { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const unit = join(folder, 'mtls-enforcer.service');
  // It looks whether the programs are there.
  const installed = read('deploy/systemd/mtls-enforcer.service').replaceAll(
    '/usr/bin/mtls-enforcer ',
    '/bin/true ',
  );
  writeFileSync(unit, installed);
  const { status, stderr } = systemd('verify', '--man=no', unit);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  // Of 100; below 20 is what it calls OK. What is left is the network, and code that is compiled while it runs.
  const judged = systemd('security', '--offline=true', '--no-pager', '--threshold=20', unit);
  assert.equal(judged.status, 0, judged.stdout);
});

test("systemd's unit waits longer than an end takes by default, and does not start again what is wrong", () => {
  const unit = read('deploy/systemd/mtls-enforcer.service');
  const written = readConfig(composeConfig, 'config.toml', {});
  assert.ok('config' in written);
  const { drainDelayInSeconds, drainTimeoutInSeconds } = written.config.enforcer.authService;
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  assert.ok(seconds > drainDelayInSeconds + drainTimeoutInSeconds + 5);
  assert.match(unit, /^RestartPreventExitStatus=64 78$/m);
  for (const [, name] of unit.matchAll(
    /^Exec\w+=\/usr\/bin\/mtls-enforcer (\w+) --config \/etc\/mtls-enforcer\/config\.toml$/gm,
  ))
    assert.ok(existsSync(new URL(`src/commands/${name}.ts`, root)), name);
});
