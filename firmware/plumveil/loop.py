# The node's loop: step, sleep, and what becomes of a step that fails. Imports no stage, so that what has built them
# can be forgotten.

import os
import sys

from plumveil import terms, wire
from plumveil.errors import ButtonHeld

FAILED_STEPS_MAX = 5
FAILED_STEP_WAIT_MS = 10000
START_ONLY = ("service", "hardware", "config", "selftest", "trial")
_NEW_CONFIG = "%s.%d" % (wire.FILE_CONFIG, wire.CONFIG_STARTS)


def turn(app, reset):
    # One turn of the loop, step and rest. The button, held in either, takes consent back. reset: machine.reset.
    try:
        try:
            # A trial comes to its end first: one that fails would take the next one with it.
            if app.next_s and not app.trial and app.clock.trusted() and app.clock.now_s() >= app.next_s:
                os.rename(wire.FILE_NEXT, _NEW_CONFIG)
            if _exists(_NEW_CONFIG):
                app.pipeline.close()
                reset()
            wait_ms = app.step()
            app.failed_in_a_row = 0
            if app.trial:
                app.trial.passed()
                app.trial = None
        except Exception:  # noqa: BLE001
            wait_ms = _failed(app, reset)
        app.rest_ms(wait_ms)
    except ButtonHeld:
        try:
            app.desk.withdraw(terms.BY_BUTTON)
            app.hand.answer()
        except Exception:  # noqa: BLE001
            _failed(app, reset)


def _failed(app, reset):
    # A fault nobody foresaw costs this step, not the node: it is counted, and after several in a row the board starts
    # anew -> how long to rest.
    app.failed_steps += 1
    app.failed_in_a_row += 1
    if app.failed_in_a_row >= FAILED_STEPS_MAX:
        reset()
    return FAILED_STEP_WAIT_MS


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def forget():
    # What only a start needs goes: 6 KiB of code that would lie in RAM for as long as the node runs.
    for name in START_ONLY:
        if sys.modules.pop("plumveil." + name, None):
            delattr(sys.modules["plumveil"], name)


def run(app, reset):
    # Turns for ever; Ctrl-C ends it in a wait, and it may be called again. reset: machine.reset.
    forget()
    # Deaf from here on, but in waits.
    app.hand.heard(int)
    while True:
        turn(app, reset)
