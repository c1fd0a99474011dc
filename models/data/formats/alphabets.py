# ruff: noqa: RUF001 -- letters and marks that look like others are what this is about
"""How well a text reads in encodings of one byte, by the letters of the languages that are written in them.

Bytes of one encoding, read as another, are rare letters, marks within words, and capitals after small letters. What is
measured is the surprise at them: the negative logarithm of their likelihood. It adds up over the different words of a
text, so a few cells of a table tell encodings apart. The letters of a language are listed by frequency; of n letters,
the one of rank r has a share of ln((n + 1) / r) / n, near enough (Gusein-Zade 1988).

Detectors of other projects were compared on tables of 5 to 40 rows, made of the frequent words of 30 languages.
charset-normalizer 3.5 reads three of four as they were written: it chooses among a hundred encodings, and often finds
Windows-1250 or one of the Macintosh in short Western texts. chardetng 0.3 reads as many as this module, but names no
rival and no doubt, which decide here whether a file is refused; and it is one more compiled package.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from athanor.contract import Encoding
from athanor.contract.encodings import CODECS

_GREEK = ("ατοσιενρπκμηυλίάόέγδωήχθύφώβξζψςϊϋΐΰ", "αοιετσνηρυπκμλωδγχθφβξζψς")
"""The second is that of capitals, which have no accents."""
_RUSSIAN = "оеаинтсрвлкмдпуяыгьбзчйжхшюцэщфёъ"
_UKRAINIAN = "оаніивтерскудлмпзябьгйчцхжїюшщєфґ"
_CENTRAL = (
    "łężąóśćńź",
    "íáěžřéčšýůúňďťóöü",
    "ážčýíšéúťľôďňóäĺŕ",
    "ščžćđ",
    "čšž",
)
"""Polish, Czech, Slovak, Croatian and Slovene."""
# Of encodings in which a text is the same, the first is named.
ALPHABETS: dict[Encoding, tuple[str, ...]] = {
    # French, German, Spanish, Portuguese, Italian, Dutch, Swedish, Danish and Norwegian, Icelandic, Finnish, Catalan.
    "windows-1252": (
        "éàèêçôâîùûœïëü",
        "üäöéß",
        "óíáéñúüºª",
        "ãéçáíêóúõàâôºªü",
        "èàùòéìáíóº",
        "éëïèóüöáç",
        "äåöé",
        "åæøé",
        "ðíáþóæöúéý",
        "äöåéšž",
        "éóàèíòçúïü",
    ),
    # And Hungarian and Romanian, which have the same bytes in ISO 8859-2.
    "windows-1250": (*_CENTRAL, "éáöóőüíúű", "ăşîţâ"),
    # And Bulgarian, Serbian and Macedonian, Belarusian.
    "windows-1251": (
        _RUSSIAN,
        _UKRAINIAN,
        "аоеитнсврдклмпзяъгбчущжйцхшфюь",
        "аоеинтсрвдкмлпујгзбшчцжњхљфћђџќѓѕ",
        "аоіеуынтсрвлкмдпяьбзчйжхшюцэфёўг",
    ),
    "windows-1253": _GREEK,
    "windows-1254": ("ıüşçğöiâî",),
    "windows-1255": ("יוהלאתרבמשענםדכחקפסןגזצטךףץ",),
    # Arabic and Persian.
    "windows-1256": ("اليمنورتعبدةفهكسأقحجىصشطخذإضثزغءئظآؤ", "ایرندهومبتسکشلزفخگعقجحپآچطصيضغظذثئك"),
    # Lithuanian, Latvian and Estonian.
    "windows-1257": ("ėųšžąįūčę", "āīēšūņļžķģčŗō", "äõüöšž"),
    "koi8-r": (_RUSSIAN, _UKRAINIAN),
    "koi8-u": (_UKRAINIAN,),
    "iso-8859-2": _CENTRAL,
    "iso-8859-7": _GREEK,
}
_LATIN = frozenset({"windows-1250", "windows-1252", "windows-1254", "windows-1257", "iso-8859-2"})
"""Encodings in which letters of ASCII are in the same words."""
_MARKS = frozenset("‘’“”„‚–—…•€£¥§°«»‹›©®™№²³½¼¾±×·¿¡´`¨¢¤µ†‡‰¦¬¶¯¹÷\xa0\xad")
_INNER = frozenset("’–—·´`\xad\xa0")
"""Marks that may stand between letters."""
_OPENING = frozenset("‘“„‚–—…•€§°«»‹›©№×·¿¡´`¨µ†‡\xa0\xad")
"""Marks that may stand before a word. A pound sign or a half stands beside numbers."""
_CLOSING = frozenset("‘’“”–—…•€°«»‹›©®™²³·´`¨†‡\xa0\xad")
"""Marks that may stand after a word."""

_STRANGE = -math.log(1e-4)
"""A letter of no word of the language, or a mark that has no place in a word."""
_TURN = -math.log(0.01)
"""A capital after a small letter, a letter of another script, or a mark on a side of a word where it has no place."""
_CAPITAL, _CAPITALS = 0.2, 2.0
"""A capital, and all of a text: one in capitals is a choice of its writer, and tells no more with each letter."""
_SELDOM = -math.log(0.1)
"""A second letter outside of ASCII in a row, a mark between letters, or a lone capital."""
_MARK = -math.log(0.03)
MOST_WORDS, _MOST_BYTES = 1000, 40
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")


@dataclass(frozen=True)
class Reading:
    """A text in an encoding: `words` are its different words outside of ASCII, and `surprise` is how odd they are."""

    encoding: Encoding
    words: tuple[str, ...]
    surprise: float


def words(sample: bytes) -> list[bytes]:
    """The first words of a text that are not ASCII, each once. Of a long one, the beginning."""
    found = dict[bytes, None]()
    for match in _WORD.finditer(sample):
        if not match[0].isascii():
            found[match[0][:_MOST_BYTES]] = None
            if len(found) == MOST_WORDS:
                break
    return list(found)


def readings(found: Sequence[bytes]) -> list[Reading]:
    """The words in each encoding in which they are text, the least surprising first."""
    told = []
    for encoding, alphabets in ALPHABETS.items():
        try:
            said = tuple(word.decode(CODECS[encoding]) for word in found)
        except UnicodeDecodeError:
            continue
        told.append(Reading(encoding, said, _surprise(said, alphabets, is_latin=encoding in _LATIN)))
    return sorted(told, key=lambda each: each.surprise)


def _surprise(said: Iterable[str], alphabets: Sequence[str], *, is_latin: bool) -> float:
    """Of all words in the language that fits best, or of each in any of the languages."""
    known = [_surprises(alphabet) for alphabet in alphabets]
    whole, mixed, capitals = [0.0] * len(known), 0.0, 0
    for word in said:
        letters, shared = _letters(word, is_latin=is_latin)
        capitals += sum(not letter.isascii() and letter.isupper() for letter in word)
        each = [shared + sum(surprises.get(letter, _STRANGE) for letter in letters) for surprises in known]
        whole = [sum(pair) for pair in zip(whole, each, strict=True)]
        least = min(each)
        mixed += least - math.log(sum(math.exp(least - other) for other in each) / len(each))
    return min(*whole, mixed) + min(_CAPITAL * capitals, _CAPITALS)


def _letters(word: str, *, is_latin: bool) -> tuple[list[str], float]:
    """The small letters outside of ASCII of a word, and the surprise at everything else in it but capitals."""
    # A lone capital is rather a mark, such as a pound sign.
    letters, surprise = [], _SELDOM if len(word) == 1 and word.isupper() else 0.0
    for before, letter, after in zip(" " + word, word, word[1:] + " ", strict=False):
        follows = _is_letter(before)
        if letter.isascii():
            if follows and not before.isascii():
                surprise += _TURN * ((before.islower() and letter.isupper()) + (not is_latin))
        elif _is_letter(letter):
            # The small letter of a Turkish İ is an i and a dot.
            letters.append(letter.lower()[0])
            if follows:
                surprise += _TURN * (before.islower() and letter.isupper())
                if before.isascii():
                    surprise += 0 if is_latin else _TURN
                else:
                    surprise += _SELDOM if is_latin else 0
        elif letter not in _MARKS:
            surprise += _STRANGE
        elif follows and _is_letter(after):
            surprise += _MARK + (_SELDOM if is_latin else _TURN) if letter in _INNER else _STRANGE
        else:
            is_odd = (follows and letter not in _CLOSING) or (_is_letter(after) and letter not in _OPENING)
            surprise += _MARK + _TURN * is_odd
    return letters, surprise


@cache
def _is_letter(letter: str) -> bool:
    """Whether it is a letter, or a vowel or an accent above one."""
    return unicodedata.category(letter)[0] in "LM"


@cache
def _surprises(alphabet: str) -> Mapping[str, float]:
    """The surprise at each letter of an alphabet that is ordered by frequency."""
    shares = [math.log((len(alphabet) + 1) / rank) for rank in range(1, len(alphabet) + 1)]
    return {letter: -math.log(share / sum(shares)) for letter, share in zip(alphabet, shares, strict=True)}
