"""Words that mean a missing value."""

MISSING = (
    *("", "-", "--", "---", "—", "——", ".", "..", "...", "…", "?", ":", "/", "NA", "N/A", "n/a", "na", "n.a.", "N.A."),
    *("#N/A", "#NA", "<NA>", "#NV", "k.A.", "k. A.", "NaN", "nan", "NAN", "NULL", "Null", "null", "(null)", "(NULL)"),
    *("None", "none", "NONE", "NaT", "\\N", "#VALUE!", "#DIV/0!", "#REF!", "#NULL!", "#NUM!", "#NAME?", "#ERROR!"),
    *("unknown", "Unknown", "UNKNOWN", "missing", "Missing", "MISSING"),
    *("无", "無", "缺失", "未知", "不详", "不詳", "不明", "暂无", "暫無", "无数据", "無數據"),
)
"""In a column whose other values are all numbers, dates or truth values, these words mean a missing value."""
