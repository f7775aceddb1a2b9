# Small files on the node's flash, replaced so that a power cut leaves the old or the new one.

import os


def make_folder(path):
    # Makes `path` and what lies above it.
    at = ""
    for part in path.split("/"):
        if part:
            at += "/" + part
            try:
                os.mkdir(at)
            except OSError:
                os.stat(at)


def save(path, data):
    # Replaces a small file so that a power cut leaves the old or the new content.
    temporary = path + ".new"
    try:
        with open(temporary, "wb") as f:
            f.write(data)
        os.rename(temporary, path)
    except OSError:
        remove(temporary)
        raise


def load(path):
    # The file's bytes, or None when there is none.
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


def erase(path):
    # Removes what `save` wrote, and what a power cut in the middle of it left.
    remove(path)
    remove(path + ".new")


def erase_folder(path):
    # Removes a folder and everything in it; what will not go stays.
    try:
        names = os.listdir(path)
    except OSError:
        return remove(path)
    for name in names:
        erase_folder(path + "/" + name)
    try:
        os.rmdir(path)
    except OSError:
        pass
