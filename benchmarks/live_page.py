"""Seconds from opening the live page to its first drawing and to figures that answer to the mouse.

    python benchmarks/live_page.py [--trials 40 1000 10000] [--repeats 5]

For each size a made-up study and a server of its own (``xpot serve``), and for each repeat a Chromium without any
cache. Nothing watches the browser while it works: the page notes its own times, which are asked for at the end. Needs
playwright and Chromium; writes ``benchmarks/results/live_page.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from fresh import wait_for_quiet
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from made_up_studies import StudyMaker  # type: ignore[import-not-found]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMES = """() => Object.fromEntries(performance.getEntries().filter(entry => entry.entryType !== "resource")
    .map(entry => [entry.name, entry.startTime / 1000]))"""
STEPS = {"first-contentful-paint": "page", "sketched": "first drawing", "drawn": "figures"}
"""What the browser and the page call the steps, and what the table calls them."""
PATIENCE = 60.0


@contextmanager
def ended(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with its children."""
    process = subprocess.Popen(command, start_new_session=True, text=True, **options)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def ask(address: str, method: str = "GET") -> Any:
    """JSON from an address; None where nothing answers yet."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, method=method), timeout=PATIENCE
        ) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def until(what: Any) -> Any:
    """What it gives once that is something.

    Raises
    ------
    TimeoutError
        If it goes on giving nothing.
    """
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        if time.monotonic() > end:
            raise TimeoutError("no answer")
        time.sleep(0.05)
    return found


def open_page(address: str) -> dict[str, float]:
    """Seconds from navigation to each step, in a new browser."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    debugger = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--no-first-run", "--window-size=1280,900"]
        flags += [f"--remote-debugging-port={port}", f"--user-data-dir={profile}", "about:blank"]
        with ended([str(CHROMIUM), *flags], stderr=subprocess.DEVNULL), sync_playwright() as driver:
            until(lambda: ask(f"{debugger}/json/version"))
            time.sleep(1.0)  # the browser's own start has work left
            ask(f"{debugger}/json/new?{urllib.parse.quote(address, safe=':/?&=')}", "PUT")
            time.sleep(5.0)  # whoever asks is a burden
            browser = driver.chromium.connect_over_cdp(debugger)
            page = next(p for c in browser.contexts for p in c.pages if p.url.startswith(address[:30]))
            page.wait_for_function("() => document.body.dataset.shown")
            found = page.evaluate(TIMES)
            browser.close()
    return {name: found[key] for key, name in STEPS.items()}


def measure(trials: int, repeats: int) -> list[str]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        StudyMaker(runs)("made-up", trials=trials, fail_every=29)
        begin = time.monotonic()
        command = [str(Path(sys.executable).with_name("xpot")), "serve", str(runs)]
        with ended(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            started = time.monotonic() - begin

            def read() -> bool:
                found = ask(f"{address}api/studies")
                return bool(found) and all(s["state"] != "reading" for s in found["studies"])

            until(read)
            ready = time.monotonic() - begin
            steps = []
            for _ in range(repeats):
                wait_for_quiet(10.0)
                steps.append(open_page(address))
                print(trials, steps[-1], flush=True)
    found = [f"{trials:,}", f"{started:.1f}", f"{ready:.1f}"]
    for name in STEPS.values():
        times = sorted(step[name] for step in steps)
        found.append(f"{median(times):.2f} ({times[0]:.2f} to {times[-1]:.2f})")
    return found


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[40, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "results" / "live_page.md")
    given = parser.parse_args()
    rows = [measure(trials, given.repeats) for trials in given.trials]
    heads = ["trials", "server listens", "all is read", *STEPS.values()]
    lines = [
        "# Live page",
        "",
        f"Seconds, {date.today()}, {os.cpu_count()} cores of {platform.machine()}, "
        f"load {os.getloadavg()[1]:.1f}: median of {given.repeats} (smallest to largest). "
        "The server from its start; the page from its opening, in a browser without a cache. "
        "`python benchmarks/live_page.py`",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    given.to.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
