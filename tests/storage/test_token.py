"""The installation's token."""

import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from breastai.storage.access_token import installation_token, read_token, tokens_match, write_session_script

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_token_is_made_once_is_long_and_its_owners_alone(tmp_path):
    file = tmp_path / "breastai" / "token"
    first = installation_token(file)
    assert len(first) == 43
    assert mode(file) == 0o600
    assert installation_token(file) == read_token(file) == first
    assert installation_token(tmp_path / "other") != first
    assert [path.name for path in file.parent.iterdir()] == ["token"]


def test_servers_that_begin_at_once_share_one_token(tmp_path):
    file = tmp_path / "breastai" / "token"
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: installation_token(file), range(64)))) == 1


@POSIX
def test_a_token_that_others_could_read_is_replaced(tmp_path):
    file = tmp_path / "token"
    leaked = installation_token(file)
    file.chmod(0o644)
    assert read_token(file) is None
    assert installation_token(file) != leaked
    assert mode(file) == 0o600


@POSIX
def test_a_link_is_not_followed_and_what_it_leads_to_is_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    installation_token(elsewhere)
    before = elsewhere.read_bytes()
    (tmp_path / "token").symlink_to(elsewhere)
    assert read_token(tmp_path / "token") is None
    assert installation_token(tmp_path / "token").encode() not in before
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("content", ["", "short", "x" * 44, "x" * 42 + '"', "x" * 100_000])
def test_a_file_that_holds_no_token_is_replaced(tmp_path, content):
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(content)
    assert read_token(file) is None
    assert len(installation_token(file)) == 43


def test_where_none_can_be_kept_an_error_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        installation_token(tmp_path / "file" / "token")


def test_tokens_match_when_they_are_equal_alone():
    assert tokens_match("a" * 43, "a" * 43)
    for other in ("", "a" * 42, "a" * 42 + "b", "é" * 43, "\udcff"):
        assert not tokens_match("a" * 43, other)


@POSIX
def test_the_script_beside_the_page_is_written_once_and_its_owners_alone(tmp_path):
    write_session_script(tmp_path, "t" * 43)
    script = tmp_path / "session.js"
    written = script.stat().st_ino
    assert mode(script) == 0o600
    assert f'"{"t" * 43}"' in script.read_text()
    write_session_script(tmp_path, "t" * 43)
    assert script.stat().st_ino == written
    os.chmod(script, 0o644)  # noqa: PTH101
    write_session_script(tmp_path, "t" * 43)
    assert mode(script) == 0o600
    write_session_script(tmp_path, "u" * 43)
    assert "u" * 43 in script.read_text()
