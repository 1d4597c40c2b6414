"""Kill, freeze, starve and race a study; count what was lost. Needs nothing but the core.

Every campaign runs ``xpot run`` in processes of its own on a study whose fits take some hundredths of a second,
does its harm, lets the study run to its budget and checks:

- every finished trial is there once, with the values and the loss that it had when it was first seen;
- no values were tried twice, and no trial was fitted again after it stood in the store as finished;
- the store is whole (``PRAGMA integrity_check``) and the best trial was refitted.

    python benchmarks/survival.py --kills 50 --output docs/guide/survival_counts.md
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from survival_starts import containers_allowed, five_starts, three_restarts, two_containers, woken
from survival_victim import LOCAL, Campaign, all_gone, children

from xpot_core.results.read import StudyResults

# What `date -s` does to a process: its calendar jumps, its monotonic clock and the process table do not.
JUMPING = """
import time
true_time = time.time
def jumping():
    with open("clock") as stream:
        return true_time() + float(stream.read() or 0)
time.time = jumping
from xpot_core.cli import main
main()
"""


class NotPermittedError(Exception):
    """This machine does not let us do the harm."""


# -- the campaigns -----------------------------------------------------------------------------------


def coordinators(folder: Path, kills: int, kind: int = signal.SIGKILL) -> dict[str, Any]:
    """Kill the coordinator at random moments, every fourth time while it starts."""
    rng = np.random.default_rng(1)
    campaign = Campaign(folder, budget=16 * kills + 20, executor=LOCAL, seconds=0.1)
    hit = starting = 0
    for i in range(kills):
        process = campaign.start()
        if i % 4 == 3:
            time.sleep(rng.uniform(0.0, 2.0))
            starting += 1
        else:
            campaign.progress(len(campaign.known), process)
            time.sleep(rng.uniform(0.0, 0.5))
        workers = children(process.pid)
        if process.poll() is None:
            process.send_signal(kind)
            hit += 1
        out, _ = process.communicate(timeout=60)
        assert all_gone(workers), "workers of a killed coordinator go on"
        if kind != signal.SIGKILL and "interrupted" in out:
            assert "Traceback" not in out, out
            assert "RUNNING" not in campaign.states()
        campaign.check()
    before = len(campaign.known)
    campaign.complete()
    return {
        "kills": hit, "of them while starting": starting, "finished by then": before,
        "trials": campaign.budget, "lost": 0, "doubled": 0, "fits begun": len(campaign.fits()),
    }  # fmt: skip


def terminated(folder: Path, kills: int) -> dict[str, Any]:
    """SIGTERM to the coordinator at random moments."""
    return coordinators(folder, kills, signal.SIGTERM)


def workers(folder: Path, kills: int) -> dict[str, Any]:
    """Kill workers of one running study at random moments; `xpot retry` brings the lost trials back."""
    rng = np.random.default_rng(2)
    campaign = Campaign(folder, budget=8 * kills, executor=LOCAL, seconds=0.1)
    process = campaign.start()
    campaign.progress(0, process)
    hit = 0
    while hit < kills and process.poll() is None:
        time.sleep(rng.uniform(0.02, 0.8))
        found = children(process.pid)
        if found:
            with contextlib.suppress(psutil.Error):
                found[rng.integers(len(found))].kill()
                hit += 1
    out, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, out
    results = StudyResults.open(campaign.directory)
    lost = [t for t in results.trials if t.failure is not None and t.failure.stage == "worker"]
    assert len(results.trials) == campaign.budget
    assert len(lost) <= hit, "a kill cost more than one trial"
    assert all(t.failure is not None and t.failure.retryable for t in lost)
    assert campaign.xpot("retry", "victim").returncode == 0
    numbers = {t.number for t in lost}
    campaign.known = {n: v for n, v in campaign.finished().items() if n not in numbers}
    campaign._fits_seen = len(campaign.fits())
    campaign.complete()
    after = campaign.states()
    return {
        "kills": hit, "trials": campaign.budget, "trials that a kill cost": len(lost),
        "of them run again by xpot retry": len(lost) - after.get("FAILED", 0), "lost": 0, "doubled": 0,
    }  # fmt: skip


def two_at_once(folder: Path, kills: int) -> dict[str, Any]:
    """Start two coordinators at the same moment; kill the one that won; again."""
    campaign = Campaign(folder, budget=20 * kills, executor="serial", seconds=0.2)
    refused = killed = 0
    for _ in range(kills):
        pair = [campaign.start(), campaign.start()]
        campaign.progress(len(campaign.known), pair[0], patience=15)
        deadline = time.monotonic() + 60
        while all(p.poll() is None for p in pair) and time.monotonic() < deadline:
            time.sleep(0.05)
        ended = [p for p in pair if p.poll() is not None]
        assert len(ended) == 1, "not exactly one of two was refused"
        out, _ = ended[0].communicate()
        winner = next(p for p in pair if p is not ended[0])
        assert ended[0].returncode == 1, out
        assert f"is being run by process {winner.pid}" in out, out
        refused += 1
        campaign.progress(len(campaign.known), winner)
        winner.kill()
        winner.communicate()
        killed += 1
        campaign.check()
    campaign.complete()
    return {"pairs": kills, "refused": refused, "kills": killed, "trials": campaign.budget, "doubled": 0}


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPermittedError(f"mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)


def disk_full(folder: Path, times: int) -> dict[str, Any]:
    """Run on a disk that fills up, give it a little more, again; then enough."""
    told = 0
    with small_disk(folder / "disk", "300k") as disk:
        campaign = Campaign(folder, budget=60 * times, seconds=0.0, runs=disk)
        for i in range(times):
            process = campaign.start()
            out, _ = process.communicate(timeout=600)
            assert "Traceback" not in out, out
            if process.returncode == 1 and ("disk space" in out or "No space" in out):
                told += 1
            campaign.known = campaign.finished()
            remount(disk, f"size={500 + 100 * i}k")
        remount(disk, "size=64m")
        retried = campaign.xpot("retry", "victim").stdout.split()[0]
        campaign.known = {n: v for n, v in campaign.finished().items() if v[1] is not None}
        campaign._fits_seen = len(campaign.fits())
        campaign.complete()
        states = campaign.states()
    return {
        "times full": times, "told and ended with status 1": told,
        "run again by xpot retry": retried if retried.isdigit() else 0,
        "trials": campaign.budget, "failed in the end": states.get("FAILED", 0), "lost": 0,
    }  # fmt: skip


def read_only(folder: Path, times: int) -> dict[str, Any]:
    """A run folder that becomes read-only: `show` works, `run` is refused, later it goes on."""
    refused = 0
    with small_disk(folder / "disk", "64m") as disk:
        campaign = Campaign(folder, budget=20 * (times + 1), runs=disk)
        for i in range(times):
            process = campaign.start("--trials", str(20 * (i + 1)))
            process.communicate(timeout=600)
            campaign.check()
            remount(disk, "ro")
            out, _ = (process := campaign.start()).communicate(timeout=600)
            assert process.returncode in (1, 2), out
            assert "Traceback" not in out, out
            assert "read" in out.lower(), out
            assert campaign.xpot("show", "victim").returncode == 0
            refused += 1
            remount(disk, "rw")
            campaign.check()
        campaign.complete()
    return {"times read-only": times, "refused in words": refused, "trials": campaign.budget, "lost": 0}


def clock(folder: Path, times: int) -> dict[str, Any]:
    """The clock of the coordinator jumps by up to two days both ways while a second one tries to get in."""
    rng = np.random.default_rng(3)
    campaign = Campaign(folder, budget=30 * times + 10, seconds=0.2)
    now = folder / "clock"
    now.write_text("0")
    jumps = refused = 0
    for i in range(times):
        process = campaign.start(command=[sys.executable, "-c", JUMPING])
        campaign.progress(len(campaign.known), process)
        for _ in range(3):
            now.with_suffix(".new").write_text(str(rng.uniform(-172_800, 172_800)))
            now.with_suffix(".new").replace(now)
            jumps += 1
            time.sleep(0.3)
        out, _ = (second := campaign.start()).communicate(timeout=120)
        assert second.returncode == 1, out
        assert f"is being run by process {process.pid}" in out, out
        refused += 1
        process.send_signal(signal.SIGKILL if i % 2 else signal.SIGTERM)
        process.communicate(timeout=60)
        campaign.check()
    campaign.complete()
    return {
        "jumps": jumps, "second coordinators refused": refused, "trials": campaign.budget, "lost": 0, "doubled": 0,
    }  # fmt: skip


def in_containers(
    campaign: Callable[[Path, int], dict[str, Any]],
) -> Callable[[Path, int], dict[str, Any]]:
    """A campaign that needs pid namespaces."""

    def run(folder: Path, times: int) -> dict[str, Any]:
        reason = containers_allowed()
        if reason:
            raise NotPermittedError(reason)
        return campaign(folder, times)

    return run


CAMPAIGNS: dict[str, tuple[Callable[[Path, int], dict[str, Any]], float]] = {
    "kill -9 of the coordinator": (coordinators, 1.0),
    "kill -9 of workers": (workers, 1.0),
    "SIGTERM of the coordinator": (terminated, 0.4),
    "two coordinators at once": (two_at_once, 0.2),
    "disk full": (disk_full, 0.1),
    "store read-only": (read_only, 0.1),
    "clock jumping": (clock, 0.2),
    "two containers": (in_containers(two_containers), 0.2),
    "take-over of a suspended coordinator": (in_containers(woken), 0.2),
    "five starts at once": (five_starts, 0.2),
    "three restarts at once": (three_restarts, 0.2),
}
"""Campaign and how many rounds of it there are for each kill asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", help="part of a campaign's name")
    parser.add_argument("--output", type=Path, help="Markdown file for the counts")
    arguments = parser.parse_args()
    lines = []
    root = Path(tempfile.mkdtemp(prefix="xpot-survival-"))
    for name, (campaign, share) in CAMPAIGNS.items():
        if arguments.only and arguments.only not in name:
            continue
        begin = time.monotonic()
        try:
            counts = campaign(root / name.replace(" ", "-"), max(round(arguments.kills * share), 1))
            text = ", ".join(f"{key} {value}" for key, value in counts.items())
        except NotPermittedError as reason:
            text = f"not run: {reason}"
        lines.append(f"| {name} | {text} | {time.monotonic() - begin:.0f} s |")
        print(lines[-1], flush=True)
    shutil.rmtree(root, ignore_errors=True)
    if arguments.output:
        head = [
            f"`python benchmarks/survival.py --kills {arguments.kills}`, {time.strftime('%d %B %Y')}, "
            f"{os.cpu_count()} cores ({platform.machine()}, Linux {platform.release().split('-')[0]}), Python "
            f"{platform.python_version()}, load average at the end {os.getloadavg()[0]:.1f}:",
            "", "| harm | counts | took |", "|---|---|---|",
        ]  # fmt: skip
        arguments.output.write_text("\n".join([*head, *lines, ""]))


if __name__ == "__main__":
    main()
