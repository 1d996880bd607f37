"""Listening."""

import errno
import socket

import pytest

from breastai.domain.errors import AddressUnusable, PortInUse
from breastai.server.connections import sockets
from breastai.server.connections.sockets import listen


@pytest.fixture
def taken():
    """A port of IPv4 loopback on which something listens already."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_named(taken):
    with pytest.raises(PortInUse) as error:
        listen("localhost", taken)
    assert str(taken) in str(error.value)
    assert error.value.exit_status == 2


def test_all_sockets_are_on_one_port():
    listening = listen("localhost", 0)
    try:
        assert {listener.getsockname()[1] for listener in listening.sockets} == {listening.port}
        assert listening.port > 0
    finally:
        for listener in listening.sockets:
            listener.close()


def test_an_answer_does_not_wait_for_the_acknowledgement_of_what_was_sent_before(play):
    async def story(stage):
        await stage.connect()
        (client,) = stage.services.hub._clients
        accepted = client.connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    play(story)


@pytest.mark.parametrize("missing", [socket.AF_INET, socket.AF_INET6])
def test_one_of_the_two_families_may_be_missing(monkeypatch, missing):
    real = sockets._listen_on

    def listen_on(family, address, port):
        if family == missing:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return real(family, address, port)

    monkeypatch.setattr(sockets, "_listen_on", listen_on)
    try:
        listening = listen("localhost", 0)
    except AddressUnusable:
        pytest.skip("this machine has one loopback family only")
    assert [listener.family for listener in listening.sockets] != [missing]
    assert len(listening.sockets) == 1
    listening.sockets[0].close()


def test_a_free_port_of_one_family_that_is_taken_in_the_other_is_passed_over(monkeypatch):
    real, refused = sockets._listen_on, []

    def listen_on(family, address, port):
        if family == socket.AF_INET6 and not refused:
            refused.append(port)
            raise OSError(errno.EADDRINUSE, "in use")
        return real(family, address, port)

    monkeypatch.setattr(sockets, "_listen_on", listen_on)
    listening = listen("localhost", 0)
    for listener in listening.sockets:
        listener.close()
    assert refused
    assert listening.port > 0


def test_an_address_that_is_not_ours_is_unusable():
    with pytest.raises(AddressUnusable):
        listen("203.0.113.7", 0)
