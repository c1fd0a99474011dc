# ruff: noqa: E501, RUF001 -- a table of a language is a line, and letters that look like others are the matter
"""Encodings of one byte are told apart by the letters of small tables in many languages."""

from pathlib import Path

import pytest

from athanor.contract import Encoding
from athanor.contract.encodings import CODECS
from models.data.formats import alphabets
from models.data.formats.encoding import decide
from models.errors import DataError

TABLES: dict[str, tuple[Encoding, str]] = {
    "Russian": (
        "windows-1251",
        "Имя;Город;Отзыв;Купил\nИван Петров;Москва;«Очень хороший фильм» – рекомендую;да\n"
        "Ольга;Санкт-Петербург;не понравилось, дорого (500 €);нет\nАННА;Казань;так себе…;да\n"
        "Сергей;Новосибирск;доставка № 5 опоздала;нет\nЮлия;Уфа;всё отлично!;да\n",
    ),
    "Ukrainian": (
        "windows-1251",
        "ім’я;місто;відгук\nОлена;Київ;дуже добре\nЮрій;Львів;не сподобалось\nМар’яна;Харків;їжа смачна\n",
    ),
    "Bulgarian": ("windows-1251", "име,град,харесва\nГеорги,София,да\nИвайло,Пловдив,не\nЦветелина,Бургас,да\n"),
    "Serbian": ("windows-1251", "име,град,одговор\nЂорђе,Београд,да\nЉиљана,Ниш,не\nЖељко,Нови Сад,можда\n"),
    "Russian by mail": ("koi8-r", "имя,город,ответ\nИван,Москва,да\nОльга,Казань,нет\nСергей,Уфа,не знаю\n"),
    "Ukrainian by mail": ("koi8-u", "ім'я,місто,відповідь\nОлена,Київ,так\nЮрій,Львів,ні\nНадія,Одеса,мабуть\n"),
    "Polish": (
        "windows-1250",
        "imię;miasto;opis;płaci\nŁukasz;Łódź;łabędź nad rzeką;tak\nŻaneta;Kraków;„świetny” film – 5 €;nie\n"
        "Michał;Gdańsk;zły, bardzo zły;tak\nJoanna;Poznań;może być…;nie\nPaweł;Częstochowa;piękna gęś;tak\n",
    ),
    "Czech": ("windows-1250", "jméno,město,názor\nJiří,Plzeň,příliš drahé\nZdeněk,Brno,ano\nŠárka,Olomouc,můžeš\n"),
    "Slovak": ("windows-1250", "meno,mesto,názor\nĽubica,Košice,veľmi dobré\nJán,Žilina,nie\nMária,Nitra,ťažké\n"),
    "Hungarian": (
        "windows-1250",
        "név,város,vélemény\nGyőző,Győr,nagyon jó\nZsófia,Pécs,nem tetszik – túl hűvös\nJenő,Szeged,szép idő\n",
    ),
    "Romanian": (
        "windows-1250",
        "nume,oraş,părere\nŞtefan,Iaşi,foarte bună\nIoana,Timişoara,nu îmi place\nŢuţea,Braşov,aşa şi aşa\n",
    ),
    "Slovene": ("windows-1250", "ime,mesto,mnenje\nUrška,Kočevje,všeč mi je\nŽiga,Škofja Loka,ni slabo\nAleš,Celje,še kar\n"),
    "Croatian": ("windows-1250", "ime,grad,ocjena\nĐurđa,Šibenik,odlično\nIvančić,Čakovec,loše\nŽeljko,Poreč,može\n"),
    "Polish on Linux": ("iso-8859-2", "imię,miasto,opis\nŁukasz,Łódź,łabędź\nŻaneta,Częstochowa,świąteczny\nJaś,Łańcut,gęś\n"),
    "Greek": (
        "windows-1253",
        "όνομα;πόλη;σχόλιο\nΓιώργος;Αθήνα;πολύ καλή ταινία\nΆννα;Θεσσαλονίκη;«όχι» – 5 €\nΕλένη;Πάτρα;ναι, ωραία\n",
    ),
    "Turkish": (
        "windows-1254",
        "ad,şehir,yorum\nAyşe,İstanbul,çok güzel\nIşık,Ağrı,kötü değil\nÇağla,Muğla,“harika” – 5 €\n",
    ),
    "Hebrew": ("windows-1255", "שם,עיר,תגובה\nדוד,תל אביב,סרט טוב מאוד\nשרה,חיפה,לא אהבתי\nיוסף,ירושלים,כן\n"),
    "Arabic": ("windows-1256", "الاسم,المدينة,الرأي\nمحمد,القاهرة,فيلم جيد جدا\nفاطمة,دبي,لا\nأحمد,بغداد,نعم\n"),
    "Lithuanian": ("windows-1257", "vardas,miestas,nuomonė\nJonas,Šiauliai,labai gražu\nRūta,Klaipėda,ačiū\nŽydrė,Kaunas,nežinau\n"),
    "French": ("windows-1252", "prénom,ville,avis\nZoé,Besançon,très bien\nAgnès,Nîmes,« ça va » – 5 €\nJérôme,Orléans,déçu\n"),
    "German": ("windows-1252", "Name;Ort;Urteil\nJörg;Köln;schön\nGünter;Düsseldorf;„zu groß“\nÄnne;Lübeck;ärgerlich, 5 €\n"),
    "Spanish": ("windows-1252", "nombre,ciudad,opinión\nÍñigo,Málaga,¡sí!\nBegoña,Cádiz,¿por qué?\nJosé,León,no está mal\n"),
    "Portuguese": ("windows-1252", "nome,cidade,opinião\nJoão,São Paulo,não\nConceição,Brasília,ótimo\nInês,Évora,avó e irmã\n"),
    "Italian": ("windows-1252", "nome,città,parere\nNiccolò,Forlì,è bello\nMaria,Cefalù,perché no\nLuca,Roma,può andare\n"),
    "Danish": ("windows-1252", "navn,by,mening\nSøren,Ærø,dårlig\nÅse,København,godt på vej\nJørgen,Århus,æble\n"),
    "Swedish": ("windows-1252", "namn,ort,åsikt\nÅsa,Malmö,mycket bra\nPär,Göteborg,dålig\nÖrjan,Umeå,så där\n"),
    "Finnish": ("windows-1252", "nimi,kaupunki,mielipide\nPäivi,Jyväskylä,hyvä\nJänönen,Hämeenlinna,ei hyvää\nÄssä,Oulu,pöö\n"),
    "Icelandic": ("windows-1252", "nafn,bær,álit\nÞórður,Ísafjörður,já\nGuðrún,Akureyri,nei\nÆgir,Húsavík,þetta er ágætt\n"),
    "English": ("windows-1252", "item,price,note\ntea,£5,don’t “quote” me\ncoffee,€4,5 m² – at 20°\nmilk,£1,½ off…\n"),
    "Names of Europe": ("windows-1252", "name,city\nZoë,Málaga\nJörg,Ærø\nFrançois,Genève\nÅsa,São Paulo\nÍñigo,Zürich\n"),
}  # fmt: skip


def _told(tmp_path: Path, text: str, encoding: Encoding) -> Encoding:
    (tmp_path / "a.csv").write_bytes(text.encode(CODECS[encoding]))
    return decide(tmp_path / "a.csv", None).encoding


@pytest.mark.parametrize("language", TABLES)
def test_small_tables_are_read_as_they_were_written(tmp_path: Path, language: str) -> None:
    encoding, text = TABLES[language]
    assert _told(tmp_path, text, encoding) == encoding
    # And as the rows of a larger file, with columns in ASCII.
    rows = [f"{number},{line},yes" for number, line in enumerate(text.splitlines() * 50)]
    assert _told(tmp_path, "\n".join(rows), encoding) == encoding


@pytest.mark.parametrize("language", ["Russian", "Ukrainian", "Bulgarian", "Russian by mail", "Greek"])
def test_a_table_in_capitals_is_read_too(tmp_path: Path, language: str) -> None:
    encoding, text = TABLES[language]
    for accented, plain in zip("όύήάέίώΆ", "ουηαειωΑ", strict=True):
        text = text.replace(accented, plain)
    assert _told(tmp_path, text.upper(), encoding) == encoding


def _rows(header: str, first: str, second: str, number: int) -> str:
    ones, twos = first.split(), second.split()
    lines = (f"{ones[row % len(ones)]};{row};{twos[row % len(twos)]}\n" for row in range(number))
    return header + "\n" + "".join(lines)


@pytest.mark.parametrize("number", [4, 60])
@pytest.mark.parametrize("encoding", ["windows-1253", "iso-8859-7"])
@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        ("ΟΝΟΜΑ;x;ΠΟΛΗ", "ΓΙΩΡΓΟΣ ΜΑΡΙΑ ΝΙΚΟΣ", "ΑΘΗΝΑ ΠΑΤΡΑ"),
        ("ΠΡΟΪΟΝ;x;ΧΡΩΜΑ", "ΤΡΑΠΕΖΙ ΚΑΡΕΚΛΑ ΛΑΜΠΑ ΚΟΥΡΤΙΝΑ", "ΜΑΥΡΟ ΛΕΥΚΟ"),
        ("name;x;city", "ΔΗΜΗΤΡΗΣ ΕΛΕΝΗ ΚΩΣΤΑΣ ΣΟΦΙΑ", "ΘΕΣΣΑΛΟΝΙΚΗ ΛΑΡΙΣΑ ΒΟΛΟΣ"),
    ],
)
def test_greek_capitals_are_no_russian_in_small_letters(
    tmp_path: Path, header: str, first: str, second: str, encoding: Encoding, number: int
) -> None:
    # The letters are the same in both, and the first is named.
    assert _told(tmp_path, _rows(header, first, second, number), encoding) == "windows-1253"


@pytest.mark.parametrize("number", [3, 6, 80])
@pytest.mark.parametrize("encoding", ["iso-8859-2", "windows-1250"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Łódź Kraków Gdańsk Poznań", "dobrze źle"),
        ("źródło łąka ścieżka", "śnieg ciąża"),
        ("Děčín Plzeň Jihlava", "ťukání příliš"),
        ("Žilina Ľubica Šaľa", "ťažké ľahké"),
    ],
)
def test_marks_before_and_after_words_are_no_western_text(
    tmp_path: Path, first: str, second: str, encoding: Encoding, number: int
) -> None:
    assert _told(tmp_path, _rows("city;x;label", first, second, number), encoding) == encoding


@pytest.mark.parametrize(
    "words",
    [
        "£5 ½ 3½",
        "«oui» „nein“ ¿qué? ¡sí!",
        "m² km³ 20°C N°",
        "Acme™ Acme® ©Acme",
        "5 µm 2× §a ±3",
        "k€ €uro",
        "¶ † ‡ ÷ ‰",
    ],
)
def test_marks_of_western_text_are_still_western(tmp_path: Path, words: str) -> None:
    assert _told(tmp_path, f"a,b\n{words},1\n", "windows-1252") == "windows-1252"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("a,b\nŁódź,1\nKraków,2\n", "windows-1250"), ("a,b\nда,1\nнет,2\nне знаю,3\n", "windows-1251")],
)
def test_a_few_words_may_be_enough(tmp_path: Path, text: str, encoding: Encoding) -> None:
    assert _told(tmp_path, text, encoding) == encoding


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("a,b\nда,1\nнет,2\n", "windows-1251", "it may be Windows-1251 or Windows-1255"),
        ("a,b\nхорошо,1\nплохо,2\n", "windows-1251", r"it may be Windows-1251 or KOI8-R\. Give its encoding .*koi8-r"),
        ("a,b\nМосква,1\nКазань,2\n", "windows-1251", "it may be GB18030 or Windows-1251"),
        ("a,b\nм,1\nж,2\n", "windows-1251", "it may be"),
        ("a,b\nIaşi,1\nTimişoara,2\n", "windows-1250", "it may be Windows-1250 or Windows-1252"),
        ("a,b\nzażółć gęślą jaźń łódź,1\n", "windows-1250", "it may be Windows-1250 or Windows-1252"),
        ("a,b\nŠumperk,1\nTřebíč,2\nŽďár,3\nkošile,4\ndéšť,5\n", "iso-8859-2", "ISO-8859-2 or Windows-1252"),
        ("a,b\nя,1\n", "windows-1251", "no other encoding"),
        ("a,b\nж,1\n", "windows-1251", "no other encoding"),
    ],
)
def test_fewer_leave_a_doubt_that_names_the_encodings(
    tmp_path: Path, text: str, encoding: Encoding, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _told(tmp_path, text, encoding)


@pytest.mark.parametrize(
    "words", ["男 女", "是 否", "好 差", "有 无", "合格 不合格", "北京 上海 广州", "张伟 王芳 李娜"]
)
def test_few_chinese_words_are_still_chinese(tmp_path: Path, words: str) -> None:
    text = "id,label\n" + "".join(f"{number},{word}\n" for number, word in enumerate(words.split() * 9))
    assert _told(tmp_path, text, "gb18030") == "gb18030"


@pytest.mark.parametrize("words", ["è à", "à la carte, città", "ÄÖÜ ÜBER", "perché", "£5", "€ 5 £ 7", "mañana"])
def test_few_western_letters_are_still_western(tmp_path: Path, words: str) -> None:
    assert _told(tmp_path, f"a,b\n{words},1\n", "windows-1252") == "windows-1252"


@pytest.mark.parametrize("times", [1, 20])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("jméno;příjmení;město\nJiří;Dvořák;Plzeň\nŠárka;Nováková;účetnictví\nZdeněk;Kučera;možná\n", "ibm852"),
        ("imię;miasto\nŁukasz;Łódź\nŻaneta;Kraków\nPaweł;Częstochowa\nJaś;gęś\n", "ibm852"),
        ("név;város\nGyőző;Győr\nZsófia;Pécs\nJenő;szép idő\n", "ibm852"),
        ("nom;âge\nZoé;élève\nAgnès;très déçue\nJérôme;bientôt\n", "ibm850"),
        ("Name;Größe\nJörg;schön\nKäthe;spät\nBjörn;häßlich\n", "macintosh"),
    ],
)
def test_what_dos_and_the_macintosh_wrote_is_no_western_text(
    tmp_path: Path, text: str, encoding: Encoding, times: int
) -> None:
    with pytest.raises(DataError, match=rf"(it may be|no other encoding) .*Give its encoding .*{encoding}"):
        _told(tmp_path, text * times, encoding)


def test_languages_of_other_scripts_read_badly_one_byte_a_letter() -> None:
    texts = [
        ("的是不了在人有我他这个们来为国说时会对过", "gb18030"),
        ("こんにちは 世界 とても良い映画でした", "euc_jp"),
        ("이 영화는 정말 재미있고 배우들의 연기가", "cp949"),
    ]
    for text, codec in texts:
        found = alphabets.words(text.encode(codec))
        letters = sum(map(len, found))
        assert alphabets.readings(found)[0].surprise > 4 * letters


def test_letters_that_come_late_are_seen(tmp_path: Path) -> None:
    encoding, text = TABLES["Polish"]
    assert _told(tmp_path, "only;ascii;in;here\n" * 40_000 + text, encoding) == encoding


def test_no_more_than_so_many_words_are_compared() -> None:
    text = "".join(f"{chr(0xE0 + number % 32)}{'b' * (number // 32)}," for number in range(5000)).encode("cp1252")
    assert len(alphabets.words(text)) == alphabets.MOST_WORDS
    assert alphabets.words(b"\xe9" * 1000) == [b"\xe9" * 40]
