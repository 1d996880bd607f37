"""What the server tells of any run, past ones too, and of what was made of it."""

from breastai.clinical.evaluation_record import make_cases, make_record
from breastai.domain.events import BenchMeasured
from breastai.domain.records import CalibrationEvidence, Evidence, Figure, JudgedPoint, Reliability
from breastai.storage.estimates import keep_estimate, read_estimates
from breastai.storage.evaluations import save_evaluation
from breastai.storage.reports import report_files


def evaluated(workspace, run_id):
    nothing = Reliability(curve={}, ece=None, brier=None, log_loss=None)
    sure = Figure(value=0.9, low=0.8, high=0.95, n=40)
    point = JudgedPoint(
        class_name="malignant", threshold=0.3, target_sensitivity=0.95, validation_positives=20, reached=True,
        figures={"sensitivity": sure, "specificity": sure.model_copy(update={"value": 0.7})},
        positives=10, missed=1, negatives=30, called=9,
    )  # fmt: skip
    found = Evidence(
        class_names=["benign", "malignant"], n=40, patients=None, counts={"benign": 30, "malignant": 10},
        figures={"auc_roc.malignant": sure}, confusion_matrix=[[30, 0], [1, 9]], operating_point=point,
        calibration=CalibrationEvidence(temperature=1, prior_shift=[], before=nothing, after=nothing),
    )  # fmt: skip
    cases = make_cases([], [], [], found.class_names)
    record = make_record(
        found, cases, run_id=run_id, checkpoint=f"{run_id}/best", data="data/test", notes=[], split="test"
    )
    return save_evaluation(workspace, record)


async def trained(stage, script):
    worker = await stage.training(script)
    worker.epoch(1)
    worker.complete()
    await script.state("idle")
    return worker.job["run_id"]


def test_results_of_a_run_are_listed_with_links_and_an_evaluation_is_shown_again(play, workspace):
    async def story(stage):
        script = await stage.connect()
        run_id = await trained(stage, script)
        workspace.journal_file(run_id).parent.mkdir(parents=True, exist_ok=True)
        workspace.journal_file(run_id).touch()
        evaluated(workspace, run_id)
        report = report_files(workspace, run_id, "fr")
        report.html.parent.mkdir(parents=True)
        for path in (report.html, report.json, report.model_card, report.data_sheet):
            path.write_text("{}")
        listed = await script.ask("list_results", run_id=run_id)
        by_kind = {entry["kind"]: entry for entry in listed["results"]}
        assert set(by_kind) == {"evaluation", "report"}
        evaluation = by_kind["evaluation"]
        assert (evaluation["name"], evaluation["auc"], evaluation["specificity"]) == ("test-1", 0.9, 0.7)
        assert evaluation["files"][0]["url"] == f"/files/logs/{run_id}/evaluations/test-1.json"
        assert [file["format"] for file in by_kind["report"]["files"]] == [
            "html",
            "json",
            "model_card",
            "data_sheet",
        ]
        assert by_kind["report"]["files"][2]["url"] == f"/reports/{run_id}/model_card.fr.md"
        shown = await script.ask("show_evaluation", run_id=run_id, name="test-1")
        assert shown["evaluation"]["operating_point"]["missed"] == 1
        assert (await script.ask("show_evaluation", run_id=run_id, name="test-2"))["code"] == "evaluation.not_found"
        assert (await script.ask("list_results", run_id="none"))["code"] == "run.not_found"
        assert (await script.ask("get_status"))["snapshot"]["state"] == "idle"

    play(story)


def test_a_run_is_told_from_its_journal(play, workspace):
    async def story(stage):
        script = await stage.connect()
        run_id = await trained(stage, script)
        # The puppet writes no journal; a worker writes what it tells.
        events = [event for _, event in stage.services.sessions.get("default").recent]
        workspace.journal_file(run_id).parent.mkdir(parents=True, exist_ok=True)
        workspace.journal_file(run_id).write_text("".join(f"{line}\n" for line in events))
        shown = await script.ask("show_run", run_id=run_id)
        assert (shown["run"]["state"], shown["started"]["epochs"]) == ("complete", 3)
        assert (shown["outcome"]["type"], shown["outcome"]["history"]) == ("training_complete", {})
        assert [line["type"] for line in shown["log"]] == ["training_started", "training_update", "training_complete"]
        assert (await script.ask("show_run", run_id="none"))["code"] == "run.not_found"

    play(story)


def test_estimates_are_kept_the_latest_first(play, workspace):
    measured = BenchMeasured(
        architecture="resnet18", image_size=224, batch_size=8, dtype="float32", threads=2, train_images_per_second=9.0,
        evaluate_images_per_second=20.0, matrix_gflops=50.0, peak_share=0.2, loader_wait_share=0.1, peak_memory_gb=1.0,
        training_images=100, validation_images=20, epochs=5, estimated_s=60.0,
    )  # fmt: skip
    for epochs in range(1, 23):
        keep_estimate(workspace, measured.model_copy(update={"epochs": epochs}))
    assert [estimate.epochs for estimate in read_estimates(workspace)] == list(range(22, 2, -1))

    async def story(stage):
        script = await stage.connect()
        assert (await script.ask("list_estimates"))["estimates"][0]["epochs"] == 22

    play(story)
