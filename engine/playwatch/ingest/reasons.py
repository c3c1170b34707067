"""Why a broker ended a connection, in its own words."""

from __future__ import annotations

TAKEN_OVER = 0x8E

# MQTT 5.0, section 3.14.2.1; those that a server may send and a user may meet.
DISCONNECTED = {
    0x81: "malformed packet",
    0x82: "protocol error",
    0x87: "not authorized",
    0x89: "server busy",
    0x8B: "server shutting down",
    0x8D: "keep alive timeout",
    TAKEN_OVER: "session taken over",
    0x8F: "topic filter invalid",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA2: "wildcard subscriptions not supported",
}
