"""The simulator's numbers and switches; a switch stands where the vendor's behaviour is not verified."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.zoho_crm.editions import EDITIONS, SUB_CONCURRENCY

ALL_SCOPES = (
    "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.users.READ,ZohoCRM.org.READ,ZohoCRM.coql.READ,"
    "ZohoCRM.notifications.ALL,ZohoSearch.securesearch.READ,ZohoCRM.bulk.ALL,ZohoFiles.files.ALL"
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
    grants_per_window: int = 10
    refresh_per_window: int = 10
    refresh_live: int = 20
    token_window: int = 600
    throttle_status: int = 400
    scopes: str = ALL_SCOPES
    data_center: str = "cn"  # what the callback of the web flow names as `location`
    redirect_uri: str = "https://hub.example/oauth/callback"  # as registered with the client
    consent: str = "accept"  # or "reject": what the user decides on the consent page
    accounts_server: str = ""  # what the callback names instead of the simulator itself
    api_domain: str = ""  # what token answers name instead of the simulator itself
    registered_elsewhere: str = ""  # the error of a client of another data centre; which one is from third parties
    expires_in_milliseconds: bool = False  # old answers: expires_in_sec beside expires_in in milliseconds
    refresh_repeats_token: bool = False  # a refresh gives no refresh token; True names the one that was used
    token_page_status: int = 0  # the token endpoint answers a page of HTML with this status
    # Limits (Zoho api-limits): by the edition and its user licences, unless a number is given.
    edition: str = "enterprise"  # free, standard, professional, enterprise, ultimate
    users: int = 50
    org_shows_licence: bool = True  # unverified whether GET org tells it to every user
    credits_per_day: int = 0
    concurrency: int = 0
    sub_concurrency: int = SUB_CONCURRENCY
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
    approval_in_lists: bool = True  # unverified whether lists and queries show what awaits approval
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
    coql_rows_old: int = 200  # of v2, v2.1 and v3 (Zoho COQL-Limitations)
    coql_window_old: int = 10_000
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
    bulk_joins: int = 5  # unverified how many lookups the columns of one job may follow
    bulk_ics_rows: int = 20_000
    bulk_cuts_rich_text: bool = False  # unverified whether a file cuts rich text as lists do
    # Bulk Write (Zoho bulk-write limitations)
    bulk_write_seconds: float = 30.0  # until the rows of a job are written
    bulk_write_rows: int = 25_000
    bulk_write_columns: int = 200
    bulk_write_credits: int = 500
    bulk_write_outcome: str = "completed"  # or "failed", or "stuck"
    bulk_write_automates: bool = False  # unverified whether its rows run the org's automations
    upload_refused_status: int = 400  # of what is no ZIP; 200 is seen in traces too
    # Writing
    all_failed_status: int = 400  # older versions answered 202
    upsert_inserted_status: int = 200  # 201 has been seen when every row was inserted
    unlisted_picklist: str = "reject"  # or "accept"
    null_clears: bool = True  # unverified; False: null in an update changes nothing
    unknown_field: str = "ignore"  # or "reject"
    duplicate_details: str = "id"  # or "duplicate_record"
    # If-Unmodified-Since on several rows is not documented: "whole", "per_row", "ignored" or "refused"
    conditional_batch: str = "whole"
    conditional_equal_passes: bool = True
    conditional_v2: bool = False
    v2_replaces_lists: bool = True  # unverified: v2 replaces rows of subforms and links that are not sent
    tags_per_module: int = 100
    trim_text: bool = True
    given_name_first: bool = True
    upsert_activities: bool = True  # unverified for Calls, Events and Tasks; False refuses it
    missed_call_length: str = "any"  # or "zero": whether a missed call may have a length is not documented
    cascade_deletes: bool = True  # deleting a parent deletes its activities (Zoho help: deleting records)
    restore_cascades: bool = True  # unverified whether a restored parent brings its activities back
    restore_bumps_modified: bool = True
    merge_lists_loser: bool = True
    # Setting up (Zoho create-custom-field, update-custom-fields). Fields per module: Standard 10, Professional 155,
    # Enterprise 300, Ultimate 500.
    field_creation: str = "allowed"  # or "no_permission" of the profile, "no_edition"
    custom_fields_per_module: int = 300
    unique_fields_per_module: int = 2
    field_calls: str = "each"  # unverified; "whole": one refused field refuses its call
    field_lag: float = 0.0  # unverified how long until a new field is usable
    field_label_length: int = 25
    standard_options: bool = True  # documented for v8 only; False refuses to change the vendor's own picklists
    option_updates: str = "add"  # unverified; "replace" drops the options that a call leaves out
    options_per_call: int = 0  # the published documents say 10; 0 = no limit
    # Notification channels: order, repetition and retries are not documented; numbers are 0 for never.
    watch_silenced_by_trigger: bool = False  # unverified whether a write with `trigger: []` tells nobody
    watch_shows_token: bool = True  # unverified whether the details show the token
    watch_outlives_user: bool = False  # unverified whether the channels of a deactivated user go on
    watch_retries: int = 0  # further tries of a callback that was answered with 5xx, or not at all
    watch_delay: float = 0.0  # seconds that a callback is under way
    watch_loses_every: int = 0  # every so-manieth callback never arrives
    watch_repeats_every: int = 0  # every so-manieth callback comes twice
    watch_reverses: bool = False  # callbacks of half a second arrive in reverse
    error_style: str = "top"  # or "data": the published documents wrap request errors in data[]
    # How the administrator set the org up; read at start only.
    custom_fields: bool = True  # False: a new org, without the hub id
    hub_id_unique: bool = True
    picklists: str = "bank"  # or "new_cases", "shipped": as the vendor ships them

    @property
    def credits(self) -> int:
        """Returns the API credits of a rolling day."""
        return self.credits_per_day or EDITIONS[self.edition].credits_of(self.users)

    @property
    def at_once(self) -> int:
        """Returns how many calls may run at once."""
        return self.concurrency or EDITIONS[self.edition].at_once

    def for_limits(self, limits: str) -> Settings:
        """Returns itself with the vendor's numbers, or with raised limits and shorter lags for `fast`."""
        if limits == "fast":
            self.credits_per_day = 100_000_000
            self.concurrency = 100
            self.sub_concurrency = 100
            self.tokens_per_window = self.grants_per_window = self.refresh_per_window = 1_000
            self.search_lag = 1.0
            self.bulk_seconds = self.bulk_write_seconds = 0.05
            self.bulk_downloads = 10_000
        return self
