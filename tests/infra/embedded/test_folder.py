"""The data folder: whose it is, its secrets and its ports."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from infra.embedded.folder import opened
from infra.errors import Misconfigured


def test_secrets_are_made_once_and_differ_between_folders(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "one", "two"):
        with opened(tmp_path / name) as folder:
            seen.append(folder.secrets)
    assert seen[0] == seen[1]
    assert seen[0].postgres not in {seen[2].postgres, seen[0].postgres_admin}
    assert stat.S_IMODE((tmp_path / "one" / "secrets.json").stat().st_mode) == 0o600


def test_a_folder_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    with opened(tmp_path / "data"):
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_ports_differ_and_stay_the_same_while_they_are_free(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        first = folder.ports(["a", "b", "c"])
        assert len(set(first.values())) == 3
        assert folder.ports(["a", "b", "c"]) == first
        assert not folder.has_lost_a_port(["a", "b"])
        with socket.create_server(("127.0.0.1", first["b"])):
            assert folder.has_lost_a_port(["a", "b"])
            second = folder.ports(["a", "b", "c"])
        assert second["b"] != first["b"]
        assert (second["a"], second["c"]) == (first["a"], first["c"])


def test_a_port_stays_ours_when_its_last_connection_lingers(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        port = folder.ports(["a"])["a"]
        with socket.create_server(("127.0.0.1", port)) as server:
            client = socket.create_connection(("127.0.0.1", port))
            accepted, _ = server.accept()
            accepted.close()  # the side that closes first keeps the port in TIME_WAIT
            client.close()
        assert folder.ports(["a"])["a"] == port


def test_the_folder_is_free_again_afterwards_and_taken_until_then(tmp_path: Path) -> None:
    with opened(tmp_path):
        refused: list[Misconfigured] = []

        def try_too() -> None:
            try:
                with opened(tmp_path):
                    return
            except Misconfigured as error:
                refused.append(error)

        thread = threading.Thread(target=try_too)
        thread.start()
        thread.join()
        assert [error.code for error in refused] == ["misconfigured.data_folder_in_use"]
        assert (tmp_path / "lock").read_text().strip() == str(os.getpid())
    with opened(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can open what is another user's")
def test_root_leaves_the_folder_of_another_user_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("")
    os.chown(tmp_path / "lock", 65534, 65534)
    with pytest.raises(Misconfigured, match="data of another user"), opened(tmp_path):
        pytest.fail("it must not open")
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert (tmp_path / "lock").read_text() == ""
