"""Writes the list of passwords that nobody may have: `python -m tests.common_words > hub/access/common_words.txt`.

Made by rule from well-known facts: how keyboards are laid out, how people are named, what is around a bank, and the
handful of words that every report of leaked passwords names. Nothing is copied from a list.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

HEAD = """\
# Written by `python -m tests.common_words > hub/access/common_words.txt`; small letters, one entry a line.
# Words of the surroundings: a password that is hardly more than these is refused.
"""
CONTEXT = """
crmhub crm zoho fxiaoke sharecrm fenxiang xiaoke xiangxiaoke customer customers complaint complaints contact kehu tousu
bank banking banker yinhang zhongguo china chinese beijing shanghai shenzhen guangzhou finance financial jinrong caiwu
admin administrator guanli guanliyuan system xitong operator security anquan audit auditor shenji password passwd mima
koulin kouling secret login signin user username yonghu yonghuming account zhanghao test testing ceshi demo default
welcome huanying company gongsi office bangong branch fenhang zhihang manager jingli teller guiyuan service fuwu
internet network server database root superuser sysadmin support helpdesk changeme temporary linshi initial chushi
""".split()  # noqa: SIM905
WORDS = """
password passw0rd iloveyou sunshine princess football baseball basketball superman batman spiderman master monkey dragon
shadow michael jennifer jordan hunter harley ranger buster soccer hockey killer george andrew charlie thomas robert
daniel matthew joshua ashley nicole jessica amanda samantha hannah michelle pepper ginger summer winter spring autumn
flower cookie chocolate banana orange purple yellow silver golden diamond crystal freedom whatever trustno letmein
starwars pokemon naruto minecraft computer internet samsung huawei xiaomi iphone android google apple microsoft windows
linux ubuntu oracle mysql postgres redis docker github gitlab cisco tencent alibaba taobao weixin wechat baidu sina qq
january february march april june july august september october november december monday tuesday wednesday thursday
friday saturday sunday london paris tokyo newyork america england france germany canada japan korea singapore hongkong
macau taiwan taipei tianjin chongqing hangzhou nanjing suzhou wuhan chengdu xian xiamen fuzhou changsha zhengzhou jinan
qingdao dalian shenyang harbin changchun kunming guiyang nanning haikou lanzhou xining yinchuan urumqi lhasa hefei
nanchang taiyuan shijiazhuang hohhot guangdong guangxi zhejiang jiangsu anhui fujian jiangxi shandong henan hubei hunan
hainan sichuan guizhou yunnan shaanxi shanxi gansu qinghai hebei liaoning jilin heilongjiang xinjiang xizang ningxia
neimenggu woaini woaiwo aini wodemima mimamima nihao nihaoma woshishui laopo laogong baobao baobei tiantian xingfu
kuaile jiankang fengshou facai gongxi shengri xinnian zhufu zhongqiu chunjie guoqing qinghua beida fudan jiaotong
mother father brother sister family friend friends forever always lovely beautiful handsome angel heaven devil hello
helloworld abcdef abcabc abcd1234 abc123 a1b2c3 a1b2c3d4 a1b2c3d4e5 aa123456 aa12345678 qq123456 zz123456 abc123456
abc123456789 asd123456 asdf1234 qwe123 qwer1234 qwerty123 zxc123 zxcvbnm123 q1w2e3 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6
1q2w3e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qaz2wsx3edc4rfv qazwsx qazwsxedc qazwsxedcrfv zaq12wsx
zaq1xsw2 zaq1xsw2cde3 !qaz@wsx !qaz2wsx 1qaz@wsx 1qaz!qaz 5201314 1314520 woaini1314 woaini520 woaini521 aini1314
iloveyou1314 110110 119119 120120 147258 147258369 159357 159753 789456 789456123 741852963 852456 987654 88888888
66666666 168168 1688 518518 886886 131313 thankyou goodluck lovelove happy happyday newpassword mypassword p@ssword
passpass testtest adminadmin rootroot useruser guest guestguest oracle123 manager123 letmein123 access access14
""".split()  # noqa: SIM905
ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "!@#$%^&*()")
COLUMNS = ("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/")
# The hundred commonest family names of China, as pinyin (a fact of the census), and common given names.
FAMILIES = """
wang li zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he gao lin luo zheng liang xie song tang deng han
feng cao peng zeng xiao tian dong pan yuan cai jiang yu du ye cheng wei su lu ding ren yao shen zhong cui tan fan shi
liao jia xia fu fang zou xiong bai meng qin qiu hou yin xue yan lei long duan hao kong shao mao chang wan gu lai kang
""".split()  # noqa: SIM905
GIVEN = """
wei fang na min jing xiuying li qiang lei jun yang yong yan jie tao ming chao xiulan xia ping gang guiying hua peng bo
bin hui ling xin yu hao ting ying hong mei lan
""".split()  # noqa: SIM905


def walks() -> Iterator[str]:
    """Yields what a finger does along a row, forwards, backwards, twice."""
    for row in ROWS:
        for line in (row, row[::-1]):
            for start, length in product(range(len(line)), range(4, len(line) + 1)):
                if start + length <= len(line):
                    yield line[start : start + length]
                    if length <= 8:
                        yield line[start : start + length] * 2
    for first, last in product(range(len(COLUMNS)), repeat=2):
        columns = COLUMNS[first : last + 1]
        if columns:
            yield "".join(columns)
            yield "".join(column[::-1] for column in columns)
            yield "".join(reversed(columns))


def digits() -> Iterator[str]:
    """Yields one digit again and again, counts, and years twice."""
    for digit, length in product("0123456789", range(4, 17)):
        yield digit * length
    for start, length in product(range(10), range(4, 17)):
        yield "".join(str((start + place) % 10) for place in range(length))
        yield "".join(str((start - place) % 10) for place in range(length))
    for year in range(1950, 2031):
        yield f"{year}{year}"


def names() -> Iterator[str]:
    """Yields family name and given name, as many have for a password."""
    for family, given in product(FAMILIES, GIVEN):
        yield family + given


def combinations() -> Iterator[str]:
    """Yields two words of a bank's surroundings together."""
    core = ("bank", "admin", "crmhub", "zoho", "yinhang", "china", "zhongguo", "user", "test", "system", "welcome")
    for one, other in product(core, ("password", "admin", "bank", "crm", "user", "system", "manager", "login", "mima")):
        yield one + other


def listed() -> str:
    """Returns the whole file."""
    parts, seen = [HEAD], set[str]()
    rules = {"": CONTEXT, "words": WORDS, "walks": walks(), "digits": digits(), "names": names()}
    for name, made in {**rules, "combinations": combinations()}.items():
        fresh = [word for word in dict.fromkeys(made) if word not in seen]
        seen.update(fresh)
        parts.append((f"# rule: {name}\n" if name else "") + "".join(f"{word}\n" for word in fresh))
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(listed())
