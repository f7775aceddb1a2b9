# Sent to a node's raw prompt after tools.py: what lies under the files: which application runs, and where keys have
# flash of their own. Only reads.

BLOCK_BYTES = 4096


def base(application_bytes, label):
    # {"at": flash offset of the application, "end": its last 32 bytes in hex, which are its SHA-256 (esp-idf "App
    # Image Format"), "keys": [offset, size] of the partition of that label or None}
    from esp32 import Partition

    running = Partition(Partition.RUNNING)
    end = bytearray(32)
    block, offset = divmod(application_bytes - len(end), BLOCK_BYTES)
    first = min(len(end), BLOCK_BYTES - offset)
    part = bytearray(first)
    running.readblocks(block, part, offset)
    end[:first] = part
    if first < len(end):
        part = bytearray(len(end) - first)
        running.readblocks(block + 1, part, 0)
        end[first:] = part
    keys = Partition.find(Partition.TYPE_DATA, label=label)
    return {
        "at": running.info()[2],
        "end": hexlify(end).decode(),
        "keys": list(keys[0].info()[2:4]) if keys else None,
    }


def kept(label, folder):
    # Whether something lies where keys do: in the partition of that label, or in the folder. Asks no firmware.
    from esp32 import Partition

    try:
        if os.listdir(folder):
            return True
    except OSError:
        pass
    blank = bytes([0xFF]) * CHUNK_BYTES
    data = bytearray(CHUNK_BYTES)
    for partition in Partition.find(Partition.TYPE_DATA, label=label):
        for at in range(0, partition.info()[3], CHUNK_BYTES):
            partition.readblocks(at // BLOCK_BYTES, data, at % BLOCK_BYTES)
            if data != blank:
                return True
    return False
