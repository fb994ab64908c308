"""What the demo says, in English and Chinese."""

from __future__ import annotations

from hub.cli.demo_lab import FXIAOKE, ZOHO
from hub.kernel.errors import Text

WORDS = {
    "title": Text("crmhub demo", "crmhub 演示"),
    "lab": Text("LAB", "演示环境"),
    "lab_note": Text(
        "invented customers on two simulators over real HTTP; nothing leaves this machine",
        "虚构客户，两个模拟器经真实 HTTP 应答；数据不离开本机",
    ),
    "act1": Text("1  Two systems, one empty hub", "1  两个系统，一个空的 hub"),
    "act2": Text("2  First-sync match report against the ground truth", "2  首次匹配报告，与真实身份对照"),
    "act3": Text("3  First sync", "3  首次同步"),
    "contact_log": Text("contact logs", "沟通记录"),
    "complaint": Text("complaints", "投诉"),
    "children_line": Text(
        "{name}: {both} in both systems, {bad} in one only", "{name}：两侧都有 {both} 条，仅一侧 {bad} 条"
    ),
    "act4": Text("4  Both sides were edited; what the next sync made of it", "4  两侧各有改动；下一批次的处理结果"),
    "act5": Text("5  Settled by command", "5  用命令处理"),
    "act6": Text("6  What it cost, and what it proves", "6  成本与证明"),
    "system": Text("system", "系统"),
    "address": Text("address", "地址"),
    "customers": Text("customers", "客户数"),
    "objects": Text("objects", "对象"),
    "folder": Text("hub folder", "hub 目录"),
    "match": Text("match", "匹配"),
    "records": Text("count", "数量"),
    "right": Text("right", "正确"),
    "wrong": Text("wrong", "错误"),
    "meaning": Text("meaning", "含义"),
    "sure": Text("sure", "确定"),
    "unsure": Text("unsure", "待确认"),
    "new": Text("new", "新增"),
    "sure_means": Text("same person in both, linked by strong evidence", "两侧同一人，强证据自动关联"),
    "unsure_means": Text("evidence is weak or contradicts: a person is asked", "证据不足或矛盾：由人确认"),
    "new_means": Text("stands in one system only, will be created in the other", "仅在一侧，将在另一侧新建"),
    "answered": Text("{n} match questions answered from the ground truth", "按真实身份答复 {n} 个匹配问题"),
    "released": Text("the guard of the first sync released, with a reason", "填写原因，放行首次同步"),
    "asked_first": Text(
        "{n} values that identify a person differed: Zoho's kept", "{n} 个识别身份的值两侧不同：保留 Zoho 的值"
    ),
    "reason": Text("match report read and compared with the ground truth", "已核对匹配报告与真实身份"),
    "persons_line": Text(
        "{persons} persons, {both} in both systems, {bad} duplicates", "{persons} 人，{both} 人两侧都有，重复 {bad} 条"
    ),
    "compared_line": Text("{compared} field values compared, {bad} differ", "比对 {compared} 个字段值，{bad} 个不一致"),
    "took_line": Text("{cycles} cycles, {seconds} s", "{cycles} 个批次，{seconds} 秒"),
    "did": Text("people did", "人的操作"),
    "hub_did": Text("the hub did", "hub 的处理"),
    "why": Text("why", "原因"),
    "lifted": Text("Fxiaoke's administrator lifts the rule; then:", "纷享销客管理员取消该规则；然后："),
    "takes": Text("conflict: the value of Zoho is taken", "冲突：采用 Zoho 的值"),
    "rejects": Text("hold: the looser consent goes back", "暂缓变更：不放宽，恢复原授权"),
    "retries": Text("quarantine: the refused value is tried again", "异常记录：重新处理被拒收的值"),
    "converged": Text("converged: nothing is owed, nothing waits", "已一致：无待同步、无待处理"),
    "calls": Text("calls", "调用次数"),
    "minimum": Text("minimum", "最少次数"),
    "ratio": Text("ratio", "比值"),
    "made_of": Text("the minimum is made of", "最少次数的构成"),
    "apart": Text("apart", "另计"),
    "minimum_means": Text(
        "poll: a page per 200 / 100 changed rows, at least one · batches of 100 rows / 1 row · one version read "
        "before a change, none before one or two in Zoho · apart: deleted feed, description, count",
        "轮询：每 200 / 100 行变动一页，至少一页 · 每批 100 行 / 1 行 · 更新前读一次版本（Zoho 仅一两行时不读） · "
        "另计：删除清单、字段描述、计数",
    ),
    "idle": Text(
        "idle cycle: {polls} change polls ({each}), {writes} writes",
        "空闲批次：{polls} 次轮询（{each}），{writes} 次写入",
    ),
    "audit": Text("audit log: {rows} rows verified, chain unbroken", "审计日志：{rows} 行校验通过，链完整"),
    "kept": Text("The hub stays in {home}. Go on there, for example:", "hub 保留在 {home}，可继续："),
    "kept_note": Text(
        "The simulators end with this demo, so commands that call a system will say that it cannot be reached.",
        "模拟器随演示结束，需要访问系统的命令会提示无法连接。",
    ),
    "passed": Text(
        "{persons} persons, {contact_log} contact logs and {complaint} complaints equal in both systems, "
        "{duplicates} duplicates, {seconds} s",
        "{persons} 位客户、{contact_log} 条沟通记录、{complaint} 件投诉两侧一致，重复 {duplicates}，用时 {seconds} 秒",
    ),
    "serving": Text(
        "the daemon runs, people go on working; Ctrl-C ends it (hub {home}, management port {port})",
        "守护进程运行中，两侧持续有改动；按 Ctrl-C 结束（hub {home}，管理端口 {port}）",
    ),
    "act7": Text("7  The daemon goes on", "7  守护进程持续运行"),
    "did_remark": Text("Zoho: a customer's remark", "Zoho：修改客户备注"),
    "did_need": Text("Fxiaoke: a customer's needs", "纷享销客：修改客户需求"),
    "did_call": Text("Zoho: a new call", "Zoho：新增通话"),
    "did_log": Text("Fxiaoke: a contact log completed", "纷享销客：补充沟通记录"),
    "did_case": Text("Zoho: a complaint completed", "Zoho：补充投诉事实"),
    "failed": Text("A promise was broken:", "未达到承诺："),
    "pull": Text("read", "读取"),
    "merge": Text("match and merge", "匹配合并"),
    "push": Text("write", "写入"),
    "sign-in": Text("sign-in", "登录"),
    "poll": Text("polls", "轮询"),
    "create": Text("creates", "新建"),
    "proof": Text("proof of a delete", "核实删除"),
    "read before write": Text("reads before a change", "更新前读取"),
    "update": Text("updates", "更新"),
    "changeOwner": Text("owner changes", "变更负责人"),
}
SYSTEMS = {ZOHO: Text("Zoho CRM", "Zoho CRM"), FXIAOKE: Text("Fxiaoke", "纷享销客"), "hub": Text("hub", "hub")}


class Speech:
    """Says words in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, key: str, **values: object) -> str:
        return WORDS[key].say(self.lang).format(**values)

    def text(self, text: Text) -> str:
        return text.say(self.lang)

    def system(self, name: str) -> str:
        return SYSTEMS[name].say(self.lang)
