"""What each job says of itself: what it reads, needs and holds."""

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from breastai.domain.config import Config
from breastai.domain.jobs import (
    RUN_KINDS,
    AnyJob,
    Audit,
    Compare,
    ComparePredictions,
    Evaluate,
    EvaluatePredictions,
    Explain,
    Job,
    LightJob,
    Predict,
    Report,
    Resume,
    ResumeStudy,
    Train,
    Tune,
)

KINDS: tuple[type[Job], ...] = get_args(get_args(AnyJob)[0])
HERE: dict[str, Any] = {"workspace": "/w"}

READS = [
    (Evaluate(**HERE, checkpoint="c", data="d", subgroups="s.csv"), ["d"], ["d", "s.csv"]),
    (Evaluate(**HERE, checkpoint="c"), [], []),
    (EvaluatePredictions(**HERE, predictions="p.csv"), [], ["p.csv"]),
    (Compare(**HERE, first="a/best", second="b/best", data="d"), ["d"], ["d"]),
    (ComparePredictions(**HERE, first="a.csv", second="b.csv"), [], ["a.csv", "b.csv"]),
    (Audit(**HERE, data="s3://images/train"), ["s3://images/train"], ["s3://images/train"]),
    (Predict(**HERE, checkpoint="c", images=["a.png", "b"]), ["a.png", "b"], ["a.png", "b"]),
    (Explain(**HERE, checkpoint="c", images=["a.png"]), ["a.png"], ["a.png"]),
    (Train(**HERE, run_id="r", config=Config()), [], []),
    (Report(**HERE, run_id="r"), [], []),
]


@pytest.mark.parametrize(("job", "images", "paths"), READS)
def test_a_job_says_what_it_reads(job: Job, images: list[str], paths: list[str]) -> None:
    assert (job.images_read, job.paths_read) == (images, paths)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_job_declares_are_fields_that_it_has(kind: type[Job]) -> None:
    assert {*kind.image_fields, *kind.table_fields, *filter(None, [kind.holds])} <= kind.model_fields.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_that_names_files_is_left_undeclared(kind: type[Job]) -> None:
    names = {"data", "images", "subgroups", "predictions"} & kind.model_fields.keys()
    handed = {name for name in names if _is_model_list(kind.model_fields[name].annotation)}
    assert names - handed <= {*kind.image_fields, *kind.table_fields}


def _is_model_list(annotation: Any) -> bool:
    return any(isinstance(each, type) and issubclass(each, BaseModel) for each in get_args(annotation))


def test_runs_and_studies_are_held_by_their_jobs_alone() -> None:
    assert Train(**HERE, run_id="r", config=Config()).held == Resume(**HERE, run_id="r").held == "r"
    assert ResumeStudy(**HERE, study_id="s").held == "s"
    assert Report(**HERE, run_id="r").held is None
    assert {"train", "resume"} == RUN_KINDS


def test_only_what_a_job_begins_gets_its_name_when_its_turn_comes() -> None:
    assert Train(**HERE, run_id="early", config=Config()).with_name("late").held == "late"
    assert Tune(**HERE, study_id="early", config=Config()).with_name("late").held == "late"
    assert Resume(**HERE, run_id="early").with_name("late").held == "early"
    assert ResumeStudy(**HERE, study_id="early").with_name("late").held == "early"


def test_the_light_worker_needs_no_torch_and_no_copies_and_all_else_says_what_it_needs() -> None:
    light = [kind for kind in KINDS if issubclass(kind, LightJob)]
    assert light and not any(kind.needs & {"torch", "remote_images"} for kind in light)
    assert all(kind.needs for kind in KINDS if kind not in light)
