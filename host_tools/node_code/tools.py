# Sent to a node's raw prompt by host_tools.flashing: looks at the node's files, and puts a version of the firmware
# where it can be tried. Writes only what it is told to; each call ends with one answer.
import json
import os
from binascii import a2b_base64, hexlify
from hashlib import sha256

CHUNK_BYTES = 1024


def answer(value):
    print("<" + hexlify(json.dumps(value).encode()).decode() + ">")


def guarded(call, *arguments):
    # What the disk says no to is an answer: {"errno": n}.
    try:
        return call(*arguments)
    except OSError as e:
        return {"errno": e.args[0] if e.args and isinstance(e.args[0], int) else 5}


def text(path):
    try:
        with open(path) as f:
            return f.read(2)
    except (OSError, ValueError):
        return ""


def digest(path):
    whole = sha256()
    with open(path, "rb") as f:
        while True:
            data = f.read(CHUNK_BYTES)
            if not data:
                return hexlify(whole.digest()).decode()
            whole.update(data)


def tree(folder, found):
    # {path: SHA-256 in hex} of every file under a folder
    try:
        entries = list(os.ilistdir(folder))
    except OSError:
        return found
    for entry in entries:
        path = folder.rstrip("/") + "/" + entry[0]
        if entry[1] & 0x4000:
            tree(path, found)
        else:
            found[path] = digest(path)
    return found


def hashes(folders, files):
    found = {}
    for folder in folders:
        tree(folder, found)
    for path in files:
        try:
            found[path] = digest(path)
        except OSError:
            pass
    return found


def state(slot_file, trial_file):
    import sys

    disk = os.statvfs("/")
    return {
        "release": os.uname().release,
        "machine": os.uname().machine,
        "platform": sys.platform,
        "free_bytes": disk[0] * disk[3],
        "slot": text(slot_file)[:1],
        "trial": text(trial_file),
    }


def folders(path):
    at = ""
    for part in path.split("/")[1:-1]:
        at += "/" + part
        try:
            os.mkdir(at)
        except OSError:
            os.stat(at)


def put(path, data, more=False):
    if not more:
        folders(path)
    with open(path, "ab" if more else "wb") as f:
        f.write(a2b_base64(data))


def copy(source, path):
    folders(path)
    with open(source, "rb") as old:
        with open(path, "wb") as new:
            while True:
                data = old.read(CHUNK_BYTES)
                if not data:
                    break
                new.write(data)


def replace(path, data):
    # The old content or the new, wherever the supply goes.
    put(path + ".new", data)
    os.rename(path + ".new", path)


def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass
