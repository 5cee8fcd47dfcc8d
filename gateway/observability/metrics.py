"""Every metric and label of the gateway; docs/reference/metrics.md is printed from here."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One instance per process, made by the wiring and passed to the parts. Label values come from closed sets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare all metrics in `registry`."""
        self.registry = registry
        self.accepted = Counter(
            "lgsp_documents_accepted",
            "Documents taken over from vendor systems",
            ["vendor", "priority"],
            registry=registry,
        )
        self.refused = Counter(
            "lgsp_documents_refused",
            "Submissions refused, by reason",
            ["vendor", "reason"],
            registry=registry,
        )
        self.delivered = Counter(
            "lgsp_messages_delivered",
            "Packets the axis took; kind is edoc or status",
            ["route", "kind"],
            registry=registry,
        )
        self.retried = Counter(
            "lgsp_messages_retried",
            "Attempts put off, by route and outcome (unavailable, uncertain)",
            ["route", "outcome"],
            registry=registry,
        )
        self.failed = Counter(
            "lgsp_messages_failed",
            "Messages that ended failed or held",
            ["route", "state"],
            registry=registry,
        )
        self.received = Counter(
            "lgsp_documents_received",
            "Documents stored from an axis, per recipient",
            ["account"],
            registry=registry,
        )
        self.statuses = Counter(
            "lgsp_statuses",
            "Business statuses; direction in or out",
            ["direction", "code"],
            registry=registry,
        )
        self.duplicates = Counter(
            "lgsp_duplicates_suppressed",
            "Repetitions answered or dropped without a second document; side vendor or axis",
            ["side"],
            registry=registry,
        )
        self.quarantined = Counter(
            "lgsp_packets_quarantined",
            "Inbound packets kept for an operator, by code",
            ["account", "code"],
            registry=registry,
        )
        self.queue_depth = Gauge(
            "lgsp_outbox_messages",
            "Unsettled and failed outbox messages, by state",
            ["state"],
            registry=registry,
        )
        self.oldest_due = Gauge(
            "lgsp_outbox_oldest_due_seconds",
            "How long the longest overdue message has been due; 0 when none is",
            registry=registry,
        )
        self.inbox_waiting = Gauge(
            "lgsp_inbox_waiting",
            "Received documents not yet acknowledged or refused",
            registry=registry,
        )
        self.inbox_unclaimed = Gauge(
            "lgsp_inbox_unclaimed",
            "Received documents for agencies that no vendor system serves",
            registry=registry,
        )
        self.quarantine_depth = Gauge(
            "lgsp_quarantine_packets",
            "Packets waiting for an operator",
            registry=registry,
        )
        self.rpc_seconds = Histogram(
            "lgsp_rpc_seconds",
            "Time of calls by vendor systems; for streams, their whole life",
            ["method", "code"],
            buckets=_FAST,
            registry=registry,
        )
        self.axis_seconds = Histogram(
            "lgsp_axis_call_seconds",
            "Time of calls to an axis, by operation and outcome",
            ["account", "operation", "outcome"],
            buckets=_SLOW,
            registry=registry,
        )
        self.signature_seconds = Histogram(
            "lgsp_signature_check_seconds",
            "Time to judge the signatures of one PDF, waiting for a worker included",
            ["verdict"],
            buckets=_SLOW,
            registry=registry,
        )
