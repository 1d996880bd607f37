/* Files chosen or dropped, each with its path: what a folder holds, however deep. */
(function () {
  "use strict";

  /** Written by operating systems and archivers; a name with a dot in front is left out as well. */
  const SYSTEM = new Set(["thumbs.db", "desktop.ini", "__macosx", "$recycle.bin"]);

  /** @param {string} path */
  function isUsers(path) {
    return path.split("/").every((part) => !part.startsWith(".") && !SYSTEM.has(part.toLowerCase()));
  }

  /**
   * What was dropped, to be looked through: its items are gone once the event is over. Where the browser has handles of
   * the file system they are taken: a page opened as a file can't look into folders otherwise.
   * @param {DataTransfer | null} transfer
   * @returns {Promise<Dropped | null>[]}
   */
  function entriesOf(transfer) {
    return [...(transfer?.items ?? [])]
      .filter(({ kind }) => kind === "file")
      .map((item) => {
        const other = item.webkitGetAsEntry?.() ?? item.getAsFile();
        const handle = /** @type {{ getAsFileSystemHandle?: () => Promise<FileSystemHandle | null> }} */ (item).getAsFileSystemHandle?.();
        return handle === undefined ? Promise.resolve(other) : handle.then((found) => found ?? other, () => other);
      });
  }

  /** What a folder holds. @param {FileSystemDirectoryEntry | FileSystemDirectoryHandle} folder */
  async function inside(folder) {
    /** @type {Dropped[]} */
    const found = [];
    if ("getDirectoryHandle" in folder) {
      for await (const each of /** @type {any} */ (folder).values()) found.push(each);
      return found;
    }
    const reader = folder.createReader();
    // A reader gives some hundred at a time, and none when it is done.
    for (;;) {
      /** @type {FileSystemEntry[]} */
      const more = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (more.length === 0) return found;
      found.push(...more);
    }
  }

  /** @param {Dropped} entry @returns {Promise<File>} */
  function fileOf(entry) {
    if (entry instanceof File) return Promise.resolve(entry);
    if ("getFile" in entry) return /** @type {FileSystemFileHandle} */ (entry).getFile();
    return new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
  }

  /** @param {Dropped} entry @returns {entry is FileSystemDirectoryEntry | FileSystemDirectoryHandle} */
  function isFolder(entry) {
    return ("isDirectory" in entry && entry.isDirectory) || ("kind" in entry && entry.kind === "directory");
  }

  /**
   * The files of what was dropped, each with its path.
   * @param {Promise<Dropped | null>[]} dropped
   * @returns {Promise<ChosenFiles>}
   */
  async function walk(dropped) {
    /** @type {UploadedFile[]} */
    const files = [];
    /** @type {{ entry: Dropped, path: string }[]} */
    const pending = (await Promise.all(dropped)).flatMap((entry) => (entry === null ? [] : [{ entry, path: entry.name }]));
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { entry, path } = next;
      if (!isFolder(entry)) files.push({ path, file: await fileOf(entry) });
      else if (isUsers(entry.name)) pending.push(...(await inside(entry)).map((each) => ({ entry: each, path: `${path}/${each.name}` })));
    }
    return named(files);
  }

  /** The files of a field for files, or for a folder. @param {Iterable<File>} files @returns {ChosenFiles} */
  function ofField(files) {
    return named([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
  }

  /** The user's own among the files, in order, and what they are called together. @param {UploadedFile[]} files @returns {ChosenFiles} */
  function named(files) {
    const own = files.filter(({ path }) => isUsers(path)).sort((one, other) => (one.path < other.path ? -1 : 1));
    const tops = new Set(own.map(({ path }) => path.split("/")[0]));
    const [only] = tops;
    if (tops.size !== 1) return { name: "images", files: own };
    return { name: own[0].path === only ? only.replace(/\.[^.]+$/, "") : only, files: own };
  }

  BreastAI.views.droppedFiles = { entriesOf, walk, ofField };
})();
