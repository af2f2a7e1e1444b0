"""Runs many lines of Debian's `openstack` command in one process, as its interactive mode would: a start of the command costs two seconds.

stdin: {"lines": [{"argv": [...], "keep": {"name": "field"}}, ...]}; `$name` in a later line stands for what was kept.
stdout: {"results": [{"argv": [...], "code": 0, "out": "...", "err": "..."}], "commands": [every command of the group of entry points named in argv[1]]}
"""
import contextlib
import io
import json
import re
import sys
from importlib.metadata import entry_points

from openstackclient import shell

wish = json.load(sys.stdin)
results = []
kept = {}


class Shell(shell.OpenStackShell):
    def interact(self):
        # Python writes to what sys.stdout was when the shell began.
        for line in wish["lines"]:
            argv = [re.sub(r"\$(\w+)", lambda m: str(kept.get(m.group(1), m.group(0))), word) for word in line["argv"]]
            if line.get("keep"):
                argv += ["-f", "json"]
            out, err = io.StringIO(), io.StringIO()
            self.stdout = out
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = self.run_subcommand(argv)
                except SystemExit as ended:
                    code = ended.code
                except Exception as failed:  # what interactive mode prints and goes on from
                    code = 1
                    err.write(repr(failed))
            for name, field in (line.get("keep") or {}).items():
                with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
                    found = json.loads(out.getvalue())
                    kept[name] = (found[0] if isinstance(found, list) else found)[field]
            results.append({"argv": argv, "code": code if isinstance(code, int) else 0, "out": out.getvalue(), "err": err.getvalue()})
        return 0


code = Shell().run([])
found = entry_points()
group = found.select(group=sys.argv[1]) if hasattr(found, "select") else found.get(sys.argv[1], [])
json.dump({"results": results, "commands": sorted({one.name for one in group}), "code": code if isinstance(code, int) else 0}, sys.stdout)
