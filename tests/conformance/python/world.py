"""What the program is told about the world it runs in, and the SDK clients that reach it.

Everything comes from the environment, so that the same program runs against the lab, Microsoft's emulator or a real
namespace. Three ways lead in: a connection string over plain AMQP or over WebSocket with TLS, or a token of Microsoft
Entra ID over TLS.
"""

import os
from contextlib import contextmanager

from azure.identity import ClientSecretCredential
from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode, TransportType

# Long enough for a busy machine, and never waited for when all is well.
PATIENCE = 30
# How long an empty queue is listened to before it counts as empty.
EMPTY_AFTER = 0.5


class World:
    """One way into one namespace."""

    def __init__(self, environment=os.environ):
        self.way = environment["CONFORMANCE_WAY"]
        self.queue = environment["CONFORMANCE_QUEUE"]
        self.short_lock_queue = environment["CONFORMANCE_SHORT_LOCK_QUEUE"]
        self.duplicate_detection_queue = environment["CONFORMANCE_DUPLICATE_DETECTION_QUEUE"]
        self.two_deliveries_queue = environment["CONFORMANCE_TWO_DELIVERIES_QUEUE"]
        self.expiring_queue = environment["CONFORMANCE_EXPIRING_QUEUE"]
        self.sessions_queue = environment["CONFORMANCE_SESSIONS_QUEUE"]
        self.small_queue = environment["CONFORMANCE_SMALL_QUEUE"]
        self.missing_queue = environment["CONFORMANCE_MISSING_QUEUE"]
        self.forbidden_queue = environment["CONFORMANCE_FORBIDDEN_QUEUE"]
        self.options = {}
        if self.way == "connection-string":
            self.connection_string = environment["SERVICE_BUS_CONNECTION_STRING"]
        elif self.way == "websocket":
            self.connection_string = environment["SERVICE_BUS_CONNECTION_STRING"]
            self.options = {
                "transport_type": TransportType.AmqpOverWebsocket,
                "custom_endpoint_address": environment["SERVICE_BUS_WEBSOCKET_ENDPOINT"],
                "connection_verify": environment["CONFORMANCE_CA_FILE"],
            }
        elif self.way == "token":
            self.namespace = environment["SERVICE_BUS_NAMESPACE"]
            self.ca_file = environment["CONFORMANCE_CA_FILE"]
            self.authority = environment["AZURE_AUTHORITY_HOST"]
            self.tenant_id = environment["AZURE_TENANT_ID"]
            self.client_id = environment["AZURE_CLIENT_ID"]
            self.client_secret = environment["AZURE_CLIENT_SECRET"]
        else:
            raise SystemExit(f"CONFORMANCE_WAY is {self.way!r}: expected connection-string, websocket or token")

    def queues(self):
        """The queues that may be read and written, which every case leaves empty."""
        return [
            self.queue,
            self.short_lock_queue,
            self.duplicate_detection_queue,
            self.two_deliveries_queue,
            self.expiring_queue,
            self.small_queue,
        ]

    def credential(self, secret=None):
        """The application's credential, as its owner would write it; only the trusted CA is said besides."""
        return ClientSecretCredential(
            self.tenant_id,
            self.client_id,
            secret or self.client_secret,
            authority=self.authority,
            # A private authority is in no public instance metadata.
            disable_instance_discovery=True,
            connection_verify=self.ca_file,
        )

    @contextmanager
    def client(self, *, connection_string=None, secret=None, **options):
        """A client that is closed with its block."""
        if self.way in ("connection-string", "websocket"):
            client = ServiceBusClient.from_connection_string(
                connection_string or self.connection_string, **self.options, **options
            )
            with client:
                yield client
        else:
            with self.credential(secret) as credential:
                with ServiceBusClient(
                    self.namespace, credential, connection_verify=self.ca_file, **options
                ) as client:
                    yield client

    def drain(self):
        """Empties the queues and their dead-letter queues, so that a failed case spoils no other."""
        with self.client() as client:
            for queue in self.queues():
                for sub_queue in (None, "deadletter"):
                    with client.get_queue_receiver(
                        queue, sub_queue=sub_queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
                    ) as receiver:
                        while receiver.receive_messages(max_message_count=100, max_wait_time=EMPTY_AFTER):
                            pass
            for session in client.list_queue_sessions(self.sessions_queue):
                with client.get_queue_receiver(
                    self.sessions_queue,
                    session_id=session,
                    receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE,
                ) as receiver:
                    receiver.session.set_state(None)
                    while receiver.receive_messages(max_message_count=100, max_wait_time=EMPTY_AFTER):
                        pass


def send(client, queue, *messages):
    """Sends each message by itself."""
    with client.get_queue_sender(queue) as sender:
        for message in messages:
            sender.send_messages(message)


def receive(receiver, count):
    """Exactly `count` messages, however many receives it takes."""
    messages = []
    while len(messages) < count:
        more = receiver.receive_messages(max_message_count=count - len(messages), max_wait_time=PATIENCE)
        assert more, f"{len(messages)} of {count} messages came in {PATIENCE} s"
        messages += more
    return messages


def assert_empty(receiver):
    """Nothing can be received."""
    left = receiver.receive_messages(max_message_count=1, max_wait_time=EMPTY_AFTER)
    assert not left, f"{left[0].message_id} is still there"


def text(message):
    """The body of a message."""
    return b"".join(message.body).decode()


def raises(expected, action):
    """The error that `action` raises, which must be one of the SDK's own `expected` types."""
    try:
        action()
    except expected as error:
        return error
    raise AssertionError(f"no {expected} was raised")
