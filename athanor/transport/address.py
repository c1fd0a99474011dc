"""The address of the service and the API key: from arguments, the environment or the data folder."""

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from athanor.errors import AthanorError, MalformedAddress

DEFAULT_URL = "http://127.0.0.1:8500"
DEFAULT_DATA = "./athanor-data"
KEY_FILE = "admin.key"


def find_url(given: str | None) -> str:
    """The argument, else ATHANOR_URL, else the address of `athanor up`. http:// is added if there is no scheme.

    A path /v1 is removed, because the client adds it itself. Raises MalformedAddress.
    """
    url = (given or os.environ.get("ATHANOR_URL") or DEFAULT_URL).strip().rstrip("/")
    url = url if "://" in url else f"http://{url}"
    if not url.lower().startswith(("http://", "https://")):
        raise MalformedAddress(f"the address {url} is not one of HTTP; write http:// or https://")
    return url.removesuffix("/v1").rstrip("/") if urlsplit(url).path.endswith("/v1") else url


def is_local(url: str) -> bool:
    """Whether the address is this machine: localhost or a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def find_key(given: str | None, url: str) -> str | None:
    """The argument, else ATHANOR_KEY, else the key file in the data folder. None if there is none.

    The key in the default data folder belongs to a service on this machine, so it is sent to no other machine. A
    folder set by ATHANOR_DATA belongs to the given address.
    """
    key = (given or os.environ.get("ATHANOR_KEY") or "").strip()
    if key:
        return key
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
