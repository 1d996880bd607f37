"""Requests and events as text."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid, RequestInvalid, RequestUnknown, SessionBusy
from breastai.domain.event_messages import decode_event, encode_event, error_event
from breastai.domain.events import EVENTS, CheckpointDeleted, ExportComplete, Pong, TrainingStopped, ends_job
from breastai.domain.request_messages import MOST_COMMAS, MOST_DIGITS, MOST_KEYS, decode_request, request_id_of
from breastai.domain.requests import REQUESTS, EvaluatePredictions, GetHistory, StartTraining
from breastai.domain.validation_errors import describe_problems


def test_a_request_without_session_and_id_is_complete() -> None:
    request = decode_request('{"type": "start_training", "config": {"epochs": 3}}')
    assert request == StartTraining(config={"epochs": 3})
    assert (request.session_id, request.request_id) == ("default", None)


def test_from_and_to_are_the_names_on_the_wire() -> None:
    assert decode_request('{"type": "get_history", "from": 3, "to": 9}') == GetHistory.model_validate(
        {"from": 3, "to": 9}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected one JSON object"),
        ("{", "expected one JSON object"),
        ("[]", "expected one JSON object, got list"),
        ("[" * 100_000, "expected one JSON object"),
        ('"ping"', "got str"),
        ('{"type": "start_training", "epochs": 0}', "epochs: expected a whole number from 1 to 10000, got 0"),
        ('{"type": "start_training", "epoch": 3}', "epoch: unknown key"),
        ('{"type": "load_checkpoint"}', "checkpoint: missing"),
        ('{"type": "get_history", "from": 0}', "from: expected a whole number from 1, got 0"),
        ('{"type": "get_status", "last_seq": -1}', "last_seq: expected a whole number from 0, got -1"),
        ('{"type": "start_training", "config": 3}', "config: expected an object {...}, got 3"),
        ('{"type": "get_history", "run_id": "../../etc"}', "run_id: "),
    ],
)
def test_a_request_that_can_not_be_used_is_refused_with_the_place(text: str, expected: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        decode_request(text)
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ['{"type": "shutdown"}', "{}", '{"type": 3}', '{"type": null}', '{"type": ["ping"]}'])
def test_an_unknown_type_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(RequestUnknown) as caught:
        decode_request(text)
    assert caught.value.known == sorted(REQUESTS)


@given(st.text() | st.binary())
def test_no_message_whatever_breaks_the_decoder(message: str | bytes) -> None:
    request_id_of(message)
    with pytest.raises((RequestInvalid, RequestUnknown)):
        decode_request(message)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"type": "ping", "x": [' + "{}," * MOST_COMMAS + "0]}", "the message: expected at most 10000 commas"),
        (
            '{"type": "ping"' + "".join(f', "{n}": 1' for n in range(MOST_KEYS)) + "}",
            "expected at most 100 keys, got 101",
        ),
        ('{"type": "ping", "timestamp": ' + "9" * (MOST_DIGITS + 1) + "}", "expected one JSON object"),
    ],
)
def test_what_would_take_long_to_refuse_is_refused_before_it_is_looked_at(text: str, fault: str) -> None:
    for message in (text, text.encode()):
        with pytest.raises(RequestInvalid, match=fault):
            decode_request(message)
        assert request_id_of(message) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"request_id": "a"}', "a"),
        ('{"request_id": 7}', 7),
        ('{"request_id": true}', None),
        ('{"request_id": {"a": 1}}', None),
        ("[1]", None),
        ("not json", None),
        (json.dumps({"request_id": "x" * 201}), None),
    ],
)
def test_the_id_of_a_request_that_can_not_be_decoded_is_still_found(text: str, expected: Any) -> None:
    assert request_id_of(text) == expected


def test_an_event_survives_the_way_there_and_back() -> None:
    event = TrainingStopped(reason="user", epoch=3, checkpoint="R/last", run_id="R", seq=7, message="é")
    line = encode_event(event)
    assert decode_event(line) == event
    assert "\n" not in line and "é" in line


def test_an_event_tells_of_its_envelope_only_what_is_set() -> None:
    assert json.loads(encode_event(CheckpointDeleted(checkpoint="R/best", filename="f"))) == {
        "type": "checkpoint_deleted",
        "checkpoint": "R/best",
        "filename": "f",
    }
    assert json.loads(encode_event(Pong(request_id=0)))["request_id"] == 0


def test_a_null_figure_stays_in_the_event() -> None:
    assert json.loads(encode_event(TrainingStopped(reason="error")))["checkpoint"] is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_figure_that_is_not_a_number_gets_onto_the_wire(value: float) -> None:
    with pytest.raises(ValidationError):
        Pong(timestamp=value)


def test_an_errors_event_carries_code_message_and_params() -> None:
    event = error_event(SessionBusy("train"), request_id="a")
    assert (event.code, event.params, event.request_id) == ("session.busy", {"job": "train"}, "a")
    assert "train" in event.message


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_request_is_answered_by_real_events(kind: str) -> None:
    assert REQUESTS[kind].answered_by
    assert set(REQUESTS[kind].answered_by) <= set(EVENTS)


@pytest.mark.parametrize("run_id", [None, "run"])
def test_an_export_ends_its_job_unless_it_is_part_of_a_run(run_id: str | None) -> None:
    done = ExportComplete(run_id=run_id, format="onnx", path="x", size=1.0, size_mb=1.0, checkpoint="run/best")
    assert ends_job(done) is (run_id is None)


@pytest.mark.parametrize("levels", [41, 300, 900])
def test_what_is_nested_deeper_than_anything_is_refused(levels: int) -> None:
    deep = '{"a":' * levels + "1" + "}" * levels
    for config in (deep, deep.replace('{"a":', "[").replace("}", "]")):
        with pytest.raises(RequestInvalid, match="deep"):
            decode_request(f'{{"type": "save_config", "config": {{"data": {config}}}}}')


def test_no_text_of_a_request_or_a_setting_is_endless() -> None:
    """But for what has a bound of its own."""
    for kind, model in REQUESTS.items():
        assert model.model_config["str_max_length"] <= 1000, kind
    with pytest.raises(ConfigInvalid, match="at most 1000 characters"):
        parse_config({"data": {"train_dir": "x" * 1_000_000}})
    with pytest.raises(ConfigInvalid):
        parse_config({"server": {"data_roots": ["x" * 2000]}})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"threshold": 2}, "threshold: expected a number from 0 to 1, got 2"),
        ({"threshold": math.nan}, "threshold: expected a number from 0 to 1, got nan"),
        ({"prevalences": {"here": 3}}, "prevalences.here: expected a number to below 1, got 3"),
    ],
)
def test_the_bounds_of_a_number_that_may_be_left_out_are_told(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EvaluatePredictions.model_validate({"predictions": "p.csv", **fields})
    assert [str(each) for each in describe_problems(caught.value, EvaluatePredictions)] == [told]


def test_a_setting_with_a_dot_in_its_key_is_told_how_to_nest_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"evaluation.target_class": "malignant"})
    (told,) = describe_problems(caught.value, Config)
    assert str(told) == (
        'evaluation.target_class: expected {"evaluation": {"target_class": …}}, without a dot in the key'
    )
