"""The host tools' exceptions: one root, few leaves. A message never carries a key, a coordinate or an id."""


class PlumveilError(Exception):
    """Root of everything the host tools raise on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(PlumveilError):
    """What was asked for cannot be done as asked: a missing file, a wrong option, an unreadable key file."""

    exit_code = 2
