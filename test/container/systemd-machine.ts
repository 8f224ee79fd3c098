import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child } from '../support/child.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What this machine has is there, written to in memory alone; nothing of it is started. Network and clock are the
 * machine's. Everything goes with the process that it is called in.
 */
const boot = `
set -e
cgroups=$(findmnt -n -t cgroup2 -o TARGET | head -1)
mkdir -p "$cgroups/mtls-enforcer-test"
echo $$ > "$cgroups/mtls-enforcer-test/cgroup.procs"
exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child --propagation private sh -ec '
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp etc/systemd/system lib/systemd/system/*.target.wants; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir -p opt/mtls-enforcer/node_modules
cp -r ${repository}src ${repository}proto ${repository}package.json opt/mtls-enforcer
mount --bind ${repository}node_modules opt/mtls-enforcer/node_modules
cp ${repository}deploy/systemd/mtls-enforcer.service etc/systemd/system
ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
printf "[Unit]\\nRequires=systemd-journald.service\\n" > etc/systemd/system/test.target
printf "#!/bin/sh\\nexec /opt/mtls-enforcer/node_modules/node/bin/node --disable-sigusr1 /opt/mtls-enforcer/src/start.ts \\"\\$@\\"\\n" > usr/bin/mtls-enforcer
chmod 755 usr/bin/mtls-enforcer
chroot . useradd --system --no-create-home --shell /usr/sbin/nologin mtls-enforcer
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=other PATH=/usr/bin:/bin:/usr/sbin:/sbin /lib/systemd/systemd --system --unit=test.target
'`;

/** The last of its processes goes a moment after the first. */
const tidy = `
cgroup=$(findmnt -n -t cgroup2 -o TARGET | head -1)/mtls-enforcer-test
while grep -q "populated 1" "$cgroup/cgroup.events"; do sleep 0.1; done
find "$cgroup" -depth -type d -exec rmdir {} +`;

export type Result = { readonly code: number; readonly output: string };

/** A real systemd, process 1 of namespaces of its own, with our unit. Needs root, and a kernel that allows it. */
export class SystemdMachine {
  readonly #child: Child;
  readonly #pid: number;

  private constructor(child: Child, pid: number) {
    this.#child = child;
    this.#pid = pid;
  }

  /** @throws Error: what keeps it from starting */
  static async boot(): Promise<SystemdMachine> {
    const child = new Child('systemd', ['sh', '-c', boot]);
    for (;;) {
      if (!child.running) throw new Error(child.tail());
      const pid = systemdBelow(child.pid);
      const machine = pid && new SystemdMachine(child, pid);
      if (machine && (await machine.run('systemctl', 'is-active', 'test.target')).code === 0) return machine;
      await new Promise((resolve) => setTimeout(resolve, 100)); // nothing tells us
    }
  }

  /** Its root folder, as seen from outside. */
  get root(): string {
    return `/proc/${this.#pid}/root`;
  }

  /** A command in it. */
  run(...command: readonly string[]): Promise<Result> {
    const inside = ['-t', String(this.#pid), '-m', '-p', '-u', '-i', '-C', '-r', '-w', '--', ...command];
    return new Promise((resolve) =>
      execFile('nsenter', inside, { maxBuffer: 1e8 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}`.trim() }),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL'); // and with it, by --kill-child, all that is below
    await this.#child.exited;
    await promisify(execFile)('sh', ['-c', tidy]);
  }
}

/** The shell is unshare by then, and a child of it is process 1 once it has become systemd. */
function systemdBelow(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    return children.find((child) => readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'systemd');
  } catch {
    return undefined;
  }
}
