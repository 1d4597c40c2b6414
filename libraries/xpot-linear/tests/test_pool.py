"""Worker processes: crashes are survived once, errors reach the fit."""

import os
import signal
from dataclasses import replace

import pytest
from linear_cases import Sleeping, Spoilt, small_data
from xpot_linear import run_tasks
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.reduce import Job, Task, make_tasks
from xpot_linear.processes import pool
from xpot_pair.fitter import PairBasis

from xpot_core.api import FitError


def problem_of(data):
    return Problem.of(PairBasis(data.elements, 4.0, 2), data)


def test_tasks_cover_all_structures_once():
    problem = problem_of(small_data())
    tasks = make_tasks(problem)
    assert sorted(i for task in tasks for i in task.members) == list(range(len(problem.frames)))
    for task in tasks:
        assert {problem.fold[i] for i in task.members} == {task.fold}
        assert {problem.frames[i].group for i in task.members} == {task.group}


def test_crashing_worker_is_reported_with_its_structures(monkeypatch):
    job = Job(problem_of(small_data(4, 0, 0)), keep_rows=False)
    tasks = [Task(-1, "bulk", (0, 1)), Task(-1, "bulk", (2, 3))]
    workers = pool.WorkerPool(2)
    killed = []
    original = pool.WorkerPool._tell

    def tell(self, worker, work, tasks, waiting, first=False):
        worker.process.send_signal(signal.SIGSTOP)  # it must not answer before it is killed
        original(self, worker, work, tasks, waiting, first)
        if worker.task == 0 and len(killed) < deaths:
            killed.append(worker.process.pid)
            worker.process.kill()
        worker.process.send_signal(signal.SIGCONT)

    monkeypatch.setattr(pool.WorkerPool, "_tell", tell)
    deaths = 1
    results = list(workers.run(job, tasks))
    assert [t for t, _ in results] == tasks
    assert len(killed) == 1
    killed.clear()
    deaths = 9
    with pytest.raises(FitError, match=r"crashed twice \(signal 9\).*small#0, small#1"):
        list(workers.run(job, tasks))
    assert len(killed) == 2
    workers.close()


def test_second_pass_goes_where_the_first_went():
    """But for what a worker takes over that is done with its own."""
    workers = pool.WorkerPool(2)
    tasks = [0.02 * (1 + i % 3) for i in range(12)]
    first, second = ([pid for _, pid in workers.run(Sleeping(), tasks)] for _ in range(2))
    assert len(set(first)) == 2
    assert sum(a == b for a, b in zip(first, second, strict=True)) >= 10
    workers.close()


def test_error_in_a_worker_is_the_error_of_the_fit(tmp_path):
    data = small_data(2, 0, 0)
    problem = problem_of(data)
    job = Job(replace(problem, basis=Spoilt(data.elements, 4.0, 2)), keep_rows=False)
    workers = pool.WorkerPool(2)
    with pytest.raises(FitError, match="small#1 has no rows"):
        list(workers.run(job, [Task(0, "a", (0,)), Task(0, "a", (1,))]))
    # the pool starts anew
    assert len(list(workers.run(job, [Task(0, "a", (0,)), Task(1, "a", (0,))]))) == 2
    workers.close()


class Cubes:
    """Work that has nothing to do with linear fits."""

    def do(self, task):
        if task == 7:
            raise ValueError("seven has no cube")
        return task**3

    def describe(self, task):
        return f"the number {task}"

    def close(self):
        pass


@pytest.mark.parametrize("processes", [1, 2])
def test_any_work_is_done_in_the_order_of_tasks(processes):
    tasks = list(range(6))
    assert list(run_tasks(Cubes(), tasks, processes)) == [(n, n**3) for n in tasks]
    with pytest.raises((FitError, ValueError), match="seven has no cube"):
        list(run_tasks(Cubes(), [7, 1], processes))


class Process(Cubes):
    """Tells who does it."""

    def do(self, task):
        return os.getpid()


def test_work_apart_is_done_in_another_process_which_is_replaced_once_it_is_large(monkeypatch):
    def who():
        (process,) = {found for _, found in run_tasks(Process(), [1, 2, 3], 1, apart=True)}
        return process

    first = who()
    assert first != os.getpid()
    assert who() == first
    monkeypatch.setattr(pool, "LARGE", 1.0)
    assert who() not in (first, os.getpid())
    assert {found for _, found in run_tasks(Process(), [1, 2], 1)} == {os.getpid()}
    assert list(run_tasks(Process(), [], 1, apart=True)) == []
