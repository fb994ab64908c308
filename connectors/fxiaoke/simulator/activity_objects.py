"""The fields of 销售记录 (ActiveRecordObj) and of the custom object 投诉 (complaint__c).

Source: Fxiaoke ActiveRecordObj and CustomObj pages; custom fields are the ones that the shipped `full` mappings of
contact logs and complaints ask an administrator to create.
"""

from __future__ import annotations

from connectors.fxiaoke.simulator.schema import RELATED_TYPE, FieldType, new_field

CHANNELS = (
    "option1=电话, option2=上门拜访, option3=网点面谈, option4=视频, option5=短信, option6=微信, option7=邮件, "
    "option8=应用消息, option9=信函, other=其他"
)
TYPES = "1=电话, 2=上门拜访, 3=网点面谈, 4=视频, 5=短信, 6=微信, 7=邮件, 8=应用消息, 9=信函, other=其他"
SCENARIOS = (
    "1=回访, 2=服务, 3=咨询, 4=满意度调研, 5=需求调研, 6=投诉处理, 7=节日问候, 8=客户活动, 9=客户开发, 10=客户维护, "
    "11=客户挽留, other=其他"
)
DIRECTIONS = "option1=呼入, option2=呼出"
OUTCOMES = "option1=已接通, option2=未接, option3=拒绝, option4=改期, option5=号码有误"
SURVEYS = "option1=问卷调查, option2=电话访谈, option3=面谈"
NEEDS = (
    "option1=存款, option2=贷款, option3=银行卡, option4=理财, option5=支付结算, option6=电子渠道, option7=代理业务, "
    "other=其他"
)
INTAKES = (
    "option1=电话, option2=邮件, option3=在线平台, option4=网点, option5=信函, option6=监管转办, option7=媒体, "
    "other=其他"
)
PRIORITIES = "option1=低, option2=中, option3=高, option4=紧急"
STATUSES = (
    "option1=已登记, option2=已受理, option3=不予受理, option4=调查处理, option5=待补充, option6=已处理, "
    "option7=已反馈, option8=已结案, option9=已撤回"
)
ROLES = "option1=本人, option2=代理人, option3=继承人, option4=推选代表"
SEVERITIES = "option1=一般, option2=重大, option3=群体"
EXTENSIONS = "option1=15 日, option2=延至 30 日, option3=延至 60 日"
LIABILITIES = "option1=机构责任, option2=共同责任, option3=客户原因, option4=无责, option5=待定"
REMEDIES = "option1=解释说明, option2=更正, option3=致歉, option4=退费, option5=补偿, option6=调解, other=其他"
_WHAT = {"group_type": "what_list", "id_field": "related_object_data", "api_name_field": "related_api_names"}


def log_fields() -> list[FieldType]:
    """Returns the fields of ActiveRecordObj that are not system fields."""
    return [
        new_field("name", "编号", "auto_number", extra={"prefix": "R"}),
        new_field("owner", "负责人", "employee", required=True),
        new_field("active_record_type", "销售记录类型", "select_one", choices=TYPES),
        new_field("active_record_content", "内容", "long_text"),
        new_field("interactive_types", "互动方式", "select_one", choices=TYPES),
        new_field("interactive_scenario", "互动场景", "select_one", choices=SCENARIOS),
        new_field("account_id", "客户", "object_reference", target="AccountObj"),
        new_field("related_object", "关联业务对象", "group", extra=_WHAT),
        new_field("related_object_data", "关联数据", RELATED_TYPE),
        new_field("related_api_names", "关联对象", "select_many", readonly=True),
        new_field("complaint_id__c", "投诉工单", "object_reference", target="CasesObj"),
        new_field("hub_id__c", "Hub ID", "text", unique=True, max_length=36),
        new_field("subject__c", "主题", "text", max_length=200),
        new_field("contact_person__c", "联系对象", "text", max_length=80),
        new_field("direction__c", "方向", "select_one", choices=DIRECTIONS),
        new_field("planned_at__c", "计划时间", "date_time"),
        new_field("contact_time__c", "开始时间", "date_time"),
        new_field("duration_seconds__c", "时长（秒）", "number"),
        new_field("outcome__c", "联系结果", "select_one", choices=OUTCOMES),
        new_field("satisfaction_score__c", "满意度", "number"),
        new_field("survey_method__c", "调研方式", "select_one", choices=SURVEYS),
        new_field("survey_ref__c", "问卷编号", "text", max_length=40),
        new_field("need_category__c", "需求类别", "select_one", choices=NEEDS),
        new_field("need_detail__c", "需求说明", "long_text"),
        new_field("product_code__c", "关联产品", "text", max_length=40),
        new_field("campaign_code__c", "活动编号", "text", max_length=40),
        new_field("next_action__c", "下一步", "long_text", max_length=500),
        new_field("next_follow_up_at__c", "下次联系时间", "date_time"),
        new_field("location__c", "地点", "text", max_length=200),
        new_field("staff_no__c", "经办人工号", "text", max_length=40),
    ]


def complaint_fields() -> list[FieldType]:
    """Returns the fields of complaint__c that are not system fields."""
    return [
        # A new custom object starts with these two. Source: Fxiaoke field configuration notes.
        new_field("name", "投诉编号", "text", define_type="system", required=True, unique=True, max_length=255),
        new_field("owner", "负责人", "employee", required=True),
        new_field("account_id", "客户", "object_reference", target="AccountObj"),
        new_field("hub_id__c", "Hub ID", "text", unique=True, max_length=36),
        new_field("complainant_name__c", "投诉人", "text", max_length=80),
        new_field("complainant_role__c", "投诉人身份", "select_one", choices=ROLES),
        new_field("complainant_phone__c", "投诉人电话", "phone_number"),
        new_field("complainant_email__c", "投诉人邮箱", "email", max_length=120),
        new_field("intake_channel__c", "受理渠道", "select_one", choices=INTAKES),
        new_field("business_channel_code__c", "业务办理渠道编码", "text", max_length=10),
        new_field("business_category_code__c", "业务类别编码", "text", max_length=10),
        new_field("reason_code__c", "投诉原因编码", "text", max_length=10),
        new_field("title__c", "标题", "text", max_length=200),
        new_field("description__c", "投诉事实", "long_text"),
        new_field("demand__c", "投诉请求", "long_text"),
        new_field("product_code__c", "涉及产品", "text", max_length=40),
        new_field("priority__c", "优先级", "select_one", choices=PRIORITIES),
        new_field("severity__c", "严重程度", "select_one", choices=SEVERITIES),
        new_field("status__c", "处理状态", "select_one", choices=STATUSES),
        *_course_fields(),
        new_field("repeat_of__c", "重复投诉", "object_reference", target="complaint__c"),
        new_field("staff_no__c", "承办人工号", "text", max_length=40),
    ]


def _course_fields() -> list[FieldType]:
    """Returns what a complaint gathers on its way from intake to review."""
    instants = {
        "occurred_at__c": "事发时间",
        "received_at__c": "收到时间",
        "accepted_at__c": "受理时间",
        "due_at__c": "办理期限",
        "feedback_at__c": "反馈时间",
        "closed_at__c": "结案时间",
        "corrective_done_at__c": "整改完成时间",
        "review_requested_at__c": "申请核查时间",
        "reviewed_at__c": "核查时间",
    }
    return [
        *(new_field(name, label, "date_time") for name, label in instants.items()),
        new_field("extension__c", "延期", "select_one", choices=EXTENSIONS),
        new_field("extension_reason__c", "延期原因", "long_text", max_length=500),
        new_field("investigation__c", "调查结论", "long_text"),
        new_field("liability__c", "责任认定", "select_one", choices=LIABILITIES),
        new_field("resolution_type__c", "处理方式", "select_one", choices=REMEDIES),
        new_field("resolution__c", "处理结果", "long_text"),
        new_field("feedback_method__c", "反馈方式", "select_one", choices=CHANNELS),
        new_field("feedback_content__c", "反馈内容", "long_text"),
        new_field("satisfaction_score__c", "处理满意度", "number"),
        new_field("root_cause__c", "根本原因", "long_text", max_length=500),
        new_field("corrective_action__c", "整改措施", "long_text", max_length=500),
        new_field("corrective_due_on__c", "整改期限", "date"),
        new_field("review_result__c", "核查结果", "long_text", max_length=500),
    ]
