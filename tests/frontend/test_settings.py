"""Settings as the page reads them from the schema: bounds, kinds, values typed and what differs."""

from collections.abc import Callable
from typing import Any

import pytest

from breastai.domain.catalog import PRESETS
from breastai.domain.config import Config, overlay

RunJs = Callable[..., Any]

PARSE = """
  const fields = BreastAI.settings.fields(input.schema);
  const field = fields.find(({ path }) => path === input.path);
  output(BreastAI.settings.parse(field, input.text));
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("training.epochs", "12", {"value": 12}),
        ("training.epochs", "0", {"problem": "field.minimum", "params": {"minimum": 1}}),
        ("training.epochs", "10001", {"problem": "field.maximum", "params": {"maximum": 10000}}),
        ("training.epochs", "1.5", {"problem": "field.integer", "params": {}}),
        ("training.epochs", "", {"problem": "field.number", "params": {}}),
        ("training.learning_rate", "fast", {"problem": "field.number", "params": {}}),
        ("training.learning_rate", "0,0005", {"value": 0.0005}),
        ("training.learning_rate", "0", {"problem": "field.above", "params": {"above": 0}}),
        ("data.val_split", "0.9", {"problem": "field.below", "params": {"below": 0.9}}),
        ("model.num_classes", "", {"value": None}),
        ("model.num_classes", "1", {"problem": "field.minimum", "params": {"minimum": 2}}),
        ("data.val_dir", " ", {"value": None}),
        ("data.train_dir", " ", {"problem": "field.empty", "params": {}}),
        ("training.use_amp", "true", {"value": True}),
        ("training.use_amp", '"auto"', {"value": "auto"}),
        ("model.cbam_kernel_size", "5", {"value": 5}),
        ("training.focal_loss_alpha", "[1, 2]", {"value": [1, 2]}),
        ("evaluation.patient_id", '{"folder": 1}', {"value": {"folder": 1}}),
        ("evaluation.patient_id", "P1", {"problem": "field.json", "params": {}}),
    ],
)
def test_what_is_typed_is_a_value_or_a_fault_that_names_the_bound(
    run_js: RunJs, path: str, text: str, expected: dict[str, Any]
) -> None:
    assert run_js(PARSE, {"schema": Config.model_json_schema(), "path": path, "text": text}) == expected


TYPED = """
  BreastAI.i18n.set(input.language);
  output(input.typed.map(([text, whole]) => BreastAI.settings.readNumber(text, whole)));
"""
WHOLE, ANY = True, False


# What is typed, whether a whole number is asked for, and what it is in English and in French; None: refused.
NUMBERS: list[tuple[str, bool, float | None, float | None]] = [
    ("1,000", WHOLE, 1000, None),
    ("1 000", WHOLE, 1000, 1000),
    ("1\u202f000", WHOLE, 1000, 1000),
    ("1\u00a0234\u00a0567", WHOLE, 1234567, 1234567),
    ("1'000", WHOLE, 1000, 1000),
    ("1.000", WHOLE, None, None),
    ("1,500", WHOLE, 1500, 1500),
    ("1,000,000", WHOLE, 1000000, 1000000),
    ("1.000.000", WHOLE, 1000000, 1000000),
    ("12", WHOLE, 12, 12),
    ("1,0", WHOLE, 1, 1),
    ("0,5", WHOLE, None, None),
    ("1e3", WHOLE, 1000, 1000),
    ("9007199254740993", WHOLE, None, None),
    ("0,5", ANY, 0.5, 0.5),
    (".5", ANY, 0.5, 0.5),
    ("0,001", ANY, 0.001, 0.001),
    ("0.001", ANY, 0.001, 0.001),
    ("1e-4", ANY, 0.0001, 0.0001),
    ("1,5e-4", ANY, 0.00015, 0.00015),
    ("1,000", ANY, None, 1),
    ("1,234", ANY, None, 1.234),
    ("1.234", ANY, 1.234, 1.234),
    ("1,234.5", ANY, 1234.5, 1234.5),
    ("1.234,5", ANY, 1234.5, 1234.5),
    ("1 234,5", ANY, 1234.5, 1234.5),
    ("\u22121,5", ANY, -1.5, -1.5),
    ("1 00", ANY, None, None),
    ("10 00", WHOLE, None, None),
    ("1,00,000", WHOLE, None, None),
    ("0x10", WHOLE, None, None),
    ("1_000", WHOLE, None, None),
    ("10%", ANY, None, None),
    ("1,2,3", ANY, None, None),
    ("Infinity", ANY, None, None),
    ("--1", ANY, None, None),
    ("", ANY, None, None),
]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_number_is_read_as_people_write_it_or_refused_and_never_taken_for_another(
    run_js: RunJs, language: str
) -> None:
    found = run_js(TYPED, {"language": language, "typed": [row[:2] for row in NUMBERS]})
    expected = [row[2] if language == "en" else row[3] for row in NUMBERS]
    assert [(row[0], answer.get("value")) for row, answer in zip(NUMBERS, found, strict=True)] == [
        (row[0], value) for row, value in zip(NUMBERS, expected, strict=True)
    ]
    problems = {answer["problem"] for answer in found if "problem" in answer}
    assert problems == {"field.number", "field.integer", "field.ambiguous"}


def test_what_could_be_two_numbers_is_asked_for_as_either(run_js: RunJs) -> None:
    (found,) = run_js(TYPED, {"language": "fr", "typed": [["1,000", True]]})
    assert found == {"problem": "field.ambiguous", "params": {"large": "1000", "small": "1"}}


def test_every_default_survives_being_shown_and_typed(run_js: RunJs) -> None:
    code = """
      const { fields, shown, parse, at } = BreastAI.settings;
      const lists = { "model.architecture": ["efficientnetv2_s"], "training.early_stopping.monitor": ["val_f1_weighted"] };
      const drawn = fields(input.schema, lists).filter(({ kind }) => kind !== "boolean");
      output(drawn.map((field) => [at(input.config, field.path), parse(field, shown(field, at(input.config, field.path))).value]));
    """
    given = {"schema": Config.model_json_schema(), "config": Config().model_dump(mode="json")}
    pairs = run_js(code, given)
    assert len(pairs) > 40
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_the_page_lays_settings_over_each_other_as_the_server_does(run_js: RunJs) -> None:
    base = Config().model_dump(mode="json") | {"evaluation": {"tta": False, "patient_id": {"folder": 1}}}
    layers = [*PRESETS.values(), {"evaluation": {"patient_id": {"csv": "p.csv"}}}, {"data": {"val_dir": None}}]
    code = "output(BreastAI.settings.overlay(input.base, ...input.layers));"
    assert run_js(code, {"base": base, "layers": layers}) == overlay(base, *layers)


@pytest.mark.parametrize(
    ("phase", "state", "pending", "free"),
    [
        ("disconnected", "idle", {}, {"connect"}),
        ("connected", "idle", {}, {"disconnect", "start_training", "load_checkpoint", "export_model", "create_backup"}),
        ("connected", "running", {}, {"disconnect", "stop_training", "load_checkpoint", "create_backup"}),
        ("connected", "stopping", {"1": "stop_training"}, {"disconnect", "stop_training", "load_checkpoint", "create_backup"}),
        ("connected", "idle", {"1": "start_training"}, {"disconnect", "stop_training", "load_checkpoint", "create_backup"}),
        ("connected", "idle", {"1": "create_backup"}, {"disconnect", "start_training", "load_checkpoint", "export_model"}),
    ],
)  # fmt: skip
def test_a_button_can_act_only_when_its_request_can_succeed(
    run_js: RunJs, phase: str, state: str, pending: dict[str, str], free: set[str]
) -> None:
    actions = ["connect", "disconnect", "start_training", "stop_training", "load_checkpoint", "export_model", "create_backup"]  # fmt: skip
    code = """
      const base = BreastAI.store.initial();
      const state = { ...base, connection: { ...base.connection, phase: input.phase },
        session: { ...base.session, state: input.state }, pending: input.pending };
      output(input.actions.filter((action) => BreastAI.actions.blocked(action, state) === null));
    """
    given = {"phase": phase, "state": state, "pending": pending, "actions": actions}
    assert set(run_js(code, given)) == free


# --- what is typed into the form ----------------------------------------------------------------

FORM = """
  const welcome = { config: input.config, catalog: { presets: [{ name: "short", training: { epochs: 2 } }] } };
  const store = BreastAI.store.create();
  const kept = { ...store, state: () => ({ ...store.state(), welcome }) };
  const form = BreastAI.views.formValues.create(kept);
  const path = "training.epochs";
"""


def test_a_change_back_to_what_holds_is_no_change(run_js: RunJs) -> None:
    code = (
        "form.set(path, 3); form.set(path, input.config.training.epochs); output([form.changes(), form.isOpen(path)]);"
    )
    assert run_js(FORM + code, {"config": Config().model_dump(mode="json")}) == [{}, False]


def test_a_preset_holds_until_the_user_changes_what_it_sets(run_js: RunJs) -> None:
    code = """
      store.dispatch({ type: "@form", form: { preset: "short" } });
      const before = form.at(path);
      form.set(path, 9);
      output([before, form.at(path), form.effective().training.epochs, form.changes()]);
    """
    given = {"config": Config().model_dump(mode="json")}
    assert run_js(FORM + code, given) == [2, 9, 9, {"training": {"epochs": 9}}]


def test_a_configuration_taken_over_leaves_the_server_it_came_from_behind(run_js: RunJs) -> None:
    code = """
      form.faults.set("training.learning_rate", "seven");
      form.take(input.taken, BreastAI.settings.fields(input.schema));
      output([form.changes(), form.faults.size]);
    """
    taken = overlay(Config().model_dump(mode="json"), {"training": {"epochs": 7}, "server": {"port": 1234}})
    given = {"config": Config().model_dump(mode="json"), "taken": taken, "schema": Config.model_json_schema()}
    assert run_js(FORM + code, given) == [{"training": {"epochs": 7}}, 0]


def test_a_fault_goes_with_the_value_that_had_it(run_js: RunJs) -> None:
    code = "form.faults.set(path, 'zero'); const open = form.isOpen(path); form.reset(path); output([open, form.isOpen(path)]);"
    assert run_js(FORM + code, {"config": Config().model_dump(mode="json")}) == [True, False]
