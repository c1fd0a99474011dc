# ruff: noqa: RUF001 -- letters that look like others are meant
"""Encodings of text: marks, UTF-8, and what the bytes themselves make likely."""

from pathlib import Path

import pytest

from athanor.contract import Encoding, Hints
from athanor.contract.encodings import CODECS
from models.data.formats import delimited, open_source, plain_text
from models.data.formats.limits import Limits
from models.data.table import Source
from models.errors import DataError

WESTERN = "name,city,label\n" + "Zoë,Málaga – “Größe”,très bien\nJörg,Ærø,schön\n" * 20
CHINESE = "文本,标签\n" + "确实这家店的面条很好吃,好\n下次还来、服务员态度特别差,差\n" * 20


def _read(tmp_path: Path, content: bytes, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    (tmp_path / "a.csv").write_bytes(content)
    return delimited.read(tmp_path / "a.csv", Limits(), hints)


def _lines(source: Source) -> list[list[str]]:
    return [list(row.values()) for batch in source.batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("text", "codec", "told"),
    [
        (WESTERN, "utf-8", "utf-8"),
        (WESTERN, "utf-8-sig", "utf-8"),
        (WESTERN, "utf-16", "utf-16"),
        (WESTERN, "utf-16-le", "utf-16"),
        (WESTERN, "utf-16-be", "utf-16"),
        (WESTERN, "cp1252", "windows-1252"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
    ],
)
def test_encodings_are_found_and_said(tmp_path: Path, text: str, codec: str, told: str) -> None:
    source = _read(tmp_path, text.encode(codec))
    assert _lines(source) == [line.split(",") for line in text.splitlines()[1:]]
    assert source.dialect["encoding"] == told
    guessed = [warned.code for warned in source.warnings] == ["encoding_guessed"]
    assert guessed == (told in ("gb18030", "windows-1252"))


TAIWAN = "年齡,城市,類別\n" + "34,臺北,好\n51,高雄,壞\n" * 9
KOREA = "나이,도시,라벨\n" + "34,서울,좋음\n51,부산,나쁨\n" * 9
JAPAN = "商品名,価格,分類\n" + "りんご,120,食品\nみかんジュース,98000,家電\n" * 9


@pytest.mark.parametrize(
    ("text", "codec", "told"),
    [
        (TAIWAN, "big5", "big5"),
        ("text,label\n" + "這部電影真的很好看我們應該再去一次,x\n" * 20, "big5", "big5"),
        (KOREA, "euc_kr", "euc_kr"),
        ("text,label\n" + "이 영화는 정말 재미있고 배우들의 연기가 훌륭했습니다,x\n" * 20, "euc_kr", "euc_kr"),
        (JAPAN, "shift_jis", "shift_jis"),
        ("text,label\n" + "本日は晴天なり、とても良い,x\n" * 20, "shift_jis", "shift_jis"),
        (JAPAN, "euc_jp", "euc_jp"),
    ],
)
def test_encodings_of_east_asia_are_told_apart(tmp_path: Path, text: str, codec: str, told: str) -> None:
    source = _read(tmp_path, text.encode(codec))
    assert source.dialect["encoding"] == told
    assert [warned.code for warned in source.warnings] == ["encoding_guessed"]
    assert _lines(source) == [line.split(",") for line in text.splitlines()[1:]]
    given = _read(tmp_path, text.encode(codec), Hints.model_validate({"encoding": told}))
    assert (_lines(given), given.warnings) == ([line.split(",") for line in text.splitlines()[1:]], [])


@pytest.mark.parametrize(
    ("text", "codec", "told"),
    [
        ("编号,价格,类别\n1,2,鞋\n", "gbk", "gb18030"),
        ("a,颜色\n" + "1,蓝\n1,绿\n" * 9, "gbk", "gb18030"),
        ("姓名,科室\n赵鑫,骨科\n钱淼,骨科\n", "gbk", "gb18030"),
        ("a,b\nÄrger,1\nÄpfel,2\nÖl,3\n", "cp1252", "windows-1252"),
        ("a,b\ngénial,x\nfrançais,x\nbientôt,x\n", "cp1252", "windows-1252"),
    ],
)
def test_short_files_are_read_as_before(tmp_path: Path, text: str, codec: str, told: str) -> None:
    assert _read(tmp_path, text.encode(codec)).dialect["encoding"] == told


RUSSIAN = "очень хороший фильм\nмне не понравилось\nсмотреть можно\nактёры играют плохо\n"
OBJECTS = "".join(f'{{"text": "{line}"}}\n' for line in RUSSIAN.splitlines())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("csv", "текст\n" + RUSSIAN),
        ("tsv", "текст\n" + RUSSIAN),
        ("txt", RUSSIAN),
        ("jsonl", OBJECTS),
        ("json", f"[{','.join(OBJECTS.splitlines())}]"),
    ],
)
@pytest.mark.parametrize("told", ["windows-1251", "koi8-r", "ibm866"])
def test_texts_of_all_formats_are_decided_alike(tmp_path: Path, name: str, text: str, told: Encoding) -> None:
    (tmp_path / "a").write_bytes(text.encode(CODECS[told]))
    # What DOS wrote is no guess.
    hints = Hints(encoding=told if told == "ibm866" else None)
    source = open_source(name, tmp_path / "a", Limits(), hints)
    assert [line for (line,) in _lines(source)] == RUSSIAN.splitlines()
    assert source.dialect["encoding"] == told
    assert [warned.code for warned in source.warnings if warned.code == "encoding_guessed"] == (
        [] if hints.encoding else ["encoding_guessed"]
    )


def test_thai_is_no_guess(tmp_path: Path) -> None:
    content = ("text,label\n" + "หนังเรื่องนี้ดีมาก,ใช่\nรอนานเกินไป ไม่ประทับใจ,ไม่\n" * 20).encode("cp874")
    with pytest.raises(DataError, match=r"Line 2 is not UTF-8 .* Give its encoding .*windows-874"):
        _read(tmp_path, content)
    assert _lines(_read(tmp_path, content, Hints(encoding="windows-874")))[0] == ["หนังเรื่องนี้ดีมาก", "ใช่"]


def test_few_letters_leave_a_doubt_between_the_west_and_the_east(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it may be Windows-1252 or Big5\. Give its encoding .*, big5,"):
        _read(tmp_path, "a,b\n好,x\n中,x\n人,x\n天,x\n心,x\n".encode("big5"))


def test_what_may_be_two_encodings_is_refused(tmp_path: Path) -> None:
    both = "a,b\n1,½\n".encode("cp1252") + b"x\xb0\xa1,y\xb0\xa1\n" * 5
    with pytest.raises(DataError, match="it may be GB18030 or Windows-1252"):
        _read(tmp_path, both[:4] + both[8:])
    assert _read(tmp_path, both[:4] + both[8:], Hints(encoding="gb18030")).dialect["encoding"] == "gb18030"


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (CHINESE.encode() + b"\xff,x\n", None, "Line 42 is not UTF-8 .* most of the file is"),
        (b"a,b\n1,\xff\n", None, "Line 2 is not UTF-8 text .byte 3 of the line"),
        (CHINESE.encode("gb18030"), "utf-8", "Line 1 is not UTF-8 text"),
        (b"a,b\n1,\x81\n", "windows-1252", "Line 2 is not Windows-1252 text"),
        (WESTERN.encode("utf-16"), "gb18030", "begins with the mark of UTF-16, so it is not GB18030"),
        (WESTERN.encode("utf-32"), None, "UTF-32"),
        (b"\xff\xfea\0,\0b\0\n\0\x00\xd8,\0x\0\n\0", None, "is not UTF-16 text"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, encoding: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, content, Hints.model_validate({"encoding": encoding}))


def test_a_letter_may_stand_on_both_sides_of_a_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("encoding", "text_file"):
        monkeypatch.setattr(f"models.data.formats.{module}.PIECE", 7)
    for codec in ("utf-8", "utf-16", "gb18030"):
        assert len(_lines(_read(tmp_path, CHINESE.encode(codec)))) == 40


def test_plain_text_has_encodings_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Größe\nmañana\n".encode("cp1252"))
    source = plain_text.read(tmp_path / "a.txt", Limits())
    assert [row["text"] for batch in source.batches for row in batch.to_pylist()] == ["Größe", "mañana"]
    assert source.dialect == {"encoding": "windows-1252"}


def test_what_is_written_for_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = _read(tmp_path, WESTERN.encode("utf-16"))
    assert len(list(tmp_path.glob("text-*"))) == 1
    assert len(_lines(source)) == 40
    del source
    assert not list(tmp_path.glob("text-*"))
