"""Files of Bulk Write: the upload that carries one, the CSV in it, and the value that a cell stands for.

Source: Zoho API v8 bulk-write, upload and the bulk-write limitations (rows, columns, delimiters, date formats).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from zipfile import BadZipFile, ZipFile

from connectors.zoho_crm.simulator.answers import Failure
from connectors.zoho_crm.simulator.records import Org
from connectors.zoho_crm.simulator.schema import FieldSpec

MOST_BYTES = 25 * 1024 * 1024
MOST_UNPACKED = 20 * MOST_BYTES
"""What this simulator unpacks at most, so that no small file fills its memory."""
_DELIMITERS = ",;:|"
_LINKS = frozenset({"lookup", "ownerlookup"})
_WORDS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def read_upload(raw: bytes, headers: Mapping[str, str], org_id: str) -> bytes:
    """Returns the bytes of an uploaded ZIP file; raises Failure."""
    feature = headers.get("feature")
    if feature is None or "x-crm-org" not in headers:
        missing = "feature" if feature is None else "X-CRM-ORG"
        raise Failure(400, "MANDATORY_NOT_FOUND", "required header not found", {"header": missing})
    if feature != "bulk-write":
        raise Failure(400, "NOT_SUPPORTED_FEATURE", "the feature is not supported", {"header": "feature"})
    if headers["x-crm-org"] != org_id:
        raise Failure(400, "INVALID_DATA", "invalid data", {"header": "X-CRM-ORG"})
    content = _part(raw, headers.get("content-type", ""))
    if len(content) > MOST_BYTES:
        raise Failure(413, "FILE_TOO_LARGE", "the file is too large", {"maximum": MOST_BYTES})
    return content


def _part(raw: bytes, content_type: str) -> bytes:
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    boundary = b"--" + found[1].encode() if found else None
    for part in raw.split(boundary) if boundary else ():
        head, _, content = part.partition(b"\r\n\r\n")
        if re.search(rb'name="?file"?[;\r]', head + b"\r"):
            return content.removesuffix(b"\r\n")
    raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "file"})


def unpack(content: bytes) -> dict[str, str]:
    """Returns the CSV files of a ZIP by name; raises Failure where it is none, or holds none."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith(".csv")]
            if sum(one.file_size for one in members) > MOST_UNPACKED:
                raise Failure(413, "FILE_TOO_LARGE", "the file is too large")
            files = {one.filename: archive.read(one).decode("utf-8-sig") for one in members}
    except (BadZipFile, UnicodeDecodeError):
        raise Failure(400, "INVALID_FILE_FORMAT", "the file format is not supported") from None
    if not files:
        raise Failure(400, "INVALID_FILE_FORMAT", "the file holds no CSV")
    return files


def read_rows(text: str) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the rows of a CSV with one of the vendor's delimiters."""
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    return (rows[0], rows[1:]) if rows else ([], [])


def value_of(org: Org, spec: FieldSpec | None, cell: str, written: str | None) -> Any:
    """Returns what a cell means for a field, as the record API takes it; what it cannot be is left as it stands.

    `written` is the format of a mapping: dates are MM/dd/yyyy unless it says otherwise.
    """
    if not cell or spec is None:
        return cell or None
    kind = spec.data_type
    if kind in _LINKS:
        return {"id": cell}
    if kind == "boolean":
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if kind in ("integer", "bigint"):
        return int(cell) if re.fullmatch(r"-?\d+", cell) else cell
    if kind in ("double", "currency", "percent"):
        return float(cell) if re.fullmatch(r"-?\d+(\.\d+)?", cell) else cell
    if kind == "multiselectpicklist":
        return cell.split(";")
    if spec.api_name == "Tag":
        return [{"name": name} for name in cell.split(";")]
    return _time(org, kind, cell, written) if kind in ("date", "datetime") else cell


def _time(org: Org, kind: str, cell: str, written: str | None) -> str:
    pattern = written or ("MM/dd/yyyy" if kind == "date" else "MM/dd/yyyy HH:mm:ss")
    for word, directive in _WORDS.items():
        pattern = pattern.replace(word, directive)
    try:
        moment = datetime.strptime(cell, pattern.replace("'T'", "T"))
    except ValueError:
        return cell
    zone = timezone(timedelta(minutes=org.settings.utc_offset_minutes))
    return moment.date().isoformat() if kind == "date" else moment.replace(tzinfo=zone).isoformat()
