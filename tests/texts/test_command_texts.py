"""What commands print of events is in the user's language; the words of values stay what they are."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from breastai.commands.crossval_text import crossval_lines
from breastai.commands.display import Display
from breastai.commands.language import error_text, set_language
from breastai.domain.comparison_record import NonInferiority, StatedMargin
from breastai.domain.errors import CommandInvalid, DataNotFound, TargetClassNeeded
from breastai.domain.event_messages import decode_event, encode_event, error_event
from breastai.domain.events import (
    Comparison,
    DataLoaded,
    Error,
    Event,
    Log,
    Prediction,
    ReadersCompared,
    TrainingStarted,
)
from breastai.domain.reader_records import ONE_TEST, Agreement, ReaderStudyRecord
from breastai.domain.records import Figure, PairedFigure
from breastai.domain.study import CrossvalResult
from breastai.domain.text import Text

EVENTS: list[tuple[Event, list[str]]] = [
    (
        TrainingStarted(run_id="none", architecture="epoch", epochs=0, class_names=["a", "b"], config={}),
        ["Entraînement none : epoch, 0 époque"],
    ),
    (
        TrainingStarted(
            run_id="none", architecture="epoch", epochs=1, class_names=["a"], config={"training": {"recipe": "probe"}}
        ),
        ["Entraînement none : epoch, classifieur sur les caractéristiques du réseau figé"],
    ),
    (
        DataLoaded(
            train={"none": 2}, val={"b": 1}, split=Text("audit.more", {"count": 2}), patients=None, skipped=1,
            skipped_files=[{"file": "none", "reason": Text("audit.more", {"count": 2})}], masks=0, on_leak="group",
            groups=0, excluded={"twin_in_val": 3},
        ),
        ["2 (none 2)", "(et 2 de plus)", "3 (un doublon est en validation)", "none: et 2 de plus"],
    ),
    (
        Log(level="info", code="data.target_class", message="Class in question: none.", params={"class_name": "none"}),
        ["Classe en question", " none."],
    ),
    (Log(level="info", message="as it came"), ["as it came"]),
    (error_event(DataNotFound("none/train")), ["Erreur : Le dossier d’images none/train n’existe pas"]),
    (error_event(CommandInvalid(Text("command.missing", {"name": "--data"}), "x --help")), ["Il manque --data."]),
    (
        Prediction(
            file="epoch.png", label="none", decision="none", probabilities={"none": 0.25, "b": 0.75}, target_class="none",
            threshold=0.2, called=True, refer=True, refer_reason="unlike", notes=[Text("audit.more", {"count": 2})],
        ),
        ["none : none, 0,250, atteint son seuil 0,200", "RENVOI", "(none 0,250  b 0,750)", "epoch.png: et 2 de plus"],
    ),
    (
        Comparison(
            first="a", second="b", n=9, class_names=["x", "y"],
            figures={"auc_roc": PairedFigure(first=0.9, second=0.9, difference=Figure(value=-0.0001, n=9), p_value=0.412, adjusted_p=0.0041)},
            non_inferiority=[NonInferiority(figure="auc_roc", margin=0.05, stated="2026-12-01T10:47:01+00:00", beforehand=True, bound=-0.01, shown=True, others=[StatedMargin(margin=0.1, stated="2026-12-01T10:40:00+00:00")])],
        ),
        [" 0,000 ", " 0,41 0,0041", "fixée le 1er décembre 2026, 10:47 UTC, avant la comparaison", "Une autre marge"],
    ),
    (
        ReadersCompared(
            study=ReaderStudyRecord(
                notice="", created="", breastai="", comparison_id="c", table="r.csv", target_class="reading", readers=["reading"], tests=[ONE_TEST],
                cases=1, positives=1, agreement=[Agreement(measure="fleiss", of="calls", test=ONE_TEST, readers=["reading"], figure=Figure(value=0.5, n=9))], analyses=[],
            )
        ),
        ["r.csv : 1 cas, dont 1 « reading » ; 1 lecteur, 1 examen", "réponses lecture reading 0,500"],
    ),
]  # fmt: skip


@pytest.fixture
def french() -> Iterator[None]:
    set_language("fr")
    yield
    set_language("en")


@pytest.mark.parametrize(("event", "expected"), EVENTS, ids=[type(event).__name__ for event, _ in EVENTS])
@pytest.mark.parametrize("decoded", [False, True])
def test_an_event_is_told_in_french(french: None, event: Event, expected: list[str], decoded: bool) -> None:
    stream = io.StringIO()
    console = Console(file=stream, highlight=False, soft_wrap=True)
    with Display(console, console) as display:
        display.event(decode_event(encode_event(event)) if decoded else event)
    told = " ".join(stream.getvalue().split())
    for words in expected:
        assert " ".join(words.split()) in told


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_error_names_the_option_that_mends_it_on_the_command_line_alone(language: str) -> None:
    set_language(language)
    error = TargetClassNeeded(["1", "2"], example="2")
    event = decode_event(encode_event(error_event(error)))
    assert isinstance(event, Error)
    assert error_text(error) == error_text(event)
    assert error_text(error).endswith('--set "evaluation.target_class=2"')
    assert "--set" not in str(error)
    set_language("en")


@pytest.mark.parametrize(
    ("units", "known", "grouped", "said", "not_said"),
    [
        (9, True, True, "patients and duplicates whole", "unknown"),
        (9, False, True, "groups of duplicates whole, patients unknown", "patients and duplicates"),
        (None, False, True, "patients unknown, no duplicates found", "whole"),
        (None, False, False, "dealt one by one", "whole"),
    ],
)
def test_what_a_cross_validation_kept_whole_is_said_as_far_as_it_was_known(
    units: int | None, known: bool, grouped: bool, said: str, not_said: str
) -> None:
    counts = {"a": 6, "b": 6}
    at_thresholds = {"sensitivity": Figure(value=0.5, n=12)}
    result = CrossvalResult(
        class_names=["a", "b"], cases=12, predictions=24, counts=counts, units=units, patients_known=known, grouped=grouped,
        figures={}, at_thresholds=at_thresholds, target_class="a", confusion_matrix=[[6, 0], [0, 6]], spread={}, record="x",
    )  # fmt: skip
    head, *lines = crossval_lines(result)
    assert said in head and not_said not in head
    assert any("of 12 answers" in line for line in lines)  # of 6 images, held out in each of two repeats
