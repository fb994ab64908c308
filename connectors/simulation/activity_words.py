"""Word lists behind the invented contact logs and complaints."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.simulation.words import STAFF as STAFF
from connectors.simulation.words import STAFF_SHARES as STAFF_SHARES


@dataclass(frozen=True, slots=True)
class Topic:
    """What a contact may be about."""

    purpose: str
    subject: str
    content: str
    product: str | None = None
    need: str | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a complaint may be about, with its codes, the findings and the answer."""

    title: str
    fact: str
    demand: str
    category: str
    reason: str
    product: str
    finding: str
    remedy: str
    answer: str


CHANNELS = {"phone": 46, "visit": 12, "counter": 9, "video": 4, "wechat": 13, "sms": 6, "email": 4, "app": 3,
            "letter": 1, "other": 2}  # fmt: skip
AGENT = "女士"
PLACES = ("客户单位会议室", "网点理财室", "客户经营场所", "网点大堂", "产业园服务中心", "小区物业活动室")
MISSED = "无人接听，已发短信说明来意"
NEXT_ACTIONS = ("发送产品说明书", "下周再次电话跟进", "预约到网点办理", "提交额度测算", "等客户与家人商量后回复",
                "寄送账单明细", "邀请参加理财沙龙", "转公司业务部跟进")  # fmt: skip
TOPICS = (
    Topic(
        "return_visit", "开户后回访", "回访开户体验，客户表示办理顺利，询问手机银行转账限额，已说明调整办法。", "ACC01"
    ),
    Topic("return_visit", "理财到期回访", "客户的封闭式产品本月到期，倾向续做稳健型，已发送三款产品说明。", "WM103"),
    Topic("service", "手机银行登录问题", "客户更换手机后无法登录，指导完成人脸识别和设备绑定，现场登录成功。", "EB002"),
    Topic(
        "service", "信用卡账单分期", "客户咨询12期分期费率，已按牌价说明，客户表示考虑后在手机银行自助办理。", "CC201"
    ),
    Topic("service", "对公账户年检", "提醒提供新版营业执照和法人身份证明，约定本周五前送到柜台。", "CA001"),
    Topic(
        "consulting", "大额存单利率咨询", "客户来电咨询三年期大额存单利率与起存金额，已说明并提示额度有限。", "CD036"
    ),
    Topic("consulting", "提前还贷咨询", "客户咨询房贷提前还款的违约金和预约流程，已告知可在线预约。", "HL301"),
    Topic("consulting", "跨境汇款咨询", "客户孩子在海外读书，咨询学费汇款所需材料及到账时间。", "FX010"),
    Topic("survey", "网点服务满意度调研", "完成年度满意度问卷，客户对等候时间评价一般，对柜员态度评价较好。"),
    Topic("survey", "手机银行体验调研", "客户希望增加语音转账和大字版首页，对指纹登录满意。", "EB002"),
    Topic(
        "needs",
        "资产配置需求沟通",
        "客户希望保留六个月流动资金，其余做中长期配置，对权益类产品较谨慎。",
        "WM208",
        "wealth",
    ),
    Topic("needs", "经营周转需求", "小微客户年底备货，需要短期周转资金约30万元，可提供纳税记录。", "BL105", "loan"),
    Topic("needs", "代发工资需求", "企业拟将代发工资转入我行，关注批量开卡时间和到账时效。", "PY004", "agency"),
    Topic("needs", "存款到期安排", "客户有一笔定期下月到期，比较三年期与五年期利率。", "CD036", "deposit"),
    Topic("greeting", "节日问候", "中秋节前致电问候，客户感谢，提醒近期防范冒充客服的诈骗电话。"),
    Topic("greeting", "生日祝福", "发送生日祝福并告知生日权益领取方式 🎂"),
    Topic("event", "理财沙龙邀请", "邀请参加本月财富沙龙，客户确认出席，随行一人。"),
    Topic("event", "亲子财商课堂", "邀请客户带孩子参加周末财商课堂，客户表示时间合适再确认。"),
    Topic("acquisition", "新客户首次接触", "经老客户推荐首次联系，介绍结算和理财服务，客户愿意加企业微信。"),
    Topic("acquisition", "商圈走访", "走访商户了解收单需求，目前使用他行设备，合同年底到期。", "PY011"),
    Topic("maintenance", "季度维护", "季度例行联系，核对联系方式和通讯地址，资产无大变化。"),
    Topic("maintenance", "账户信息核对", "核对受益所有人信息，客户提供最新章程复印件。", "CA001"),
    Topic("retention", "流失挽留沟通", "客户近三个月资金持续转出，主要因他行利率较高，已申请差异化利率。", "CD036"),
    Topic("other", "资料补充", "请客户补充职业与工作单位信息，客户在手机银行自行更新。"),
)
ABOUT_COMPLAINT = Topic("complaint", "投诉处理沟通", "就投诉事项与客户沟通处理进展，记录客户补充说明，承诺按期答复。")

STATUSES = {"registered": 6, "accepted": 7, "investigating": 12, "awaiting_customer": 5, "resolved": 8,
            "responded": 10, "closed": 44, "declined": 4, "withdrawn": 4}  # fmt: skip
OPEN_STATUSES = frozenset({"registered", "accepted", "investigating", "awaiting_customer"})
SETTLED = frozenset({"resolved", "responded", "closed"})
INTAKES = {"phone": 45, "online": 18, "branch": 14, "email": 6, "letter": 4, "regulator": 8, "media": 1, "other": 4}
PRIORITIES = {"low": 10, "normal": 65, "high": 20, "urgent": 5}
SEVERITIES = {"general": 90, "major": 8, "collective": 2}
ROLES = {"self": 90, "agent": 8, "heir": 2}
LIABILITIES = {"institution": 25, "shared": 15, "customer": 20, "none": 30, "undetermined": 10}
BUSINESS_CHANNELS = ("A01", "A02", "A03", "A04")
UNDER_WAY = "已调取录音和流水，待网点书面说明"
EXTENSIONS = ("需核对第三方支付机构流水", "涉及异地网点，材料传递需要时间")
FEEDBACKS = ("已电话告知处理结果，客户表示接受", "已书面答复，客户未提出异议", "已短信告知，客户要求保留意见")
CAUSE = "告知不充分，业务流程衔接不畅"
CORRECTION = "修订办理须知并组织网点培训"
REVIEW = "核查维持原处理意见"
COMPLAINTS = (
    Complaint(
        "柜台排队时间过长",
        "客户在网点等候超过一小时，期间仅开放一个窗口，要求改善。",
        "增开窗口并道歉", "B01", "C01", "ACC01",
        "当日两名柜员请假，未及时调配人员。", "apology", "向客户致歉，已调整午间排班。",
    ),
    Complaint(
        "信用卡年费收取争议",
        "客户称办卡时告知刷满六次免年费，实际仍被扣收年费。",
        "退还年费", "B03", "C11", "CC201",
        "客户有一笔交易在账单日后入账，未计入当期次数。", "refund", "核实后退还年费，并短信说明计算规则。",
    ),
    Complaint(
        "理财产品风险揭示不足",
        "客户称购买时未被告知产品非保本，净值下跌后产生损失。",
        "赔偿损失", "B04", "C05", "WM208",
        "双录完整，风险测评有效，销售人员解释不够通俗。", "explanation", "调阅双录并当面解释，客户表示理解。",
    ),
    Complaint(
        "手机银行转账未到账",
        "客户转账显示成功但收款方两日未到账，客服多次答复不一致。",
        "尽快查明去向", "B06", "C02", "EB002",
        "收款行系统维护导致延迟入账。", "explanation", "已查明并到账，向客户说明原因。",
    ),
    Complaint(
        "催收电话频繁",
        "客户称一天内接到五次催收电话，且联系了其同事。",
        "停止骚扰并道歉", "B03", "C12", "CC201",
        "外包机构违反联系频次规定。", "apology", "对外包机构扣罚，已停止外呼并致歉。",
    ),
    Complaint(
        "个人信息疑似泄露",
        "客户办理贷款咨询后接到大量推销电话，怀疑信息被泄露。",
        "查明泄露渠道", "B02", "C10", "HL301",
        "查询日志未见异常访问，建议客户核实第三方平台授权。", "explanation", "向客户出具查询记录并解释。",
    ),
    Complaint(
        "ATM 吞卡处理慢",
        "自助机具吞卡后电话报修两日无人处理，影响用款。",
        "尽快取回卡片", "B01", "C02", "ACC01",
        "清机周期安排不合理。", "correction", "当日取回卡片，已缩短清机周期。",
    ),
    Complaint(
        "贷款利率调整通知不及时",
        "客户称利率重定价未收到通知，月供变化后才知晓。",
        "说明依据并提供书面通知", "B02", "C05", "HL301",
        "短信因号码变更未送达。", "explanation", "补寄通知书并更新联系方式。",
    ),
)  # fmt: skip
