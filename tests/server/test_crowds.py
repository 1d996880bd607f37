"""Many at once, and few who take all: honest clients after a restart, idle connections, promises, session names."""

import asyncio
import contextlib
import json
import shutil

import pytest
from websockets.asyncio.client import connect

from breastai.apps import http_server
from breastai.domain.errors import WorkspaceInUse
from breastai.server.app import Options, running_server
from breastai.server.connections import open_connections


async def close_all(connections):
    for _, writer in connections:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def test_five_hundred_honest_clients_at_once_all_get_in(play):
    async def welcomed(port):
        async with connect(f"ws://127.0.0.1:{port}/", max_size=None, open_timeout=25) as socket:
            return json.loads(await socket.recv())["type"]

    async def story(stage):
        told = await asyncio.gather(*(welcomed(stage.port) for _ in range(500)), return_exceptions=True)
        assert [each for each in told if each != "connection_established"] == []

    play(story)


def test_silent_connections_still_make_room(play, monkeypatch):
    monkeypatch.setattr(open_connections, "MOST_SILENT", 3)
    monkeypatch.setattr(open_connections, "_JUST_COME_S", 0.05)

    async def story(stage):
        silent = []
        for _ in range(6):
            silent.append(await asyncio.open_connection("127.0.0.1", stage.port))
            await asyncio.sleep(0.06)  # until it has not just come
        assert await silent[0][0].read() == b"", "the oldest was ended"
        await stage.connect()
        monkeypatch.setattr(open_connections, "MOST_OPEN", len(stage.server.doorway))
        assert (await (await stage.connect()).ask("ping"))["type"] == "pong", "with all taken, a silent one goes"
        await close_all(silent)

    play(story)


def test_idle_connections_do_not_shut_the_door_of_rest(play, monkeypatch):
    monkeypatch.setattr(http_server, "MOST_OPEN", 20)

    async def story(stage):
        port = stage.server.rest_port
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(25)]
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            idle.append((reader, writer))
        await close_all(idle)

    play(story, rest_port=0)


def test_forms_take_no_more_of_the_disk_than_is_set_aside(play):
    async def story(stage):
        port = stage.server.rest_port
        begun = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {2**28}\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode()
            )
            begun.append((reader, writer))
        done, _ = await asyncio.wait(
            [asyncio.create_task(reader.readline()) for reader, _ in begun], return_when=asyncio.FIRST_COMPLETED
        )
        assert b" 429 " in done.pop().result(), "two of them hold all the room"
        await close_all(begun)

    play(story, rest_port=0)


def test_a_promise_of_an_image_takes_no_room(play):
    async def story(stage):
        greedy, honest = await stage.connect(), await stage.connect()
        for number in range(10):
            answer = await greedy.ask("add_image", image=str(number), file="a.png", size=2**26, start=0, part="")
            assert answer["type"] == "image_added", answer
        added = await honest.ask("add_image", image="1", file="a.png", size=3, start=0, part="AAAA")
        assert added["type"] == "image_added", added

    play(story)


def test_names_of_sessions_are_not_used_up(play):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script, session_id="busy")
        for number in range(150):
            assert (await script.ask("get_status", session_id=f"s{number}"))["type"] == "status"
        assert len(list(stage.services.sessions)) == 100
        assert stage.services.sessions.get("busy").state == "running"
        puppet.stopped()
        await script.until("training_stopped")

    play(story)


def test_two_servers_do_not_serve_one_workspace(play, workspace, monkeypatch):
    monkeypatch.setattr("breastai.storage.lease.WAIT_S", 0.0)

    async def story(stage):
        with pytest.raises(WorkspaceInUse) as caught:
            async with running_server(Options(workspace=workspace, port=0)):
                pass
        assert caught.value.pid and "already serves" in str(caught.value)

    play(story)
    play(lambda stage: asyncio.sleep(0))  # once it has ended, another may


@pytest.mark.parametrize("request_type", ["save_config", "list_runs", "list_checkpoints"])
def test_a_workspace_that_was_deleted_is_told_of(play, workspace, request_type):
    fields = {"config": {}} if request_type == "save_config" else {}

    async def story(stage):
        script = await stage.connect()
        shutil.rmtree(workspace.root)
        answer = await script.ask(request_type, **fields)
        assert answer.get("code") in ("workspace.unusable", "config.not_writable", None), answer
        assert answer["type"] in ("error", "runs_list", "checkpoints_list", "config_saved", "backup_created"), answer

    play(story)


def test_a_flood_that_waits_holds_up_no_end(play):
    async def story(stage):
        async def flood():
            async with connect(f"ws://127.0.0.1:{stage.port}/", max_size=None) as socket:
                await socket.recv()
                for _ in range(300):
                    await socket.send('{"type": "list_runs"}')
                await asyncio.sleep(3600)

        stage.after = []
        floods = [asyncio.create_task(flood()) for _ in range(40)]
        await asyncio.sleep(0.5)  # until their messages wait
        stage.after.append(asyncio.gather(*floods, return_exceptions=True))
        asyncio.get_running_loop().call_later(8, lambda: [each.cancel() for each in floods])

    play(story)
