"""Why something does not go on, for people."""

OTHER_KEY = "OTHER_KEY"  # the fault of an NDS that is not the one that was there before


def halted(halt: str, reason: str) -> str:
    """Of a chat that does not go on here, "stalled: disk full"; empty for one that does."""
    text = f"{halt}: {reason.replace('_', ' ').lower()}" if halt else ""
    return text if text.isprintable() else ""


def nds_fault(reason: str) -> str:
    """Why an NDS that answers does not do what it is asked, for people."""
    return {
        OTHER_KEY: "it is not the one that was there, or its connections are plain",
        "TOO_MANY_CALLS": "too much was asked of it, and it takes less for a moment",
        "STORE_FULL": "its disk is full",
    }.get(reason, "its store fails")
