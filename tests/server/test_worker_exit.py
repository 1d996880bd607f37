"""Why a worker ended."""

import signal

import pytest

from breastai.server.jobs import worker_exit
from breastai.server.jobs.worker_exit import classify_exit, count_oom_kills, read_tail


def code(exit_status: int, oom_kills: int = 0, tail: str = "") -> str:
    return classify_exit(exit_status, oom_kills, tail, "logs/r/worker.log").code


def test_a_kill_is_out_of_memory_only_when_the_kernel_counted_one():
    assert code(-9) == "worker.killed"
    assert code(-9, oom_kills=1) == "worker.out_of_memory"
    # What the program printed earlier does not prove who killed it.
    assert code(-9, tail="MemoryError: caught and survived") == "worker.killed"


@pytest.mark.parametrize(
    "tail",
    [
        "Traceback (most recent call last):\n  ...\nMemoryError\n",
        "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
    ],
)
def test_a_refused_allocation_in_the_log_is_proof(tail):
    assert code(1, tail=tail) == "worker.out_of_memory"


def test_words_about_memory_are_no_proof():
    assert code(1, tail="warning: MemoryError may happen with large images") == "worker.crashed"
    assert code(1, tail="ValueError: out of memory slots") == "worker.crashed"


def test_windows_says_no_memory_by_its_exit_status():
    assert code(0xC0000017) == "worker.out_of_memory"
    assert code(0xC0000005) == "worker.faulted"


def test_a_signal_is_named():
    assert "SIGSEGV" in str(classify_exit(-signal.SIGSEGV, 0, "", "log"))
    assert "99" in str(classify_exit(-99, 0, "", "log"))


TRACE = """Fatal Python error: Segmentation fault

Thread 0x00007f0a (most recent call first):
  File "/usr/lib/python3.12/threading.py", line 359 in wait

Current thread 0x00007f0b (most recent call first):
  File "/home/u/site-packages/breastai/engine/kernels.py", line 77 in call
  File "/home/u/site-packages/breastai/engine/step.py", line 55 in learn
"""


def test_a_crash_in_native_code_names_the_line_that_called_it():
    error = classify_exit(-signal.SIGSEGV, 0, TRACE, "logs/r/worker.log")
    assert error.params == {
        "signal": "SIGSEGV",
        "place": "engine/kernels.py, line 77, call",
        "log": "logs/r/worker.log",
    }
    assert "no place known" in str(classify_exit(-signal.SIGSEGV, 0, "", "log"))


def test_an_abort_over_a_refused_allocation_is_out_of_memory():
    assert code(-signal.SIGABRT, tail="terminate called after throwing an instance of 'std::bad_alloc'") == (
        "worker.out_of_memory"
    )
    assert code(-signal.SIGABRT) == "worker.faulted"


def test_a_crash_names_its_status_and_log():
    error = classify_exit(3, 5, "", "logs/r/worker.log")
    assert "3" in str(error)
    assert "logs/r/worker.log" in str(error)


@pytest.mark.parametrize(
    "content", ["low 0\nhigh 0\noom 3\noom_kill 2\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"]
)
def test_the_counter_is_read_from_control_groups_of_either_version(tmp_path, monkeypatch, content):
    file = tmp_path / "counter"
    file.write_text(content)
    monkeypatch.setattr(worker_exit, "_counter_files", lambda: [tmp_path / "missing", file])
    assert count_oom_kills() == 2


def test_without_a_counter_no_kill_is_proved(monkeypatch):
    monkeypatch.setattr(worker_exit, "_counter_files", list)
    assert count_oom_kills() == 0


def test_the_tail_of_a_log_begins_no_earlier_than_the_job(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("an old MemoryError\nnew words")
    assert read_tail(log, 19) == "new words"
    log.write_bytes(b"y" * 100_000 + b"end")
    assert read_tail(log, 0).endswith("end")
    assert len(read_tail(log, 0)) == 16 * 1024
    assert read_tail(log, 10**9) == ""
    assert read_tail(tmp_path / "none", 0) == ""
