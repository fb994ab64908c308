"""The fields of Calls, Events, Tasks and Cases, with the options that the bank's administrator gave their picklists."""

from __future__ import annotations

ACTIVITIES = ("Calls", "Events", "Tasks")
SE_MODULE = "se_module"
"""What metadata names as the target of What_Id: any module, told by `$se_module` (unverified wording)."""
LINKABLE = ("Accounts", "Cases", "Leads")
"""What What_Id may point at among this org's modules; people are linked by Who_Id."""

PICKLISTS = {
    "calltype": ("Outbound", "Inbound", "Missed"),
    "callstatus": ("Scheduled", "Completed", "Overdue", "Cancelled"),
    "purpose": (
        "回访", "服务", "咨询", "满意度调研", "需求调研", "投诉处理", "节日问候", "客户活动", "客户开发", "客户维护",
        "客户挽留", "其他",
    ),
    "outcome": ("已接通", "未接", "拒绝", "改期", "号码有误"),
    "direction": ("呼入", "呼出"),
    "meeting": ("上门拜访", "视频", "网点面谈"),
    "message": ("短信", "微信", "邮件", "应用消息", "信函", "其他"),
    "survey": ("问卷调查", "电话访谈", "面谈"),
    "need": ("存款", "贷款", "银行卡", "理财", "支付结算", "电子渠道", "代理业务", "其他"),
    "taskstatus": ("Not Started", "Deferred", "In Progress", "Completed", "Waiting for input"),
    "taskpriority": ("High", "Highest", "Low", "Lowest", "Normal"),
    "casestatus": (
        "已登记", "已受理", "不予受理", "调查处理", "待补充", "已处理", "已反馈", "已结案", "已撤回",
    ),
    "caseorigin": ("Phone", "Email", "Web", "Branch", "Letter", "Regulator", "Media", "Other"),
    "casepriority": ("Low", "Medium", "High", "Urgent"),
    "casetype": ("Problem", "Feature Request", "Question"),
    "casereason": ("User did not attend any training", "Complex functionality", "Existing problem",
                   "Instructions not clear", "New problem"),
    "role": ("本人", "代理人", "继承人", "推选代表"),
    "severity": ("一般", "重大", "群体"),
    "extension": ("15 日", "延至 30 日", "延至 60 日"),
    "liability": ("机构责任", "共同责任", "客户原因", "无责", "待定"),
    "resolution": ("解释说明", "更正", "致歉", "退费", "补偿", "调解", "其他"),
    "feedback": ("电话", "上门拜访", "网点面谈", "视频", "短信", "微信", "邮件", "应用消息", "信函", "其他"),
}  # fmt: skip

_ACTIVITY = """
Who_Id lookup:Contacts | What_Id lookup:se_module | Hub_Id text/36 custom unique
Complaint_Id lookup:Cases custom | Contact_Person text/80 custom | Planned_At datetime custom
Satisfaction_Score integer/9 custom | Survey_Method picklist:survey custom | Survey_Ref text/40 custom
Need_Category picklist:need custom | Need_Detail textarea/32000 custom | Product_Code text/40 custom
Campaign_Code text/40 custom | Next_Follow_Up_At datetime custom | Staff_No text/40 custom
Branch_Code text/20 custom
"""
_TOLD_APART = """
Direction picklist:direction custom | Purpose picklist:purpose custom | Outcome picklist:outcome custom
Next_Action textarea/2000 custom
"""
MODULES = {
    "Calls": """
Subject text/255 required | Call_Type picklist:calltype required | Call_Start_Time datetime required
Call_Duration text/20 required | Call_Duration_in_seconds integer/9 ro | Call_Purpose picklist:purpose
Call_Agenda textarea/2000 | Call_Result picklist:outcome | Outgoing_Call_Status picklist:callstatus
Caller_ID text/50 | Dialled_Number text/50 | CTI_Entry boolean ro | Voice_Recording__s website/2000
Location text/200 custom
"""
    + _ACTIVITY,
    "Events": """
Event_Title text/255 required | Start_DateTime datetime required | End_DateTime datetime required
All_day boolean | Venue text/255 | Participants jsonarray | Remind_At event_reminder | Recurring_Activity RRULE
Check_In_Status text/50 ro | Check_In_Time datetime ro | Check_In_Address textarea/2000 ro
Channel picklist:meeting custom
"""
    + _ACTIVITY
    + "|"
    + _TOLD_APART,
    "Tasks": """
Subject text/255 required | Due_Date date | Status picklist:taskstatus | Priority picklist:taskpriority
Closed_Time datetime ro | Remind_At ALARM | Recurring_Activity RRULE | Send_Notification_Email boolean
Channel picklist:message custom | Started_At datetime custom | Duration_Seconds integer/9 custom
Location text/200 custom
"""
    + _ACTIVITY
    + "|"
    + _TOLD_APART,
    "Cases": """
Subject text/255 required | Status picklist:casestatus required | Case_Origin picklist:caseorigin required
Case_Number autonumber ro | Type picklist:casetype | Case_Reason picklist:casereason
Priority picklist:casepriority | Related_To lookup:Contacts | Account_Name lookup:Accounts
Reported_By text/100 | Email email/100 | Phone phone/30 | Solution textarea/32000
Internal_Comments textarea/32000 | Add_Comment textarea/32000 | Comments jsonarray ro
No_of_comments integer/9 ro
Hub_Id text/36 custom unique | Complainant_Role picklist:role custom | Business_Channel_Code text/10 custom
Business_Category_Code text/10 custom | Reason_Code text/10 custom | Demand textarea/32000 custom
Product_Code text/40 custom | Severity picklist:severity custom | Occurred_At datetime custom
Received_At datetime custom | Accepted_At datetime custom | Due_At datetime custom
Extension picklist:extension custom | Extension_Reason textarea/2000 custom | Liability picklist:liability custom
Resolution_Type picklist:resolution custom | Feedback_Method picklist:feedback custom
Feedback_At datetime custom | Feedback_Content textarea/32000 custom | Satisfaction_Score integer/9 custom
Closed_At datetime custom | Root_Cause textarea/2000 custom | Corrective_Action textarea/2000 custom
Corrective_Due_On date custom | Corrective_Done_At datetime custom | Review_Requested_At datetime custom
Reviewed_At datetime custom | Review_Result textarea/2000 custom | Repeat_Of lookup:Cases custom
Staff_No text/40 custom | Branch_Code text/20 custom
""",
}
DUPLICATE_FIELDS = {"Cases": "Subject"}
"""Calls, Events and Tasks have none (Zoho API upsert-records)."""
NAME_FIELDS = {"Calls": "Subject", "Events": "Event_Title", "Tasks": "Subject", "Cases": "Subject"}
