# What has not proved itself yet: a version of the firmware or a configuration that came new. Each has a few starts in
# which to run one good step, and what was before it stays until then.

import os
import sys

from plumveil import flash, wire
from plumveil.config import Config
from plumveil.errors import ConfigError


def configuration(state):
    # (the Config to run with, path of its file if it is on trial, else None). state: KeyState. ConfigError when
    # neither a new one nor the one in force can be believed.
    tried = _next_start()
    fault = config = None
    try:
        config = Config(flash.load(wire.FILE_CONFIG), state.k_config, state.config)
    except ConfigError as e:
        fault = e
    if tried:
        try:
            floor = config.version + 1 if config else state.config
            return Config(flash.load(tried), state.k_config, floor), tried
        except ConfigError:
            flash.remove(tried)
    if fault:
        raise fault
    return config, None


def ahead(state, config):
    # Unix s at which the configuration that was loaded ahead comes into force; 0 without one. One that can never take
    # the place of `config` goes. state: KeyState; config: the Config that runs.
    data = flash.load(wire.FILE_NEXT)
    if data is None:
        return 0
    try:
        return Config(data, state.k_config, config.version + 1).from_s or 1
    except ConfigError:
        flash.erase(wire.FILE_NEXT)
        return 0


def _next_start():
    # Takes one start from the newest configuration on trial -> its path; None when there is none with a start left.
    found = None
    for left in range(wire.CONFIG_STARTS, -1, -1):
        path = "%s.%d" % (wire.FILE_CONFIG, left)
        if found or not left:
            if path != found:
                flash.remove(path)
            continue
        try:
            os.rename(path, path[:-1] + str(left - 1))
            found = path[:-1] + str(left - 1)
        except OSError:
            pass
    return found


def confirm():
    # The version of the firmware that is on trial is the one in force from now on, if it is the one that runs: its
    # starts may be spent, and this the version before it.
    slot = flash.load(wire.FILE_TRIAL)
    if slot:
        if wire.FOLDER_SLOT + chr(slot[0]) in sys.path:
            flash.save(wire.FILE_SLOT, slot[:1])
        flash.remove(wire.FILE_TRIAL)


class Trial:
    # state: KeyState; config: the Config that runs; path: of its file while it is on trial, or None; say: takes a
    # line for the console.
    def __init__(self, state, config, path, say):
        self._state = state
        self._say = say
        self._version = config.version
        self._path = path

    def passed(self):
        # A good step was run. OSError leaves all as it was, to be called again.
        confirm()
        if self._path:
            os.rename(self._path, wire.FILE_CONFIG)
            self._path = None
        # Stands on flash with the next counters; until then an older one would run once more.
        self._state.config = self._version
        self._say("plumveil: configuration %d in force" % self._version)
