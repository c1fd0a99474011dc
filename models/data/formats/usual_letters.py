"""Letters that are frequent in texts and tables of East Asian languages, by the encodings that such files have.

Bytes of one encoding, read as another, are mostly rare letters. So the share of frequent ones tells encodings apart.
"""

_SAME = (
    "的一是不了在人有我他中上大和地到以就出可也你生能而子那得下自之年作里用道行然家成方法如同心本前但因只日者意力它把十民第"
    "公此已工使情明性知全三又正外高由很最重并物手文相美利二等部其些主小好天都去小想看定起面心分名事高市城女男北南西東京海州"
    "山水火口目品元位月百千次老少世界言信今何先加利比任原命商四五六七八九保合向反取台各安定式形往快思所打找持教新林格正每求"
    "活流清理白直真知神福空立站算米系受句告員良表角解言訂記話起路身車近送通速造進運道遠郵部都配金門開間問食馬服接收支代未件"
    "低住佳便值停做像入再冬夏春秋分列初判別制前加助化卡厚友反古召台史味呼唱商喜四回困固國土均型埋基境士夜夫失太央奇始姓字存"
    "完客室容密察寸射尺局居展山島左右巨差己布平幸床店度座式弱影待後徒忙快怎性怪恐息想愛感成我戶房扎批技投招拿指按推措支改放"
    "故效散敢文料新族早昨星晚普晴暗更最期未末本果查校根桌案業樂次止步死段母毛水永汽油法注洗活派深清減港湖源溫滿演火然片牛物"
    "特狀玩班理瓶生由申界留疑病白百皮目直相看真短石示社祝神票禁秋秘科租移程稱空窗站童笑第等筆答算管米精紅素紙細終統線練罪置"
)
_SIMPLE = "这个们来为国说时会对过发后开没动还进将两实现点关长问题经么头体从间样学无气业产变给电数总条员结车门认声应种处东书记话语见议设论证让请谁读课调谈识试该详语买卖费质贵账货购赛资红级约纪纯纸线练组细终统继绩续维编缘网罗联职聪肃胜脑脸虑补装观规视觉览触订计讨训讲许评词译号价类别姓龄电备标签签评论图书馆数据无产销运输营业额单双坏满爱欢乐听写医药银钱铁错键镇长闻队阳阴阶际陆陈险随难飞饭饮馆马驾验鱼鸟鸡麦黄齐龙广东庆汉苏浙宁厦连岛济郑沙贵阳兰州乌鲁木哈尔滨深圳杭州武成都重庆天津"  # noqa: E501
_TRADITIONAL = "這個們來為國說時會對過發後開沒動還進將兩實現點關長問題經麼頭體從間樣學無氣業產變給電數總條員結車門認聲應種處東書記話語見議設論證讓請誰讀課調談識試該詳買賣費質貴帳貨購賽資紅級約紀純紙線練組細終統繼績續維編緣網羅聯職聰肅勝腦臉慮補裝觀規視覺覽觸訂計討訓講許評詞譯號價類別姓齡備標籤圖館據銷運輸營額單雙壞滿愛歡樂聽寫醫藥銀錢鐵錯鍵鎮聞隊陽陰階際陸陳險隨難飛飯飲馬駕驗魚鳥雞麥黃齊龍廣慶漢臺灣雄新竹桃園部電影真應該再次"  # noqa: E501
_HANGUL = (
    "이다는의에가을를은지한사고하기로서도인리아어자시대나일정그있수보해들것만면라오주전여과니부장게제상우조원스비마공국구신성동"
    "학문생산소화연간와모경중유세무실미방내발계관적없안요거바현용선치진강회때운심호위명통반남분야된습입물민결재히울광좋쁨름별벨"
    "했으며까라드트크프레터파타카코토피차추출평평점댓글내용긍부감영화배우작품최천강력싶은다시말매우정말재미훌륭직업번호날짜가격"
    "상품구매판매수량금액제목본서비점점포역개월년오후오전행복음식맛집친절별로추천주소전화여자남자나쁘"
)
_KANA = "".join(map(chr, [*range(0x3041, 0x3094), *range(0x30A1, 0x30F7), 0x30FC]))

# The characters of EUC-JP have the same bytes as those of GB 2312, so only kana tell.
USUAL = {
    "gb18030": frozenset(_SAME + _SIMPLE),
    "big5": frozenset(_SAME + _TRADITIONAL),
    "shift_jis": frozenset(_KANA + _SAME + _TRADITIONAL + "円県駅学国会気東性別年齢価格評価気発売対応図書様点"),
    "euc_jp": frozenset(_KANA),
    "euc_kr": frozenset(_HANGUL),
}


def share(text: str, encoding: str) -> tuple[float, int]:
    """The share of the letters outside of ASCII that are usual ones for the encoding, and how many differ."""
    letters = [letter for letter in text if not letter.isascii() and (letter.isalpha() or not letter.isprintable())]
    usual = USUAL[encoding]
    return sum(1 for letter in letters if letter in usual) / max(1, len(letters)), len(set(letters))
