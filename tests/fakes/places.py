"""Where a gateway's store would be, with a configuration that commands take; nothing runs there."""

from dataclasses import dataclass
from pathlib import Path

from gateway.domain.packet import StoredObject

CONFIG = """\
[server]
listen = "127.0.0.1:8443"
plaintext_loopback_vendor = "trial"
[store]
{store}
[blobs]
path = "{home}/blobs"
{bucket}
[signatures]
trust_dir = "{home}"
submit = "off"
[axis.national]
endpoint = "http://127.0.0.1:1"
system_id = "00.98.W00"
secret = "not-a-secret"
agencies = ["H98"]
sent_list = "{sent_list}"
[[vendors]]
id = "trial"
serves = ["H98"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a store is, and its configuration."""

    home: Path

    @property
    def config(self) -> Path:
        return self.home / "gateway.toml"

    @property
    def database(self) -> Path:
        return self.home / "gateway.db"

    @property
    def blobs(self) -> Path:
        return self.home / "blobs"

    def object(self, stored: StoredObject) -> Path:
        return self.blobs / stored.key


def place_at(home: Path, *, store: str = "", bucket: str = "", sent_list: str = "by_sender") -> Place:
    """A new folder with a configuration; `store` and `bucket` are lines of their sections."""
    home.mkdir()
    place = Place(home=home)
    where = store or f'path = "{place.database}"'
    place.config.write_text(CONFIG.format(home=home, store=where, bucket=bucket, sent_list=sent_list), encoding="utf-8")
    return place
