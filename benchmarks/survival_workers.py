"""Harm that comes from inside: fits that fork and die, that hang beside quick ones, that print without end.

The study of `survival.py` with fits that misbehave. Counted are trials, what a fit cost beside its own trial, and
processes that were left.

    python benchmarks/survival_workers.py --rounds 20
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from survival_victim import LOCAL, Campaign, children

from xpot_core.results.read import StudyResults
from xpot_core.system.logs import LOG_HEAD, LOG_TAIL

FORKING = ("pool-crash", "orphan", "fork", "os-exit")


def study(folder: Path, budget: int, fitter: dict[str, Any], **more: Any) -> Campaign:
    """A study whose fitter misbehaves."""
    campaign = Campaign(folder, budget=budget, executor=LOCAL)
    path = folder / "study.yaml"
    raw = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**raw, "fitter": {"faulty": {"level": "tune", **fitter}}, **more}))
    return campaign


def run(campaign: Campaign, *, patience: float) -> float:
    """Run to the budget; seconds it took."""
    begin = time.monotonic()
    process = campaign.start()
    out, _ = process.communicate(timeout=patience)
    assert process.returncode == 0, out
    assert "Traceback" not in out, out
    states = campaign.states()
    assert sum(states.values()) == campaign.budget, states
    assert not left_over(campaign.folder), "processes were left"
    return time.monotonic() - begin


def left_over(folder: Path) -> list[int]:
    """Processes that work in the folder of a study."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(folder):
                found.append(process.pid)
    return found


def forking_workers(folder: Path, rounds: int) -> dict[str, Any]:
    """Fits that leave forks, pools and programs with sessions of their own behind, and die."""
    modes = {"mode": {"choices": ["ok", *FORKING]}}
    campaign = study(folder, 10 * rounds, modes, seed=5)
    taken = run(campaign, patience=60 + 10.0 * campaign.budget)
    trials = StudyResults.open(campaign.directory).trials
    begun = {mode: sum(t.values["mode"] == mode for t in trials) for mode in FORKING}
    for trial in trials:
        fine = trial.values["mode"] in ("ok", "fork")
        assert (trial.failure is None) == fine, (trial.values, trial.failure)
    return {
        "trials": len(trials),
        **begun,
        "hung": 0,
        "left over": 0,
        "seconds a trial": round(taken / len(trials), 2),
    }


def limits_beside_quick_trials(folder: Path, rounds: int) -> dict[str, Any]:
    """Fits that hang beside quick ones, which come and go without a pause."""
    limit = 1.0
    modes = {
        "mode": {"choices": ["ok", "sleep", "nan", "infeasible", "exception", "fit-error", "exit", "hang"]}
    }
    campaign = study(folder, 40 * rounds, {**modes, "seconds": 0.0}, limits={"time": limit})
    run(campaign, patience=60 + 100.0 * rounds)
    over = [t for t in StudyResults.open(campaign.directory).trials if t.values["mode"] == "hang"]
    late = [t.seconds["total"] - limit for t in over]
    assert all(t.state == "TIMEOUT" for t in over)
    assert max(late, default=0.0) < 2.0, f"ended {max(late):.1f} s late"
    return {
        "trials": campaign.budget,
        "over the limit": len(over),
        "ended late by at most s": round(max(late), 2),
    }


def coordinator_killed(folder: Path, rounds: int) -> dict[str, Any]:
    """kill -9 of a coordinator whose workers have programs in sessions of their own."""
    rng = np.random.default_rng(4)
    campaign = study(folder, 10**6, {"mode": "child"})
    gone = 0
    for _ in range(rounds):
        process = campaign.start()
        deadline = time.monotonic() + 60
        while not any("time.sleep(3600)" in " ".join(c.cmdline()) for c in children(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 0.3))
        family = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not psutil.wait_procs(family, timeout=15)[1], "they go on for nobody"
        gone += len(family)
    return {"kills": rounds, "processes ended with them": gone, "left over": len(left_over(folder))}


def drain(stream: Any) -> None:
    """Read and forget."""
    while stream.read(2**16):
        pass


def floods(folder: Path, rounds: int) -> dict[str, Any]:
    """Fits that print 1 GB each."""
    campaign = study(folder, rounds, {"mode": "print", "megabytes": 1000})
    process = campaign.start()
    # The refit prints as well, where the user sees it.
    threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
    most = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            most = max(most, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.05)
    assert process.returncode == 0
    sizes = [path.stat().st_size for path in (campaign.directory / "workers").iterdir()]
    assert max(sizes) <= LOG_HEAD + 2 * LOG_TAIL + 200
    return {
        "printed GB": rounds, "logs MB": round(sum(sizes) / 1e6, 1), "memory of the coordinator MB": round(most / 1e6),
    }  # fmt: skip


CAMPAIGNS: dict[str, tuple[Callable[[Path, int], dict[str, Any]], float]] = {
    "workers that fork and die": (forking_workers, 1.0),
    "limits beside quick trials": (limits_beside_quick_trials, 0.5),
    "kill -9 of the coordinator of programs": (coordinator_killed, 1.0),
    "fits that print 1 GB": (floods, 0.2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", help="part of a campaign's name")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="xpot-survival-"))
    for name, (campaign, share) in CAMPAIGNS.items():
        if arguments.only and arguments.only not in name:
            continue
        begin = time.monotonic()
        counts = campaign(root / name.replace(" ", "-"), max(round(arguments.rounds * share), 1))
        text = ", ".join(f"{key} {value}" for key, value in counts.items())
        print(f"| {name} | {text} | {time.monotonic() - begin:.0f} s |", flush=True)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
