# The part of CPython's `unittest` that tests/firmware uses, for interpreters without it. Runs one test at a time, so
# that a caller can do what it likes in between. Must never count a test that did not run as passed.

import sys


class SkipTest(Exception):
    pass


class _Raises:
    # What assertRaises() gives: exactly the exception asked for, or one derived from it, is swallowed and kept.
    def __init__(self, expected):
        self.expected = expected
        self.exception = None

    def __enter__(self):
        return self

    def __exit__(self, kind, exception, trace):
        if kind is None:
            raise AssertionError("%r was not raised" % (self.expected,))
        if not issubclass(kind, self.expected):
            return False
        self.exception = exception
        return True


class TestCase:
    def setUp(self):
        pass

    def tearDown(self):
        pass

    def fail(self, msg=None):
        raise AssertionError(msg or "failed")

    def skipTest(self, reason):
        raise SkipTest(reason)

    def assertTrue(self, value, msg=None):
        if not value:
            self.fail(msg or "%r is not true" % (value,))

    def assertFalse(self, value, msg=None):
        if value:
            self.fail(msg or "%r is not false" % (value,))

    def assertEqual(self, first, second, msg=None):
        if not first == second:
            self.fail(msg or "%r != %r" % (first, second))

    def assertIn(self, member, container, msg=None):
        if member not in container:
            self.fail(msg or "%r not in %r" % (member, container))

    def assertIs(self, first, second, msg=None):
        if first is not second:
            self.fail(msg or "%r is not %r" % (first, second))

    def assertRaises(self, expected):
        return _Raises(expected)


def tests_of(module):
    # [(class name, method name)] of a module's tests, sorted.
    found = []
    for name in dir(module):
        case = getattr(module, name)
        if isinstance(case, type) and issubclass(case, TestCase) and case is not TestCase:
            found += [(name, method) for method in dir(case) if method.startswith("test")]
    return sorted(found)


def run_test(module, case_name, method):
    # Runs one test -> ("passed" | "failed" | "skipped", exception, reason or None).
    case = getattr(module, case_name)()
    try:
        case.setUp()
        try:
            getattr(case, method)()
        finally:
            case.tearDown()
    except SkipTest as e:
        return "skipped", str(e)
    except KeyboardInterrupt:
        raise
    except BaseException as e:
        # SystemExit too: it would end the whole run as if all were well.
        return "failed", e
    return "passed", None


def run_module(module, report):
    # Runs a module's tests and calls report(test name, outcome, exception or reason) after each.
    for case_name, method in tests_of(module):
        outcome, why = run_test(module, case_name, method)
        report(case_name + "." + method, outcome, why)


def main(module="__main__"):
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def report(name, outcome, why):
        counts[outcome] += 1
        if outcome == "failed":
            print("FAIL " + name)
            sys.print_exception(why)

    run_module(__import__(module), report)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    if counts["failed"]:
        sys.exit(1)
