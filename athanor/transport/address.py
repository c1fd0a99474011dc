"""Where the service is, and the key to it."""

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from athanor.errors import AthanorError

DEFAULT_URL = "http://127.0.0.1:8500"
DEFAULT_DATA = "./athanor-data"
KEY_FILE = "admin.key"


def find_url(given: str | None) -> str:
    """The argument, ATHANOR_URL, or where `athanor up` listens; http:// is added where no scheme is said."""
    url = (given or os.environ.get("ATHANOR_URL") or DEFAULT_URL).strip().rstrip("/")
    return url if "://" in url else f"http://{url}"


def is_local(url: str) -> bool:
    """Whether the address is this very machine, by name or loopback number."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def find_key(given: str | None, url: str) -> str | None:
    """The argument, ATHANOR_KEY, or the key file in the data folder.

    The file of the default data folder is the key to a service on this machine, so it is sent nowhere else;
    naming the folder with ATHANOR_DATA says that it belongs to the address given.
    """
    said = (given or os.environ.get("ATHANOR_KEY") or "").strip()
    if said:
        return said
    folder = os.environ.get("ATHANOR_DATA")
    if not folder and not is_local(url):
        return None
    path = Path(folder or DEFAULT_DATA) / KEY_FILE
    try:
        return path.read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AthanorError(f"cannot read the key in {path}: {error}; give one with --key or ATHANOR_KEY") from error
