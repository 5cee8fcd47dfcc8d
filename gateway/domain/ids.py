"""Names of things, one type each, so that one cannot be passed for another."""

from typing import NewType

VendorId = NewType("VendorId", str)
"""Key of a vendor system in the settings."""

AgencyId = NewType("AgencyId", str)
"""Surrogate id of an agency; stays when its code changes."""

OrganId = NewType("OrganId", str)
"""Identifier code of an agency (mã định danh), any form. Element OrganId."""

DocumentUid = NewType("DocumentUid", str)
"""Surrogate id of a document sent through this gateway."""

ReceptionId = NewType("ReceptionId", str)
"""Surrogate id of one received document for one recipient."""

MessageId = NewType("MessageId", str)
"""Surrogate id of one outbox entry."""

AxisDocId = NewType("AxisDocId", str)
"""The axis's own id of an item, at most 64 characters, opaque."""

AccountName = NewType("AccountName", str)
"""Key of an axis account in the settings; also the name of the route through it."""

Digest = NewType("Digest", str)
"""SHA-256, 64 lower-case hexadecimal digits."""

ObjectKey = NewType("ObjectKey", str)
"""Opaque name of a stored object; says nothing about its content."""
