"""An encoder that has seen the data says so, however the set is written."""

from pathlib import Path

from breastai.clinical.pretraining_leaks import names_of_data, pretraining_notes
from breastai.domain.catalog import ARCHITECTURES


def test_an_encoder_that_has_seen_the_data_says_so_however_the_set_is_written() -> None:
    for folder in ("BUS-BRA/test", "data/bus_bra", "data/BUSBRA"):
        (note,) = pretraining_notes("an encoder", ["ImageNet-1k", "BUS-BRA"], names_of_data(Path(folder)))
        assert note.params["set"] == "BUS-BRA" and "an encoder has seen BUS-BRA" in str(note)
    assert pretraining_notes("an encoder", ["BUS-BRA"], names_of_data(Path("busi/test"))) == []
    (note,) = pretraining_notes("an encoder", ["BUS-BRA"], names_of_data(Path("images"), {"busbra"}))
    assert note.code == "note.pretrained_on_data"


def test_every_architecture_says_what_its_weights_were_made_from() -> None:
    assert all(each.pretrained_on for each in ARCHITECTURES.values() if "." in each.timm_name)
    assert ARCHITECTURES["tf_efficientnet_lite0"].pretrained_on == ("ImageNet-1k",)
    assert "ImageNet-21k" in ARCHITECTURES["efficientnetv2_s"].pretrained_on
