// The node's file system (in memory): what the host puts in and reads out, and a record of every byte that the VM's own
// code writes. Must never miss a write of the VM: the search for leaked raw values reads this record.
import { packPath } from "./frames.mjs";

const DEVICES = ["/dev/", "/proc/"];

export class FileSystem {
    constructor(fs, link) {
        this.fs = fs;
        this.link = link;
        this.recording = false;
        this.hook();
    }

    /** Sends a write on to the host; names count as written too, since a directory keeps them in flash. */
    record(path, bytes) {
        if (this.recording && !DEVICES.some((device) => path.startsWith(device))) {
            this.link.write("W", packPath(path), bytes);
        }
    }

    hook() {
        const { fs } = this;
        const { write, mknod, rename } = fs;
        fs.write = (stream, buffer, offset, length, position, canOwn) => {
            if (this.recording && stream.path) {
                const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
                this.record(stream.path, bytes);
            }
            return write(stream, buffer, offset, length, position, canOwn);
        };
        fs.mknod = (path, mode, dev) => {
            this.record(path, Buffer.alloc(0));
            return mknod(path, mode, dev);
        };
        fs.rename = (from, to) => {
            const done = rename(from, to);
            this.record(to, Buffer.alloc(0));
            return done;
        };
    }

    /** Writes a file, making the folders above it; the host's own writes are not recorded. */
    put(path, data) {
        const folder = path.slice(0, path.lastIndexOf("/"));
        if (folder) {
            this.fs.mkdirTree(folder);
        }
        this.fs.writeFile(path, data);
    }

    /** The file's bytes, or null when there is no such file. */
    get(path) {
        const found = this.fs.analyzePath(path);
        return found.exists && this.fs.isFile(found.object.mode) ? this.fs.readFile(path) : null;
    }

    /** Calls visit(path, bytes) for every file under a folder (or for the file itself). */
    walk(path, visit) {
        const found = this.fs.analyzePath(path);
        if (!found.exists) {
            return;
        }
        if (this.fs.isFile(found.object.mode)) {
            visit(path, this.fs.readFile(path));
        } else if (this.fs.isDir(found.object.mode)) {
            const names = this.fs.readdir(path).filter((name) => name !== "." && name !== "..");
            for (const name of names.sort()) {
                this.walk(`${path === "/" ? "" : path}/${name}`, visit);
            }
        }
    }
}
