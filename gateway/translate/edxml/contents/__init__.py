"""What attachments carry: base64, wrapping ZIPs, kinds of files, where the bytes go."""
