"""Several processes begin one study at the same moment: one runs it, the others are told who does."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpot_core.errors import DamagedStoreError, StudyLockedError
from xpot_core.search import begin
from xpot_core.search.begin import beginning, take_store
from xpot_core.store.store import Store
from xpot_core.system.file_lock import try_lock

TAKE = """
import sys
from pathlib import Path
from xpot_core.store import run_lock
from xpot_core.search.begin import take_store
from xpot_core.errors import XpotError
run_lock.HEARTBEAT_SECONDS = 0.5
print("ready", flush=True)
sys.stdin.readline()
try:
    store = take_store(Path(sys.argv[1]), restart=sys.argv[2] == "restart")
except XpotError as error:
    print(type(error).__name__, error.message, flush=True)
else:
    store.add([{"a": 1}], "sobol")
    print("held", flush=True)
    sys.stdin.readline()
    store.release()
"""
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]


@contextlib.contextmanager
def starters(count: int, folder: Path, how: str, wrap: list[str] = []) -> Iterator[list[str]]:  # noqa: B006
    """Let processes take a study at once; gives what each of them says while the winner still holds it."""
    command = [*wrap, sys.executable, "-c", TAKE, str(folder), how]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(count)]  # type: ignore[call-overload]
    try:
        assert [p.stdout.readline() for p in processes] == ["ready\n"] * count
        for p in processes:
            p.stdin.write("\n")
            p.stdin.flush()
        yield [p.stdout.readline().strip() for p in processes]
    finally:
        for p in processes:
            p.communicate("\n", timeout=60)


def one_holds(said: list[str]) -> None:
    assert said.count("held") == 1, said
    others = [s for s in said if s != "held"]
    assert all(s.startswith("StudyLockedError") and "is being run by process" in s for s in others), said


def test_five_begin_a_new_study(tmp_path: Path) -> None:
    with starters(5, tmp_path / "runs/new", "run") as said:
        one_holds(said)
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["new"], "the lock was left"
    with contextlib.closing(Store(tmp_path / "runs/new/study.sqlite", readonly=True)) as store:
        assert len(store.trials()) == 1


def test_three_restart_a_study(tmp_path: Path) -> None:
    folder = tmp_path / "runs/old"
    store = take_store(folder)
    store.add([{"a": 0}, {"a": 1}, {"a": 2}], "sobol")
    store.release()
    store.close()
    with starters(3, folder, "restart") as said:
        one_holds(said)
    (aside,) = folder.parent.glob("old.old-*")
    for path, trials in ((aside, 3), (folder, 1)):
        with contextlib.closing(Store(path / "study.sqlite", readonly=True)) as store:
            assert len(store.trials()) == trials


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*CONTAINER, "true"], capture_output=True).returncode != 0,
    reason="pid namespaces cannot be made here",
)
def test_two_containers_with_the_same_host_and_pid(tmp_path: Path) -> None:
    with starters(2, tmp_path / "runs/new", "run", CONTAINER) as said:
        one_holds(said)
        assert "process 1 on host" in " ".join(said), (
            "they do not have the same number: the test shows nothing"
        )


def test_a_lock_that_is_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin, "_PATIENCE", 0.2)
    with (
        beginning(tmp_path / "a"),
        beginning(tmp_path / "b"),
        pytest.raises(StudyLockedError, match="just beginning"),
        beginning(tmp_path / "a"),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("portalocker.portalocker.LOCKER", refuse)
    with pytest.raises(OSError, match="not supported"), (tmp_path / "x").open("w") as file:
        try_lock(file.fileno())
    (tmp_path / "x").unlink()
    take_store(tmp_path / "a").close()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("content", [None, b""])
@pytest.mark.parametrize("restart", [False, True])
def test_a_lost_store_is_told_and_not_begun_anew(
    tmp_path: Path, content: bytes | None, restart: bool
) -> None:
    folder = tmp_path / "a"
    (folder / "trials/000000").mkdir(parents=True)
    if content is not None:
        (folder / "study.sqlite").write_bytes(content)
    if restart:
        take_store(folder, restart=True).close()
        assert len(list(tmp_path.glob("a.old-*/trials"))) == 1
        return
    with pytest.raises(DamagedStoreError, match="losses and errors of its trials are lost") as caught:
        take_store(folder)
    assert "--restart" in (caught.value.remedy or "")
    assert "the files in trials/ are not" in caught.value.message


def test_a_store_that_is_removed_while_it_is_used(tmp_path: Path) -> None:
    store = take_store(tmp_path / "a")
    store.path.unlink()
    with pytest.raises(DamagedStoreError, match="was removed while it was in use"):
        store.set("a", 1)
    assert not store.path.exists()
    store.close()


def test_a_forked_process_may_not_write(tmp_path: Path) -> None:
    store = take_store(tmp_path / "a")
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            with contextlib.closing(Store(store.path)) as other:
                assert other.owner() is not None
                with contextlib.suppress(StudyLockedError):
                    other.acquire()
                    os._exit(2)
            store._lease._held = True
            assert not store._lease.owner().mine  # type: ignore[union-attr]
            status = 0
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.set("a", 1)
    store.close()
