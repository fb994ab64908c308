"""Says why a value was refused, in two languages and without the value."""

from __future__ import annotations

from hub.kernel.errors import Text


class ValueRefused(ValueError):
    """Is raised for a value that has no canonical form; names the field and the reason, never the value."""

    def __init__(self, field: str, reason: Text) -> None:
        super().__init__(f"{field}: {reason.en}")
        self.field = field
        self.reason = reason


NOT_TEXT = Text("is not text", "不是文本")
UNREADABLE = Text("holds characters that cannot be stored", "含有无法保存的字符")
NOT_PHONE = Text("is not a telephone number", "不是有效的电话号码")
NOT_EMAIL = Text("is not an e-mail address", "不是有效的电子邮箱")
NOT_INTEGER = Text("is not a whole number", "不是整数")
NOT_DECIMAL = Text("is not a decimal number", "不是有效的数值")
TOO_FINE = Text("has more digits than the field keeps", "数值位数超出字段精度")
NOT_BOOLEAN = Text("is not true or false", "不是布尔值")
NOT_DATE = Text("is not a date (YYYY-MM-DD)", "不是有效日期（YYYY-MM-DD）")
NOT_INSTANT = Text("is not a date and time with a zone", "不是带时区的日期时间")
NOT_LIST = Text("is not a list of texts", "不是文本列表")
NOT_OPTION = Text("is not a value of the enumeration", "不在枚举取值范围内")
NOT_ID = Text("is not a hub id", "不是统一编号")


def too_long(limit: int) -> Text:
    return Text(f"is longer than {limit} characters", f"超过 {limit} 个字符")


def out_of_range(low: int | None, high: int | None) -> Text:
    return Text(f"is outside {low}..{high}", f"超出范围 {low}..{high}")
