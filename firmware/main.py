# Builds the node and runs it. A fault that a person has to mend ends in one line and the prompt; a version of the
# firmware that is on trial and cannot start gives way to the one before it.
import machine

on_trial = globals().get("on_trial")  # boot.py's
try:
    if on_trial:
        import os

        try:
            # Counted before it runs: it may not come back.
            with open("/pv/trial.new", "w") as f:
                f.write(on_trial[0] + chr(ord(on_trial[1]) - 1))
            os.rename("/pv/trial.new", "/pv/trial")
        except OSError:
            # A disk that is full or worn: the version in force needs no counting.
            import sys

            on_trial = ""
            with open("/pv/slot") as f:
                sys.path[0] = "/pv/" + f.read(1)
    from plumveil import loop, service

    app = service.build(print)
except Exception as e:  # noqa: BLE001
    # Only our own faults speak: the text of another may hold anything.
    advice = getattr(e, "advice", None)
    print("plumveil: %s: %s" % (e if advice else type(e).__name__, advice or "flash this node again"))
    if on_trial:
        machine.reset()
else:
    del service
    loop.run(app, machine.reset)
