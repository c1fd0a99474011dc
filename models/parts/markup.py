"""HTML in texts: tags are left out, and character references are read."""

import html
import re

_NAMES = (
    "a|abbr|article|aside|b|big|blockquote|body|br|button|center|cite|code|dd|del|div|dl|dt|em|figcaption|figure|font"
    "|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|option|p"
    "|pre|q|s|samp|section|select|small|span|strike|strong|sub|sup|table|tbody|td|textarea|tfoot|th|thead|title|tr|tt"
    "|u|ul|var|video|wbr"
)
# Only names of HTML: others, such as <user> or <url>, are words that data sets use as marks.
_TAG = re.compile(rf"<(?=[A-Za-z/])/?(?:{_NAMES})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def is_marked_up(text: str) -> bool:
    """Whether a text has an HTML tag."""
    return "<" in text and _TAG.search(text) is not None


def plain(text: str) -> str:
    """The text without HTML tags. A space is in the place of each tag."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = _REFERENCE.sub(lambda found: html.unescape(found[0]), text)
    return text
