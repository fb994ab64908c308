"""The simulated org: its modules with their fields, and its users; custom fields are those of the full mapping."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from connectors.zoho_crm.simulator import activity_fields
from connectors.zoho_crm.simulator.shipped import shipped

_PICKLISTS = {
    "tier": ("私人银行", "贵宾", "金卡", "普通"),
    "stage": ("潜在客户", "初次客户", "忠诚客户", "流失预警", "流失客户"),
    "source": ("Walk-in", "Referral", "Campaign", "Online", "Partner", "Other"),
    "channel": ("Phone", "Visit", "Branch", "Video", "SMS", "WeChat", "E-mail", "App", "Letter", "Other"),
    "consent": ("同意", "仅服务类", "撤回", "未知"),
    "loyalty": ("无", "铜", "银", "金", "钻石"),
    "gender": ("男", "女", "未知"),
    "kind": ("个人", "个体工商户"),
    "salutation": ("Mr.", "Mrs.", "Ms.", "Dr.", "Prof."),
    "ownership": ("Other", "Private", "Public", "Subsidiary", "Partnership", "Government"),
    "leadstatus": ("Attempted to Contact", "Contacted", "Not Contacted", "Lost Lead"),
    "industry": (
        "农林牧渔业", "制造业", "制造业-农副食品加工", "制造业-化工", "制造业-专用设备", "制造业-电子设备", "建筑业",
        "建筑业-土木工程", "批发零售业", "批发零售业-批发", "批发零售业-零售", "交通仓储邮政业", "住宿餐饮业",
        "信息技术业", "信息技术业-软件", "金融业", "房地产业", "租赁商务服务业", "教育", "卫生和社会工作",
    ),
    **activity_fields.PICKLISTS,
}  # fmt: skip

_SYSTEM = """
id bigint/19 ro | Owner ownerlookup | Created_By ownerlookup ro | Created_Time datetime ro
Modified_By ownerlookup ro | Modified_Time datetime ro | Last_Activity_Time datetime ro | Tag text/2000
Description textarea/32000
"""
_SHARED_CUSTOM = """
Hub_Id text/36 custom unique | Short_Name text/80 custom | Lifecycle_Changed_At datetime custom
Consent_Changed_At datetime custom | Last_Contacted_At datetime custom | Next_Follow_Up_At datetime custom
Need_Summary textarea/32000 custom | Preferred_Channel picklist:channel custom
Contact_Consent picklist:consent custom | Satisfaction_Score integer/9 custom
Loyalty_Tier picklist:loyalty custom | Loyalty_Points integer/9 custom | Branch_Code text/20 custom
Staff_No text/40 custom
"""
_MODULES = {
    "Contacts": """
Last_Name text/80 required | First_Name text/40 | Full_Name text/120 ro | Salutation picklist:salutation
Customer_Kind picklist:kind custom | Customer_No text/40 custom | Gender picklist:gender custom
Date_of_Birth date | Mobile phone/30 | Phone phone/30 | Email email/100 | Email_Opt_Out boolean
Mailing_State text/100 | Mailing_City text/100 | Mailing_District text/100 custom | Mailing_Street text/250
Mailing_Zip text/30 | Mailing_Country text/100 | Customer_Tier picklist:tier custom
Lifecycle_Stage picklist:stage custom | Lead_Source picklist:source | Account_Name lookup:Accounts
Reporting_To lookup:Contacts | Secondary_Email email/100 | Home_Phone phone/30 | Other_Phone phone/30
Asst_Phone phone/30 | Assistant text/50 | Fax phone/30 | Title text/100 | Department text/50
Other_Street text/250 | Other_City text/100 | Other_State text/100 | Other_Zip text/30 | Other_Country text/100
Skype_ID text/50 | Twitter text/50
"""
    + _SHARED_CUSTOM,
    "Accounts": """
Account_Name text/200 required | Account_Number text/40 | Credit_Code text/18 custom | Phone phone/30
Mobile_Phone phone/30 custom | Customer_Email email/100 custom | Billing_State text/100 | Billing_City text/100
Billing_District text/100 custom | Billing_Street text/250 | Billing_Code text/30 | Billing_Country text/100
Rating picklist:tier | Account_Type picklist:stage | Customer_Source picklist:source custom
Industry picklist:industry | Account_Site text/80 | Parent_Account lookup:Accounts | Fax phone/30
Website website/255 | Ownership picklist:ownership | Employees integer/9 | Annual_Revenue currency/16
SIC_Code integer/9 | Ticker_Symbol text/30 | Shipping_Street text/250 | Shipping_City text/100
Shipping_State text/100 | Shipping_Code text/30 | Shipping_Country text/100
"""
    + _SHARED_CUSTOM,
    "Leads": """
Last_Name text/80 required | First_Name text/40 | Full_Name text/120 ro | Company text/200 required
Email email/100 | Phone phone/30 | Mobile phone/30 | Lead_Status picklist:leadstatus | Lead_Source picklist:source
Industry picklist:industry | Annual_Revenue currency/16 | No_of_Employees integer/9 | Street text/250
City text/100 | State text/100 | Zip_Code text/30 | Country text/100
Converted__s boolean ro | Converted_Date_Time datetime ro | Converted_Contact lookup:Contacts ro
Converted_Account lookup:Accounts ro
""",
    **activity_fields.MODULES,
    "Notes": """
Note_Title text/120 | Note_Content textarea/65535 | Parent_Id lookup:note_parent required
""",
}
DUPLICATE_FIELDS = {
    "Contacts": "Email",
    "Accounts": "Account_Name",
    "Leads": "Email",
    **activity_fields.DUPLICATE_FIELDS,
}
"""The vendor's own duplicate field of a module, where it has one (Zoho API upsert-records)."""
NOTE_PARENT = "note_parent"
"""Stands for what a note may belong to: a record of any module."""
NAME_FIELDS = {
    "Contacts": "Full_Name",
    "Accounts": "Account_Name",
    "Leads": "Full_Name",
    "Notes": "Note_Title",
    **activity_fields.NAME_FIELDS,
}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a module as the vendor describes it."""

    api_name: str
    data_type: str
    length: int
    required: bool = False
    read_only: bool = False
    custom: bool = False
    unique: bool = False
    picklist: tuple[str, ...] = ()
    lookup: str = ""
    field_id: str = ""
    label: str = ""
    shown: tuple[tuple[str, str], ...] = ()
    """Labels of options that differ from their values."""

    @property
    def shown_label(self) -> str:
        """Returns what people read over the field."""
        return self.label or self.api_name.replace("_", " ")

    def option_id(self, value: str) -> str:
        """Returns the id of an option, which follows from its place: options are added, never moved."""
        return str(int(self.field_id) + 100_000 * (self.picklist.index(value) + 2))


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """One module with its fields by name; `links` are its lookups to other records."""

    api_name: str
    module_id: str
    fields: dict[str, FieldSpec]
    duplicate_field: str
    name_field: str
    indexed: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(slots=True)
class User:
    """One user of the org; a person who left is inactive."""

    user_id: str
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    email: str = field(repr=False)
    active: bool = True
    admin: bool = False
    _lookup: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def profile_id(self) -> str:
        """Returns the id of the user's profile."""
        return PROFILES[0 if self.admin else 1]["id"]

    def short(self) -> dict[str, str]:
        """Returns the user as write results name them."""
        return {"name": f"{self.last_name}{self.first_name}", "id": self.user_id}

    def lookup(self) -> dict[str, str]:
        """Returns the user as records name them; every record shares the one map."""
        if not self._lookup:
            self._lookup.update(self.short(), email=self.email)
        return self._lookup


PROFILES = (
    {"name": "Administrator", "id": "5843104000000026011"},
    {"name": "Standard", "id": "5843104000000026014"},
)
API_USER = "5843104000000301000"
SECOND_USER = "5843104000000301001"
_STAFF = (
    ("1001", "王", "建国"), ("1002", "李", "秀英"), ("1003", "张", "伟"), ("1004", "刘", "洋"), ("1005", "陈", "静"),
    ("1006", "赵", "敏"), ("1007", "孙", "丽"), ("1099", "统筹", "岗"),
)  # fmt: skip
LEFT = frozenset({"1007"})


def org_users() -> dict[str, User]:
    """Returns the org's users: the integration user and the staff, of whom one has left."""
    users = {API_USER: User(API_USER, "接口", "系统", "crm-api@bank.example", admin=True)}
    for number, family, given in _STAFF:
        user_id = f"584310400000030{number}"
        users[user_id] = User(user_id, given, family, f"s{number}@bank.example", active=number not in LEFT)
    return users


def org_modules(
    custom_fields: bool = True, hub_id_unique: bool = True, picklists: str = "bank"
) -> dict[str, ModuleSpec]:
    """Returns the org's modules: with or without custom fields, a hub id unique or not, picklists as in `shipped`."""
    modules: dict[str, ModuleSpec] = {}
    for order, (name, text) in enumerate(_MODULES.items(), start=1):
        fields: dict[str, FieldSpec] = {}
        for part in (_SYSTEM + text).replace("\n", "|").split("|"):
            spec = read_field(part.split()) if part.strip() else None
            if spec and (custom_fields or not spec.custom):
                spec = replace(spec, picklist=shipped(picklists, name, spec.api_name) or spec.picklist)
                field_id = f"58431040000000{order:02d}{len(fields) + 1:03d}"
                unique = spec.unique and hub_id_unique
                fields[spec.api_name] = replace(spec, field_id=field_id, unique=unique)
        own_field = DUPLICATE_FIELDS.get(name, "")
        modules[name] = ModuleSpec(
            name,
            f"584310400000000{2170 + order}",
            fields,
            own_field,
            NAME_FIELDS[name],
            indexed=tuple(one for one in ("Hub_Id", own_field) if one in fields),
            links=tuple(one.api_name for one in fields.values() if one.data_type == "lookup"),
        )
    return modules


def read_field(words: list[str]) -> FieldSpec:
    """Reads a field written as `Name kind/length flags…`."""
    name, kind, *flags = words
    kind, _, length = kind.partition("/")
    kind, _, target = kind.partition(":")
    return FieldSpec(
        name,
        kind,
        int(length) if length else 120,
        required="required" in flags,
        read_only="ro" in flags,
        custom="custom" in flags,
        unique="unique" in flags,
        picklist=_PICKLISTS[target] if kind in ("picklist", "multiselectpicklist") else (),
        lookup=target if kind in ("lookup", "multiselectlookup") else "",
    )
