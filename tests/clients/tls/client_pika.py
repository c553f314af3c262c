"""pika over TLS: with a password, and with a certificate alone."""

import os
import ssl
import uuid

import pika
from pika.exceptions import AMQPConnectionError

HOST, PORT = os.environ["AMQPS"].rsplit(":", 1)
FOLDER = os.environ["TLS_DIR"]
BODY = os.urandom(1 << 20)


def parameters(context, credentials):
    return pika.ConnectionParameters(
        HOST, int(PORT), "/", credentials, ssl_options=pika.SSLOptions(context, HOST),
        connection_attempts=1)


def context(version, with_certificate):
    made = ssl.create_default_context(cafile=f"{FOLDER}/ca.pem")
    made.minimum_version = made.maximum_version = version
    if with_certificate:
        made.load_cert_chain(f"{FOLDER}/guest.pem", f"{FOLDER}/guest.key")
    return made


def exchange_message(credentials, made):
    connection = pika.BlockingConnection(parameters(made, credentials))
    channel = connection.channel()
    channel.confirm_delivery()
    queue = f"clients.tls.pika.{uuid.uuid4().hex}"
    channel.queue_declare(queue, exclusive=True)
    channel.basic_publish("", queue, BODY, mandatory=True)
    _, _, body = channel.basic_get(queue, auto_ack=True)
    assert body == BODY, "the message is another"
    connection.close()


def main():
    password = pika.PlainCredentials("guest", "guest")
    external = pika.credentials.ExternalCredentials()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        exchange_message(password, context(version, False))
        exchange_message(external, context(version, True))
    try:
        exchange_message(external, context(ssl.TLSVersion.TLSv1_3, False))
    except AMQPConnectionError:
        pass
    else:
        raise AssertionError("logged in by certificate without one")
    try:
        exchange_message(password, ssl.create_default_context())
    except (AMQPConnectionError, ssl.SSLError):
        pass
    else:
        raise AssertionError("an authority was trusted that nobody knows")
    print("ok pika")


main()
