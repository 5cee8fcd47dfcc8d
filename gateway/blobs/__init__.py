"""Bytes of attachments and raw packets in an object store; imports only ports and domain of ours."""
