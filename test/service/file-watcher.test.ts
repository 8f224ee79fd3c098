import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stampsNow } from '../../src/documents/stamps.ts';
import { FileWatcher } from '../../src/service/file-watcher.ts';

const root = mkdtempSync(join(tmpdir(), 'watcher-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const folder = (): string => {
  const at = join(root, String(++folders));
  mkdirSync(at);
  return at;
};

type Watched = {
  /** Waits for a change that is told after those before. */
  readonly changed: () => Promise<void>;
  readonly count: () => number;
  readonly watcher: FileWatcher;
};

/** As the service does: after each change what was read is watched anew. */
async function watching(
  paths: readonly string[],
  use: (watched: Watched) => Promise<void>,
  still = 50,
): Promise<void> {
  let count = 0;
  let seen = 0;
  let wake = (): void => {};
  const again = async (): Promise<void> => {
    watcher.watch(await stampsNow(paths));
    count++;
    wake();
  };
  const watcher = new FileWatcher(
    () => void again(),
    () => {},
    { every: 200, still, patience: still * 20 },
  );
  watcher.watch(await stampsNow(paths));
  try {
    await use({
      watcher,
      count: () => count,
      changed: async () => {
        while (count <= seen) await new Promise<void>((resolve) => (wake = resolve));
        seen = count;
      },
    });
  } finally {
    watcher.close();
  }
}

/** What people and tools do to a file that is watched. */
const ways: readonly [name: string, file: string, act: (at: string) => void][] = [
  ['writes it in place', 'f', (at) => writeFileSync(join(at, 'f'), 'new')],
  [
    'writes as many bytes in the same second, and sets the time back',
    'f',
    (at) => {
      writeFileSync(join(at, 'f'), 'OLD');
      utimesSync(join(at, 'f'), 1, 1);
    },
  ],
  [
    'renames another over it',
    'f',
    (at) => {
      writeFileSync(join(at, 'g'), 'new');
      renameSync(join(at, 'g'), join(at, 'f'));
    },
  ],
  [
    'keeps a backup of it, as vim does',
    'f',
    (at) => {
      renameSync(join(at, 'f'), join(at, 'f~'));
      writeFileSync(join(at, 'f'), 'new');
      rmSync(join(at, 'f~'));
    },
  ],
  ['takes it away', 'f', (at) => rmSync(join(at, 'f'))],
  ['puts one where none was', 'later', (at) => writeFileSync(join(at, 'later'), 'new')],
  [
    'swaps the folder behind ..data, as Kubernetes does',
    'mounted',
    (at) => {
      mkdirSync(join(at, '..second'));
      writeFileSync(join(at, '..second', 'mounted'), 'new');
      symlinkSync('..second', join(at, '..data_tmp'));
      renameSync(join(at, '..data_tmp'), join(at, '..data'));
    },
  ],
  [
    'replaces its folder',
    'sub/f',
    (at) => {
      mkdirSync(join(at, 'sub2'));
      writeFileSync(join(at, 'sub2', 'f'), 'new');
      renameSync(join(at, 'sub'), join(at, 'sub1'));
      renameSync(join(at, 'sub2'), join(at, 'sub'));
    },
  ],
  ['adds a file to a folder that is watched', 'sub', (at) => writeFileSync(join(at, 'sub', 'h'), 'new')],
  ['writes where a link leads', 'linked', (at) => writeFileSync(join(at, 'sub', 'f'), 'new')],
];

function prepared(): string {
  const at = folder();
  writeFileSync(join(at, 'f'), 'old');
  mkdirSync(join(at, 'sub'));
  writeFileSync(join(at, 'sub', 'f'), 'old');
  mkdirSync(join(at, '..first'));
  writeFileSync(join(at, '..first', 'mounted'), 'old');
  symlinkSync('..first', join(at, '..data'));
  symlinkSync('..data/mounted', join(at, 'mounted'));
  symlinkSync('sub/f', join(at, 'linked'));
  return at;
}

for (const [name, file, act] of ways) {
  test(`it tells when somebody ${name}, and when it is done again`, async () => {
    const at = prepared();
    await watching([join(at, file)], async ({ changed, count }) => {
      act(at);
      await changed();
      appendFileSync(join(at, file === 'sub' ? 'sub/later' : file), 'more');
      await changed();
      const before = count();
      await sleep(500);
      assert.equal(count(), before, 'nothing has changed since');
    });
  });
}

test('where the system gives no events, looking is enough', async () => {
  const at = prepared();
  // A file of a folder that does not exist yet can't be listened to.
  await watching([join(at, 'none', 'f')], async ({ changed }) => {
    await sleep(300);
    mkdirSync(join(at, 'none'));
    writeFileSync(join(at, 'none', 'f'), 'new');
    await changed();
  });
});

test('what was changed between its reading and the watch is told, too', async () => {
  const at = prepared();
  const path = join(at, 'f');
  const read = await stampsNow([path]);
  writeFileSync(path, 'new');
  await new Promise<void>((resolve) => {
    const watcher = new FileWatcher(
      () => {
        watcher.close();
        resolve();
      },
      () => {},
    );
    watcher.watch(read);
  });
});

test('a file that is written in pieces is told of once, when it is whole', async () => {
  const at = prepared();
  const path = join(at, 'f');
  await watching(
    [path],
    async ({ changed, count }) => {
      for (let piece = 0; piece < 10; piece++) {
        appendFileSync(path, `piece ${piece}\n`);
        await sleep(20);
      }
      await changed();
      await sleep(500);
      assert.equal(count(), 1);
    },
    500,
  );
});

test('one that is written without end is told of nevertheless', async () => {
  const at = prepared();
  const path = join(at, 'f');
  await watching([path], async ({ changed }) => {
    const writer = setInterval(() => appendFileSync(path, 'x'), 20);
    try {
      await changed();
    } finally {
      clearInterval(writer);
    }
  });
});

test('whoever can not make use of a change is not told of it again', async () => {
  const at = prepared();
  const path = join(at, 'f');
  const read = await stampsNow([path]);
  let told = 0;
  const watcher = new FileWatcher(
    () => {
      told++;
      watcher.watch(read);
    },
    () => {},
    { every: 50, still: 20, patience: 1_000 },
  );
  watcher.watch(read);
  writeFileSync(path, 'new');
  await sleep(600);
  assert.equal(told, 1);
  writeFileSync(path, 'newer');
  await sleep(600);
  assert.equal(told, 2);
  watcher.close();
});
