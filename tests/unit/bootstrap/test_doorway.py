"""The door's configuration from the settings."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap.doorway import door_config
from gateway.settings import Settings, SettingsError


def settings(tmp_path: Path, door: dict[str, Any], vendor: dict[str, Any]) -> Settings:
    """A configuration with one vendor that has no door and one that has."""
    return Settings(
        server={"plaintext_loopback_vendor": "old"},
        signatures={"trust_dir": tmp_path},
        axis={"national": {"endpoint": "http://axis", "system_id": "x", "secret": "y", "agencies": ["H98"]}},
        door={"listen": "127.0.0.1:0", **door},
        vendors=[{"id": "new"}, {"id": "old", "door_system_id": "00.98.W00", **vendor}],
        limits={"packet_bytes": 1000},
    )


def test_settings_become_plain_values(tmp_path):
    """Those with a system id may come; secrets are shown nowhere."""
    config = door_config(settings(tmp_path, {"clock_skew_minutes": 5}, {"door_secret": "geheim"}))
    (vendor,) = config.vendors
    assert (vendor.id, vendor.system_id, vendor.secret) == ("old", "00.98.W00", "geheim")
    assert (config.tls, config.packet_limit, config.clock_skew) == (None, 1000, timedelta(minutes=5))
    assert "geheim" not in repr(config)
    assert door_config(settings(tmp_path, {}, {"door_secret": "x"})).clock_skew is None


def test_a_secret_may_stand_in_a_file(tmp_path):
    """White space around it is ignored; an empty file is told by its key."""
    file = tmp_path / "secret"
    file.write_text(" geheim\n", encoding="utf-8")
    config = door_config(settings(tmp_path, {}, {"door_secret_file": file}))
    assert config.vendors[0].secret == "geheim"
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"vendors\[1\]\.door_secret_file"):
        door_config(settings(tmp_path, {}, {"door_secret_file": file}))


def test_tls_files_come_together(tmp_path):
    """Certificate and key, where the settings name them."""
    pair = {"tls_certificate": tmp_path / "a", "tls_key": tmp_path / "b"}
    config = door_config(settings(tmp_path, pair, {"door_secret": "x"}))
    assert config.tls is not None
    assert (config.tls.certificate, config.tls.key) == (tmp_path / "a", tmp_path / "b")
