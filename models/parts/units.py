"""Units that stand before or after numbers: currencies, shares, and those of physics."""

import re
import unicodedata

_MONEY = """
USD EUR GBP JPY CNY RMB CHF AUD CAD NZD HKD SGD INR BRL MXN RUB KRW SEK NOK DKK PLN CZK HUF TRY ZAR ILS THB
Rs Rs. kr zł Kč
"""
_WORDS = """
Ft 元 万元 亿元 圆 円 원 万 亿 % ‰ pct
km m dm cm mm µm um nm mi mile miles yd ft in inch inches " ″ 米 公里 千米 厘米 毫米
t kg g mg µg ug ng lb lbs oz 吨 公斤 千克 克 毫克 斤
l L dl dL cl cL ml mL µl uL gal 升 毫升
s sec secs min mins h hr hrs ms µs us ns d day days week weeks month months y yr yrs year years
秒 分 分钟 小时 天 日 周 月 年 岁 Jahre Tage Stunden Minuten
°C °F ℃ ℉ ° K C F deg
m² m2 cm² cm2 mm² mm2 km² km2 ha acre acres sqft sqm ft² ft2 平方米 平米 m³ m3 cm³ cm3 ft³
km/h kmh kph mph m/s knots kn
Hz kHz MHz GHz V mV kV A mA W kW MW GW Wh kWh MWh J kJ MJ cal kcal N Pa hPa kPa MPa bar mbar psi mmHg Ω ohm dB lx lm
B kB KB MB GB TB KiB MiB GiB bit bits bps kbps Mbps Gbps px pt
mol mmol mg/dL mg/dl mmol/L mmol/l g/L g/l g/dL mg/L mg/l µg/L ng/mL µg/m³ ug/m3 g/cm³ kg/m³ kg/m² IU U/L
bpm rpm ppm ppb pH
个 件 人 次 台 张 只 位 名 条 份 套 本 辆 倍 pcs pc pp
"""

_MULTIPLIERS = frozenset({"千", "万", "亿", "千元", "万元", "亿元"})
MONEY = frozenset(_MONEY.split())
KNOWN = MONEY | frozenset(_WORDS.split())
_FOLDED = frozenset(unit.casefold() for unit in KNOWN)
_DOLLARS = re.compile(r"(?:US|R|A|C|CA|AU|NZ|HK|NT|S|CN|MX)?[$¥]")


def multiplies(unit: str) -> bool:
    """Whether a number with this unit is many times that number: 2万 is twenty thousand."""
    return unit in _MULTIPLIERS


def is_money(unit: str) -> bool:
    """Whether this is a currency, which may stand before numbers, too."""
    is_sign = len(unit) == 1 and unicodedata.category(unit) == "Sc"
    return is_sign or unit in MONEY or _DOLLARS.fullmatch(unit) is not None


def is_known(unit: str) -> bool:
    """Whether this is a unit, also one of a price per something, as in `€/kg`."""
    if is_money(unit) or unit.casefold() in _FOLDED:
        return True
    first, slash, second = unit.partition("/")
    return bool(slash) and bool(second) and "/" not in second and is_known(first.strip()) and is_known(second.strip())
