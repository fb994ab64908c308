"""The simulator's numbers and switches; a switch stands where the vendor's behaviour is not verified."""

from __future__ import annotations

from dataclasses import dataclass

ALL_SCOPES = (
    "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.users.READ,ZohoCRM.org.READ,ZohoCRM.coql.READ,"
    "ZohoSearch.securesearch.READ,ZohoCRM.bulk.ALL"
)


@dataclass(slots=True)
class Settings:
    """Every number and switch; each may be changed through the admin path while the simulator runs."""

    # The secret of the API client, as its owner rotates it in the API console.
    client_secret: str = "simulated-secret"  # noqa: S105
    # OAuth (Zoho token-validity). The throttle answers 400, or 200 with `access_denied` (Kaizen 43).
    token_lifetime: int = 3600
    tokens_live: int = 15
    tokens_per_window: int = 10
    refresh_live: int = 20
    token_window: int = 600
    throttle_status: int = 400
    scopes: str = ALL_SCOPES
    # Limits (Zoho api-limits); Enterprise concurrency.
    credits_per_day: int = 100_000
    concurrency: int = 20
    sub_concurrency: int = 10
    latency_ms: float = 0.0
    # Reading
    utc_offset_minutes: int = 480
    page_token_lifetime: int = 86_400
    discrete_rows: int = 2_000
    token_rows: int = 100_000
    v2_discrete_rows: int = 0  # unverified how far plain `page` goes in v2; 0 = no limit
    absent_get_status: int = 204  # or 400
    since_with_page_token: bool = True  # unverified; False refuses the pair
    list_lag: float = 0.0
    search_lag: float = 30.0
    rich_text_fields: str = ""  # names whose values lists cut to 500 characters
    textarea_described: bool = True  # unverified whether metadata tell rich texts apart (`textarea.type`)
    full_data_for_plain: bool = True  # unverified; False refuses fetch_full_data for what is no rich text
    single_in_lists: str = "absent"  # or "null": how a list shows a field of single reads, such as a subform
    subform_rows_shown: int = 200  # rows of a subform in a single GET; `$has_more` tells of the rest
    converted_in_coql: bool = True  # unverified whether COQL shows converted leads
    recycled_trace: bool = True  # unverified; False: what leaves the recycle bin by itself leaves no permanent trace
    notes_for_admins_only: bool = True
    external_field: str = ""  # the field an administrator made an external id
    hidden_get: str = "NO_PERMISSION"  # or "absent"
    se_module_in_lists: bool = True  # unverified; False leaves $se_module to the single GET
    se_module_described: bool = False  # unverified whether the field metadata name it
    deleted_rows: int = 2_000
    deleted_none_status: int = 204  # or 304 with If-Modified-Since
    recycle_days: int = 60
    permanent_days: int = 120
    coql_rows: int = 2_000
    coql_window: int = 100_000
    # Bulk Read (Zoho bulk-read limitations); the numbers of columns and credits are not documented.
    bulk_seconds: float = 30.0  # until a job is done
    bulk_rows: int = 200_000
    bulk_columns: int = 200
    bulk_downloads: int = 10  # in a minute
    bulk_credits: int = 50
    bulk_token_lifetime: int = 86_400
    bulk_result_lifetime: int = 86_400
    bulk_modules: str = "Contacts,Accounts,Leads,Calls,Events,Tasks,Cases"
    bulk_outcome: str = "completed"  # or "failure", or "stuck"
    bulk_page_tokens: bool = True  # False names no token: the next page goes by its number
    bulk_id_header: str = "id"  # or "Id": unverified how the header row names it
    bulk_tags: str = "refused"  # or "names": unverified whether a file shows tags, and how
    bulk_se_module: bool = False  # unverified whether a file shows $se_module
    bulk_cuts_rich_text: bool = False  # unverified whether a file cuts rich text as lists do
    # Writing
    all_failed_status: int = 400  # older versions answered 202
    upsert_inserted_status: int = 200  # 201 has been seen when every row was inserted
    unlisted_picklist: str = "reject"  # or "accept"
    unknown_field: str = "ignore"  # or "reject"
    duplicate_details: str = "id"  # or "duplicate_record"
    conditional_batch: str = "whole"  # or "per_row": If-Unmodified-Since on several rows is not documented
    conditional_equal_passes: bool = True
    conditional_v2: bool = False
    trim_text: bool = True
    given_name_first: bool = True
    upsert_activities: bool = True  # unverified for Calls, Events and Tasks; False refuses it
    missed_call_length: str = "any"  # or "zero": whether a missed call may have a length is not documented
    cascade_deletes: bool = True  # deleting a parent deletes its activities (Zoho help: deleting records)
    restore_cascades: bool = True  # unverified whether a restored parent brings its activities back
    restore_bumps_modified: bool = True
    merge_lists_loser: bool = True
    error_style: str = "top"  # or "data": the published documents wrap request errors in data[]
    # How the administrator set the org up; read at start only.
    custom_fields: bool = True
    hub_id_unique: bool = True

    def for_limits(self, limits: str) -> Settings:
        """Returns itself with the vendor's numbers, or with raised limits and shorter lags for `fast`."""
        if limits == "fast":
            self.credits_per_day = 100_000_000
            self.concurrency = 100
            self.sub_concurrency = 100
            self.tokens_per_window = 1_000
            self.search_lag = 1.0
            self.bulk_seconds = 0.05
            self.bulk_downloads = 10_000
        return self
