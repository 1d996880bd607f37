"""Every text of the page is there in both languages, and says the same with the same parameters."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic_core import to_jsonable_python

from breastai.clinical.audit_findings import SEVERITIES
from breastai.clinical.metric_intervals import evaluate
from breastai.clinical.operating_point import PREVALENCES
from breastai.data.cases.predictions_table import Predictions, match_predictions, read_predictions
from breastai.domain.catalog import (
    EXPORT_FORMATS,
    PRESETS,
    RESEARCH_USE,
)
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import (
    CheckpointNotFound,
    ConfigInvalid,
    DiskFull,
    ImageUnreadable,
    PredictionsInvalid,
    all_errors,
)
from breastai.domain.events import Log, ModelLoaded, ProgressUpdate, Snapshot, TrainingStopped
from breastai.domain.jobs import Job
from breastai.domain.list_entries import DataWarning
from breastai.domain.metric_catalog import CLASS_METRICS, EPOCH_METRICS, METRICS
from breastai.domain.records import Referral, Reliability
from breastai.domain.text import Text
from breastai.texts.catalogue import read_catalogue
from breastai.texts.number_format import large_text
from breastai.texts.renderer import render

RunJs = Callable[..., Any]
FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
PACKAGE = FRONTEND.parent / "breastai"
SCRIPTS = sorted(FRONTEND.glob("js/**/*.js"))
LANGUAGES = ("en", "fr")


@pytest.fixture(scope="module")
def locales() -> dict[str, dict[str, str]]:
    """Every text; of one with several forms, all of them joined."""
    return {
        language: {
            key: text if isinstance(text, str) else " ".join(list(text.values())[1:])
            for key, text in read_catalogue(language).items()
        }
        for language in LANGUAGES
    }


@pytest.fixture(scope="module")
def fields(run_js: RunJs) -> list[dict[str, Any]]:
    """The settings as the page draws them."""
    return run_js("output(BreastAI.settings.fields(input));", Config.model_json_schema())


def kinds_of(job: type[Job]) -> list[type[Job]]:
    """Every job that may be asked of a worker: the leaves of the tree of classes."""
    below = job.__subclasses__()
    return [leaf for each in below for leaf in kinds_of(each)] or [job]


# A session names jobs on predictions as those on checkpoints, and does not see those of the light worker.
JOB_KINDS = {job.model_fields["kind"].default for job in kinds_of(Job)} - {
    "evaluate_predictions", "compare_predictions", "describe_images", "list_images", "preview_image", "verify_export",
    "ask_exports", "show_errors",
}  # fmt: skip


def literals(model: Any, field: str) -> list[str]:
    return list(model.model_fields[field].annotation.__args__)


def setting_paths(schema: dict[str, Any]) -> list[str]:
    """The settings, counted without the page's own code."""

    def descend(node: dict[str, Any], place: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for key, value in node.get("properties", {}).items():
            target = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            deeper = descend(target, (*place, key)) if target.get("type") == "object" else []
            found += deeper or [".".join((*place, key))]
        return found

    return descend(schema, ())


def keys_of_words() -> set[str]:
    """The keys that follow from the vocabulary: errors, events, settings, figures."""
    keys = {f"error.{code}" for code in all_errors()}
    reasons = literals(TrainingStopped, "reason")
    keys |= {f"event.training_stopped.{reason}{when}" for reason in reasons for when in ("", ".early")}
    keys |= {f"stage.{stage}" for stage in literals(ProgressUpdate, "stage")}
    keys |= {f"state.{state}" for state in literals(Snapshot, "state")}
    keys |= {f"state.{state}" for state in ("complete", "stopped", "failed", "lost", "unknown")}
    keys |= {f"level.{level}" for level in literals(Log, "level")}
    keys |= {f"weights.{source}" for source in literals(ModelLoaded, "weights")}
    keys |= {f"metric.{name}" for name in EPOCH_METRICS}
    keys |= {f"family.{name.removesuffix('_macro')}" for name in EPOCH_METRICS if name.endswith("_macro")}
    keys |= {f"metric.{name}" for name in (*CLASS_METRICS, *METRICS)}
    keys |= {f"format.{name}" for name in EXPORT_FORMATS}
    keys |= {key for name in PRESETS for key in (f"preset.{name}", f"preset.{name}.help")}
    keys |= {f"section.{name}" for name in Config.model_fields}
    keys |= {
        f"setting.{path}.{part}" for path in setting_paths(Config.model_json_schema()) for part in ("label", "help")
    }
    keys |= {f"connection.{phase}" for phase in ("connected", "connecting", "disconnected", "waiting")}
    keys |= {f"part.{part}" for part in ("train", "val")}
    keys |= {f"data_warning.{code}" for code in literals(DataWarning, "code")}
    keys |= {f"job.{kind}" for kind in JOB_KINDS}
    keys |= {f"referral.{figure}" for figure in Referral.model_fields if figure != "error_rate"}
    keys |= {f"metric.{figure}" for figure in Reliability.model_fields if figure != "curve"}
    keys |= {f"prevalence.{place}" for place in PREVALENCES}
    keys |= {f"theme.{theme}" for theme in ("auto", "light", "dark")}
    return keys


def keys_of_page() -> set[str]:
    """The keys that the scripts and index.html name in full, plural forms included."""
    found: set[str] = set()
    for script in SCRIPTS:
        if script.name == "texts.js":
            continue
        text = script.read_text(encoding="utf-8")
        found |= set(re.findall(r'plural\(\s*"([a-z_.]+)"', text))
        plain = re.sub(r'plural\(\s*"[a-z_.]+"', "", text)
        # Any string that begins with a known group of keys and a dot is a key.
        groups = {key.partition(".")[0] for key in re.findall(r'\bt\("([a-z0-9_.]+)"', text)} | {
            "reason",
            "field",
            "event",
        }
        found |= {key for key in re.findall(r'"([a-z_]+\.[a-z0-9_.]+)"', plain) if key.partition(".")[0] in groups}
        found |= set(re.findall(r'\bt\("([a-z0-9_.]+)"', plain))
    html = (FRONTEND / "index.html").read_text(encoding="utf-8")
    found |= set(re.findall(r'data-i18n(?:-[a-z]+)?="([^"]+)"', html))
    # Paths of settings are no keys, but may look like one.
    return found - set(setting_paths(Config.model_json_schema()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_event_setting_and_figure_has_its_text(locales: dict[str, dict[str, str]], language: str) -> None:
    assert sorted(keys_of_words() - set(locales[language])) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_the_page_names_has_its_text(locales: dict[str, dict[str, str]], language: str) -> None:
    keys = keys_of_page()
    assert {"start.start", "reason.not_connected", "field.minimum", "offline.retry", "nav.training"} <= keys
    assert sorted(keys - set(locales[language])) == []


def test_every_text_of_an_event_is_one_that_the_page_names(locales: dict[str, dict[str, str]]) -> None:
    named = keys_of_page() | keys_of_words()
    assert [key for key in locales["en"] if key.startswith("event.") and key not in named] == []


def test_the_page_draws_every_setting(fields: list[dict[str, Any]]) -> None:
    assert [field["path"] for field in fields] == setting_paths(Config.model_json_schema())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_of_a_choice_has_its_text(
    locales: dict[str, dict[str, str]], fields: list[dict[str, Any]], language: str
) -> None:
    choices = [field for field in fields if field["kind"] == "choice"]
    assert len(choices) > 5
    keys = {f"option.{field['path']}.{str(value).lower()}" for field in choices for value in field["options"]}
    assert sorted(keys - set(locales[language])) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_coded_line_of_the_log_has_its_text(locales: dict[str, dict[str, str]], language: str) -> None:
    codes: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        codes |= set(re.findall(r'\bLog\(\s*(?:level="\w+",\s*)?code="([a-z_.]+)"', text))
        # A line told anew by another hand: {"level": ..., "code": ...}.
        codes |= set(re.findall(r'"level": "\w+", "code": "([a-z_.]+)"', text))
    assert {"export.failed", "tracking.failed", "cluster.placed_again", "data.copied", "tuning.trial_failed"} <= codes
    assert sorted({f"log.{code}" for code in codes} - set(locales[language])) == []


def test_both_languages_have_the_same_keys(locales: dict[str, dict[str, str]]) -> None:
    assert set(locales["en"]) == set(locales["fr"])


def test_both_languages_fill_in_the_same_parameters(locales: dict[str, dict[str, str]]) -> None:
    def names(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)(?::\w+(?:\.\d)?)?\}", text))

    differing = [key for key, text in locales["en"].items() if names(text) != names(locales["fr"][key])]
    assert differing == []


def test_an_error_text_names_only_what_the_error_tells(locales: dict[str, dict[str, str]]) -> None:
    wrong = []
    for code, kind in all_errors().items():
        told = set(getattr(kind, "__dataclass_fields__", ()))
        used = set(re.findall(r"\{(\w+)[:}]", locales["en"][f"error.{code}"] + kind.option))
        if not used <= told:
            wrong.append((code, used - told))
    assert wrong == []


def test_no_text_is_empty_and_long_texts_are_translated(locales: dict[str, dict[str, str]]) -> None:
    assert [key for texts in locales.values() for key, text in texts.items() if not text.strip()] == []
    same = [key for key, text in locales["en"].items() if text == locales["fr"][key] and len(text.split()) > 4]
    assert same == []


def test_french_punctuation_has_its_unbreakable_spaces(locales: dict[str, dict[str, str]]) -> None:
    # What is typed in a shell keeps its own quotation marks.
    texts = {key: text.replace("'path:{pattern}'", "") for key, text in locales["fr"].items()}
    assert [key for key, text in texts.items() if re.search(r" [:;?!»]|« |'", text) and "pip install" not in text] == []


def test_the_research_notice_is_the_one_of_the_catalog(locales: dict[str, dict[str, str]]) -> None:
    assert locales["en"]["page.research_use"] == RESEARCH_USE


def test_a_number_in_french_has_a_comma_and_an_unknown_figure_a_dash(run_js: RunJs) -> None:
    code = """
      BreastAI.i18n.set("fr");
      const f = BreastAI.format;
      output([f.figure(0.8125), f.figure(null), f.integer(undefined), f.percent(0.5), f.duration(3725), f.duration(0.042), f.date("nonsense")]);
    """
    spoken = [re.sub(r"\s", " ", text) for text in run_js(code)]
    assert spoken == ["0,813", "—", "—", "50 %", "1 h 2 min", "0,04 s", "—"]


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", ["873", "12.3 thousand", "4.7 million"]), ("fr", ["873", "12,3 mille", "4,7 millions"])],
)
def test_a_small_network_has_thousands_of_parameters_on_the_page_and_on_the_command_line(
    run_js: RunJs, language: str, told: list[str]
) -> None:
    numbers = [873, 12_345, 4_652_000]
    code = f"BreastAI.i18n.set({json.dumps(language)}); output(input.map(BreastAI.format.large));"
    assert [re.sub(r"\s", " ", text) for text in run_js(code, numbers)] == told
    assert [re.sub(r"\s", " ", large_text(number, language)) for number in numbers] == told


def test_two_durations_that_are_told_alike_are_told_once(run_js: RunJs) -> None:
    code = 'BreastAI.i18n.set("en"); output(input.map(([low, high]) => BreastAI.format.between(low, high)));'
    told = [re.sub(r"\s", " ", text) for text in run_js(code, [[5, 40], [180, 540]])]
    assert told == ["less than a minute", "3 mins to 9 mins"]


def test_the_language_is_the_remembered_one_else_the_browsers_first_known_one(run_js: RunJs) -> None:
    code = """
      const { choose } = BreastAI.i18n;
      output([choose("fr", ["en"]), choose(null, ["de-DE", "fr-CA", "en"]), choose("xx", ["EN-us"]), choose(null, ["de"])]);
    """
    assert run_js(code) == ["fr", "fr", "en", "en"]


def spoken(run_js: RunJs, language: str, texts: Sequence[Text | str]) -> list[str]:
    """What the page makes of texts of the server's."""
    given = [text if isinstance(text, str) else text.model_dump() for text in texts]
    code = "BreastAI.i18n.set(input[0]); output(input[1].map(BreastAI.i18n.say));"
    return list(run_js(code, [language, given]))


def test_a_servers_complaint_about_a_setting_is_told_in_french(run_js: RunJs) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_config({"training": {"epochs": -1}, "data": {"val_split": 2, "colour": 1}})
    assert sorted(spoken(run_js, "fr", caught.value.problems)) == [
        "data.colour\u00a0: clé inconnue",
        "data.val_split (Part de validation)\u00a0: attendu un nombre supérieur à 0 et inférieur à 0,9, reçu 2",
        "training.epochs (Époques)\u00a0: attendu un nombre entier d’au moins 1 et d’au plus 10000, reçu -1",
    ]


# A setting of each kind that can't be used, as a user may type it in the editor.
FAULTY: list[dict[str, Any]] = [
    {"training": {"optimizer": "best"}}, {"training": {"use_ema": "maybe"}}, {"training": {"use_amp": "maybe"}},
    {"data": {"train_dir": 3}}, {"data": {"train_dir": ""}}, {"data": {"train_dir": "s3://key:secret@bucket/x"}},
    {"data": {"train_dir": "s3://bucket/../x"}}, {"tuning": {"space": 3}}, {"training": 3}, {"server": {"data_roots": "x"}},
    {"tracking": {"mlflow": ""}}, {"tracking": {"mlflow": "ftp://x"}}, {"model": {"architecture": "none"}},
    {"training": {"early_stopping": {"monitor": "luck"}}}, {"evaluation": {"patient_id": 3}},
    {"tuning": {"space": [{"setting": "training.learning_rate", "low": 2, "high": 1}]}}, {"colour": 1},
    {"tuning": {"space": [{"setting": "training.epochs", "low": 1, "high": 2}, {"setting": "training.epochs", "low": 1, "high": 2}]}},
    {"tuning": {"space": [{"setting": "training.learning_rate", "low": -1, "high": 2}, {"setting": "training.use_ema", "low": 0, "high": 1}]}},
    {"tuning": {"space": [{"setting": "training.rate", "low": 1, "high": 2}]}}, {"tuning": {"space": [{"setting": "UP"}]}},
]  # fmt: skip


def test_every_complaint_about_a_setting_is_told_in_french(run_js: RunJs) -> None:
    lines: list[Text | str] = []
    for values in FAULTY:
        with pytest.raises(ConfigInvalid) as caught:
            parse_config(values)
        lines += caught.value.problems
    assert len(lines) >= len(FAULTY)
    english = re.compile(r"\b(expected|should|valid|got|of|or|and|the|has|no|unknown|is)\b")
    told = spoken(run_js, "fr", lines)
    assert [line for line in told if english.search(re.sub(r"\breçu .*", "", line))] == []


# Tables of predictions as they come, and what a second one is compared with.
TABLES = [
    "", "label\nx", "label,p_a\na,1", "label,p_a,p_b", "label,p_a,p_b,label\na,1,0,a", "label,p_a,p_b\na,1", "label,p_a,p_b\nc,2,x\na,0.5,0.1",
    "label,p_a,p_b,patient_id\na,1,0,", "label,p_a,p_b\n" + "c,1,0\n" * 20, "label,p_a,p_b\na,1,0\na,1,0", "label,p_b,p_c\nb,1,0", "label,p_a,p_b\nb,1,0",
    "label,file,p_a,p_b\na,other.png,1,0",
]  # fmt: skip


def test_every_complaint_about_a_table_of_predictions_is_told_in_french(run_js: RunJs, tmp_path: Path) -> None:
    def read(text: str) -> Predictions:
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode("utf-16") if text == "" else text.encode())
        return read_predictions(path)

    first = read("label,p_a,p_b,file\na,1,0,one.png")
    lines: list[Text | str] = []
    for text in TABLES:
        with pytest.raises(PredictionsInvalid) as caught:
            match_predictions(first, read(text))
        lines += caught.value.problems
    english = re.compile(r"\b(expected|row|column|got|of|or|and|the|missing|twice|one|each|files|cells)\b")
    told = spoken(run_js, "fr", lines)
    assert [line for line in told if english.search(line.replace("one.png", ""))] == []


def test_page_and_server_put_every_text_of_the_server_into_the_same_words(run_js: RunJs) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(FAULTY[0])
    failed = (
        DiskFull("checkpoints/last.safetensors"),
        CheckpointNotFound("r1/best", ["r2/best", "r3/best"]),
        caught.value,
    )
    texts = [error.text for error in failed]
    labels = {language: read_catalogue(language)["setting.training.optimizer.label"] for language in LANGUAGES}
    for language in LANGUAGES:
        words = [render(text, language).replace(f" ({labels[language]})", "") for text in texts]
        said = [text.replace(f" ({labels[language]})", "") for text in spoken(run_js, language, texts)]
        assert said == words
    assert "Plus d’espace pour écrire checkpoints/last.safetensors." in render(texts[0], "fr")


def test_an_error_and_a_line_of_the_log_tell_their_reason_in_french(run_js: RunJs) -> None:
    unreadable = ImageUnreadable("a.png", Text("reason.file_empty_0_bytes"))
    event = {"code": unreadable.code, "message": str(unreadable), "params": to_jsonable_python(unreadable.params)}
    code = 'BreastAI.i18n.set("fr"); output(BreastAI.i18n.errorText(input));'
    assert "le fichier est vide (0 octet)" in run_js(code, event)


def test_words_that_an_older_record_kept_stay_as_they_are(run_js: RunJs) -> None:
    assert spoken(run_js, "fr", ["its manifest is missing"]) == ["its manifest is missing"]


def test_an_error_without_a_text_shows_the_servers_message(run_js: RunJs) -> None:
    code = 'output(BreastAI.i18n.errorText({ code: "of.tomorrow", message: "Do this.", params: {} }));'
    assert run_js(code) == "Do this."


def test_a_parameter_stands_in_the_text_as_it_is(run_js: RunJs) -> None:
    code = 'output(BreastAI.i18n.errorText({ code: "run.not_found", message: "", params: { run_id: "$& {known}", known: [] } }));'
    assert run_js(code) == "There is no run $& {known}. Known: —."


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_of_an_audit_and_every_figure_of_an_evaluation_has_its_text(
    locales: dict[str, dict[str, str]], language: str
) -> None:
    parts = {f"finding.{code}.{part}" for code in SEVERITIES for part in ("message", "why", "advice")}
    labels, probabilities = np.array([0, 1] * 6), np.tile([[0.7, 0.3], [0.4, 0.6], [0.6, 0.4]], (4, 1))
    figures = evaluate(labels, probabilities, ["a", "b"], thresholds={"b": 0.5}, repetitions=5)
    names = {re.sub("[.](a|b)$", "", name) for name in figures}
    assert len(names) > 20
    known = set(locales[language])
    assert sorted(parts - known) == []
    assert [name for name in names if f"metric.{name}" not in known] == []


def test_classes_have_their_french_names_in_messages_and_their_own_in_errors(run_js: RunJs) -> None:
    code = """
      BreastAI.i18n.set("fr");
      const { t } = BreastAI.i18n;
      output([
        t("advice.few", { class_name: "malignant", n: 3 }), t("data_warning.few_in_training", { classes: ["benign (4)", "0 (2)"] }),
        t("finding.classes.imbalanced.message", { largest: "benign", smallest: "malignant", ratio: 3 }), t("error.data.class_not_trained", { path: "d", class_names: ["benign"] }),
      ]);
    """
    few, warning, imbalanced, error = run_js(code)
    assert "de malin" in few and "bénin (4), 0 (2)" in warning
    assert imbalanced.startswith("bénin a") and imbalanced.endswith("que malin.")
    assert "bénin" not in error
