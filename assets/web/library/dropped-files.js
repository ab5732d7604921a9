// Which files were dropped or chosen, under which names, and in which requests they are sent.

/**
 * A file and its name below the folder it comes from.
 *
 * @typedef {object} Named
 * @property {string} name
 * @property {File} file
 */

/** @typedef {{ taken: Named[], hidden: number }} Dropped */
/** @typedef {[name: string, start: number, length: number]} Piece */
/** @typedef {{ pieces: Piece[], parts: Blob[], bytes: number }} Request */

const MOST_FILES = 20_000;
const REQUEST_BYTES = 8 << 20;
const REQUEST_PIECES = 200;

/** @param {string} name */
const isHidden = (name) => name.split("/").some((part) => /^\.[^.]/.test(part))
  || /(^|\/)(Thumbs\.db|desktop\.ini|__MACOSX\/.*)$/.test(name);

/**
 * Leaves out what systems and editors hide in folders: nobody means to send `.git` or `.env`.
 *
 * @param {Named[]} all
 * @returns {Dropped}
 */
export const withoutHidden = (all) => {
  const taken = all.filter(({ name }) => !isHidden(name));
  return { taken, hidden: all.length - taken.length };
};

/**
 * Names the files of an input; those of a folder as they lie in it.
 *
 * @param {Iterable<File>} files
 * @returns {Dropped}
 */
export const chosenFiles = (files) => withoutHidden(
  Array.from(files, (file) => ({ name: file.webkitRelativePath || file.name, file })));

/**
 * Reads a folder, which a browser tells a hundred entries at a time.
 *
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<FileSystemEntry[]>}
 */
const entriesOf = async (folder) => {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((take, refuse) => reader.readEntries(take, refuse));
    if (!some.length) return found;
    found.push(...some);
  }
};

/**
 * Reads what was dropped, folders with all that is in them.
 *
 * @param {(FileSystemEntry | null)[]} entries
 * @returns {Promise<Dropped>}
 */
export const droppedFiles = async (entries) => {
  const waiting = entries.filter((entry) => entry !== null);
  /** @type {Named[]} */
  const found = [];
  // One more than may be sent is enough for the studio to say so.
  while (waiting.length && found.length <= MOST_FILES) {
    const entry = waiting.shift();
    if (entry?.isDirectory) {
      waiting.push(...await entriesOf(/** @type {FileSystemDirectoryEntry} */ (entry)));
    } else if (entry) {
      const file = await new Promise((take, refuse) =>
        /** @type {FileSystemFileEntry} */ (entry).file(take, refuse));
      found.push({ name: entry.fullPath.replace(/^\/+/, ""), file });
    }
  }
  return withoutHidden(found);
};

/**
 * Says what will be sent, for the studio to refuse before anything is.
 *
 * @param {Named[]} files
 * @returns {{ files: number, bytes: number, largest: number }}
 */
export const announcement = (files) => ({
  files: files.length,
  bytes: files.reduce((sum, { file }) => sum + file.size, 0),
  largest: files.reduce((most, { file }) => Math.max(most, file.size), 0),
});

/**
 * Puts files into requests: many small ones into one, a large one into several.
 *
 * @param {Named[]} files
 * @param {number} [most] bytes of a request
 * @returns {Generator<Request>}
 */
export function* requestsOf(files, most = REQUEST_BYTES) {
  /** @type {Request} */
  let now = { pieces: [], parts: [], bytes: 0 };
  for (const { name, file } of files) {
    let start = 0;
    do {
      const length = Math.min(file.size - start, most - now.bytes);
      now.pieces.push([name, start, length]);
      now.parts.push(file.slice(start, start + length));
      now.bytes += length;
      start += length;
      if (now.bytes >= most || now.pieces.length >= REQUEST_PIECES) {
        yield now;
        now = { pieces: [], parts: [], bytes: 0 };
      }
    } while (start < file.size);
  }
  if (now.pieces.length) yield now;
}

/**
 * Writes a size as people read it.
 *
 * @param {number} bytes
 * @returns {string}
 */
export const sizeOf = (bytes) => {
  if (bytes < 1 << 20) return `${Math.ceil(bytes / 1024)} KB`;
  if (bytes < 1 << 30) return `${(bytes / (1 << 20)).toFixed(1)} MB`;
  return `${(bytes / (1 << 30)).toFixed(1)} GB`;
};

/**
 * Writes a number with its thing.
 *
 * @param {number} number
 * @param {string} thing
 * @returns {string}
 */
export const many = (number, thing) =>
  `${number.toLocaleString("en-US")} ${thing}${number === 1 ? "" : "s"}`;
