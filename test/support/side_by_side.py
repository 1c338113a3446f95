"""side_by_side: many cases of one test at a time. A case mostly waits, for upstreams that are silent or slow, so that
several of them take the time of one.
"""
import concurrent.futures
import traceback


def label(case):
    return ", ".join(f"{key}={value}" for key, value in case.items())


def side_by_side(folder, cases, check, at_once):
    """Calls check(folder of its own, **case) for each case, `at_once` at a time. All are tried; those that fail are
    named together.
    """
    def one(number):
        own = folder / str(number)
        own.mkdir()
        try:
            said = check(own, **cases[number])
        except BaseException:  # also pytest's own outcomes, which are no Exception
            return f"{label(cases[number])}:\n{traceback.format_exc()}"
        print(f"{label(cases[number])}: {said or 'ok'}")
        return None

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        failures = [failure for failure in pool.map(one, range(len(cases))) if failure]
    assert not failures, f"{len(failures)} of {len(cases)} cases failed\n\n" + "\n".join(failures)
