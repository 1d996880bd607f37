"""A model adapted to a site: a checkpoint of its own, by a sample that judges nothing."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from breastai.cli import run
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.errors import LocalSampleUnfit
from breastai.domain.events import Evaluation, ModelAdapted
from breastai.domain.jobs import AdaptModel, Evaluate
from breastai.domain.site_records import Adaptation
from breastai.domain.text import Text
from breastai.engine.export.exported_graph import metadata
from breastai.engine.inference import site_adaptation
from breastai.engine.inference.evaluation_job import evaluate
from breastai.engine.inference.site_adaptation import adapt_model
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.engine.network.norm_statistics import PRIOR_IMAGES, move_norms, norm_layers
from breastai.predictor.model_output import Answer
from breastai.predictor.reference_answers import reference_images, references_for
from breastai.storage.checkpoints import find_checkpoint, read_manifest
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of another device: darker, with less contrast."""
    folder = tmp_path_factory.mktemp("site") / "data"
    write_sample_data(folder, per_class=20, seed=11, image_size=64)
    for file in folder.rglob("*.png"):
        pixels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(file), (pixels * 0.5 + 10).astype(np.uint8))
    return folder / "train"


def adapted(workspace: Workspace, site: Path, **fields: object) -> ModelAdapted:
    values = {"checkpoint": "run/best", "run_id": "there", "data": str(site), "local_sample": 0.5, **fields}
    job = AdaptModel.model_validate({"workspace": str(workspace.root), **values})
    last = list(adapt_model(job, workspace))[-1]
    assert isinstance(last, ModelAdapted)
    return last


def test_the_adapted_model_is_its_own_and_judged_on_the_rest_alone(trained: Workspace, site: Path) -> None:
    before = find_checkpoint(trained, "run/best")
    content = before.weights.read_bytes()
    told = adapted(trained, site)
    assert told.checkpoint == "there/best" and before.weights.read_bytes() == content
    manifest = read_manifest(find_checkpoint(trained, "there/best"))
    assert manifest.adapted_from == told.adaptation
    sample = told.adaptation.sample
    assert told.adaptation.checkpoint == "run/best" and told.adaptation.norm_layers > 0
    assert sum(sample.counts.values()) == sample.images == len(sample.sha256)
    everything = list(site.rglob("*.png"))
    assert sample.images + sample.rest_images == len(everything)
    records = [json.loads((trained.root / record).read_text()) for record in told.records]
    assert [len(record["cases"]) for record in records] == [sample.rest_images] * 2
    assert len({tuple(case["name_sha256"] for case in record["cases"]) for record in records}) == 1
    # Judged on all of the site, it says which images were its sample.
    job = Evaluate(workspace=str(trained.root), checkpoint="there/best", data=str(site))
    again = list(evaluate(job, trained))[-1]
    assert isinstance(again, Evaluation) and again.uses is not None
    assert again.uses.threshold == again.uses.training == sample.images


def test_adapted_again_the_first_sample_is_never_taken_for_new_images(trained: Workspace, site: Path) -> None:
    first = adapted(trained, site, run_id="once").adaptation
    second = adapted(trained, site, checkpoint="once/best", run_id="twice", sample_seed=7).adaptation
    assert set(second.earlier_sha256) == set(first.sample.sha256)
    assert set(second.sample.sha256) != set(first.sample.sha256)
    images = len(list(site.rglob("*.png")))
    assert second.sample.rest_images <= images - len(second.used_sha256)
    job = Evaluate(workspace=str(trained.root), checkpoint="twice/best", data=str(site))
    again = list(evaluate(job, trained))[-1]
    assert isinstance(again, Evaluation) and again.uses is not None
    assert again.uses.training == len(second.used_sha256)


def test_statistics_move_by_as_much_as_the_sample_weighs(trained: Workspace, site: Path) -> None:
    adapted(trained, site, run_id="moved")
    old, new = (load_checkpoint(find_checkpoint(trained, name)) for name in ("run/best", "moved/best"))
    for one, other in zip(norm_layers(old.model), norm_layers(new.model), strict=True):
        assert one.running_mean is not None and other.running_mean is not None
        assert not torch.equal(one.running_mean, other.running_mean)
        assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)
    layer = nn.Sequential(nn.BatchNorm2d(1))
    batches = [torch.full((4, 1, 2, 2), 3.0), torch.full((4, 1, 2, 2), 5.0)]
    assert move_norms(layer, batches, 8) == 1
    assert float(layer[0].running_mean) == pytest.approx(8 / (8 + PRIOR_IMAGES) * 4)
    assert float(layer[0].running_var) == pytest.approx(PRIOR_IMAGES / (8 + PRIOR_IMAGES), abs=1e-6)
    assert move_norms(nn.Linear(2, 2), [], 8) == 0


def test_statistics_stay_where_moving_them_spoils_what_the_head_has_learnt(
    trained: Workspace, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(model: nn.Module, *_: object) -> int:
        for layer in norm_layers(model):
            assert layer.running_mean is not None
            layer.running_mean.normal_(std=1000.0)
        return len(norm_layers(model))

    monkeypatch.setattr(site_adaptation, "_move_norms", spoil)
    told = adapted(trained, site, run_id="stayed").adaptation
    assert told.norm_layers == 0 and told.norms == "kept"
    earlier = {**told.model_dump(exclude={"norms"}), "norms_kept": True}
    assert Adaptation.model_validate(earlier).norms == "kept"
    old, new = (load_checkpoint(find_checkpoint(trained, name)) for name in ("run/best", "stayed/best"))
    for one, other in zip(norm_layers(old.model), norm_layers(new.model), strict=True):
        assert one.running_mean is not None and other.running_mean is not None
        assert torch.equal(one.running_mean, other.running_mean)


def test_the_adapted_model_tells_unlike_images_by_its_own_sample(trained: Workspace, site: Path) -> None:
    told = adapted(trained, site, run_id="limited")
    old, new = (load_checkpoint(find_checkpoint(trained, name)) for name in ("run/best", "limited/best"))
    limit = new.manifest.decision.novelty
    assert limit is not None and limit.n == told.adaptation.novelty_images == told.adaptation.sample.images
    assert old.novelty is not None and new.novelty is not None
    assert not np.array_equal(old.novelty.features.mean, new.novelty.features.mean)
    assert "note.no_novelty" not in [note.code for note in told.notes if isinstance(note, Text)]
    record = json.loads((trained.root / told.records[1]).read_text())
    assert record["uses"]["novelty"] == 0 and all(case["novelty"] is not None for case in record["cases"])
    job = Evaluate(workspace=str(trained.root), checkpoint="limited/best", data=str(site))
    again = list(evaluate(job, trained))[-1]
    assert isinstance(again, Evaluation) and again.uses is not None
    assert again.uses.novelty == told.adaptation.sample.images


def test_a_sample_of_few_patients_gives_no_limit_and_that_is_said(
    trained: Workspace, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["adapt", "run", "--data", str(site), "--local-sample", "6", "--name", "few", "--workspace"]
    assert run([*asked, str(trained.root)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "too few patients for a limit of its own" in shown and "can't tell which images are unlike those" in shown
    rule = read_manifest(find_checkpoint(trained, "few/best")).decision
    assert rule.novelty is None and rule.fitted_on == "sample"
    used = read_evaluations(trained, "few")[-1][1].used_for
    assert used is not None and (used.weights, used.threshold, used.figures) == ("train_and_sample", "sample", "own")


def test_every_class_is_in_the_sample_however_few_its_patients(trained: Workspace, site: Path, tmp_path: Path) -> None:
    for place in site.iterdir():
        (tmp_path / place.name).mkdir()
        for file in sorted(place.iterdir())[: 3 if place.name == "normal" else None]:
            (tmp_path / place.name / file.name).write_bytes(file.read_bytes())
    sample = adapted(trained, tmp_path, run_id="rare", local_sample=6).adaptation.sample
    assert min(sample.counts.values()) == 2 and sample.rest_counts["normal"] == 1


def test_a_sample_that_lacks_a_class_adapts_nothing(trained: Workspace, site: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    for name in ("benign", "malignant"):
        (tmp_path / "two" / name).symlink_to(site / name)
    few = tmp_path / "few"
    for place in site.iterdir():
        (few / place.name).mkdir(parents=True)
        for file in sorted(place.iterdir())[:2]:
            (few / place.name / file.name).write_bytes(file.read_bytes())
    with pytest.raises(LocalSampleUnfit, match="at least 3 patients of each class, and this one has fewer"):
        adapted(trained, few, run_id="never")
    assert not (trained.root / "checkpoints" / "never").exists()


def test_the_command_names_it_and_refuses_a_name_that_is_taken(
    trained: Workspace, site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["adapt", "run", "--data", str(site), "--local-sample", "0.5", "--name", "mine"]
    place = ["--workspace", str(trained.root)]
    assert run([*arguments, *place]) == 0
    shown = capsys.readouterr().out
    assert "mine/best" in shown and "no external validation" in shown
    assert run([*arguments, *place]) == 2
    assert "already" in capsys.readouterr().err


def test_it_has_a_report_and_its_export_says_what_it_was_made_from(
    trained: Workspace, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = adapted(trained, site, run_id="told").adaptation
    assert told.data == "data/train"  # by no more than its last names, and never by the name of its part alone
    assert run(["report", "told", "--language", "en", "--workspace", str(trained.root)]) == 0
    assert "report.en.html" in capsys.readouterr().out
    folder = trained.logs_dir / "told" / "report"
    report = json.loads((folder / "report.en.json").read_text())
    assert report["adapted"]["judges_rest"] and report["adapted"]["adaptation"]["sample"]["sha256"] == []
    assert "adapted to the site data/train" in (folder / "model_card.en.md").read_text()
    loaded = load_checkpoint(find_checkpoint(trained, "told/best"))
    images = reference_images(loaded.manifest.config.preprocessing, loaded.manifest.image_size)
    references = references_for(images, Answer(np.tile([0.2, 0.3, 0.5], (len(images), 1))), 1e-4)
    said = metadata(loaded, "onnx", references, loaded.manifest.decision.novelty)
    assert said["adapted_from"]["checkpoint"] == "run/best" and said["adapted_from"]["sample"]["sha256"] == []
    assert "local sample" in said["novelty"]
    base = load_checkpoint(find_checkpoint(trained, "run/best"))
    assert said["data_sha256"] != metadata(base, "onnx", references)["data_sha256"]
    assert metadata(base, "onnx", references)["adapted_from"] is None
