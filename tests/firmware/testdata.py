# Where a test's data lie, on every interpreter: beside this file's folder and beside the checkout. In the test VM the
# same places stand under /, put there by the host.

import os

_HERE = "tests/firmware/testdata.py"
_ROOT = __file__[: -len(_HERE)] if __file__.endswith(_HERE) else "../../"


def shared(name):
    # Path of a file of the shared data, like "crypto/x.json"; None where that folder is not there.
    return _present(_ROOT + "../shared/data/" + name)


def vectors(name):
    # Path of a file in tests/vectors; None when it is not there.
    return _present(_ROOT + "tests/vectors/" + name)


def _present(path):
    try:
        os.stat(path)
    except OSError:
        return None
    return path
