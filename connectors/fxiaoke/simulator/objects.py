"""The objects of the simulated tenant: vendor-standard fields and those an administrator has created.

Source: Fxiaoke AccountObj, ContactObj, PersonnelObj and DepartmentObj pages; custom fields are the ones
that the shipped `full` customer mapping asks an administrator to create.
"""

from __future__ import annotations

from typing import Any

from connectors.fxiaoke.simulator import service_objects as service
from connectors.fxiaoke.simulator.activity_objects import CHANNELS, complaint_fields, log_fields
from connectors.fxiaoke.simulator.regions import REGIONS
from connectors.fxiaoke.simulator.schema import Choice, FieldType, ObjectType, choices_of, new_field

CUSTOMER = "AccountObj"
LOG = "ActiveRecordObj"
COMPLAINT = "complaint__c"
KINDS = "1=个人, 2=单位, 3=个体工商户"
LEVELS = "1=私人银行, 2=贵宾, 3=金卡, 4=普通"
SOURCES = "1=网点自然到访, 2=转介绍, 3=营销活动, 4=线上, 5=合作机构, other=其他"
INDUSTRIES = (
    "1=农、林、牧、渔业; 3=制造业; 5=建筑业; 6=批发和零售业; 7=交通运输、仓储和邮政业; 8=住宿和餐饮业; "
    "9=信息传输、软件和信息技术服务业; 10=金融业; 11=房地产业; 12=租赁和商务服务业; 16=教育; 17=卫生和社会工作"
)
INDUSTRY_DETAILS = (
    "313=农副食品加工业; 326=化学原料和化学制品制造业; 335=专用设备制造业; 339=计算机、通信和其他电子设备制造业; "
    "548=土木工程建筑业; 651=批发业; 652=零售业; 965=软件和信息技术服务业"
)
INDUSTRY_CHILDREN = {"3": ("313", "326", "335", "339"), "5": ("548",), "6": ("651", "652"), "9": ("965",)}
GENDERS = "option1=男, option2=女, option3=未知"
STAGES = "option1=潜在客户, option2=初次客户, option3=忠诚客户, option4=流失预警, option5=流失客户"
TAGS = (
    "tag01=高净值, tag02=活跃, tag03=理财偏好, tag04=房贷, tag05=代发工资, tag06=手机银行, tag07=信用卡, tag08=小微企业"
)
CONSENTS = "option1=同意, option2=仅服务类, option3=撤回, option4=未知"
LOYALTY = "option1=无, option2=铜, option3=银, option4=金, option5=钻石"
LIFE = "ineffective=未生效, under_review=审核中, normal=正常, in_change=变更中, invalid=作废"


def _system_fields() -> list[FieldType]:
    system: dict[str, Any] = {"define_type": "system"}
    return [
        new_field("_id", "数据ID", "text", **system),
        new_field("created_by", "创建人", "employee", **system),
        new_field("last_modified_by", "最后修改人", "employee", **system),
        new_field("create_time", "创建时间", "date_time", **system),
        new_field("last_modified_time", "最后修改时间", "date_time", **system),
        new_field("owner_department", "负责人主属部门", "text", readonly=True),
        new_field("owner_department_id", "负责人主属部门ID", "text", readonly=True),
        new_field("data_own_department", "归属部门", "department"),
        new_field("out_owner", "外部负责人", "out_employee", readonly=True),
        new_field("relevant_team", "相关团队", "embedded_object_list", readonly=True),
        new_field("life_status", "生命状态", "select_one", readonly=True, choices=LIFE),
        new_field("lock_status", "锁定状态", "select_one", readonly=True, choices="0=未锁定, 1=锁定"),
        new_field("lock_rule", "锁定规则", "text", readonly=True),
        new_field("record_type", "业务类型", "record_type", choices="default__c=预设业务类型", default="default__c"),
        new_field("version", "版本", "text", **system),
        new_field("is_deleted", "是否删除", "true_or_false", **system),
    ]


def _industry_fields() -> list[FieldType]:
    level1 = tuple(
        Choice(c.value, c.label, children={"industry_level2": INDUSTRY_CHILDREN[c.value]})
        if c.value in INDUSTRY_CHILDREN
        else c
        for c in choices_of(INDUSTRIES, "; ")
    )
    level2 = choices_of(INDUSTRY_DETAILS, "; ")
    return [
        new_field("industry_level1", "1级行业", "select_one", choices=level1),
        new_field("industry_level2", "2级行业", "select_one", choices=level2, parent="industry_level1"),
    ]


def _account_fields() -> list[FieldType]:
    area = {f"area_{kind}": kind for kind in ("country", "province", "city", "district")}
    area |= {"area_detail_address": "address", "group_type": "area"}
    return [
        new_field("name", "客户名称", "text", required=True),
        new_field("owner", "负责人", "employee", required=True),
        new_field("account_no", "客户编号", "auto_number", extra={"prefix": "A"}),
        new_field("account_type", "客户类型", "select_one", choices=KINDS),
        new_field("account_level", "客户级别", "select_one", choices=LEVELS),
        new_field("account_source", "来源", "select_one", choices=SOURCES),
        *_industry_fields(),
        new_field("uniform_social_credit_code", "统一社会信用代码", "text", max_length=50),
        new_field("tel", "电话", "phone_number"),
        new_field("fax", "传真", "text"),
        new_field("email", "邮件", "email"),
        new_field("url", "网址", "url"),
        new_field("country", "国家", "country"),
        new_field("province", "省", "province", parent="country"),
        new_field("city", "市", "city", parent="province"),
        new_field("district", "区", "district", parent="city"),
        new_field("address", "详细地址", "text", max_length=500),
        new_field("area_location", "地区定位", "group", extra=area),
        new_field("high_seas_id", "所属公海", "text", readonly=True),
        new_field("parent_account_id", "上级客户", "object_reference", target="AccountObj"),
        new_field("remark", "备注", "long_text"),
        new_field("deal_status", "成交状态", "select_one", readonly=True, choices="1=未成交, 2=已成交, 3=多次成交"),
        new_field("last_deal_closed_time", "最后成交时间", "date_time", readonly=True),
        new_field("last_followed_time", "最后跟进时间", "date_time", readonly=True),
        *_account_custom_fields(),
        *_account_odd_fields(),
    ]


def _account_odd_fields() -> list[FieldType]:
    """Returns fields as real tenants have them beside those that anybody maps: computed, grouped, retired, attached."""
    counted = {"count_type": "count", "sub_object_describe_apiname": "ContactObj", "return_type": "number"}
    formula = {"expression": "$name$ + $account_level__r$", "return_type": "text"}
    quoted = {"quote_field": "parent_account_id__r.account_level", "quote_field_type": "select_one"}
    period = {"group_type": "date_time_range", "start_time_field": "valid_from__c", "end_time_field": "valid_to__c"}
    reasons = (Choice("1", "暂无需求"), Choice("2", "联系不上"), Choice("3", "电话黑名单", disabled=True))
    return [
        new_field("back_reason", "退回原因", "select_one", choices=reasons),
        new_field("contact_count__c", "联系人数", "count", extra=counted | {"field_api_name": "account_id"}),
        new_field("shown_name__c", "名称与级别", "formula", extra=formula),
        new_field("parent_level__c", "上级客户级别", "quote", extra=quoted),
        new_field("annual_income__c", "年收入（万元）", "currency", decimal_places=2, extra={"currency_unit": "￥"}),
        new_field("valid_from__c", "有效期起", "date_time"),
        new_field("valid_to__c", "有效期止", "date_time"),
        new_field("valid_period__c", "有效期", "group", extra=period),
        new_field(
            "licence__c", "营业执照", "file_attachment", extra={"file_amount_limit": 5, "file_size_limit": 104_857_600}
        ),
    ]


def _account_custom_fields() -> list[FieldType]:
    return [
        new_field("hub_id__c", "Hub ID", "text", unique=True, max_length=36),
        new_field("customer_no__c", "客户号", "text", max_length=40),
        new_field("phone__c", "固定电话", "phone_number"),
        new_field("postal_code__c", "邮政编码", "text", max_length=20),
        new_field("short_name__c", "简称", "text", max_length=100),
        new_field("need_summary__c", "需求摘要", "long_text"),
        new_field("gender__c", "性别", "select_one", choices=GENDERS),
        new_field("birth_date__c", "出生日期", "date"),
        new_field("lifecycle_stage__c", "生命周期阶段", "select_one", choices=STAGES),
        new_field("lifecycle_changed_at__c", "阶段变更时间", "date_time"),
        new_field("consent_changed_at__c", "授权变更时间", "date_time"),
        new_field("last_contacted_at__c", "最近联系时间", "date_time"),
        new_field("next_follow_up_at__c", "下次回访时间", "date_time"),
        new_field("behavior_tags__c", "行为标签", "select_many", choices=TAGS),
        new_field("preferred_channel__c", "偏好联系方式", "select_one", choices=CHANNELS),
        new_field("contact_consent__c", "联系授权", "select_one", choices=CONSENTS),
        new_field("satisfaction_score__c", "最近满意度", "number"),
        new_field("loyalty_points__c", "积分余额", "number"),
        new_field("loyalty_tier__c", "忠诚等级", "select_one", choices=LOYALTY),
        new_field("staff_no__c", "客户经理工号", "text", max_length=40),
    ]


def _contact_fields() -> list[FieldType]:
    phones = [new_field(name, label, "phone_number") for name, label in (
        ("tel1", "电话1"), ("tel2", "电话2"), ("tel3", "电话3"), ("mobile1", "手机1"))]  # fmt: skip
    return [
        new_field("name", "姓名", "text", required=True),
        new_field("owner", "负责人", "employee", required=True),
        new_field("account_id", "客户名称", "object_reference", target="AccountObj"),
        *phones,
        new_field("email", "邮件", "email"),
        new_field("company", "公司", "text"),
        new_field("hub_id__c", "Hub ID", "text", unique=True, max_length=36),
        new_field("gender__c", "性别", "select_one", choices=GENDERS),
        new_field("birth_date__c", "出生日期", "date"),
        new_field("primary__c", "主要联系人", "true_or_false"),
    ]


def _address_fields() -> list[FieldType]:
    """Returns the least that an address of a customer has; which fields a tenant's object has is not published."""
    return [
        new_field("name", "编号", "auto_number", extra={"prefix": "ADDR"}),
        new_field("owner", "负责人", "employee", required=True),
        new_field("account_id", "客户名称", "object_reference", target="AccountObj"),
        new_field("country", "国家", "country"),
        new_field("province", "省", "province", parent="country"),
        new_field("city", "市", "city", parent="province"),
        new_field("district", "区", "district", parent="city"),
        new_field("address", "详细地址", "text", max_length=500),
        new_field("zipcode", "邮政编码", "text", max_length=20),
        new_field("is_default_add", "默认地址", "true_or_false"),
        new_field("hub_id__c", "Hub ID", "text", unique=True, max_length=36),
    ]


def _personnel_fields() -> list[FieldType]:
    return [
        new_field("name", "昵称", "text", required=True),
        new_field("owner", "负责人", "employee"),
        new_field("user_id", "员工ID", "text", readonly=True),
        new_field("full_name", "姓名", "text"),
        new_field("employee_number", "员工编号", "text"),
        new_field("phone", "手机", "phone_number"),
        new_field("email", "邮箱", "email"),
        new_field("status", "状态", "select_one", choices="0=启用, 1=停用"),
        new_field("main_department", "主属部门", "department"),
        new_field("position", "职位", "text"),
    ]


def _department_fields() -> list[FieldType]:
    return [
        new_field("name", "部门名称", "text", required=True),
        new_field("owner", "负责人", "employee"),
        new_field("dept_code", "部门编码", "text"),
        new_field("parent_id", "上级部门", "department"),
        new_field("status", "状态", "select_one", choices="0=启用, 1=停用"),
    ]


def _object(api_name: str, label: str, own: list[FieldType], **more: Any) -> ObjectType:
    return ObjectType(api_name, label, {kind.api_name: kind for kind in [*own, *_system_fields()]}, **more)


def build_object(api_name: str, label: str) -> ObjectType:
    """Returns a custom object as its administrator finds it: a unique name, an owner and the system's fields.

    Source: Fxiaoke field configuration notes.
    """
    born = [
        new_field("name", f"{label}编号", "text", define_type="system", required=True, unique=True, max_length=255),
        new_field("owner", "负责人", "employee", required=True),
    ]
    return _object(api_name, label, born)


def build_objects(custom_fields: bool = True) -> dict[str, ObjectType]:
    """Returns a fresh set of the tenant's objects by API name, with or without what its administrators made."""
    made = [
        _object(CUSTOMER, "客户", _account_fields()),
        _object("ContactObj", "联系人", _contact_fields()),
        _object("AccountAddrObj", "客户地址", _address_fields()),
        _object(LOG, "销售记录", log_fields()),
        _object(COMPLAINT, "投诉", complaint_fields()),
        _object(service.CASE, "工单", service.case_fields()),
        _object(service.CHECKIN, "外勤", service.checkin_fields()),
        _object(service.CALL, "通话记录", service.call_fields()),
        _object("PersonnelObj", "人员", _personnel_fields(), readable_only=True),
        _object("DepartmentObj", "部门", _department_fields(), readable_only=True),
    ]
    named = {kind.api_name: kind for kind in made}
    cases = named[service.CASE].fields
    cases["record_type"] = service.record_types(cases["record_type"])
    return named if custom_fields else {name: kind.as_bought() for name, kind in named.items() if not kind.custom}


def region_names() -> dict[str, str]:
    """Returns the label of every region code the tenant knows."""
    return {region.code: region.name for region in REGIONS}
