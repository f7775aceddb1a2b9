# The node's loop: step, sleep, and what becomes of a step that fails. Imports no stage, so that what has built them
# can be forgotten.

import sys

FAILED_STEPS_MAX = 5
FAILED_STEP_WAIT_MS = 10000
START_ONLY = ("service", "config", "selftest")


def turn(app, reset):
    # One turn of the loop. A fault nobody foresaw costs this step, not the node: it is counted, and
    # after several in a row the board starts anew. reset: machine.reset.
    try:
        wait_ms = app.step()
        app.failed_in_a_row = 0
    except Exception:  # noqa: BLE001
        app.failed_steps += 1
        app.failed_in_a_row += 1
        if app.failed_in_a_row >= FAILED_STEPS_MAX:
            reset()
        wait_ms = FAILED_STEP_WAIT_MS
    app.clock.sleep_ms(wait_ms)


def forget():
    # What only a start needs goes: 6 KiB of code that would lie in RAM for as long as the node runs.
    for name in START_ONLY:
        if sys.modules.pop("plumveil." + name, None):
            delattr(sys.modules["plumveil"], name)


def run(app, reset):
    # Turns for ever. reset: machine.reset.
    forget()
    while True:
        turn(app, reset)
