"""What can be wrong with a keystore, one line each. A message never carries a key, a passphrase or a node's name that
its reader did not give.
"""

from host_tools.errors import PlumveilError


class WrongPassphrase(PlumveilError):
    """The passphrase does not open the file."""


class Damaged(PlumveilError):
    """The file is cut, changed, or no keystore at all."""


class Expired(PlumveilError):
    """The time the file was handed out for is over."""


class BeyondRole(PlumveilError):
    """The role the file was made for does not hold what was asked for."""


class Busy(PlumveilError):
    """Somebody else is writing the file."""
