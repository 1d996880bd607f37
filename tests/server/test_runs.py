"""Requests about runs, over real sockets."""

import json


def test_a_run_is_listed_annotated_searched_compared_and_deleted(play, workspace):
    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        run_ids = []
        for _ in range(2):
            worker = await stage.training(script)
            worker.complete()
            await script.state("idle")
            run_ids.append(worker.job["run_id"])
            # The puppet keeps no journal.
            journal = workspace.journal_file(run_ids[-1])
            journal.parent.mkdir(exist_ok=True)
            journal.write_text(
                json.dumps(
                    {"type": "training_started", "time": f"2026-01-0{len(run_ids)}T00:00:00+00:00"},
                    separators=(",", ":"),
                )
                + "\n"
            )
        first, second = run_ids
        marked = await script.ask("annotate_run", run_id=first, tags=["  <b>x</b> ", "x", "x"], note="as before")
        assert marked["run"]["tags"] == ["<b>x</b>", "x"]
        assert (await other.until("run_annotated"))["run"]["note"] == "as before"
        kept = await script.ask("annotate_run", run_id=first, note="")
        assert (kept["run"]["tags"], kept["run"]["note"]) == (["<b>x</b>", "x"], "")
        listed = await script.ask("list_runs", limit=1)
        assert (listed["total"], [run["run_id"] for run in listed["runs"]]) == (2, [second])
        assert [run["run_id"] for run in (await script.ask("list_runs", search="<b>"))["runs"]] == [first]
        compared = await script.ask("compare_runs", run_ids=[first, second])
        assert [row["run"]["run_id"] for row in compared["runs"]] == [first, second]
        assert (await script.ask("compare_runs", run_ids=[first, "none"]))["code"] == "run.not_found"
        assert (await script.ask("delete_run", run_id=second))["deleted"] == second
        assert (await other.until("run_deleted"))["deleted"] == second
        snapshot = (await script.ask("get_status"))["snapshot"]
        assert snapshot["run_id"] is None
        assert (await script.ask("delete_run", run_id=second))["code"] == "run.not_found"
        assert workspace.runs() == [first]

    play(story)


def test_the_run_in_progress_is_not_deleted(play, workspace):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        refusal = await script.ask("delete_run", run_id=worker.job["run_id"])
        assert refusal["code"] == "run.in_use"
        worker.complete()

    play(story)
