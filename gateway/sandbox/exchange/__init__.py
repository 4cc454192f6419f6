"""A simulated Exchange server: a real HTTP server that speaks SOAP, for the demo and the tests."""

from gateway.sandbox.exchange.mailbox import Mailbox, Person
from gateway.sandbox.exchange.server import ExchangeServer, Trouble

__all__ = ["ExchangeServer", "Mailbox", "Person", "Trouble"]
