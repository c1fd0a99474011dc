"""``python -m supply.pin REGISTRY``: write the digests of the base images into Dockerfile and docker-compose.yml.

It asks the registry with this address (of Docker Hub, or of a mirror of it) which image each tag names now. An image
that is named by its tag and its digest stays the same until this command runs again.

Source: OCI Distribution Specification, "Pulling manifests"; its Bearer tokens are those of the Docker registry.
"""

import hashlib
import re
import sys
from pathlib import Path

import httpx

FILES = ("Dockerfile", "docker-compose.yml")
NAMED = re.compile(r"(?m)^(FROM +|\s+image: +)([a-z0-9][\w./-]*):([\w.-]+)(?:@sha256:[0-9a-f]{64})?")
"""Before the image, its repository, its tag, and the digest that it may have. An image without a tag is built here."""
MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""An index comes first: it is one digest for all processors."""
OFFICIAL = "library/"
"""The namespace of images that are named without one."""
TIMEOUT = 30.0
FAILED, UNREACHABLE = 1, 3
"""Exit codes."""


class Refused(Exception):
    """The registry's answer does not name an image."""


def digest(registry: httpx.Client, repository: str, tag: str) -> str:
    """The ``sha256:…`` of the image that `tag` names. Raises Refused, or httpx.HTTPError if there is no answer."""
    path = f"/v2/{repository if '/' in repository else OFFICIAL + repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(MEDIA_TYPES)}
    answer = registry.get(path, headers=headers)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        answer = registry.get(path, headers={**headers, "Authorization": f"Bearer {_token(registry, answer)}"})
    if answer.status_code != httpx.codes.OK:
        raise Refused(f"the registry answers {answer.status_code} to {repository}:{tag}")
    found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if answer.headers.get("Docker-Content-Digest", found) != found:
        raise Refused(f"the manifest of {repository}:{tag} is not the one that the registry names: it was changed")
    return found


def _token(registry: httpx.Client, refusal: httpx.Response) -> str:
    """A token for whoever asks, from the place that the registry names."""
    challenge = refusal.headers.get("WWW-Authenticate", "")
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not challenge.lower().startswith("bearer ") or "realm" not in asked:
        raise Refused("the registry asks for a password")
    answer = registry.get(asked.pop("realm"), params=asked)
    try:
        held = answer.raise_for_status().json()
        return str(held.get("token") or held["access_token"])
    except (httpx.HTTPStatusError, ValueError, KeyError, AttributeError) as error:
        raise Refused(f"the registry gives no token ({answer.status_code})") from error


def pinned(text: str, digests: dict[tuple[str, str], str]) -> str:
    """The text of a file with the digest of each image behind its tag."""
    return NAMED.sub(lambda found: f"{found[1]}{found[2]}:{found[3]}@{digests[found[2], found[3]]}", text)


def pin(folder: Path, address: str) -> dict[tuple[str, str], str]:
    """Pin every image in the files of `folder`. Returns the digests by repository and tag. On an error nothing changes.

    Raises Refused and httpx.HTTPError.
    """
    texts = {folder / name: (folder / name).read_text() for name in FILES}
    images = {(found[2], found[3]) for text in texts.values() for found in NAMED.finditer(text)}
    with httpx.Client(base_url=address, timeout=TIMEOUT, follow_redirects=True) as registry:
        digests = {image: digest(registry, *image) for image in sorted(images)}
    for path, text in texts.items():
        path.write_text(pinned(text, digests))
    return digests


def main(arguments: list[str] | None = None, folder: Path = Path(__file__).parents[1]) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1:
        print("name the registry of the images: make pin REGISTRY=https://HOST", file=sys.stderr)
        return 2
    try:
        digests = pin(folder, given[0])
    except Refused as error:
        print(f"{error}; nothing was changed", file=sys.stderr)
        return FAILED
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"the registry {given[0]} cannot be reached ({error}); nothing was changed", file=sys.stderr)
        return UNREACHABLE
    for (repository, tag), found in digests.items():
        print(f"{repository}:{tag}@{found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
