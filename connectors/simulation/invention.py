"""Makes up one customer at a time, and the ways in which two systems know the same person differently."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from typing import Any

import stdnum.cn.uscc
from pypinyin import lazy_pinyin

from connectors.simulation import words
from connectors.simulation.people import Person

_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@lru_cache(maxsize=8192)
def pinyin(text: str) -> str:
    """Spells Chinese characters in plain ASCII letters; what cannot be spelled is left out."""
    return "".join(part for part in lazy_pinyin(text, errors="ignore") if part.isascii())


def credit_code(rng: random.Random, region: str, entity: str) -> str:
    """Returns a 统一社会信用代码 with a right check character; entity 91 is a company, 92 a sole trader."""
    body = entity + region + "".join(rng.choices(_CODE_ALPHABET, k=9))
    return str(body + stdnum.cn.uscc.calc_check_digit(body))


class Inventor:
    """Makes up people from one stream of randomness; mobiles, codes and e-mails do not repeat by accident."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._used: set[str] = set()
        self._recent: list[Person] = []
        self._sharing: set[tuple[str | None, str]] = set()

    def person(self, person_id: str) -> Person:
        """Returns the next person: about 85 % individuals, 12 % organizations, 3 % sole traders."""
        chance = self.rng.random()
        if chance < 0.85:
            made = self._confuse(self.individual(person_id))
            self._recent = [*self._recent[-40:], made]
        elif chance < 0.97:
            made = self._organization(person_id)
        else:
            made = self._sole_trader(person_id)
        return made

    def mobile(self) -> str:
        """Returns an unused mainland mobile number in E.164."""
        return self._unused(lambda: f"+86{self.rng.choice(words.MOBILE_PREFIXES)}{self.rng.randrange(10**8):08d}")

    def _unused(self, make: Any) -> str:
        while (value := str(make())) in self._used:
            continue
        self._used.add(value)
        return value

    def _maybe(self, share: float, value: Any) -> Any:
        return value if self.rng.random() < share else None

    def _name(self, gender: str) -> tuple[str, str]:
        rng = self.rng
        family = rng.choice(words.COMPOUND_SURNAMES if rng.random() < 0.02 else words.SURNAMES)
        pool = words.GIVEN_MALE if gender == "male" else words.GIVEN_FEMALE
        given = rng.choice(pool) + (rng.choice(pool) if rng.random() < 0.75 else "")
        if rng.random() < 0.008:
            given = given[:1] + rng.choice(words.RARE_GIVEN)
        return family, given

    def _common(self, person_id: str) -> dict[str, Any]:
        rng = self.rng
        code, province, city, district, postal, _ = rng.choice(words.REGIONS)
        street = f"{district}{rng.choice(words.STREETS)}{rng.randrange(1, 400)}号"
        return {
            "person_id": person_id,
            "customer_no": f"C{person_id[1:]:0>9}",
            "region_code": code,
            "province": province,
            "city": city,
            "district": district,
            "postal_code": postal,
            "address": self._maybe(0.85, street),
            "tier": rng.choices(("private", "vip", "gold", "standard"), (2, 8, 25, 65))[0],
            "lifecycle": rng.choices(("prospect", "new", "loyal", "at_risk", "lost"), (15, 20, 45, 13, 7))[0],
            "consent": rng.choices(("granted", "service_only", "withdrawn", "unknown"), (60, 20, 8, 12))[0],
            "source": rng.choice(("walk_in", "referral", "campaign", "online", "partner", "other")),
            "staff_no": rng.choices(words.STAFF, words.STAFF_SHARES)[0],
            "branch_code": rng.choice(words.BRANCHES),
            "preferred_channel": self._maybe(0.7, rng.choice(("phone", "wechat", "sms", "email", "counter"))),
            "tags": tuple(sorted(rng.sample(words.TAGS, rng.choice((0, 0, 1, 2, 3))))),
            "remark": self._maybe(0.35, rng.choice(words.REMARKS)),
            "need_summary": self._maybe(0.25, rng.choice(words.NEEDS)),
            "satisfaction": self._maybe(0.4, rng.randrange(1, 6)),
            "loyalty_tier": rng.choices(("none", "bronze", "silver", "gold", "diamond"), (50, 25, 15, 8, 2))[0],
            "loyalty_points": self._maybe(0.6, rng.randrange(1, 200) * 50),
            "next_follow_up_at": self._maybe(0.5, self._instant(2026)),
            "consent_changed_at": self._maybe(0.5, self._instant(2025)),
        }

    def _instant(self, year: int) -> str:
        rng = self.rng
        moment = f"{year}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        return f"{moment}T{rng.randrange(1, 10):02d}:{rng.choice((0, 15, 30, 45)):02d}:00Z"

    def _human(self, person_id: str, kind: str) -> dict[str, Any]:
        rng = self.rng
        gender = rng.choice(("male", "female"))
        family, given = self._name(gender)
        year, month, day = rng.randrange(1945, 2007), rng.randrange(1, 13), rng.randrange(1, 29)
        spelled = pinyin(given[:1]) + pinyin(given[1:])

        def address() -> str:
            return f"{pinyin(family)}.{spelled}{rng.randrange(1, 10**4)}@{rng.choice(words.MAIL_HOSTS)}"

        return {
            **self._common(person_id),
            "kind": kind,
            "full_name": family + given,
            "family_name": family,
            "given_name": given,
            "gender": gender if rng.random() < 0.95 else "unknown",
            "birth_date": self._maybe(0.9, f"{year}-{month:02d}-{day:02d}"),
            "mobile": self.mobile(),
            "email": self._maybe(0.7, self._unused(address)),
        }

    def individual(self, person_id: str) -> Person:
        """Returns an individual who resembles nobody on purpose."""
        person = Person(**self._human(person_id, "individual"))
        estate = self.rng.choice(words.ESTATES)
        if person.address and self.rng.random() < 0.5:
            flat = f"{estate}{self.rng.randrange(1, 30)}栋{self.rng.randrange(101, 3300)}室"
            person = replace(person, address=person.address + flat)
        return person

    def _sole_trader(self, person_id: str) -> Person:
        fields = self._human(person_id, "sole_trader")
        code = self._unused(lambda: credit_code(self.rng, fields["region_code"], "92"))
        shop = f"{fields['family_name']}记{self.rng.choice(words.SHOP_TAILS)}"
        return Person(**{**fields, "short_name": shop, "credit_code": code})

    def _organization(self, person_id: str) -> Person:
        rng, fields = self.rng, self._common(person_id)
        trade, word, _ = rng.choice(words.TRADES)
        place = fields["city"].removesuffix("市")
        brand = "".join(rng.sample(words.BRANDS, 2))
        name = self._unused(lambda: f"{place}{brand}{rng.choice(words.BRANDS)}{word}有限公司")
        area = next(row[5] for row in words.REGIONS if row[0] == fields["region_code"])
        host = self._unused(lambda: f"{pinyin(brand)}{rng.randrange(10**5)}.cn")
        return Person(
            **fields,
            kind="organization",
            full_name=name,
            short_name=brand + word,
            credit_code=self._unused(lambda: credit_code(rng, fields["region_code"], "91")),
            phone=f"+86{area.lstrip('0')}{rng.randrange(5 * 10**7, 8 * 10**7)}",
            mobile=self._maybe(0.5, self.mobile()),
            email=self._maybe(0.6, f"contact@{host}"),
            industry=trade,
        )

    def _confuse(self, person: Person) -> Person:
        """Makes a few people resemble one met shortly before, without being them."""
        chance = self.rng.random()
        if not self._recent or chance > 0.05:
            return person
        other = self.rng.choice(self._recent)
        same_name: dict[str, Any] = {
            "full_name": other.full_name,
            "family_name": other.family_name,
            "given_name": other.given_name,
            "gender": other.gender,
        }
        if chance < 0.004:  # same name and same birthday, yet somebody else
            return replace(person, **same_name, birth_date=other.birth_date)
        if chance < 0.03:  # namesake
            return replace(person, **same_name)
        if person.full_name == other.full_name or (other.mobile, person.full_name) in self._sharing:
            return person
        self._sharing |= {(other.mobile, other.full_name), (other.mobile, person.full_name)}
        return replace(person, mobile=other.mobile, address=other.address)  # a family shares one phone


def differ(person: Person, rng: random.Random, inventor: Inventor) -> tuple[str, dict[str, Any], bool]:
    """Returns in which system a person of both is known differently, how, and whether a match is doubtful."""
    kind = rng.choice(("zoho_crm", "fxiaoke"))
    chance = rng.random()
    if chance < 0.03 and person.kind != "organization":
        return kind, _doubtful(person, chance, inventor), True
    fields: dict[str, Any] = {}
    if rng.random() < 0.06:
        fields["tier"] = rng.choice([tier for tier in ("vip", "gold", "standard") if tier != person.tier])
    if rng.random() < 0.04:
        fields["lifecycle"] = rng.choice([stage for stage in ("new", "loyal", "at_risk") if stage != person.lifecycle])
    if person.remark and rng.random() < 0.15:
        fields["remark"] = None
    if person.tags and rng.random() < 0.05:
        fields["tags"] = person.tags[:-1]
    if rng.random() < 0.03:
        fields["phone"], fields["need_summary"] = None, None
    if person.address and rng.random() < 0.004:
        fields["address"] = f"{person.address}（新址）"
    if person.remark and rng.random() < 0.004:
        fields["remark"] = f"{person.remark}，请先短信联系"
    return kind, fields, False


def _doubtful(person: Person, chance: float, inventor: Inventor) -> dict[str, Any]:
    if chance < 0.006 and person.given_name:
        first = person.given_name[0]
        given = words.VARIANTS.get(first, person.given_name[-1]) + person.given_name[1:]
        if given == person.given_name:
            given += "儿"
        return {"given_name": given, "full_name": f"{person.family_name}{given}"}
    if chance < 0.012:
        return {"mobile": inventor.mobile(), "email": None}
    return {"mobile": None, "email": None}
