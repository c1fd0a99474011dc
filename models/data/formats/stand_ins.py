"""Files that stand in the place of data: pointers of Git LFS and git-annex, and pages of a web server."""

import re

LENGTH = 512
"""First bytes of a file that tell what it is."""

_POINTERS = {
    re.compile(rb"version https://(git-lfs|hawser)\.github\.com/spec/"): "Git LFS, not the data; `git lfs pull`",
    re.compile(rb"(\.\./)*(\.git)?/annex/objects/"): "git-annex, not the data; `git annex get`",
}
_PAGE = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*+<(!doctype html|html|head|body|error)\b[^>]*>", re.I | re.S)
_MARK = b"\xef\xbb\xbf"


def pointer(start: bytes) -> str | None:
    """The end of a sentence that says which pointer begins with these bytes, and what to do. None if none does."""
    for form, said in _POINTERS.items():
        if form.match(start[:LENGTH]):
            return f"is a pointer of {said} gets them. Then upload the file again."
    return None


def page(start: bytes) -> str | None:
    """The end of such a sentence for a page or an error of a web server. None if the bytes begin no page."""
    if _PAGE.match(start[:LENGTH].removeprefix(_MARK)):
        return (
            "is a page of a web server (HTML or XML), not the data: its address may lead to a page about the file, to "
            "a log-in or to an error. Download the file itself, and upload it."
        )
    return None
