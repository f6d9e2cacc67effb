"""Take everything out of a bucket: versions, marks of deletion, and uploads that nobody ended."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from offline.alicloud.oss import decoded
from offline.alicloud.work import Work

_PAGE: Final = "1000"
_SPOILT: Final = [chr(code) for code in range(0x20)]


def emptied(work: Work, bucket: str) -> None:
    """Remove one page of each. The caller asks again until the bucket goes."""
    asked = {"Bucket": bucket, "Query": {"max-keys": _PAGE, "encoding-type": "url"}}
    listed = work("ListObjectVersions", asked)["Xml"]
    found = [
        (decoded(one.findtext("Key") or ""), one.findtext("VersionId") or "")
        for one in (*listed.findall("DeleteMarker"), *listed.findall("Version"))
    ]
    # XML has no way to write some characters that a key may have.
    apart = [one for one in found if any(c in one[0] for c in _SPOILT)]
    if together := [one for one in found if one not in apart]:
        body = Element("Delete")
        SubElement(body, "Quiet").text = "true"
        for key, version in together:
            place = SubElement(body, "Object")
            SubElement(place, "Key").text = key
            if version:
                SubElement(place, "VersionId").text = version
        work("DeleteMultipleObjects", {"Bucket": bucket, "Body": tostring(body, "UTF-8")})
    for key, version in apart:
        query = {"versionId": version} if version else {}
        work.found("DeleteObject", {"Bucket": bucket, "Key": key, "Query": query})
    asked = {"Bucket": bucket, "Query": {"max-uploads": _PAGE, "encoding-type": "url"}}
    for one in work("ListMultipartUploads", asked)["Xml"].findall("Upload"):
        query = {"uploadId": one.findtext("UploadId") or ""}
        key = decoded(one.findtext("Key") or "")
        work.found("AbortMultipartUpload", {"Bucket": bucket, "Key": key, "Query": query})
