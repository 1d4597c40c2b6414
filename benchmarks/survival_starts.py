"""Campaigns of `survival.py` on who runs a study: containers, suspended coordinators, starts at the same moment."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from survival_victim import Campaign

CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
# An owner whose process table is another one is watched by its heartbeat: here a second instead of a minute and a half.
QUICK = [
    sys.executable,
    "-c",
    "from xpot_core.store import run_lock; run_lock.HEARTBEAT_SECONDS, run_lock.LEASE_SECONDS = 0.2, 1.0; "
    "from xpot_core.cli import main; main()",
]


def containers_allowed() -> str:
    """Why no pid namespace can be made; empty if one can."""
    try:
        done = subprocess.run([*CONTAINER, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def one_of(processes: list[subprocess.Popen[str]], patience: float = 120.0) -> subprocess.Popen[str]:
    """The one that runs; all others were told which does, with status 1."""
    deadline = time.monotonic() + patience
    while sum(p.poll() is None for p in processes) > 1:
        assert time.monotonic() < deadline, "more than one runs, or somebody hangs"
        time.sleep(0.05)
    (winner,) = [p for p in processes if p.poll() is None]
    for process in processes:
        if process is not winner:
            out, _ = process.communicate()
            assert process.returncode == 1, out
            assert "is being run by process" in out, out
            assert "Traceback" not in out, out
    return winner


def end(process: subprocess.Popen[str]) -> None:
    """Kill it with all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


def two_containers(folder: Path, times: int) -> dict[str, Any]:
    """Two pid namespaces with one host name, the coordinator with number 1 in both; kill the one that runs; again."""
    campaign = Campaign(folder, budget=20 * times + 10, seconds=0.3)
    refused = 0
    for _ in range(times):
        pair = [campaign.start(command=[*CONTAINER, *QUICK]) for _ in range(2)]
        winner = one_of(pair)
        refused += 1
        campaign.progress(len(campaign.known), winner)
        end(winner)
        campaign.check()
        time.sleep(1.5)  # the lease of a container that is gone ends with its heartbeat
    out, _ = (last := campaign.start(command=QUICK)).communicate(timeout=600)
    assert last.returncode == 0, out
    campaign.complete()
    return {
        "pairs with the same host and pid": times, "refused": refused, "kills": times,
        "trials": campaign.budget, "lost": 0, "doubled": 0, "hung": 0,
    }  # fmt: skip


def woken(folder: Path, times: int) -> dict[str, Any]:
    """Suspend a coordinator in a container, let another one take over, wake the first: it writes nothing more."""
    campaign = Campaign(folder, budget=20 * times + 10, seconds=0.3)
    told = 0
    for _ in range(times):
        first = campaign.start(command=[*CONTAINER, *QUICK])
        campaign.progress(len(campaign.known), first)
        os.killpg(first.pid, signal.SIGSTOP)
        # One that is suspended inside of a transaction keeps the file: others are told so, and none takes over.
        while locked(campaign.directory / "study.sqlite"):
            os.killpg(first.pid, signal.SIGCONT)
            time.sleep(0.02)
            os.killpg(first.pid, signal.SIGSTOP)
        campaign.known = campaign.finished()
        time.sleep(1.5)
        second = campaign.start(command=[*CONTAINER, *QUICK])
        campaign.progress(len(campaign.known), second)
        assert second.poll() is None, second.communicate()[0]
        os.killpg(first.pid, signal.SIGCONT)
        out, _ = first.communicate(timeout=60)
        assert first.returncode == 1, out
        assert "taken over by" in out, out
        told += 1
        end(second)
        campaign.known = campaign.finished()
        campaign._fits_seen = len(campaign.fits())
        time.sleep(1.5)
    out, _ = (last := campaign.start(command=QUICK)).communicate(timeout=600)
    assert last.returncode == 0, out
    campaign.complete()
    best = campaign.xpot("show", "victim", "--verify")
    assert best.returncode == 0, best.stdout
    return {
        "take-overs": times, "woken and told": told, "trials": campaign.budget, "lost": 0, "doubled": 0, "hung": 0,
    }  # fmt: skip


def locked(store: Path) -> bool:
    """Whether a process is in the middle of a transaction, be it a reading one."""
    with contextlib.closing(sqlite3.connect(store, timeout=0.2)) as db:
        try:
            # Exclusive: one that is suspended while it reads lets others begin, but not commit.
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
        db.rollback()
        return False


def five_starts(folder: Path, times: int) -> dict[str, Any]:
    """Five ``xpot run`` at the same moment on a study that does not exist yet."""
    refused = trials = 0
    for i in range(times):
        campaign = Campaign(folder / str(i), budget=40, seconds=0.2)
        winner = one_of([campaign.start() for _ in range(5)])
        refused += 4
        trials += campaign.budget
        campaign.progress(0, winner)
        end(winner)
        campaign.complete()
    return {
        "rounds of five": times, "refused": refused, "trials": trials, "lost": 0, "doubled": 0, "hung": 0,
    }  # fmt: skip


def three_restarts(folder: Path, times: int) -> dict[str, Any]:
    """Three ``xpot run --restart`` at the same moment: one moves the old study aside, once, and runs."""
    campaign = Campaign(folder, budget=40, seconds=0.2)
    campaign.complete()
    refused = 0
    for i in range(times):
        before = campaign.finished()
        winner = one_of([campaign.start("--restart") for _ in range(3)])
        refused += 2
        kept = sorted(campaign.directory.parent.glob("victim.old-*"), key=lambda p: p.stat().st_ctime)
        assert len(kept) == i + 1, "an old study is lost, or one was moved twice"
        campaign.known, campaign._fits_seen = {}, len(campaign.fits())
        campaign.progress(0, winner)
        end(winner)
        campaign.complete()
        now = campaign.directory
        campaign.runs = Path("kept")
        (folder / "kept").mkdir(exist_ok=True)
        (folder / "kept/victim").unlink(missing_ok=True)
        (folder / "kept/victim").symlink_to(kept[-1])
        assert campaign.finished() == before, "the study that was moved aside changed"
        campaign.runs = now.parent.relative_to(folder)
    return {
        "rounds of three": times, "refused": refused, "old studies kept": times, "trials": campaign.budget,
        "lost": 0, "doubled": 0, "hung": 0,
    }  # fmt: skip
