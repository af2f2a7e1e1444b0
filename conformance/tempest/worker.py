#!/usr/bin/python3
"""Runs tests of Tempest in forked workers, and writes what came of each as a line of JSON to file descriptor 3.

    worker.py WORKERS PACKAGES PATTERN... 3>RESULTS

PACKAGES are dotted names, separated by commas; tests whose id (with its tags) matches a PATTERN run. stestr would load all of
Tempest and its plugins in every worker and deal the tests out beforehand; here they are loaded once, and each worker takes the
next class when it is free, those with the most tests first.
"""
import collections
import importlib
import json
import logging
import multiprocessing
import os
import pkgutil
import re
import sys
import threading
import time
import traceback
import unittest

import testtools
from tempest.common import waiters


class HastyTime:
    """`time` for parts of Tempest that wait too long: their sleeps are `most` seconds at most."""

    def __init__(self, most):
        self.most = most

    def __getattr__(self, name):
        return getattr(time, name)

    def sleep(self, seconds):
        time.sleep(min(seconds, self.most))


def hasten():
    """
    The interval of the waiters is a whole number of seconds, where a tenth will do. Debian's Tempest, unlike upstream's, waits ten
    seconds before it deletes a subnet, for a Neutron that is slow to take ports away.
    """
    import tempest.api.compute.base
    import tempest.api.compute.servers.test_attach_interfaces
    import tempest.lib.common.rest_client
    import tempest.lib.services.network.subnets_client
    for module in (waiters, tempest.lib.common.rest_client, tempest.api.compute.base, tempest.api.compute.servers.test_attach_interfaces):
        module.time = HastyTime(0.1)
    tempest.lib.services.network.subnets_client.time = HastyTime(0)


def modules_below(name):
    package = importlib.import_module(name)
    if not hasattr(package, '__path__'):
        return [name]
    return [found.name for found in pkgutil.walk_packages(package.__path__, name + '.') if re.match(r'test', found.name.rsplit('.', 1)[1])]


def cases_of(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from cases_of(one)
        else:
            yield one


def choose(packages, patterns):
    """The tests that match, by class."""
    classes = collections.OrderedDict()
    loader = unittest.TestLoader()
    for package in packages:
        for name in modules_below(package):
            for case in cases_of(loader.loadTestsFromName(name)):
                if any(pattern.search(case.id()) for pattern in patterns):
                    classes.setdefault(f'{type(case).__module__}.{type(case).__qualname__}', {})[case.id()] = case
    return {name: list(cases.values()) for name, cases in classes.items()}


def plain(test_id):
    """Without tags."""
    return re.sub(r'\[[^\]]*\]', '', test_id)


class Result(unittest.TestResult):
    """What came of the tests of one class; of the class itself when it could not be set up."""

    def __init__(self):
        super().__init__()
        self.outcome = {}
        self.of_class = None
        self.started = 0

    def startTest(self, test):
        self.started = time.monotonic()

    def note(self, test, status, why=''):
        if hasattr(test, 'debug') or hasattr(test, '_testMethodName'):
            name = plain(test.id())
            if name not in self.outcome or self.outcome[name]['status'] != 'fail':
                self.outcome[name] = {'status': status, 'why': why, 'seconds': round(time.monotonic() - self.started, 2)}
        elif status == 'fail' or test.id().startswith('setUpClass'):
            self.of_class = {'status': status, 'why': f'{test.id()}: {why}', 'seconds': 0}

    def addSuccess(self, test, details=None):
        self.note(test, 'success')

    def addSkip(self, test, reason=None, details=None):
        self.note(test, 'skip', reason or text_of(details))

    def addError(self, test, err=None, details=None):
        self.note(test, 'fail', ''.join(traceback.format_exception(*err)) if err else text_of(details))

    addFailure = addError

    def addExpectedFailure(self, test, err=None, details=None):
        self.note(test, 'success')

    def addUnexpectedSuccess(self, test, details=None):
        self.note(test, 'fail', 'passes, and is marked to fail')


def text_of(details):
    return '\n'.join(content.as_text() for name, content in sorted((details or {}).items()) if name.startswith(('traceback', 'reason')))


def work(classes, order, position, write):
    # The locks of the log were made before the fork, of pipes: a worker would wait for another's.
    for logger in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
        for handler in getattr(logger, 'handlers', []):
            handler.lock = threading.RLock()
    while True:
        with position.get_lock():
            at = position.value
            position.value += 1
        if at >= len(order):
            return
        name = order[at]
        result = Result()
        begun = time.monotonic()
        unittest.TestSuite(classes[name]).run(result)
        whole = round(time.monotonic() - begun, 2)
        lines = []
        for case in classes[name]:
            test = plain(case.id())
            found = result.outcome.get(test) or result.of_class or {'status': 'fail', 'why': 'did not run', 'seconds': 0}
            lines.append({'test': test, **found})
        if result.of_class and result.of_class['status'] == 'fail' and not result.of_class['why'].startswith('setUpClass'):
            lines.append({'test': f'{name} (tearDownClass)', **result.of_class})
        lines.append({'class': name, 'seconds': whole})
        with write.get_lock():
            for line in lines:
                os.write(3, (json.dumps(line) + '\n').encode())


def main():
    workers, packages, *patterns = sys.argv[1:]
    classes = choose(packages.split(','), [re.compile(pattern) for pattern in patterns])
    hasten()
    order = sorted(classes, key=lambda name: -len(classes[name]))
    position = multiprocessing.Value('i', 0)
    write = multiprocessing.Value('i', 0)
    print(f'{sum(map(len, classes.values()))} tests in {len(classes)} classes', flush=True)
    running = [multiprocessing.Process(target=work, args=(classes, order, position, write)) for _ in range(int(workers))]
    for one in running:
        one.start()
    for one in running:
        one.join()


if __name__ == '__main__':
    multiprocessing.set_start_method('fork')
    main()
