# Runs all of tests/firmware on a unix MicroPython, from the top of the checkout:
# MICROPYPATH=firmware:host_tools/standins:tests/fakes:tests/firmware micropython tests/fakes/run_firmware_tests.py
# Ends with the counts, and with exit code 1 when anything failed or nothing ran.

import gc
import os
import sys
import unittest

FOLDER = "tests/firmware"
_counts = {"passed": 0, "failed": 0, "skipped": 0}


def _reporter(module_name):
    def report(name, outcome, why):
        gc.collect()
        _counts[outcome] += 1
        if outcome != "passed":
            print("%s %s.%s" % (outcome, module_name, name), "" if outcome == "failed" else why)
        if outcome == "failed":
            sys.print_exception(why)

    return report


def _run(module_name):
    report = _reporter(module_name)
    try:
        module = __import__(module_name)
    except Exception as e:
        report("import", "failed", e)
        return
    unittest.run_module(module, report)
    # What a module leaves behind must not take the next one's heap.
    del sys.modules[module_name]


def main():
    names = sorted(name[:-3] for name in os.listdir(FOLDER) if name.startswith("test_") and name.endswith(".py"))
    for name in names:
        _run(name)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % _counts)
    if _counts["failed"] or not _counts["passed"]:
        sys.exit(1)


main()
