"""The fields of 工单 (CasesObj), 外勤 (CheckinsObj) and 通话记录 (ServiceRecordObj).

Source: of CasesObj `name`, `account_id`, `record_type` and `owner` are confirmed, of the other two their names alone.
Everything else here is what an administrator creates for the shipped mappings; a real tenant has fields of its own.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.fxiaoke.simulator.activity_objects import complaint_fields, log_fields
from connectors.fxiaoke.simulator.schema import FieldType, choices_of, new_field

CASE = "CasesObj"
CHECKIN = "CheckinsObj"
CALL = "ServiceRecordObj"
COMPLAINT_TYPE = "record_complaint__c"
CASE_TYPES = f"default__c=服务咨询, {COMPLAINT_TYPE}=投诉, record_repair__c=设备报修"
_LOG_ONLY = frozenset(
    {
        "active_record_type", "active_record_content", "interactive_types", "interactive_scenario", "related_object",
        "related_object_data", "related_api_names", "complaint_id__c",
    }
)  # fmt: skip
_VISITS = "option2=上门拜访, option3=网点面谈, option4=视频"


def case_fields() -> list[FieldType]:
    """Returns the fields of CasesObj, custom ones under the names that complaint__c has for the same things."""
    shared = [field for field in complaint_fields() if field.api_name not in ("name", "owner", "repeat_of__c")]
    return [
        new_field("name", "工单编号", "auto_number", extra={"prefix": "CS"}),
        new_field("owner", "负责人", "employee", required=True),
        *shared,
        new_field("complaint_no__c", "投诉编号", "text", unique=True, max_length=40),
        new_field("repeat_of__c", "重复投诉", "object_reference", target=CASE),
    ]


def record_types(field: FieldType) -> FieldType:
    """Returns the record type of CasesObj: complaints are one of several sorts of cases."""
    return replace(field, choices=choices_of(CASE_TYPES))


def checkin_fields() -> list[FieldType]:
    """Returns the fields of CheckinsObj."""
    return [
        *_contact_fields("KQ", "content__c", "拜访总结"),
        new_field("visit_channel__c", "拜访方式", "select_one", choices=_VISITS),
    ]


def call_fields() -> list[FieldType]:
    """Returns the fields of ServiceRecordObj."""
    return _contact_fields("TH", "content__c", "通话小结")


def _contact_fields(prefix: str, content: str, label: str) -> list[FieldType]:
    custom = [field for field in log_fields() if field.api_name not in _LOG_ONLY]
    purposes = next(field for field in log_fields() if field.api_name == "interactive_scenario").choices
    return [
        *(replace(field, extra={"prefix": prefix}) if field.api_name == "name" else field for field in custom),
        new_field("purpose__c", "联系目的", "select_one", choices=purposes),
        new_field(content, label, "long_text"),
        new_field("complaint_id__c", "关联投诉", "object_reference", target="complaint__c"),
    ]
