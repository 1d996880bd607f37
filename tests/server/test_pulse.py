"""A worker that hangs: ended, said so, and its place in its log; and one that does not, however long the wait."""

import asyncio
import os
import signal
import sys

import pytest

from breastai.server.jobs.supervisor import Deadlines, Patience

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def beats(puppet) -> None:
    puppet.order(say="")


@pytest.mark.parametrize(
    ("deadlines", "code"),
    [(Deadlines(pulse_s=0.3, trace_s=0), "worker.frozen"), (Deadlines(silence_s=0.3, trace_s=0), "worker.silent")],
)
def test_a_worker_that_gives_no_sign_is_ended_and_its_run_told_as_failed(play, deadlines, code):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script)
        error = await script.until("error")
        assert error["code"] == code and error["params"]["timeout_s"] == 0.3
        assert error["params"]["log"].endswith(f"{puppet.job['run_id']}/worker.log")
        assert (await script.until("training_stopped"))["reason"] == "error"
        assert await puppet.ended()

    play(story, deadlines=deadlines)


def test_a_worker_whose_pulse_goes_on_is_waited_for_until_it_must_have_got_further(play):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script)
        beating = asyncio.create_task(keep_beating(puppet))
        try:
            assert (await script.until("error"))["code"] == "worker.silent"
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    async def keep_beating(puppet):
        while True:
            beats(puppet)
            await asyncio.sleep(0.1)

    play(story, deadlines=Deadlines(pulse_s=1.5, silence_s=3, trace_s=0))


def test_a_pulse_is_no_event(play):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script)
        for _ in range(3):
            beats(puppet)
        puppet.epoch(1)
        assert (await script.next())["type"] == "training_update"
        puppet.complete()
        await script.until("training_complete")

    play(story)


def test_patience_counts_the_steps_and_not_the_clock():
    """A computer that slept for a night in the middle of a step has used up one step, no more."""
    patience = Patience(60.0)
    steps = 0
    while not patience.is_over:
        patience.spend(patience.step_s)
        steps += 1
    assert steps == 60 and Patience(60.0).step_s == 1.0


@posix_only
def test_the_real_worker_beats_and_tells_where_it_stands_when_asked(workspace, tmp_path):
    """`python -m breastai.worker`, waiting for its job: an empty line now and then, and a trace on SIGUSR1."""

    async def story():
        log = tmp_path / "worker.log"
        code = "import breastai.worker as w; w.BEAT_EVERY_S = 0.05; w.main()"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr
            )
        assert [await process.stdout.readline() for _ in range(3)] == [b"\n"] * 3
        os.kill(process.pid, signal.SIGUSR1)
        process.stdin.close()
        await process.stdout.read()
        assert await process.wait() == 0
        assert "in main" in log.read_text()

    async def within_time():
        async with asyncio.timeout(60):
            await story()

    asyncio.run(within_time())
