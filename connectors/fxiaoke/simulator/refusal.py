"""What the simulated vendor answers when it says no, and the codes it says it with."""

from __future__ import annotations

BUSY = -1
SYSTEM_ERROR = -2
BAD_PARAMETER = 10006
OPEN_USER_MISSING = 10010
OFFSET_OUT_OF_RANGE = 10013
CALLS_EXCEEDED = 14001
APP_SECRET_WRONG = 20006
OPEN_USER_UNKNOWN = 20012
PERMANENT_CODE_WRONG = 20015
TOKEN_UNKNOWN = 20016
CREDENTIALS_MISSING = 20017
DAILY_QUOTA_EXCEEDED = 30002
FREQUENCY_EXCEEDED = 30004
DEPARTMENT_NOT_FOUND = 30007
EMPLOYEE_NOT_FOUND = 30027
SERVICE_ABNORMAL = 50009

TOKEN_ERROR_TEXT = "the cropId,cropAccessToken or authorization is error"  # noqa: S105 (the vendor's typo)
ILLEGAL_PARAMETER_TEXT = "缺少参数或参数不合法"


class Refusal(Exception):
    """Ends one call with a vendor error code; the HTTP status stays 200. Source: Fxiaoke 全局返回码."""

    def __init__(self, code: int, message: str, description: str | None = None, data: object = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data
        self.message = message
        self.description = description if description is not None else message


def bad_parameter(name: str) -> Refusal:
    """Builds the answer to a missing or malformed request parameter."""
    return Refusal(BAD_PARAMETER, f"the parameter {name} is missing or illegal", ILLEGAL_PARAMETER_TEXT)


def null_pointer(where: str) -> Refusal:
    """Builds the answer to a body whose wrapper is wrong, which the vendor leaks as a Java exception."""
    return Refusal(SYSTEM_ERROR, f"java.lang.NullPointerException: {where}", "系统错误")


def class_cast(field: str, found: object, wanted: str) -> Refusal:
    """Builds the answer to a value of the wrong JSON type, which the vendor leaks as a Java exception."""
    java = {str: "String", bool: "Boolean", int: "Integer", float: "Double", list: "ArrayList"}
    name = java.get(type(found), "LinkedHashMap")
    text = f"java.lang.ClassCastException: {field}: java.lang.{name} cannot be cast to {wanted}"
    return Refusal(SYSTEM_ERROR, text, "系统错误")
