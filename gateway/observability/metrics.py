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
        self.divided = Counter(
            "lgsp_messages_divided",
            "Packets for several recipients refused because of one, and put back as two halves",
            ["route"],
            registry=registry,
        )
        self.circuit = Gauge(
            "lgsp_axis_circuit",
            "Circuit of an axis: 0 closed, all is well; 1 half-open, one probe at a time; 2 open, left alone",
            ["account"],
            registry=registry,
        )
        self.failed_over = Counter(
            "lgsp_failed_over",
            "Messages that left an account which was down for the next account of their route",
            ["from", "to"],
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
        self.stranded = Gauge(
            "lgsp_outbox_stranded",
            "Unsettled messages for accounts that are not in the settings, counted every 10 minutes",
            registry=registry,
        )
        self.deadline_near = Gauge(
            "lgsp_deadline_near",
            "Document messages not sent whose legal deadline is near (delivery.deadline_warning_hours)",
            registry=registry,
        )
        self.deadline_missed = Gauge(
            "lgsp_deadline_missed",
            "Document messages not sent whose legal deadline has passed; urgent ones count from their acceptance",
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
        self.storage_free = Gauge(
            "lgsp_storage_free_bytes",
            "Bytes free on the disk of a place: blobs, store",
            ["place"],
            registry=registry,
        )
        self.storage_kept = Gauge(
            "lgsp_storage_kept_bytes",
            "Bytes of stored attachments and packets, counted every 5 minutes",
            registry=registry,
        )
        self.storage_full = Gauge(
            "lgsp_storage_full",
            "1 while new documents are put off for want of room, in both directions",
            registry=registry,
        )
        self.storage_refused = Counter(
            "lgsp_storage_refused",
            "Uploads, submissions and downloads from the axis put off, by what there is too little of: disk, quota",
            ["shortage"],
            registry=registry,
        )
        self.discrepancies = Gauge(
            "lgsp_discrepancies",
            "What an axis's lists and our records say differently and an operator should look at, by kind",
            ["account", "kind"],
            registry=registry,
        )
        self.repaired = Counter(
            "lgsp_discrepancies_repaired",
            "Differences from an axis's lists that reconciliation repaired, by kind",
            ["account", "kind"],
            registry=registry,
        )
        self.removed = Counter(
            "lgsp_removed",
            "Things that retention took away; kind is sent, received, items, statuses or events",
            ["kind"],
            registry=registry,
        )
        self.rpc_seconds = Histogram(
            "lgsp_rpc_seconds",
            "Time of calls by vendor systems; for streams, their whole life",
            ["method", "code"],
            buckets=_FAST,
            registry=registry,
        )
        self.door_seconds = Histogram(
            "lgsp_door_seconds",
            "Time of calls through the door, by operation and ErrorCode of the answer (broken: it could not be ended)",
            ["operation", "outcome"],
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
