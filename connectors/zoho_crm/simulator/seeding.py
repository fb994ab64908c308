"""Fills the simulated org with the people of a world, written the way a bank's staff would have written them."""

from __future__ import annotations

import gc
import random
from typing import Any

from connectors.simulation.columns import load_csv, table_world
from connectors.simulation.people import Appearance, Person, World, generate, native_id
from connectors.simulation.server import SimulatorOptions
from connectors.zoho_crm.simulator.records import Org, Row
from connectors.zoho_crm.simulator.schema import API_USER

_KINDS = {"individual": "个人", "sole_trader": "个体工商户"}
_GENDERS = {"male": "男", "female": "女", "unknown": "未知"}
_TIERS = {"private": "私人银行", "vip": "贵宾", "gold": "金卡", "standard": "普通"}
_STAGES = {"prospect": "潜在客户", "new": "初次客户", "loyal": "忠诚客户", "at_risk": "流失预警", "lost": "流失客户"}
_SOURCES = {"walk_in": "Walk-in", "referral": "Referral", "campaign": "Campaign", "online": "Online",
            "partner": "Partner", "other": "Other"}  # fmt: skip
_CONSENTS = {"granted": "同意", "service_only": "仅服务类", "withdrawn": "撤回", "unknown": "未知"}
_LOYALTIES = {"none": "无", "bronze": "铜", "silver": "银", "gold": "金", "diamond": "钻石"}
_CHANNELS = {"phone": "Phone", "visit": "Visit", "counter": "Branch", "video": "Video", "sms": "SMS",
             "wechat": "WeChat", "email": "E-mail", "app": "App", "letter": "Letter", "other": "Other"}  # fmt: skip
_INDUSTRIES = {
    "A": "农林牧渔业", "C": "制造业", "C13": "制造业-农副食品加工", "C26": "制造业-化工", "C35": "制造业-专用设备",
    "C39": "制造业-电子设备", "E": "建筑业", "E48": "建筑业-土木工程", "F": "批发零售业", "F51": "批发零售业-批发",
    "F52": "批发零售业-零售", "G": "交通仓储邮政业", "H": "住宿餐饮业", "I": "信息技术业", "I65": "信息技术业-软件",
    "J": "金融业", "K": "房地产业", "L": "租赁商务服务业", "P": "教育", "Q": "卫生和社会工作",
}  # fmt: skip
_DAY = 86_400


def seed_org(org: Org, world: World) -> int:
    """Creates the records of everybody who lives in Zoho and returns how many there are."""
    rng = random.Random(f"zoho:{world.seed}")
    made: dict[str, list[Row]] = {name: [] for name in org.modules}
    now = org.now()
    appearances = world.appears_in("zoho_crm")
    for number, appearance in enumerate(appearances):
        module = "Accounts" if appearance.person.kind == "organization" else "Contacts"
        created, modified = _times(rng, now, number)
        made[module].append(_row(org, module, appearance, world.seed, created, modified))
    for name, rows in made.items():
        org.modules[name].load(rows)
    return len(appearances)


def _times(rng: random.Random, now: int, number: int) -> tuple[int, int]:
    """Returns two instants; a third of the records came with imports that stamped hundreds in one second."""
    if number % 1000 < 350:
        block = now - _DAY * (30 + number // 1000)
        return block, block
    created = now - rng.randrange(_DAY * 30, _DAY * 700)
    return created, min(now - _DAY, created + rng.randrange(0, _DAY * 600))


def _row(org: Org, module: str, appearance: Appearance, seed: int, created: int, modified: int) -> Row:
    person = appearance.seen()
    native = _account(person) if module == "Accounts" else _contact(person)
    native |= _shared(org, person)
    spec = org.modules[module].spec
    fields: dict[str, Any] = dict.fromkeys(spec.fields)
    fields |= {name: value for name, value in native.items() if name in spec.fields and value is not None}
    record_id = native_id("zoho_crm", person.person_id, seed)
    owner = org.users.get(f"584310400000030{(person.staff_no or 'S1099')[1:]}", org.users[API_USER])
    fields |= {"id": record_id, "Owner": owner.lookup(), "Created_By": owner.lookup(), "Modified_By": owner.lookup()}
    fields |= {"Created_Time": org.iso(created), "Modified_Time": org.iso(modified)}
    fields["Tag"] = [org.tag(spec.fields["Tag"].field_id, name) for name in person.tags]
    if module == "Contacts":
        fields["Full_Name"] = org.full_name(fields)
    return Row(record_id, fields, created, modified)


def _contact(person: Person) -> dict[str, Any]:
    return {
        "Last_Name": person.family_name or person.full_name,
        "First_Name": person.given_name,
        "Customer_Kind": _KINDS.get(person.kind),
        "Customer_No": person.customer_no,
        "Gender": _GENDERS.get(person.gender or ""),
        "Date_of_Birth": person.birth_date,
        "Mobile": _as_typed(person, person.mobile),
        "Phone": person.phone,
        "Email": person.email,
        "Email_Opt_Out": person.consent == "withdrawn",
        "Mailing_State": person.province,
        "Mailing_City": person.city,
        "Mailing_District": person.district,
        "Mailing_Street": person.address,
        "Mailing_Zip": person.postal_code,
        "Mailing_Country": "中国" if person.region_code else None,
        "Customer_Tier": _TIERS.get(person.tier or ""),
        "Lifecycle_Stage": _STAGES.get(person.lifecycle or ""),
        "Lead_Source": _SOURCES.get(person.source or ""),
    }


def _account(person: Person) -> dict[str, Any]:
    return {
        "Account_Name": person.full_name,
        "Account_Number": person.customer_no,
        "Credit_Code": person.credit_code,
        "Phone": person.phone,
        "Mobile_Phone": _as_typed(person, person.mobile),
        "Customer_Email": person.email,
        "Billing_State": person.province,
        "Billing_City": person.city,
        "Billing_District": person.district,
        "Billing_Street": person.address,
        "Billing_Code": person.postal_code,
        "Billing_Country": "中国" if person.region_code else None,
        "Rating": _TIERS.get(person.tier or ""),
        "Account_Type": _STAGES.get(person.lifecycle or ""),
        "Customer_Source": _SOURCES.get(person.source or ""),
        "Industry": _INDUSTRIES.get(person.industry or ""),
    }


def _shared(org: Org, person: Person) -> dict[str, Any]:
    return {
        "Short_Name": person.short_name,
        "Consent_Changed_At": _moment(org, person.consent_changed_at),
        "Next_Follow_Up_At": _moment(org, person.next_follow_up_at),
        "Need_Summary": person.need_summary,
        "Preferred_Channel": _CHANNELS.get(person.preferred_channel or ""),
        "Contact_Consent": _CONSENTS.get(person.consent or ""),
        "Satisfaction_Score": person.satisfaction,
        "Loyalty_Tier": _LOYALTIES.get(person.loyalty_tier or ""),
        "Loyalty_Points": person.loyalty_points,
        "Branch_Code": person.branch_code,
        "Staff_No": person.staff_no,
        "Description": person.remark,
    }


def _moment(org: Org, text: str | None) -> str | None:
    from connectors.simulation.clock import parse_instant

    return org.iso(parse_instant(text)) if text else None


def _as_typed(person: Person, mobile: str | None) -> str | None:
    """Writes some numbers as people type them: without the country code, or with spaces."""
    if mobile is None:
        return None
    turn = int(person.person_id[-1]) if person.person_id[-1].isdigit() else 0
    bare = mobile.removeprefix("+86")
    if turn in (7, 8):
        return bare
    return f"{bare[:3]} {bare[3:7]} {bare[7:]}" if turn == 9 else mobile


def grow(org: Org, module: str, number: int) -> int:
    """Fills a module with copies of its records until it holds a number, and returns how many were made.

    Each copy has an id, a name and numbers of its own; times are those of its model. Raises ValueError without models.
    """
    store = org.modules[module]
    models = [store.rows[str(key)] for key in store.by_id]
    if not models:
        raise ValueError(f"{module} has no record to copy")
    made = []
    gc.disable()  # what is made is kept; collecting among it only takes time
    for place in range(len(models), number):
        model, record_id = models[place % len(models)], org.next_id()
        fields = {**model.fields, "id": record_id}
        if "Hub_Id" in fields:
            fields["Hub_Id"] = None
        for name in ("Account_Name", "Last_Name", "Subject", "Event_Title"):
            if isinstance(text := fields.get(name), str):
                fields[name] = f"{text}{place}"
        for name in ("Phone", "Mobile", "Mobile_Phone", "Account_Number", "Customer_No"):
            if isinstance(text := fields.get(name), str):
                fields[name] = f"{text[:-7]}{place % 10_000_000:07d}"
        if "Full_Name" in fields:
            fields["Full_Name"] = org.full_name(fields)
        made.append(Row(record_id, fields, model.created, model.modified))
    store.load(made)
    gc.freeze()
    gc.enable()
    return len(made)


def make_world(options: SimulatorOptions) -> World:
    """Returns the people of the options: rows of a CSV file, or invented ones."""
    if options.load:
        if not options.columns:
            raise ValueError("--load needs --columns")
        return table_world(list(load_csv(options.load, options.columns, options.seed)), options.seed, "zoho_crm")
    return generate(options.records, options.seed)
