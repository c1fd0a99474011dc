"""Words that mean a missing value."""

ANSWERS = ("unknown", "Unknown", "UNKNOWN", "missing", "Missing", "MISSING", "未知", "不详", "不詳", "不明")
"""Beside yes and no, these may be a third answer."""
MISSING = (
    *("", "-", "--", "---", "—", "——", ".", "..", "...", "…", "?", ":", "/", "NA", "N/A", "n/a", "na", "n.a.", "N.A."),
    *("#N/A", "#NA", "<NA>", "#NV", "k.A.", "k. A.", "NaN", "nan", "NAN", "NULL", "Null", "null", "(null)", "(NULL)"),
    *("None", "none", "NONE", "NaT", "\\N", "#VALUE!", "#DIV/0!", "#REF!", "#NULL!", "#NUM!", "#NAME?", "#ERROR!"),
    *("无", "無", "缺失", "暂无", "暫無", "无数据", "無數據"),
    *ANSWERS,
)
"""In a column whose other values are all numbers or dates, these words mean a missing value. So they do beside truth
values; a column with ANSWERS there is one of truth values only if a user says so."""
