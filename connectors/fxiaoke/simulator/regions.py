"""The vendor's own region codes, which are not GB/T 2260 codes. Source: Fxiaoke countryAreaOptions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """One country, province, city or district; `gb_code` is only known to the world the records are made from."""

    code: str
    name: str
    kind: str
    parent: str | None
    gb_code: str


REGIONS: tuple[Region, ...] = (
    Region("CN", "中国", "country", None, "000000"),
    Region("201", "北京市", "province", "CN", "110000"),
    Region("2101", "北京市", "city", "201", "110100"),
    Region("21011", "东城区", "district", "2101", "110101"),
    Region("21015", "朝阳区", "district", "2101", "110105"),
    Region("21018", "海淀区", "district", "2101", "110108"),
    Region("203", "上海市", "province", "CN", "310000"),
    Region("2301", "上海市", "city", "203", "310100"),
    Region("23011", "黄浦区", "district", "2301", "310101"),
    Region("23014", "徐汇区", "district", "2301", "310104"),
    Region("23025", "浦东新区", "district", "2301", "310115"),
    Region("204", "江苏省", "province", "CN", "320000"),
    Region("2401", "南京市", "city", "204", "320100"),
    Region("24012", "玄武区", "district", "2401", "320102"),
    Region("24016", "鼓楼区", "district", "2401", "320106"),
    Region("2405", "苏州市", "city", "204", "320500"),
    Region("24058", "姑苏区", "district", "2405", "320508"),
    Region("205", "浙江省", "province", "CN", "330000"),
    Region("2501", "杭州市", "city", "205", "330100"),
    Region("25016", "西湖区", "district", "2501", "330106"),
    Region("25018", "滨江区", "district", "2501", "330108"),
    Region("206", "湖北省", "province", "CN", "420000"),
    Region("2601", "武汉市", "city", "206", "420100"),
    Region("26016", "武昌区", "district", "2601", "420106"),
    Region("207", "广东省", "province", "CN", "440000"),
    Region("2701", "广州市", "city", "207", "440100"),
    Region("27014", "越秀区", "district", "2701", "440104"),
    Region("27016", "天河区", "district", "2701", "440106"),
    Region("2703", "深圳市", "city", "207", "440300"),
    Region("27033", "罗湖区", "district", "2703", "440303"),
    Region("27034", "福田区", "district", "2703", "440304"),
    Region("27035", "南山区", "district", "2703", "440305"),
    Region("208", "四川省", "province", "CN", "510000"),
    Region("2801", "成都市", "city", "208", "510100"),
    Region("28014", "锦江区", "district", "2801", "510104"),
    Region("28017", "武侯区", "district", "2801", "510107"),
    Region("209", "陕西省", "province", "CN", "610000"),
    Region("2901", "西安市", "city", "209", "610100"),
    Region("29013", "雁塔区", "district", "2901", "610113"),
)
BY_CODE = {region.code: region for region in REGIONS}
BY_GB_CODE = {region.gb_code: region for region in REGIONS}


def chain_of(gb_code: str) -> dict[str, str]:
    """Returns the vendor's codes of a GB/T 2260 region and of all that contain it, by field name."""
    found: dict[str, str] = {}
    region = BY_GB_CODE.get(gb_code)
    while region is not None:
        found[region.kind] = region.code
        region = BY_CODE.get(region.parent) if region.parent else None
    return found
