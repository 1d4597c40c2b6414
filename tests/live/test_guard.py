"""Who may see the page and what may be done with it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pytest
from live_cases import TOKEN, Served

import xpot_core.live
from xpot_core.live.app import PANELS

PAGE = Path(xpot_core.live.__file__).with_name("page")


@pytest.mark.parametrize("path", ["/", "/api/studies", "/wrong/", f"/{TOKEN}", f"/{TOKEN}x/", f"//{TOKEN}/"])
def test_without_the_token_nothing_is_shown(served: Served, path: str) -> None:
    status, headers, body = served.ask(path)
    assert status == 403
    assert b"token" in body
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "localhost.example.org:80", ""])
def test_another_host_name_is_refused(served: Served, host: str) -> None:
    """A page elsewhere may make its name point to this machine."""
    assert served.ask(f"/{TOKEN}/", Host=host)[0] == 400
    assert served.ask(f"/{TOKEN}/", Host=f"localhost:{served.port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_sent(served: Served, method: str) -> None:
    for path in (f"/{TOKEN}/", f"/{TOKEN}/api/studies", f"/{TOKEN}/api/panel/summary?study=made-up"):
        assert served.ask(path, method)[0] == 405


def test_looking_changes_no_file(served: Served) -> None:
    def state() -> dict[Path, str]:
        files = (p for p in served.runs.rglob("*") if p.is_file())
        return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    before = state()
    served.json("studies")
    for panel in PANELS:
        served.json(f"panel/{panel}?study=made-up")
    served.json("structure?study=made-up&set=test&index=0")
    assert state() == before


@pytest.mark.parametrize(
    "path",
    [
        "../guard.py",
        "%2e%2e/guard.py",
        "..%2fguard.py",
        "api/panel/summary?study=../../etc",
        "api/panel/summary?study=/etc",
        "api/panel/nothing?study=made-up",
        "api/panel/summary",
        "api/structure?study=made-up&set=../../x&index=0",
        "api/structure?study=made-up&set=test&index=-1",
        "api/structure?study=made-up&set=test&index=999",
        "nothing",
    ],
)
def test_there_is_nothing_elsewhere(served: Served, path: str) -> None:
    status, _, body = served.ask(f"/{TOKEN}/{path}")
    assert status == 404
    assert b"Traceback" not in body


def test_scripts_run_only_from_here(served: Served) -> None:
    _, headers, _ = served.ask(f"/{TOKEN}/")
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert not re.search(r"unsafe-inline|unsafe-eval|\*|https?:", policy)
    assert headers["referrer-policy"] == "no-referrer"


def test_the_page_names_no_other_host() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]|@import|url\(", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), (
            path.name
        )


def _seconds_of_answers(address: str, count: int) -> list[float]:
    """Of one connection that is kept open."""
    found = urlsplit(address)
    with contextlib.closing(http.client.HTTPConnection(found.netloc, timeout=30)) as connection:
        spent = []
        for _ in range(count):
            begin = time.monotonic()
            connection.request("GET", f"{found.path}live.js")
            connection.getresponse().read()
            spent.append(time.monotonic() - begin)
    return spent


def test_command(served: Served, xpot_command: list[str]) -> None:
    process = subprocess.Popen([*xpot_command, "serve", str(served.runs)], stdout=subprocess.PIPE, text=True)
    with process, contextlib.ExitStack() as ending:
        ending.callback(process.kill)  # a fault below would wait for its end for ever
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b"XPOT" in answer.read()
        assert median(_seconds_of_answers(address, 20)) < 0.03  # 0.04 where each waits for an acknowledgement
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - began < 20


def test_command_needs_a_folder(xpot: object, tmp_path: Path) -> None:
    outcome = xpot("serve", tmp_path / "nothing")  # type: ignore[operator]
    assert outcome.status == 2
    assert "there is no such folder" in outcome.err
