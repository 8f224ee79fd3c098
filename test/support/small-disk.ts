import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A folder on a disk of its own, which can be full. */
export type SmallDisk = {
  fill(): void;
  free(): void;
  remove(): void;
};

/** The disk, or why there can be none. */
export function smallDisk(folder: string, kilobytes: number): SmallDisk | string {
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder]);
  if (status !== 0) return 'no disk can be mounted here (as root it can, outside of a container)';
  const filler = join(folder, 'filler');
  return {
    fill: () => {
      try {
        writeFileSync(filler, Buffer.alloc(kilobytes * 1024));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rmSync(filler, { force: true }),
    remove: () => void spawnSync('umount', ['-l', folder]),
  };
}
